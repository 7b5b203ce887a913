//! One import as a row of the table, and the parts of it that its own page has as well. Pure.

use crate::clock::UnixTime;
use crate::job::{Progress, Status};
use crate::store::{JobSnapshot, Observed};
use crate::web::page::attention::{Rank, STALLED_AFTER};
use crate::web::page::words::{age, count, escape, lasting, percent, rate, seconds_between, span, whole};
use crate::web::page::{job_path, put};

/// The label that people know an import by.
const NAME: &str = "name";

/// What an import is called: its label `name`, or its id.
pub(super) fn name_of(job: &JobSnapshot) -> &str {
    job.labels.get(NAME).filter(|name| !name.is_empty()).unwrap_or(job.id.as_str())
}

/// Appends a row. `link` is the path below which the pages are; `tells_why` is false if the page says above the table
/// why nothing can be read.
pub(super) fn render(html: &mut String, job: &JobSnapshot, now: UnixTime, link: &str, tells_why: bool) {
    let id = escape(job.id.as_str());
    let class = if Rank::of(job, now).needs_attention() { " class=\"attention\"" } else { "" };
    put(
        html,
        format_args!(
            "<tr role=\"row\"{class} data-key=\"{id}\"><th role=\"rowheader\" scope=\"row\" class=\"import\">"
        ),
    );
    let name = name_of(job);
    put(
        html,
        format_args!("<a href=\"{link}{}\"><bdi>{}</bdi></a>", job_path(job.id.as_str()), escape(name)),
    );
    if name != job.id.as_str() {
        put(html, format_args!("<div class=\"id\"><bdi>{id}</bdi></div>"));
    }
    html.push_str("<div class=\"labels\">");
    for (label, value) in
        job.labels.iter().filter(|(label, value)| label.as_str() != NAME && !value.is_empty())
    {
        put(html, format_args!("<span class=\"label\">{label} <bdi>{}</bdi></span> ", escape(value)));
    }
    // The usual source goes without saying; the import's own page says it.
    if *job.sources != ["jobs"] {
        put(html, format_args!("<span class=\"by\">named by {}</span>", escape(&job.sources.join(", "))));
    }
    html.push_str("</div></th>");

    html.push_str("<td role=\"cell\" class=\"status\">");
    render_status(html, job, now);
    html.push_str("</td><td role=\"cell\" class=\"progress\">");
    let progress = job.observed.as_ref().and_then(|observed| observed.progress);
    if let Some(progress) = &progress {
        render_bar(html, progress);
        render_share(html, progress);
    }
    html.push_str("</td><td role=\"cell\" class=\"number\" data-label=\"Failed\">");
    if let Some(observed) = &job.observed {
        render_failed(html, observed);
    }
    let speed = speed(job).map_or_else(|| "–".to_owned(), rate);
    put(html, format_args!("</td><td role=\"cell\" class=\"number\" data-label=\"Rows/s\">{speed}</td>"));
    let left = seconds_left(job, now).map_or_else(|| "–".to_owned(), span);
    put(html, format_args!("<td role=\"cell\" class=\"number\" data-label=\"Left\">{left}</td>"));
    html.push_str("<td role=\"cell\" class=\"age\" data-label=\"Data\">");
    render_age(html, job, now, tells_why);
    html.push_str("</td></tr>\n");
}

/// The status as a pill, and since when.
pub(super) fn render_status(html: &mut String, job: &JobSnapshot, now: UnixTime) {
    let class = job.status().map_or("UNPOLLED", Status::as_str);
    let word = job.observed.as_ref().map_or("NOT READ YET", |observed| observed.status.word());
    put(html, format_args!("<span class=\"pill {class}\"><bdi>{}</bdi></span>", escape(word)));
    let Some(observed) = &job.observed else { return };
    let (note, since) = match Rank::of(job, now) {
        Rank::Stalled => ("stands still for ", observed.last_change),
        _ => ("for ", observed.status_since),
    };
    let class = if note == "for " { "note" } else { "note bad" };
    put(html, format_args!("<div class=\"{class}\">{note}{}</div>", lasting(since, now)));
    // Else nothing but the colour of the row says why it needs attention.
    if let (Rank::Failing | Rank::EndedBadly, Some(progress)) = (Rank::of(job, now), observed.progress) {
        let share = percent(progress.failed, progress.processed);
        put(html, format_args!("<div class=\"note bad\">{share} % of its rows failed</div>"));
    }
}

/// The bar: successful, failed, and what is to go.
pub(super) fn render_bar(html: &mut String, progress: &Progress) {
    let part = |rows: f64| if rows.is_finite() { rows.max(0.0) } else { 0.0 };
    let (successful, failed) = (part(progress.successful), part(progress.failed));
    let all = part(progress.total).max(successful + failed).max(1.0);
    let (successful, failed) = (successful / all * 1000.0, failed / all * 1000.0);
    // One failed row among a million must be seen.
    let failed = if failed > 0.0 { failed.max(12.0) } else { 0.0 };
    let successful = successful.min(1000.0 - failed);
    put(
        html,
        format_args!(
            "<svg class=\"bar\" viewBox=\"0 0 1000 8\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{} successful, \
             {} failed, of {} rows\"><rect class=\"ok\" width=\"{successful:.0}\" height=\"8\"/>\
             <rect class=\"bad\" x=\"{successful:.0}\" width=\"{failed:.0}\" height=\"8\"/></svg>",
            count(progress.successful),
            count(progress.failed),
            count(progress.total),
        ),
    );
}

/// How much of it is done.
fn render_share(html: &mut String, progress: &Progress) {
    let Progress { total, processed, .. } = *progress;
    if total == 0.0 && processed == 0.0 {
        html.push_str("<div class=\"counts\"><span>rows not counted yet</span></div>");
        return;
    }
    let (share, processed, total) = (percent(processed, total), count(processed), count(total));
    put(
        html,
        format_args!("<div class=\"counts\"><b>{share} %</b> <span>{processed} of {total}</span></div>"),
    );
}

/// The number of failed rows, and on demand the errors by code.
fn render_failed(html: &mut String, observed: &Observed) {
    let failed = observed.progress.map_or_else(|| "–".to_owned(), |progress| count(progress.failed));
    if observed.errors.is_empty() {
        html.push_str(&failed);
        return;
    }
    put(html, format_args!("<details><summary>{failed}</summary>"));
    render_codes(html, observed);
    html.push_str("</details>");
}

/// Errors by code, the commonest first.
pub(super) fn render_codes(html: &mut String, observed: &Observed) {
    let mut codes: Vec<_> = observed.errors.iter().collect();
    codes.sort_by(|(_, one), (_, other)| other.cmp(one));
    html.push_str("<ul class=\"codes\">");
    for (code, entries) in codes {
        put(html, format_args!("<li><code>{}</code> <b>{}</b></li>", escape(code), whole(entries)));
    }
    html.push_str("</ul>");
    if observed.errors_truncated {
        html.push_str("<p class=\"note\">The API’s list was not read to its end.</p>");
    }
}

/// When it was last read well, and why not since.
fn render_age(html: &mut String, job: &JobSnapshot, now: UnixTime, tells_why: bool) {
    let is_ended = job.status().is_some_and(Status::is_ended);
    match job.last_poll_success {
        Some(_) if is_ended => html.push_str("<span class=\"note\">final</span>"),
        Some(time) => html.push_str(&age(time, now)),
        None if job.tried => html.push_str("never"),
        None => html.push('–'),
    }
    if let Some(failure) = &job.failure {
        let reason = failure.reason.as_str();
        put(html, format_args!("<div class=\"note bad\">{reason} for {}</div>", lasting(failure.since, now)));
        if tells_why {
            put(html, format_args!("<div class=\"why\"><bdi>{}</bdi></div>", escape(&failure.message)));
        }
    }
}

/// Rows a second, while it runs and can be read.
pub(super) fn speed(job: &JobSnapshot) -> Option<f64> {
    let runs = job.status() == Some(Status::Processing) && job.failure.is_none();
    job.rate.rows_per_second().filter(|_| runs)
}

/// The time left at the present rate, in seconds; nothing where that means nothing: it does not run, can't be read or
/// stands still.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, as meant")]
pub(super) fn seconds_left(job: &JobSnapshot, now: UnixTime) -> Option<i64> {
    let observed = job.observed.as_ref()?;
    let (speed, progress) = (speed(job)?, observed.progress?);
    let is_moving = seconds_between(observed.last_change, now) < STALLED_AFTER && speed > 0.0;
    let left = progress.total - progress.processed;
    (is_moving && left > 0.0).then(|| (left / speed).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::PollFailure;
    use crate::web::page::tests::{failed, job, labelled, ms, read};

    fn row(job: &JobSnapshot) -> String {
        let mut html = String::new();
        render(&mut html, job, ms(1_300_000), "/grid", true);
        html
    }

    #[test]
    fn names_from_elsewhere_are_escaped_and_isolated() {
        let evil = labelled("Job:\"><img", &[("name", "<script>\u{202e}"), ("team", "&")]);
        let html = row(&evil);
        assert!(
            html.contains("<a href=\"/grid/jobs/Job%3A%22%3E%3Cimg\"><bdi>&lt;script&gt;\\u{202e}</bdi></a>"),
            "{html}"
        );
        assert!(
            html.contains("data-key=\"Job:&quot;&gt;&lt;img\"") && html.contains("team <bdi>&amp;</bdi>"),
            "{html}"
        );
        assert!(!html.contains("<script") && !html.contains("style="));
    }

    #[test]
    fn a_bar_has_all_rows_and_shows_one_that_failed() {
        let bar = |progress| {
            let mut html = String::new();
            render_bar(&mut html, &progress);
            html
        };
        let half = Progress { total: 1e6, processed: 500_001.0, successful: 500_000.0, failed: 1.0 };
        assert!(
            bar(half).contains("width=\"500\"") && bar(half).contains("x=\"500\" width=\"12\""),
            "{}",
            bar(half)
        );
        let done = Progress { total: 10.0, processed: 10.0, successful: 10.0, failed: 0.0 };
        assert!(bar(done).contains("width=\"1000\""));
        let nonsense = Progress { total: -5.0, processed: 1e30, successful: f64::NAN, failed: 3.0 };
        assert!(bar(nonsense).contains("x=\"0\" width=\"1000\""), "{}", bar(nonsense));
    }

    #[test]
    fn the_time_left_is_told_only_while_it_means_something() {
        let mut running = read(job("Job:a"), "PROCESSING", 1000.0, 400.0, 0.0);
        assert_eq!(seconds_left(&running, ms(1_300_000)), None, "read once");
        running.rate = crate::web::page::tests::rate(10.0);
        assert_eq!(seconds_left(&running, ms(1_300_000)), Some(60));
        assert_eq!(seconds_left(&running, ms(9_000_000)), None, "it stands still");
        let html = row(&running);
        assert!(html.contains(">1 min</td>") && html.contains(">10</td>"), "{html}");
        assert_eq!(seconds_left(&failed(running, PollFailure::Timeout), ms(1_300_000)), None);
    }

    #[test]
    fn a_row_tells_that_many_of_its_rows_failed_and_who_else_than_the_configuration_names_it() {
        let mut bad = read(job("Job:a"), "PROCESSING", 1000.0, 400.0, 100.0);
        let html = row(&bad);
        assert!(html.contains("<div class=\"note bad\">25 % of its rows failed</div>"), "{html}");
        assert!(!html.contains("named by"), "{html}");
        bad.sources = vec!["jobs", "job_http"].into();
        assert!(row(&bad).contains("named by jobs, job_http"));
        let fine = row(&read(job("Job:a"), "PROCESSING", 1000.0, 400.0, 1.0));
        assert!(!fine.contains("rows failed"), "{fine}");
    }

    #[test]
    fn a_row_tells_why_its_import_can_not_be_read() {
        let html = row(&failed(read(job("Job:a"), "PENDING", 1.0, 0.0, 0.0), PollFailure::Timeout));
        assert!(html.contains("timeout for") && html.contains("no &lt;answer&gt;"), "{html}");
        assert!(html.contains("5 min ago"), "{html}");
        assert!(row(&job("Job:a")).contains("NOT READ YET"));
    }
}
