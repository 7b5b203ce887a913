//! `/`: a plain page with a table of the jobs, and links to everything else.
//!
//! All texts from the API and the configuration are escaped. Jobs that need attention stand first, and a page shows
//! [`ROWS`] of them at most: for the rest there is the JSON API.

use crate::clock::UnixTime;
use crate::job::Status;
use crate::store::{JobSnapshot, Summary};
use crate::telemetry::own::build;
use crate::web::Web;
use crate::web::respond::{self, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::fmt::Write;
use std::sync::Arc;

/// Rows on the page at most.
const ROWS: usize = 1000;

/// The page's style sheet.
const STYLE: &str = include_str!("style.css");

/// Answers with the style sheet.
#[must_use]
pub fn style(request: &HeaderMap) -> Response {
    let mut response = respond::whole(StatusCode::OK, "text/css; charset=utf-8", STYLE);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    respond::compress_for(request, response, STYLE.as_bytes())
}

/// Answers with the page.
#[must_use]
pub fn answer(web: &Web, request: &HeaderMap) -> Response {
    let (mut jobs, summary) = web.store.jobs();
    // The sort is stable: within a rank, jobs keep the order in which they joined.
    jobs.sort_by_key(|job| attention(job));
    let html = render(web, &jobs, &summary, web.clock.now());
    let body = html.clone().into_bytes();
    respond::compress_for(request, respond::page(html), &body)
}

/// Lower needs attention sooner.
fn attention(job: &JobSnapshot) -> u8 {
    match (job.status(), job.failure.is_some()) {
        (Some(Status::Failed), _) => 0,
        (_, true) => 1,
        (Some(Status::Unknown), _) => 2,
        (Some(Status::Processing), _) => 3,
        (Some(Status::Pending), _) => 4,
        (None, _) => 5,
        (Some(Status::Completed), _) => 6,
    }
}

fn render(web: &Web, jobs: &[Arc<JobSnapshot>], summary: &Summary, now: UnixTime) -> String {
    let mut html = String::with_capacity(4096 + jobs.len().min(ROWS) * 600);
    let link = |path: &str| escape(&web.link(path));
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.push_str("<title>Grid bulk imports</title>\n<link rel=\"icon\" href=\"data:,\">\n");
    // Writing to a string can't fail.
    let _infallible = writeln!(
        html,
        "<link rel=\"stylesheet\" href=\"{}\">\n</head>\n<body>\n<h1>Grid bulk imports</h1>\n\
         <p><small>grid-bulk-exporter {} ({})</small></p>\n<nav><a href=\"{}\">Metrics</a>\
         <a href=\"{}\">Jobs as JSON</a><a href=\"{}\">Health</a><a href=\"{}\">Readiness</a></nav>",
        link("/static/style.css"),
        build::VERSION,
        build::REVISION,
        link(&web.options.telemetry_path),
        link("/api/v1/jobs"),
        link("/-/healthy"),
        link("/-/ready"),
    );
    if jobs.is_empty() {
        html.push_str(
            "<p>No imports are watched. Name them in the configuration file under <code>jobs:</code>, by \
             <code>--job</code> or in <code>GRID_JOBS</code>, in lists (<code>job_files:</code>, \
             <code>job_http:</code>), or by the admin API.</p>\n",
        );
    } else {
        render_summary(&mut html, summary);
        render_table(&mut html, jobs, now);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn render_summary(html: &mut String, summary: &Summary) {
    let read = Status::ALL.iter().map(|status| status.as_str()).zip(summary.by_status);
    let parts: Vec<String> = read
        .chain([("UNPOLLED", summary.unpolled)])
        .filter(|(_, jobs)| *jobs > 0)
        .map(|(status, jobs)| format!("{jobs} {status}"))
        .collect();
    let _infallible = writeln!(html, "<p>{} imports: {}</p>", summary.jobs(), parts.join(", "));
}

fn render_table(html: &mut String, jobs: &[Arc<JobSnapshot>], now: UnixTime) {
    html.push_str(
        "<table>\n<thead><tr><th>Import</th><th>Status</th><th>Progress</th><th class=\"number\">Processed</th>\
         <th class=\"number\">Total</th><th class=\"number\">Failed</th><th>Last good poll</th></tr></thead>\n<tbody>\n",
    );
    for job in jobs.iter().take(ROWS) {
        render_row(html, job, now);
    }
    html.push_str("</tbody>\n</table>\n");
    if jobs.len() > ROWS {
        let _infallible = writeln!(html, "<p>{} more are in the JSON.</p>", jobs.len() - ROWS);
    }
}

fn render_row(html: &mut String, job: &JobSnapshot, now: UnixTime) {
    let labels: Vec<String> =
        job.labels.iter().map(|(name, value)| format!("{name}: {}", escape(value))).collect();
    let status = job.observed.as_ref().map_or("not read yet", |observed| observed.status.word());
    let class = job.status().map_or("", Status::as_str);
    let _infallible = write!(
        html,
        "<tr><td><code>{}</code><br><small>{}</small><br><small>named by {}</small></td><td class=\"{class}\">{}</td>",
        escape(job.id.as_str()),
        labels.join(", "),
        escape(&job.sources.join(", ")),
        escape(status),
    );
    match job.observed.as_ref().and_then(|observed| observed.progress) {
        Some(progress) => {
            let share = if progress.total > 0.0 { progress.processed / progress.total } else { 0.0 };
            let share = share.clamp(0.0, 1.0);
            let _infallible = write!(
                html,
                "<td><progress max=\"1\" value=\"{share:.3}\"></progress> {:.0}%</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td>",
                (share * 100.0).floor(),
                progress.processed,
                progress.total,
                progress.failed,
            );
        }
        None => html.push_str("<td></td><td></td><td></td><td></td>"),
    }
    let last = job.last_poll_success.map_or_else(|| "never".to_owned(), |time| ago(now, time));
    let failure = job.failure.as_ref().map_or_else(String::new, |failure| {
        format!(
            "<br><small class=\"unreadable\">{}: {}</small>",
            failure.reason.as_str(),
            escape(&failure.message)
        )
    });
    let _infallible = writeln!(html, "<td>{last}{failure}</td></tr>");
}

/// How long ago a moment is, in the largest whole unit.
fn ago(now: UnixTime, time: UnixTime) -> String {
    let seconds = now.as_millis().saturating_sub(time.as_millis()).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Escapes a text for HTML, and isolates its direction so that marks in it can't turn the row around.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Bidirectional controls and other invisible marks are shown as what they are.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                let _infallible = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            other if other.is_control() => {
                let _infallible = write!(escaped, "\\u{{{:x}}}", u32::from(other));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_not_become_markup_or_turn_the_row_around() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(escape("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(escape("ünïcode 试"), "ünïcode 试");
    }

    #[test]
    fn ages_are_told_in_the_largest_unit() {
        let now = UnixTime::from_millis(1_000_000_000);
        let before = |seconds: i64| UnixTime::from_millis(1_000_000_000 - seconds * 1000);
        for (seconds, text) in
            [(0, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")]
        {
            assert_eq!(ago(now, before(seconds)), text);
        }
        assert_eq!(ago(now, before(-5)), "0 s ago", "a clock that went back");
    }
}
