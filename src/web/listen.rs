//! Binds the listening sockets. Called by `app` before anything else starts, so that a port in use stops the start.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that the system completes before they are accepted: where a flood fills the queue, a scraper's are lost
/// and tried again a second later. The system cuts it to its own limit (`net.core.somaxconn`, 4096).
const BACKLOG: u32 = 4096;

/// Why a listening socket can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host's name is unknown.
    #[error(
        "--web.listen-address {address}: the host can't be resolved ({source}); write an address of this machine"
    )]
    Resolve {
        /// As it was given.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address can't be bound.
    #[error("--web.listen-address {address}: {}", binding(source))]
    Bind {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// systemd passed no socket.
    #[error("--web.systemd-socket: no socket was passed ({0}); start it by a systemd .socket unit")]
    Systemd(String),
}

impl ListenError {
    /// The same without the flag, for addresses that stand elsewhere.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Resolve { source, .. } => {
                format!("the host can't be resolved ({source}); write an address of this machine")
            }
            Self::Bind { source, .. } => binding(source),
            Self::Systemd(why) => why.clone(),
        }
    }
}

fn binding(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use, by another process or another --web.listen-address; choose another"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => "not permitted; ports below 1024 need a privilege".to_owned(),
        io::ErrorKind::AddrNotAvailable => "the address is none of this machine's".to_owned(),
        _ => error.to_string(),
    }
}

/// Binds one address: `host:port`, or `:port` for all addresses of the machine, IPv6 and IPv4.
pub async fn bind(address: &str) -> Result<Vec<TcpListener>, ListenError> {
    if let Some(port) = address.strip_prefix(':') {
        // The port was checked with the flag; a wrong one would be no address.
        let port = port.parse().unwrap_or_default();
        return match open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
            Ok(listener) => Ok(vec![listener]),
            // A machine without IPv6.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                bind_one(address, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
                    .map(|listener| vec![listener])
            }
            Err(source) => Err(ListenError::Bind { address: address.to_owned(), source }),
        };
    }
    let resolved: Vec<SocketAddr> = lookup_host(address)
        .await
        .map_err(|source| ListenError::Resolve { address: address.to_owned(), source })?
        .collect();
    let mut listeners = Vec::new();
    for resolved in resolved {
        listeners.push(bind_one(address, resolved)?);
    }
    Ok(listeners)
}

fn bind_one(address: &str, to: SocketAddr) -> Result<TcpListener, ListenError> {
    open(to).map_err(|source| ListenError::Bind { address: address.to_owned(), source })
}

/// A socket that listens, with as long a queue as the system permits.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes the sockets that systemd passed.
pub fn from_systemd() -> Result<Vec<TcpListener>, ListenError> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for position in 0..passed.len() {
        let socket =
            passed.take_tcp_listener(position).map_err(|error| ListenError::Systemd(error.to_string()))?;
        if let Some(socket) = socket {
            let adopted = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
            listeners.push(adopted.map_err(|error| ListenError::Systemd(error.to_string()))?);
        }
    }
    if listeners.is_empty() {
        Err(ListenError::Systemd("LISTEN_FDS names none".to_owned()))
    } else {
        Ok(listeners)
    }
}
