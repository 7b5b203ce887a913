//! `POST /-/reload`, where `--web.enable-lifecycle` is given: asks the app to load the configuration anew.

use crate::web::Web;
use crate::web::respond::{self, Response};
use http::StatusCode;
use tokio::sync::oneshot;

/// A request for a reload, and where its result goes: the faults in words if it was refused.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Takes the result.
    pub done: oneshot::Sender<Result<(), String>>,
}

/// Reloads, and answers once the new set of jobs holds.
pub async fn answer(web: &Web) -> Response {
    if !web.options.enable_lifecycle {
        let line = "Reloading by HTTP is off; start with --web.enable-lifecycle, or send SIGHUP.";
        return respond::words(StatusCode::FORBIDDEN, line);
    }
    let (done, result) = oneshot::channel();
    if web.reload.send(ReloadRequest { done }).await.is_err() {
        return respond::words(StatusCode::SERVICE_UNAVAILABLE, "grid-bulk-exporter is stopping.");
    }
    match result.await {
        Ok(Ok(())) => respond::words(StatusCode::OK, "The configuration was reloaded."),
        Ok(Err(faults)) => {
            let line = format!("The configuration was refused; the one before runs on.\n{faults}");
            respond::words(StatusCode::INTERNAL_SERVER_ERROR, &line)
        }
        Err(_) => respond::words(StatusCode::SERVICE_UNAVAILABLE, "grid-bulk-exporter is stopping."),
    }
}
