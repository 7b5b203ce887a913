//! `/jobs/{jobId}`: all that is known of one import, and its little history since the start.

use crate::clock::UnixTime;
use crate::job::{JobId, Status};
use crate::store::{JobSnapshot, Observed};
use crate::web::Web;
use crate::web::page::row::{self, name_of, seconds_left, speed};
use crate::web::page::words::{age, count, escape, moment, percent, rate, span, whole};
use crate::web::page::{Frame, chart, framed, not_modified, notice, put, tag};
use crate::web::respond::Response;
use http::{HeaderMap, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Answers with the page of one import.
#[must_use]
pub fn answer(web: &Web, id: &JobId, request: &HeaderMap) -> Response {
    let now = web.clock.now();
    let tag = tag(web, now);
    if let Some(response) = not_modified(request, &tag) {
        return response;
    }
    let mut main = String::with_capacity(8192);
    put(
        &mut main,
        format_args!("<p class=\"back\"><a href=\"{}\">← All imports</a></p>\n", escape(&web.link("/"))),
    );
    if let Some((why, _)) = web.elsewhere(id) {
        put(
            &mut main,
            format_args!("<h1>Watched by another shard</h1>\n<p><bdi>{}</bdi></p>\n", escape(&why)),
        );
        let (status, title) = (StatusCode::MISDIRECTED_REQUEST, "Watched by another shard");
        return framed(web, request, &Frame { status, title, tag: &tag, now, main: &main });
    }
    let Some(job) = web.store.job(id) else {
        put(
            &mut main,
            format_args!(
                "<h1>Not watched</h1>\n<p><code><bdi>{}</bdi></code> is not among the imports that are watched: it was \
                 never named, or has left the set.</p>\n",
                escape(id.as_str())
            ),
        );
        let frame =
            Frame { status: StatusCode::NOT_FOUND, title: "Not watched", tag: &tag, now, main: &main };
        return framed(web, request, &frame);
    };
    render(&mut main, web, &job, now);
    let title = format!("{} – Grid bulk imports", name_of(&job));
    framed(web, request, &Frame { status: StatusCode::OK, title: &title, tag: &tag, now, main: &main })
}

fn render(html: &mut String, web: &Web, job: &JobSnapshot, now: UnixTime) {
    let name = name_of(job);
    put(html, format_args!("<div class=\"head\"><h1><bdi>{}</bdi></h1><div class=\"status\">", escape(name)));
    row::render_status(html, job, now);
    html.push_str("</div></div>\n");
    if let Some(failure) = &job.failure {
        notice::begin_trouble(
            html,
            "It can’t be read",
            (failure.since, now),
            failure.reason,
            &failure.message,
        );
        if let Some(time) = job.last_poll_success {
            put(html, format_args!("<p>What is shown is as of the last good poll, {}.</p>", age(time, now)));
        }
        html.push_str("</section>\n");
    }
    render_counts(html, job, now);
    render_course(html, web, job);
    html.push_str("<div class=\"columns\">");
    if let Some(observed) = job.observed.as_ref().filter(|observed| !observed.errors.is_empty()) {
        render_errors(html, observed);
    }
    render_facts(html, job, now);
    html.push_str("</div>\n");
    render_elsewhere(html, web, job);
}

fn render_counts(html: &mut String, job: &JobSnapshot, now: UnixTime) {
    let Some(progress) = job.observed.as_ref().and_then(|observed| observed.progress) else {
        html.push_str("<p class=\"note\">No counts are known yet.</p>\n");
        return;
    };
    html.push_str("<div class=\"large\">");
    row::render_bar(html, &progress);
    html.push_str("</div>\n<dl class=\"figures\">");
    let share = |part: f64, all: f64| format!(" <small>{} %</small>", percent(part, all));
    let mut figure = |title: &str, class: &str, value: String| {
        put(html, format_args!("<div class=\"{class}\"><dt>{title}</dt><dd>{value}</dd></div>"));
    };
    let done = share(progress.processed, progress.total);
    figure("Processed", "", format!("{}{done}", count(progress.processed)));
    figure("Total", "", count(progress.total));
    figure("Successful", "good", count(progress.successful));
    let class = if progress.failed > 0.0 { "bad" } else { "" };
    figure(
        "Failed",
        class,
        format!("{}{}", count(progress.failed), share(progress.failed, progress.processed)),
    );
    if job.status() == Some(Status::Processing) {
        figure("Rows a second", "", speed(job).map_or_else(|| "–".to_owned(), rate));
        figure("Left", "", seconds_left(job, now).map_or_else(|| "–".to_owned(), span));
    }
    html.push_str("</dl>\n");
}

fn render_course(html: &mut String, web: &Web, job: &JobSnapshot) {
    let history = web.store.history(&job.id);
    let before = html.len();
    html.push_str("<section><h2>Course since the exporter’s start</h2>\n");
    let drawn_from = html.len();
    chart::render(html, &history);
    if html.len() > drawn_from {
        html.push_str("</section>\n");
    } else if job.status().is_some_and(Status::is_ended) {
        html.truncate(before);
    } else {
        html.push_str("<p class=\"note\">It is drawn from now on, as the import is read.</p></section>\n");
    }
}

fn render_errors(html: &mut String, observed: &Observed) {
    html.push_str("<section><h2>Errors by code</h2>\n");
    row::render_codes(html, observed);
    html.push_str("</section>\n");
}

fn render_facts(html: &mut String, job: &JobSnapshot, now: UnixTime) {
    html.push_str("<section><h2>Facts</h2>\n<dl class=\"facts\">");
    let mut fact = |title: &str, value: String| put(html, format_args!("<dt>{title}</dt><dd>{value}</dd>"));
    fact("Id", format!("<code><bdi>{}</bdi></code>", escape(job.id.as_str())));
    for (label, value) in job.labels.iter().filter(|(_, value)| !value.is_empty()) {
        fact(label.as_str(), format!("<bdi>{}</bdi>", escape(value)));
    }
    fact("Named by", escape(&job.sources.join(", ")));
    let told = |time: UnixTime| format!("{} <span class=\"note\">{}</span>", moment(time), age(time, now));
    if let Some(observed) = &job.observed {
        fact("First seen", told(observed.first_seen));
        fact("Status since", told(observed.status_since));
        fact("Last change", told(observed.last_change));
        if let Some(time) = observed.completed_at {
            fact("Completed", told(time));
        }
        if let Some(progress) = observed.progress.filter(|progress| !progress.is_consistent()) {
            let sum =
                whole(crate::job::counts::countable(progress.successful + progress.failed).unwrap_or(0));
            let line =
                format!("successful and failed make {sum}, processed is {}", count(progress.processed));
            fact("Contradiction", format!("<span class=\"bad\">{line}</span>"));
        }
    }
    fact("Last good poll", job.last_poll_success.map_or_else(|| "never".to_owned(), told));
    html.push_str("</dl></section>\n");
}

fn render_elsewhere(html: &mut String, web: &Web, job: &JobSnapshot) {
    let encoded = utf8_percent_encode(job.id.as_str(), NON_ALPHANUMERIC);
    // As a string of PromQL.
    let quoted = job.id.as_str().replace('\\', r"\\").replace('"', "\\\"");
    put(
        html,
        format_args!(
            "<section><h2>In Prometheus</h2>\n<pre tabindex=\"0\">grid_bulk_job_failed_rows{{jobId=\"{}\"}}</pre>\n\
             <p><a href=\"{}\">This import as JSON</a></p></section>\n",
            escape(&quoted),
            escape(&web.link(&format!("/api/v1/jobs/{encoded}"))),
        ),
    );
}
