//! Stands between exporter and simulator: passes bytes on, over TLS or not, until it is told to behave otherwise.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How the proxy behaves to connections; a change breaks off those that there are.
#[derive(Clone)]
pub(super) enum Manner {
    /// Bytes are passed on as they are.
    Plain,
    /// The same, with TLS towards the exporter.
    Tls(Arc<rustls::ServerConfig>),
    /// Nothing listens.
    Away,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    manner: watch::Sender<Manner>,
    _stop: DropGuard,
}

impl Proxy {
    /// A proxy in front of `target`.
    pub(super) async fn start(target: SocketAddr, first: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, changes) = watch::channel(first);
        let stop = CancellationToken::new();
        let running = serve(listener, address, target, changes);
        tokio::spawn(stop.clone().run_until_cancelled_owned(running));
        Self { port: address.port(), manner, _stop: stop.drop_guard() }
    }

    pub(super) fn become_(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    mut manner: watch::Receiver<Manner>,
) {
    let mut listener = Some(listener);
    loop {
        let present = manner.borrow_and_update().clone();
        if matches!(present, Manner::Away) {
            listener = None;
            if manner.changed().await.is_err() {
                return;
            }
            continue;
        }
        let listening = match listener.take() {
            Some(listening) => listening,
            None => TcpListener::bind(address).await.unwrap(),
        };
        let connections = CancellationToken::new();
        loop {
            tokio::select! {
                accepted = listening.accept() => {
                    let (stream, _) = accepted.unwrap();
                    let passing = pass_on(stream, target, present.clone());
                    tokio::spawn(connections.clone().run_until_cancelled_owned(passing));
                }
                changed = manner.changed() => {
                    connections.cancel();
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
        listener = Some(listening);
    }
}

async fn pass_on(stream: TcpStream, target: SocketAddr, manner: Manner) {
    match manner {
        Manner::Plain => join(stream, target).await,
        Manner::Tls(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                join(stream, target).await;
            }
        }
        Manner::Away => {}
    }
}

async fn join<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, target: SocketAddr) {
    if let Ok(mut target) = TcpStream::connect(target).await {
        // Ends in an error wherever a fault breaks the connection.
        let _broken = copy_bidirectional(&mut stream, &mut target).await;
    }
}

/// A certificate authority of its own, made on the spot.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let key = KeyPair::generate().unwrap();
        // A name of its own, or another authority would seem to be this one with a wrong signature.
        let name = format!("authority {:x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's TLS with a certificate for `name`, that speaks these protocols.
    pub(super) fn server(&self, name: &str, is_expired: bool, protocols: &[&str]) -> Manner {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if is_expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Manner::Tls(Arc::new(config))
    }
}
