//! The keys of a scenario file, but for those of faults.

use crate::sim::course::{Course, Ending, Failing, Spike, Stall};
use crate::sim::fault::{Fault, FaultKind, HttpStatusFault};
use crate::sim::fleet::SimJobSpec;
use crate::sim::scenario::fault::{faults, window};
use crate::sim::scenario::read::{Node, Reading, Wrong};
use crate::sim::scenario::{ApiPlan, Scenario};
use crate::sim::throttle::{RateLimit, RetryAfterForm};
use crate::sim::upload::UploadPlan;
use crate::sim::webhook::{SignatureForm, WebhookPlan};
use saphyr::{LoadableYamlNode as _, MarkedYaml};
use std::collections::BTreeMap;

/// Reads the whole file.
pub(super) fn scenario(text: &str) -> Reading<Scenario> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| Wrong {
        line: error.marker().line(),
        problem: format!("not YAML: {}", error.info()),
    })?;
    let document = match documents.as_slice() {
        [] => {
            return Err(Wrong {
                line: 1,
                problem: "the file is empty; docs/simulator.md has an example".to_owned(),
            });
        }
        [document] => document,
        [_, second, ..] => {
            let problem = "a second document begins; a scenario is one".to_owned();
            return Err(Wrong { line: second.span.start.line(), problem });
        }
    };
    let root = Node::root(document, text);
    let file = root.mapping()?;
    let scenario = Scenario {
        api: file.read("api", api)?.unwrap_or_default(),
        uploads: file.read("uploads", uploads)?.unwrap_or_default(),
        webhooks: file.read("webhooks", webhooks)?.unwrap_or_default(),
        jobs: file.read("jobs", jobs)?.unwrap_or_default(),
    };
    file.finish(&["api", "uploads", "webhooks", "jobs"])?;
    Ok(scenario)
}

fn api(node: &Node<'_>) -> Reading<ApiPlan> {
    let keys = node.mapping()?;
    let mut plan = ApiPlan {
        rate_limit: keys.read("rate_limit", rate_limit)?,
        etag: keys.read("etag", Node::truth)?.unwrap_or(false),
        gzip: keys.read("gzip", Node::truth)?.unwrap_or(false),
        faults: Vec::new(),
    };
    // Both are HTTP errors on every request, under the names by which one looks for them.
    for (key, usual) in [("refuse_credentials", 401), ("outages", 503)] {
        if let Some(list) = keys.get(key) {
            for item in list.list()? {
                plan.faults.push(outage(&item, usual)?);
            }
        }
    }
    plan.faults.extend(keys.read("faults", faults)?.unwrap_or_default());
    keys.finish(&["rate_limit", "etag", "gzip", "refuse_credentials", "outages", "faults"])?;
    Ok(plan)
}

fn outage(node: &Node<'_>, usual: u16) -> Reading<Fault> {
    let keys = node.mapping()?;
    let status =
        keys.read("status", |status| status.whole(200, 599))?.and_then(|status| status.try_into().ok());
    let window = window(&keys)?;
    keys.finish(&["status", "from", "until"])?;
    let kind = FaultKind::HttpStatus(HttpStatusFault::new(status.unwrap_or(usual)));
    Ok(Fault { kind, window, share: 1.0 })
}

fn rate_limit(node: &Node<'_>) -> Reading<RateLimit> {
    const FORMS: [(&str, RetryAfterForm); 4] = [
        ("seconds", RetryAfterForm::Seconds),
        ("date", RetryAfterForm::Date),
        ("milliseconds", RetryAfterForm::Milliseconds),
        ("none", RetryAfterForm::Absent),
    ];
    let keys = node.mapping()?;
    let mut limit = RateLimit::new(keys.required("requests_per_second")?.above_zero()?);
    if let Some(burst) = keys.read("burst", |burst| burst.number(1.0, f64::MAX))? {
        limit.burst = burst;
    }
    if let Some(form) = keys.read("retry_after", |form| form.word(&FORMS))? {
        limit.retry_after = form;
    }
    limit.quota_headers = keys.read("quota_headers", Node::truth)?.unwrap_or(false);
    keys.finish(&["requests_per_second", "burst", "retry_after", "quota_headers"])?;
    Ok(limit)
}

fn uploads(node: &Node<'_>) -> Reading<UploadPlan> {
    let keys = node.mapping()?;
    let usual = UploadPlan::default();
    let plan = UploadPlan {
        rows_per_second: keys.read("rows_per_second", Node::above_zero)?.unwrap_or(usual.rows_per_second),
        failing_share: keys.read("failing_share", share)?.unwrap_or(usual.failing_share),
        pending: keys.read("pending", |pending| pending.seconds(false))?.unwrap_or(usual.pending),
    };
    keys.finish(&["rows_per_second", "failing_share", "pending"])?;
    Ok(plan)
}

fn webhooks(node: &Node<'_>) -> Reading<WebhookPlan> {
    const FORMS: [(&str, SignatureForm); 3] =
        [("bare", SignatureForm::Bare), ("json", SignatureForm::Json), ("both", SignatureForm::Both)];
    let keys = node.mapping()?;
    let plan = WebhookPlan {
        form: keys.read("signature", |form| form.word(&FORMS))?.unwrap_or_default(),
        bad_signature: keys.read("bad_signature", share)?.unwrap_or_default(),
        tampered: keys.read("tampered", share)?.unwrap_or_default(),
        duplicate: keys.read("duplicate", share)?.unwrap_or_default(),
    };
    keys.finish(&["signature", "bad_signature", "tampered", "duplicate"])?;
    Ok(plan)
}

pub(super) fn share(node: &Node<'_>) -> Reading<f64> {
    node.number(0.0, 1.0)
}

fn jobs(node: &Node<'_>) -> Reading<Vec<SimJobSpec>> {
    let mut seen = BTreeMap::new();
    let mut jobs = Vec::new();
    for item in node.list()? {
        let job = job(&item)?;
        if let Some(before) = seen.insert(job.id.clone(), item.name.clone()) {
            return Err(item.wrong(&format!("has the id `{}` of {before}; give each job its own", job.id)));
        }
        jobs.push(job);
    }
    Ok(jobs)
}

fn job(node: &Node<'_>) -> Reading<SimJobSpec> {
    let keys = node.mapping()?;
    let id_node = keys.required("id")?;
    let id = id_node.text()?;
    if id.is_empty() || id.contains('/') {
        return Err(id_node.wrong("can't be asked for; write an id without `/`, such as Job:spike"));
    }
    let usual = Course::default();
    let course = Course {
        rows: keys.read("rows", Node::count)?.unwrap_or(usual.rows),
        rows_per_second: keys.read("rows_per_second", Node::above_zero)?.unwrap_or(usual.rows_per_second),
        starts_at: keys.read("starts_at", Node::moment)?.unwrap_or(usual.starts_at),
        wobble: keys.read("wobble", |wobble| wobble.number(0.0, 0.9))?.unwrap_or(usual.wobble),
        failing_share: keys.read("failing_share", share)?.unwrap_or(usual.failing_share),
        code: keys.read("code", Node::text)?.map(Into::into),
        column: None,
        nested_entries: false,
        spikes: keys.read("spikes", |spikes| spikes.list()?.iter().map(spike).collect())?.unwrap_or_default(),
        stalls: keys.read("stalls", |stalls| stalls.list()?.iter().map(stall).collect())?.unwrap_or_default(),
        ending: ending(&keys)?,
    };
    let faults = keys.read("faults", faults)?.unwrap_or_default();
    keys.finish(&[
        "id",
        "rows",
        "rows_per_second",
        "starts_at",
        "wobble",
        "failing_share",
        "code",
        "spikes",
        "stalls",
        "ends",
        "fails_after",
        "faults",
    ])?;
    Ok(SimJobSpec { id, course, faults })
}

fn ending(keys: &crate::sim::scenario::read::Mapping<'_>) -> Reading<Ending> {
    const ENDINGS: [(&str, Ending); 3] = [
        ("COMPLETED", Ending::Completed),
        ("FAILED", Ending::Failed { after: None }),
        ("never starts", Ending::NeverStarts),
    ];
    let ending = keys.read("ends", |ends| ends.word(&ENDINGS))?;
    let fails_after = keys.read("fails_after", |after| after.seconds(false))?;
    match (ending, fails_after) {
        (ending, None) => Ok(ending.unwrap_or(Ending::Completed)),
        (None | Some(Ending::Failed { .. }), after) => Ok(Ending::Failed { after }),
        (Some(Ending::Completed | Ending::NeverStarts), Some(_)) => {
            Err(keys
                .wrong("has `fails_after`, but does not end as FAILED; write `ends: FAILED` or take it out"))
        }
    }
}

fn spike(node: &Node<'_>) -> Reading<Spike> {
    let keys = node.mapping()?;
    let share = keys.read("share", share)?.map(Failing::Share);
    let rows = keys.read("rows", Node::count)?.map(Failing::Rows);
    let (Some(failing), true) = (share.or(rows), share.is_none() || rows.is_none()) else {
        return Err(keys.wrong("needs either `share` (0 to 1) or `rows`, how many rows fail"));
    };
    let spike = Spike {
        at: keys.required("at")?.moment()?,
        lasts: keys.required("for")?.seconds(true)?,
        failing,
        code: keys.read("code", Node::text)?.map(Into::into),
    };
    keys.finish(&["at", "for", "share", "rows", "code"])?;
    Ok(spike)
}

fn stall(node: &Node<'_>) -> Reading<Stall> {
    let keys = node.mapping()?;
    let stall = Stall {
        at: keys.required("at")?.moment()?,
        lasts: keys.read("for", |lasts| lasts.seconds(true))?.unwrap_or(f64::INFINITY),
    };
    keys.finish(&["at", "for"])?;
    Ok(stall)
}
