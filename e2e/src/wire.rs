//! A wire that can be cut: a TCP relay between two programs, which passes bytes on,
//! swallows them in one direction or both, or breaks.

use anyhow::Result;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Longest wait for a far end that does not take a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// What the wire does with bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// Bytes towards the far end wait.
    up_cut: bool,
    /// Bytes from the far end wait.
    down_cut: bool,
    /// Counts how often everything was broken off.
    broken: u64,
}

/// A relay on a loopback port. Ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    /// Ends with the wire.
    _serving: JoinSet<()>,
}

impl Wire {
    /// A wire to the first of `far_ends` that takes a connection, asked anew for each.
    ///
    /// # Errors
    /// When no port can be taken.
    pub async fn to(far_ends: Vec<SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(State::default()));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, far_ends, Arc::clone(&state)));
        Ok(Self { address, state, _serving: serving })
    }

    /// Where the near end connects.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes towards the far end stop coming through, as on a one-way partition: nothing
    /// is closed, and they go on when it is mended.
    pub fn cut_up(&self) {
        self.state.send_modify(|it| it.up_cut = true);
    }

    /// The same for bytes from the far end.
    pub fn cut_down(&self) {
        self.state.send_modify(|it| it.down_cut = true);
    }

    /// Both directions pass again.
    pub fn mend(&self) {
        self.state.send_modify(|it| (it.up_cut, it.down_cut) = (false, false));
    }

    /// Closes every connection at once; new ones are taken.
    pub fn break_off(&self) {
        self.state.send_modify(|it| it.broken += 1);
    }
}

async fn serve(listener: TcpListener, far_ends: Vec<SocketAddr>, state: Arc<watch::Sender<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (far_ends, state) = (far_ends.clone(), state.subscribe());
        connections.spawn(async move {
            if let Some(far) = connect(&far_ends).await {
                carry(near, far, state).await;
            }
        });
    }
}

async fn connect(far_ends: &[SocketAddr]) -> Option<TcpStream> {
    for far in far_ends {
        let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(far)).await;
        if let Ok(Ok(stream)) = connected {
            return Some(stream);
        }
    }
    None
}

async fn carry(near: TcpStream, far: TcpStream, mut state: watch::Receiver<State>) {
    // Small messages are not to wait for each other, as they would not without us.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let since = state.borrow().broken;
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let up = one_way(near_in, far_out, state.clone(), |it| it.up_cut);
    let down = one_way(far_in, near_out, state.clone(), |it| it.down_cut);
    let broken = async {
        // The sender is gone only when the wire is.
        let _ = state.wait_for(|it| it.broken != since).await;
    };
    tokio::select! {
        _ = async { tokio::join!(up, down) } => {}
        () = broken => {}
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    is_cut: impl Fn(&State) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if state.wait_for(|it| !is_cut(it)).await.is_err() || read == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo(tasks: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async move {
            let mut echoes = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                echoes.spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_cut_holds_bytes_in_one_direction_and_mending_lets_them_through() {
        let mut tasks = JoinSet::new();
        let far = echo(&mut tasks).await;
        let wire = Wire::to(vec![far]).await.unwrap();
        let mut near = TcpStream::connect(wire.address).await.unwrap();
        let mut buffer = [0; 3];
        near.write_all(b"one").await.unwrap();
        near.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"one");
        wire.cut_down();
        near.write_all(b"two").await.unwrap();
        let silent = Duration::from_millis(50);
        assert!(tokio::time::timeout(silent, near.read(&mut buffer)).await.is_err());
        wire.mend();
        near.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"two");
        wire.break_off();
        assert!(matches!(near.read(&mut buffer).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn the_next_far_end_is_taken_when_the_first_is_away() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let away = nobody.local_addr().unwrap();
        drop(nobody);
        let mut tasks = JoinSet::new();
        let wire = Wire::to(vec![away, echo(&mut tasks).await]).await.unwrap();
        let mut near = TcpStream::connect(wire.address).await.unwrap();
        near.write_all(b"hey").await.unwrap();
        let mut buffer = [0; 3];
        near.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hey");
    }
}
