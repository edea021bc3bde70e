//! `up.lock`: one supervisor a home folder, and who it is.
//!
//! The kernel frees the lock when its holder is gone, however it went; what is written in
//! the file only counts while somebody holds it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{LOOK_AGAIN, banner::Banner};
use crate::failure::Outcome;

/// How often the lock is tried for: who only asks for its holder has it for an instant.
const TRIES: u32 = 10;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// Who holds it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The supervisor's process; `None` in the moment before it says so.
    pub(crate) pid: Option<u32>,
    /// Where it serves, once it is ready. Never with a key in it.
    pub(crate) banner: Option<Banner>,
}

/// Whose it is.
#[derive(Debug)]
pub(crate) enum Taken {
    Ours(Lock),
    By(Box<Holder>),
}

/// Takes the lock of a home folder, or says who holds it.
pub(crate) async fn take(home: &Path) -> Outcome<Taken> {
    let path = home.join("up.lock");
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).with_context(|| format!("open {}", path.display()))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock(file);
                lock.write(&Holder { pid: Some(std::process::id()), banner: None })?;
                return Ok(Taken::Ours(lock));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(TryLockError::Error(error)) => {
                return Err(anyhow::Error::new(error)
                    .context(format!("lock {}", path.display()))
                    .into());
            }
        }
    }
    Ok(Taken::By(Box::new(read(&mut file))))
}

/// What its holder wrote. Half of it is read in the moment of writing: then nothing is
/// known yet.
fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

/// Who holds the lock of a home folder, if anybody does. Asking makes and changes nothing.
pub(crate) fn holder(home: &Path) -> Outcome<Option<Holder>> {
    let path = home.join("up.lock");
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("open {}", path.display()))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read(&mut file))),
        Err(TryLockError::Error(error)) => {
            Err(anyhow::Error::new(error).context(format!("lock {}", path.display())).into())
        }
    }
}

impl Lock {
    /// Writes down where we serve.
    pub(crate) fn tell(&mut self, banner: &Banner) -> Outcome {
        let banner = Banner { key: None, ..banner.clone() };
        self.write(&Holder { pid: Some(std::process::id()), banner: Some(banner) })
    }

    fn write(&mut self, holder: &Holder) -> Outcome {
        let text = serde_json::to_string(holder).context("write JSON")?;
        let mut write = || {
            self.0.set_len(0)?;
            self.0.rewind()?;
            self.0.write_all(text.as_bytes())
        };
        Ok(write().context("write up.lock")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::up::banner::tests::banner;

    #[tokio::test]
    async fn the_second_is_told_who_the_first_is_and_never_the_key() {
        let dir = tempfile::tempdir().unwrap();
        assert!(holder(dir.path()).unwrap().is_none());
        assert!(!dir.path().join("up.lock").exists(), "asking makes nothing");
        let first = take(dir.path()).await.unwrap();
        let Taken::Ours(mut first) = first else { panic!("it is free") };
        first.tell(&banner()).unwrap();
        let second = holder(dir.path()).unwrap().unwrap();
        assert_eq!(second.pid, Some(std::process::id()));
        let told = second.banner.unwrap();
        assert_eq!((told.control, told.key), (banner().control, None));
        drop(first);
        assert!(holder(dir.path()).unwrap().is_none(), "it is free again, whatever is in it");
    }

    #[tokio::test]
    async fn who_only_asks_keeps_nobody_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("up.lock");
        std::fs::write(&path, "{}").unwrap();
        let asks = File::open(&path).unwrap();
        asks.try_lock_shared().unwrap();
        assert!(holder(dir.path()).unwrap().is_none(), "another who asks is no holder");
        let begun = tokio::sync::oneshot::channel();
        let asking = async {
            begun.1.await.unwrap();
            drop(asks);
        };
        let starting = async {
            begun.0.send(()).unwrap();
            take(dir.path()).await.unwrap()
        };
        let (taken, ()) = tokio::join!(starting, asking);
        assert!(matches!(taken, Taken::Ours(_)));
    }
}
