//! `GET /api/v1/sd`: the ids as targets of Prometheus's `http_sd`, for those who let Prometheus schedule each job
//! itself.
//!
//! One group for each job, with what is known of it as `__meta_grid_bulk_*` labels, which relabelling can use.

use crate::store::JobSnapshot;
use crate::web::Web;
use crate::web::respond::{self, Response};
use http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// A target group.
#[derive(Serialize)]
struct Group<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<String, String>,
}

/// Answers with all jobs.
#[must_use]
pub fn answer(web: &Web, request: &HeaderMap) -> Response {
    let (jobs, _) = web.store.jobs();
    let groups: Vec<_> = jobs.iter().map(|job| group(job)).collect();
    // Texts in lists and maps always serialize.
    let body = serde_json::to_vec(&groups).unwrap_or_default();
    respond::compress_for(request, respond::json(body.clone()), &body)
}

fn group(job: &JobSnapshot) -> Group<'_> {
    let status = job.status().map_or("UNPOLLED", |status| status.as_str());
    let mut labels = BTreeMap::from([
        ("__meta_grid_bulk_status".to_owned(), status.to_owned()),
        // Between commas, so that one of them can be matched, as in Prometheus's own discoveries.
        ("__meta_grid_bulk_sources".to_owned(), format!(",{},", job.sources.join(","))),
    ]);
    let given = job.labels.iter().filter(|(_, value)| !value.is_empty());
    labels.extend(given.map(|(name, value)| (format!("__meta_grid_bulk_label_{name}"), value.to_owned())));
    Group { targets: [job.id.as_str()], labels }
}
