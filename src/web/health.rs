//! `/-/healthy` and `/-/ready`: for supervisors and load balancers. Neither waits for the API's health: restarting
//! the exporter would not mend it.

use crate::web::Web;
use crate::web::respond::{self, Response};
use http::StatusCode;

/// The process lives.
#[must_use]
pub fn healthy() -> Response {
    respond::words(StatusCode::OK, "grid-bulk-exporter is healthy.")
}

/// Every job was tried once, well or not, or enough time has passed.
#[must_use]
pub fn ready(web: &Web) -> Response {
    if *web.readiness.borrow() {
        respond::words(StatusCode::OK, "grid-bulk-exporter is ready.")
    } else {
        respond::words(
            StatusCode::SERVICE_UNAVAILABLE,
            "grid-bulk-exporter is not ready: jobs are still to be polled.",
        )
    }
}
