//! The end of a process: asked to stop, drain, deadline, cut.
//!
//! Knows signals and time; what draining means is the program's business.

use std::{
    io,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Process;

/// Where this process stands on its way to the end.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    cut: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Shutdown {
    /// Begins to drain: finish what is begun, take nothing new.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Drains because something of ours broke; the process will exit with failure.
    pub fn fail(&self, why: impl Into<String>) {
        // The first reason is the cause, later ones its consequences.
        let _ = self.reason.set(why.into());
        self.drain();
    }

    /// Waits until draining has begun.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Waits until there is no more time: drop everything.
    pub async fn cut(&self) {
        self.cut.cancelled().await;
    }

    /// Whether there is no more time.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Ends the time for draining now.
    pub fn cut_now(&self) {
        self.drain.cancel();
        self.cut.cancel();
    }

    /// Why the process failed, if it did.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.get().cloned()
    }
}

/// Turns signals, and with `supervised` the end of stdin, into drain and cut.
pub(crate) fn watch(process: &Process, deadline: Duration, supervised: bool) -> io::Result<()> {
    let shutdown = process.shutdown.clone();
    let terminate = signal(SignalKind::terminate())?;
    // Ctrl-C reaches every process of the terminal. A supervised one leaves it to its
    // supervisor, which says so once, by SIGTERM or by closing stdin.
    let interrupt = signal(SignalKind::interrupt())?;
    if supervised {
        drain_at_end_of_stdin(shutdown.clone())?;
    }
    let signals = Signals { terminate, interrupt, supervised };
    process.tasks.spawn_until_exit("shutdown", drain_then_cut(shutdown, signals, deadline));
    Ok(())
}

async fn drain_then_cut(shutdown: Shutdown, mut signals: Signals, deadline: Duration) {
    let signalled = tokio::select! {
        () = signals.recv() => true,
        () = shutdown.draining() => false,
    };
    tracing::info!(deadline_ms = millis(deadline), "draining");
    shutdown.drain();
    let impatient = async {
        // A supervisor may close stdin and send a signal as well: only the second signal
        // means that waiting is over.
        if !signalled {
            signals.recv().await;
        }
        signals.recv().await;
    };
    tokio::select! {
        () = impatient => tracing::warn!("asked to stop again: cut"),
        () = tokio::time::sleep(deadline) => tracing::warn!("drain deadline passed: cut"),
    }
    shutdown.cut_now();
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    supervised: bool,
}

impl Signals {
    async fn recv(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => if !self.supervised { return },
            }
        }
    }
}

/// On a thread of its own that nobody waits for: a blocked read of stdin cannot be
/// called off, and must not keep the process from its exit.
fn drain_at_end_of_stdin(shutdown: Shutdown) -> io::Result<()> {
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        drain_at_end(io::stdin().lock(), &shutdown);
    })?;
    Ok(())
}

fn drain_at_end(mut from: impl io::Read, shutdown: &Shutdown) {
    let mut ignored = [0; 256];
    loop {
        match from.read(&mut ignored) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if !shutdown.is_draining() {
        tracing::info!("stdin ended: the supervisor is gone");
        shutdown.drain();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_a_drain_too_and_the_first_reason_stays() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.is_draining() && !shutdown.is_cut());
        shutdown.fail("cause");
        shutdown.fail("consequence");
        assert!(shutdown.is_draining() && !shutdown.is_cut());
        shutdown.cut_now();
        assert!(shutdown.is_cut());
        assert_eq!(shutdown.reason().as_deref(), Some("cause"));
    }

    #[test]
    fn the_end_of_stdin_drains_whatever_was_written_before() {
        let shutdown = Shutdown::default();
        drain_at_end(io::Cursor::new([7; 1000]), &shutdown);
        assert!(shutdown.is_draining());
        assert!(!shutdown.is_cut());
    }
}
