//! `serve`: runs the exporter until a signal stops it. Called by `cli`; `demo` runs its exporter the same way.

use super::{ServeArgs, refuse};
use crate::app::signals::Signals;
use crate::app::{AppError, AppOptions, Exporter};
use crate::clock::{SharedClock, SystemClock};
use crate::telemetry::log;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What still runs when a command has ended (a name being resolved, a file that hangs) gets so long, then is left.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// Runs the exporter; exit code 0 after a stop by signal, 1 if it did not start or broke off.
pub(super) fn main(args: ServeArgs) -> ExitCode {
    log::init(args.log.level, args.log.format);
    block_on(async {
        let signals = listen_for_signals()?;
        let clock: SharedClock = Arc::new(SystemClock);
        let options = AppOptions {
            web: args.web,
            storage: args.storage,
            auto_reload: args.enable_auto_reload,
            shard: args.inputs.shard,
        };
        let exporter = Exporter::start(Arc::new(args.inputs), options, clock).await?;
        // Large, as it holds all parts.
        Box::pin(run(exporter, signals, CancellationToken::new())).await
    })
}

/// Runs a command on a runtime, and turns its result into an exit code.
pub(super) fn block_on(command: impl Future<Output = Result<(), StartError>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the runtime can't be started: {error}")),
    };
    let result = runtime.block_on(command);
    // Dropping the runtime would wait for blocking calls, which may hang for ever.
    runtime.shutdown_timeout(LEAVE_AFTER);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

/// Why a command that serves ends with 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error("signals can't be listened for: {0}")]
    Signals(#[source] std::io::Error),
    #[error("{0}")]
    Other(String),
}

/// Listens for signals from now on; called before anything else, so that none is lost and none kills the start.
pub(super) fn listen_for_signals() -> Result<Signals, StartError> {
    Signals::listen().map_err(StartError::Signals)
}

/// Runs an exporter until a signal, or `shutdown`, stops it.
pub(super) async fn run(
    exporter: Exporter,
    signals: Signals,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let obey = signals.obey(exporter.reload_requests(), shutdown.clone());
    let running = exporter.run(shutdown);
    tokio::pin!(obey, running);
    tokio::select! {
        result = &mut running => Ok(result?),
        () = &mut obey => Ok(running.await?),
    }
}
