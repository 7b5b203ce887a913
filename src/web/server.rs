//! Accepts connections and serves them, within bounds, until it is told to stop. Called by `app`, once for the endpoints
//! and once for webhooks, each a [`Service`].
//!
//! HTTP/1.1 and HTTP/2, inside TLS where the web configuration file says so. Connections are bounded in number, requests
//! must come and responses be taken in time, and a stop answers what is under way before it returns.

use crate::tls::server::TlsServer;
use crate::tls::stream::ServerStream;
use crate::web::connections::{Connection, Connections, Place};
use crate::web::held::{Held, Memory};
use crate::web::respond::Response;
use crate::web::scrapes::ScrapePlace;
use crate::web::stall::Stalling;
use crate::web::wire::Strict;
use crate::web::{Web, respond, routes, scrapes};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use prometheus::IntGauge;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections open at once; for a new one another is closed. Fewer if the process may not have as many files open.
const CONNECTIONS: usize = 1024;

/// File descriptors that are left for everything else: polls, files, listeners.
const OTHER_FILES: usize = 160;

/// The time for the first request of a connection, with the handshake of TLS.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A response must be taken on within this time.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for a later request's head, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest head, in bytes.
const HEAD_BYTES: usize = 32 * 1024;

/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 64;

/// What a client of HTTP/2 may send ahead, in bytes: no body that we take is larger.
const WINDOW_BYTES: u32 = 65_535;

/// What waits to be sent on one stream of HTTP/2, in bytes, beside the response itself.
const SEND_BYTES: usize = 64 * 1024;

/// Streams that a client may open and reset before they were looked at ('rapid reset'), and that we may reset for its
/// faults, before the connection is closed.
const RESETS: usize = 32;

/// What is under way at a stop has so long to end.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// After `accept` failed (no file descriptors left, say), the next try waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers the requests of a server.
pub trait Service: Send + Sync + 'static {
    /// TLS for a new connection, if it is spoken, and whether HTTP/2 may be.
    fn tls(&self) -> (Option<Arc<TlsServer>>, bool);

    /// Answers one request of a client at `peer`.
    fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> impl Future<Output = Response> + Send;

    /// Counts the connections that are open.
    fn connections(&self) -> &IntGauge;

    /// The endpoints, behind which there is more to ask and to bound; nothing for webhooks.
    fn web(&self) -> Option<&Web>;
}

impl Service for Web {
    fn tls(&self) -> (Option<Arc<TlsServer>>, bool) {
        self.door.as_ref().map_or((None, true), |door| door.for_connection())
    }

    async fn answer(&self, request: Request<Incoming>, _peer: IpAddr) -> Response {
        routes::answer(self, request).await
    }

    fn connections(&self) -> &IntGauge {
        &self.connections
    }

    fn web(&self) -> Option<&Web> {
        Some(self)
    }
}

/// What all connections share.
struct Server<S> {
    service: Arc<S>,
    connections: Arc<Connections>,
    memory: Memory,
}

/// Serves until `shutdown`, then answers what is under way, for [`STOP_TIMEOUT`] at most.
pub async fn serve<S: Service>(service: Arc<S>, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
    let connections = Connections::new(most_connections(), service.connections().clone());
    let server = Arc::new(Server { service, connections, memory: Memory::new() });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(Arc::clone(&server), listener, shutdown.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

/// How many connections may be open, by the process's limit of file descriptors.
fn most_connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = limit.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    CONNECTIONS.min(files.saturating_sub(OTHER_FILES).max(files / 4))
}

/// Accepts until `shutdown`, each connection in a task of its own; then waits for those to end.
async fn accept<S: Service>(server: Arc<Server<S>>, listener: TcpListener, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(Arc::clone(&server), stream, peer, shutdown.clone()));
                }
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    server.connections.evict_one();
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
    server: Arc<Server<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    shutdown: CancellationToken,
) {
    let place = server.connections.enter(peer.ip().to_canonical());
    // Scrapes are whole responses: waiting to fill a packet only delays their end.
    let _best_effort = stream.set_nodelay(true);
    let connection = &place.connection;
    // In this order: where we were too busy for a long time, what has come meanwhile is read before its limit is looked at.
    let result = tokio::select! {
        biased;
        result = speak(&server, stream, &place, &shutdown) => result,
        // hyper's own limits begin only once it knows which version is spoken.
        () = silence(connection) => Ok(()),
        () = connection.evicted() => {
            debug!("a connection was closed to make room for others");
            Ok(())
        }
        () = connection.overdue() => {
            debug!("a scrape took too long, and its connection was closed");
            Ok(())
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection ended by a fault");
    }
}

/// Speaks TLS and HTTP on one connection.
async fn speak<S: Service>(
    server: &Arc<Server<S>>,
    stream: TcpStream,
    place: &Place,
    shutdown: &CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (tls, http2) = server.service.tls();
    let stream = tokio::select! {
        stream = ServerStream::accept(stream, tls.as_deref()) => stream?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let service = service_fn(|request| {
        let (server, connection) = (Arc::clone(server), Arc::clone(&place.connection));
        async move { Ok::<_, Infallible>(server.answer(request, &connection).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(HEAD_TIMEOUT);
    if !http2 {
        builder = builder.http1_only();
    }
    let io = TokioIo::new(Strict::new(Stalling::new(stream, STALL_TIMEOUT)));
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            if place.connection.has_asked() {
                end_in_time(connection.as_mut()).await
            } else {
                Ok(())
            }
        }
    }
}

impl<S: Service> Server<S> {
    /// Answers one request: the door first, then the service.
    async fn answer(&self, request: Request<Incoming>, connection: &Arc<Connection>) -> http::Response<Held> {
        let busy = connection.begin();
        let door = self.service.web().and_then(|web| Some((web, web.door.as_ref()?)));
        let is_head = request.method() == Method::HEAD;
        // `wire` does not follow where a body ends, so nothing comes behind it.
        let is_last = request.version() < Version::HTTP_2
            && [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name));
        let passed = match door {
            None => Ok(()),
            Some((web, door)) => {
                let is_open = routes::asks_for_nobody(web, request.uri().path());
                door.pass(connection.peer(), request.headers(), is_open).await
            }
        };
        let placed = match passed {
            Ok(()) => self.place(&request, connection).await,
            Err(refused) => Err(refused),
        };
        let (response, scrape) = match placed {
            Ok(scrape) => (self.service.answer(request, connection.peer()).await, scrape),
            Err(mut refused) => {
                if is_head {
                    *refused.body_mut() = Either::Right(Full::default());
                }
                (refused, None)
            }
        };
        let mut response = self.memory.hold(response, busy, scrape);
        respond::protect(&mut response);
        let headers = response.headers_mut();
        if is_last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some((_, door)) = door {
            door.set_headers(headers);
        }
        response
    }

    /// A place among the scrapes, if the request is one and they are bounded; or 503.
    async fn place(
        &self,
        request: &Request<Incoming>,
        connection: &Arc<Connection>,
    ) -> Result<Option<ScrapePlace>, Response> {
        let Some(web) = self.service.web() else { return Ok(None) };
        let options = &web.options;
        let below = request.uri().path().strip_prefix(options.route_prefix.as_str());
        match &web.scrapes {
            Some(places) if below == Some(options.telemetry_path.as_str()) => {
                scrapes::take(places, options.max_requests, &self.connections, connection).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Ends when no request has come in time; else never.
async fn silence(connection: &Connection) {
    tokio::time::sleep(FIRST_REQUEST_TIMEOUT).await;
    if connection.has_asked() {
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
