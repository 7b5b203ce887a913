//! `GET /probe?target={jobId}`, where `--web.enable-probe` is given: polls that job now and answers with its series
//! alone, as the blackbox exporter does for those who let Prometheus schedule each target itself.
//!
//! The poll is the poller's, with its pace, so the web calls no API. `debug=true` tells its whole course in words.

use crate::exposition::alone;
use crate::exposition::negotiate::Format;
use crate::job::{JobId, PollFailure};
use crate::poller::{Course, FRESH, MOST_PROBES, ProbeError};
use crate::store::{JobSnapshot, Outcome};
use crate::web::Web;
use crate::web::respond::{self, Response};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::time::Duration;
use url::form_urlencoded;

/// Prometheus says here, in seconds, how long it waits.
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// So much sooner the answer leaves, so that it arrives in time.
const OFFSET: Duration = Duration::from_millis(500);

/// The limit if nobody says one, and the longest.
const LONGEST: Duration = Duration::from_secs(120);

/// Polls a job and answers with its series.
pub async fn answer(web: &Web, query: &str, request: &HeaderMap) -> Response {
    if !web.options.enable_probe {
        let line = "Probing is off; start with --web.enable-probe.";
        return respond::words(StatusCode::FORBIDDEN, line);
    }
    let asked = Asked::parse(query).and_then(|asked| Ok((asked, time_limit(request)?)));
    let (Asked { id, debug }, limit) = match asked {
        Ok(asked) => asked,
        Err(fault) => return respond::words(StatusCode::BAD_REQUEST, &fault),
    };
    if let Some((line, _)) = web.elsewhere(&id) {
        // Two exporters that tell of one job would differ in when they saw what.
        return respond::words(StatusCode::MISDIRECTED_REQUEST, &line);
    }
    let course = debug.then(Course::new);
    let job = match web.probe.probe(id.clone(), limit, course.clone()).await {
        Ok(job) => JobSnapshot::clone(&job),
        Err(ProbeError::TimedOut) => not_in_time(web, id, limit, course.as_ref()),
        Err(error @ (ProbeError::TooMany | ProbeError::Stopping)) => {
            let line = format!("{error}; try again later.");
            return respond::words(StatusCode::SERVICE_UNAVAILABLE, &line);
        }
    };
    let series = alone::render(&job);
    if let Some(course) = course {
        return respond::words(StatusCode::OK, &told(&job, &course, &series, limit));
    }
    let series = Bytes::from(series);
    let mut response = respond::whole(StatusCode::OK, Format::Text004.content_type(), series.clone());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    respond::compress_for(request, response, &series)
}

/// What is known of a job whose poll did not end in time: it goes on, and the store will have what comes of it.
fn not_in_time(web: &Web, id: JobId, limit: Duration, course: Option<&Course>) -> JobSnapshot {
    let message = format!("not read within {} s", limit.as_secs_f64());
    if let Some(course) = course {
        course.tell(&message);
    }
    let known = web.store.job(&id);
    let known = known.map_or_else(|| JobSnapshot::stranger(id), |job| JobSnapshot::clone(&job));
    let outcome = Outcome::Failed { reason: PollFailure::Timeout, message, asked: true };
    known.following(outcome, web.clock.now())
}

/// The course of a probe, in words.
fn told(job: &JobSnapshot, course: &Course, series: &[u8], limit: Duration) -> String {
    let lines: Vec<String> = course.lines().iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "Probe of {}\n\nCourse:\n{}\nLimits:\n  the answer leaves after {} s at most\n  what was read within {} s is told \
         again\n  {MOST_PROBES} probes wait at most\n\nMetrics that would have been returned:\n{}",
        job.id,
        lines.concat(),
        limit.as_secs_f64(),
        FRESH.as_secs(),
        String::from_utf8_lossy(series),
    )
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    id: JobId,
    debug: bool,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, String> {
        let (mut target, mut debug) = (None, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (name.as_ref(), value.as_ref()) {
                ("target", _) if target.is_some() => {
                    return Err("There are several targets; name one job.".to_owned());
                }
                ("target", id) => {
                    target = Some(id.parse().map_err(|error| format!("The target is no job: {error}."))?);
                }
                ("debug", "true") => debug = true,
                ("debug", "false" | "") => debug = false,
                ("debug", other) => return Err(format!("debug={other:?} is neither true nor false.")),
                (other, _) => {
                    return Err(format!("{other:?} is not a parameter here; there are target and debug."));
                }
            }
        }
        let id = target.ok_or("No target is named; write /probe?target=Job:019542f5-….")?;
        Ok(Self { id, debug })
    }
}

/// How long may pass until the answer leaves.
fn time_limit(request: &HeaderMap) -> Result<Duration, String> {
    let Some(value) = request.get(TIMEOUT_HEADER) else { return Ok(LONGEST) };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let timeout = seconds.filter(|seconds| !seconds.is_nan());
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds.min(1e6)).ok());
    let timeout = timeout.filter(|timeout| !timeout.is_zero()).ok_or_else(|| {
        format!("X-Prometheus-Scrape-Timeout-Seconds is {value:?}; write a number of seconds above 0.")
    })?;
    Ok(timeout.saturating_sub(OFFSET.min(timeout / 2)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_checked_and_slips_are_refused() {
        let id: JobId = "Job:a".parse().unwrap();
        assert_eq!(Asked::parse("target=Job%3Aa"), Ok(Asked { id: id.clone(), debug: false }));
        assert_eq!(Asked::parse("target=Job:a&debug=true"), Ok(Asked { id, debug: true }));
        for (query, part) in [
            ("", "No target"),
            ("target=", "empty"),
            ("target=..%2Fadmin", "'/'"),
            ("target=..", "relative path"),
            ("target=a%0d%0ab", "character"),
            ("target=Job:a&target=Job:b", "several"),
            ("target=Job:a&module=x", "not a parameter"),
            ("target=Job:a&debug=1", "neither"),
        ] {
            let fault = Asked::parse(query).unwrap_err();
            assert!(fault.contains(part) && !fault.contains('\n'), "{query}: {fault}");
        }
        assert!(Asked::parse(&format!("target={}", "x".repeat(257))).unwrap_err().contains("too long"));
    }

    #[test]
    fn the_answer_leaves_before_the_scraper_gives_up() {
        let limit = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT_HEADER, value.parse().unwrap());
            time_limit(&headers)
        };
        assert_eq!(limit("10"), Ok(Duration::from_millis(9500)));
        assert_eq!(limit("0.5"), Ok(Duration::from_millis(250)));
        assert_eq!(limit("1e300"), Ok(LONGEST));
        assert_eq!(time_limit(&HeaderMap::new()), Ok(LONGEST));
        for value in ["0", "-1", "ten", "NaN", ""] {
            assert!(limit(value).unwrap_err().contains("seconds"), "{value}");
        }
    }
}
