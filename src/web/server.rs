//! Accepts connections and serves them, within bounds, until it is told to stop. Called by `app`.
//!
//! HTTP/1.1 and HTTP/2 without TLS. Connections are bounded in number, requests must come and responses be taken in
//! time, and a stop answers what is under way before it returns.

use crate::web::respond::Response;
use crate::web::stall::Stalling;
use crate::web::{Web, routes};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use prometheus::IntGauge;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections open at once; more wait in the system's queue.
const CONNECTIONS: usize = 1024;

/// The time for the first request of a connection.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A response must be taken on within this time.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for a later request's head, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest head, in bytes.
const HEAD_BYTES: usize = 32 * 1024;

/// What is under way at a stop has so long to end.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// After `accept` failed (no file descriptors left, say), the next try waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers the requests of a server.
pub trait Service: Send + Sync + 'static {
    /// Answers one request of a client at `peer`.
    fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Response> + Send;

    /// Counts the connections that are open.
    fn connections(&self) -> &IntGauge;
}

impl Service for Web {
    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response {
        routes::answer(self, request).await
    }

    fn connections(&self) -> &IntGauge {
        &self.connections
    }
}

/// Serves until `shutdown`, then answers what is under way, for [`STOP_TIMEOUT`] at most.
pub async fn serve<S: Service>(service: Arc<S>, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(Arc::clone(&service), listener, Arc::clone(&places), shutdown.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

/// Accepts until `shutdown`, each connection in a task of its own; then waits for those to end.
async fn accept<S: Service>(
    service: Arc<S>,
    listener: TcpListener,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let service = Arc::clone(&service);
                    connections.spawn(serve_connection(service, stream, peer, place, shutdown.clone()));
                }
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection to its end. A fault of a client is that client's trouble alone.
async fn serve_connection<S: Service>(
    answering: Arc<S>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Option<OwnedSemaphorePermit>,
    shutdown: CancellationToken,
) {
    let open = OpenConnection::new(answering.connections().clone());
    // Scrapes are whole responses: waiting to fill a packet only delays their end.
    let _best_effort = stream.set_nodelay(true);
    // Whether a request came at all.
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let answering = Arc::clone(&answering);
        async move { Ok::<_, Infallible>(answering.answer(request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(HEAD_TIMEOUT);
    let io = TokioIo::new(Stalling::new(stream, STALL_TIMEOUT));
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        // hyper's own limits begin only once it knows which version is spoken.
        () = silence(&asked) => Ok(()),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            if asked.load(Ordering::Relaxed) {
                end_in_time(connection.as_mut()).await
            } else {
                Ok(())
            }
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection ended by a fault");
    }
    drop((open, place));
}

/// Ends when no request has come in time; else never.
async fn silence(asked: &AtomicBool) {
    tokio::time::sleep(FIRST_REQUEST_TIMEOUT).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Lets a connection end what is under way on it, for [`STOP_TIMEOUT`] at most.
async fn end_in_time<E>(connection: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    let ended = tokio::time::timeout(STOP_TIMEOUT, connection).await;
    ended.unwrap_or_else(|_elapsed| {
        warn!(seconds = STOP_TIMEOUT.as_secs(), "a connection was still in use and is cut");
        Ok(())
    })
}

/// Counts a connection as long as it lives.
struct OpenConnection(IntGauge);

impl OpenConnection {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
