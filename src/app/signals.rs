//! `SIGTERM` and `SIGINT` stop the exporter, `SIGHUP` reloads its configuration; `SIGXFSZ`, which would end it where a
//! file reaches a limit (`ulimit -f`), is taken and forgotten, as the write then fails like one to a full disk. Called
//! by `cli`.

use crate::web::reload::ReloadRequest;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The signals that are listened for.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    _file_size: Signal,
}

impl Signals {
    /// Listens from now on: a signal before [`Signals::obey`] is not lost.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Obeys signals until one stops the exporter.
    pub async fn obey(mut self, reload: mpsc::Sender<ReloadRequest>, shutdown: CancellationToken) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hangup.recv() => {
                    info!("SIGHUP: loading the configuration anew");
                    let (done, _logged) = oneshot::channel();
                    // An error means that the exporter is stopping.
                    let _stopping = reload.send(ReloadRequest { done }).await;
                    continue;
                }
            };
            info!("{name}: stopping");
            shutdown.cancel();
            return;
        }
    }
}
