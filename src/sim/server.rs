//! The simulator's listener: HTTP/1.1 and HTTP/2 without TLS on one port, and an orderly end.

use crate::sim::handle::SimHandle;
use crate::sim::options::{SimError, SimOptions};
use crate::sim::service::{Shared, answer};
use crate::sim::webhook;
use crate::sim::wire::{Breaker, Wire};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// So many connections are open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;

/// Answers under way may end so long after the shutdown began; a trickle or a hang is then cut off.
const GRACE: Duration = Duration::from_secs(2);

/// After a failed `accept` (no file descriptors left, say) it is tried again so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A simulated Grid API. Its time begins when it is made.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// Makes a simulator; nothing listens yet. Needs a tokio runtime only for its clock.
    pub fn new(options: SimOptions) -> Result<Self, SimError> {
        options.check()?;
        Ok(Self { shared: Arc::new(Shared::new(options)) })
    }

    /// What changes it while it runs.
    #[must_use]
    pub fn handle(&self) -> SimHandle {
        SimHandle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until `shutdown`; then lets answers under way end, two seconds at most.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        connections.spawn(webhook::send_all(Arc::clone(&self.shared), shutdown.clone()));
        loop {
            let accepting = async {
                // Never closed, so the permit always comes.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                (place, accepted) = accepting => match accepted {
                    Ok((stream, _)) => {
                        let connection = serve_connection(Arc::clone(&self.shared), stream, shutdown.clone());
                        connections.spawn(async move {
                            connection.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the simulator could not accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, all_ended).await.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn serve_connection(shared: Arc<Shared>, stream: TcpStream, shutdown: CancellationToken) {
    // Small answers shall not wait for more to send.
    let _ = stream.set_nodelay(true);
    let breaker = Breaker::default();
    let wire = Wire::new(stream, breaker.clone());
    let service = service_fn(move |request| {
        let (shared, breaker) = (Arc::clone(&shared), breaker.clone());
        async move { Ok::<_, Infallible>(answer(&shared, &breaker, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Usual here: clients that give up, and connections that a fault breaks.
        tracing::debug!(%error, "a connection to the simulator ended early");
    }
}
