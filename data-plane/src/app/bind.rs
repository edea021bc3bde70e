//! One listening socket for each worker, all on one address: the system spreads
//! connections over them.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Connections that may wait to be accepted, for each listener.
const BACKLOG: i32 = 4_096;

/// Binds `workers` listeners to `address`; with port 0 all to the same free one.
pub(super) fn listen(
    address: SocketAddr,
    workers: usize,
) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if address.port() != 0 {
        // Sockets that share a port do not notice another program that does so too: it
        // would get half of our callers. One that does not share it does notice.
        drop(bind(address, Sharing::Alone)?);
    }
    let first = bind(address, Sharing::Shared)?;
    let bound = first.local_addr()?.as_socket().ok_or_else(|| io::Error::other("no IP address"))?;
    let mut sockets = vec![first];
    for _ in 1..workers.max(1) {
        sockets.push(bind(bound, Sharing::Shared)?);
    }
    let listeners = sockets.into_iter().map(|socket| {
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    });
    Ok((bound, listeners.collect::<io::Result<_>>()?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Shared,
}

fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a predecessor that linger must not keep us from the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_share_one_free_port() {
        let (bound, listeners) = listen(([127, 0, 0, 1], 0).into(), 3).unwrap();
        assert_ne!(bound.port(), 0);
        let ports: Vec<_> = listeners.iter().map(|it| it.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [bound.port(); 3]);
    }

    #[test]
    fn a_port_that_another_program_serves_is_refused() {
        let (bound, _listeners) = listen(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let refused = listen(bound, 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
