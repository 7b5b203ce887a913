//! `/`: all imports, those that need attention first.

use crate::clock::UnixTime;
use crate::job::Status;
use crate::store::{JobSnapshot, Summary};
use crate::web::Web;
use crate::web::page::attention::{Overview, Rank};
use crate::web::page::query::{Sort, View};
use crate::web::page::row::{self, name_of, seconds_left, speed};
use crate::web::page::words::{escape, rate, whole};
use crate::web::page::{Frame, framed, not_modified, notice, put, tag};
use crate::web::respond::{self, Response};
use http::{HeaderMap, StatusCode};
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// The table's columns: title, class, and the order that a click on the title brings.
const COLUMNS: [(&str, &str, Sort); 7] = [
    ("Import", "import", Sort::Name),
    ("Status", "status", Sort::Attention),
    ("Progress", "progress", Sort::Progress),
    ("Failed", "number", Sort::Failed),
    ("Rows/s", "number", Sort::Rate),
    ("Left", "number", Sort::Left),
    ("Data", "age", Sort::Age),
];

/// Answers with the page that the query asks for.
pub async fn answer(web: &Web, query: &str, request: &HeaderMap) -> Response {
    let view = match View::parse(query) {
        Ok(view) => view,
        Err(fault) => {
            let line = format!("The query can't be taken: {fault}. See {} for all imports.", web.link("/"));
            return respond::words(StatusCode::BAD_REQUEST, &line);
        }
    };
    let now = web.clock.now();
    // Before the jobs are read: what changes in between brings another tag.
    let tag = tag(web, now);
    if let Some(response) = not_modified(request, &tag) {
        return response;
    }
    let _turn = web.pages.lock().await;
    let (jobs, summary) = web.store.jobs();
    let overview = Overview::of(&jobs, now);
    let title = match overview.attention {
        0 => "Grid bulk imports".to_owned(),
        attention => format!("({attention}) Grid bulk imports"),
    };
    let main = render(web, jobs, &summary, &overview, &view, now);
    framed(web, request, &Frame { status: StatusCode::OK, title: &title, tag: &tag, now, main: &main })
}

fn render(
    web: &Web,
    jobs: Vec<Arc<JobSnapshot>>,
    summary: &Summary,
    overview: &Overview,
    view: &View,
    now: UnixTime,
) -> String {
    let mut html = String::with_capacity(4096 + view.rows().min(jobs.len()) * 1200);
    if jobs.is_empty() {
        html.push_str("<h1 class=\"hidden\">Imports</h1>\n");
        notice::render_empty(&mut html, web);
        return html;
    }
    html.push_str("<h1 class=\"hidden\">Imports</h1>\n");
    if let Some(outage) = &overview.outage {
        notice::render_outage(&mut html, outage, now);
    } else if overview.untried == jobs.len() {
        html.push_str("<p class=\"banner\">The first polls are under way.</p>\n");
    }
    render_figures(&mut html, summary, overview);
    render_filter(&mut html, web, view);
    render_chips(&mut html, summary, overview, view);
    let mut shown: Vec<_> = jobs
        .into_iter()
        .filter(|job| {
            view.ranks.is_none_or(|ranks| ranks.contains(&Rank::of(job, now))) && view.filter.takes(job)
        })
        .collect();
    order(&mut shown, view, now);
    render_table(&mut html, web, &shown, view, overview.outage.is_none(), now);
    html
}

/// The numbers above the table.
fn render_figures(html: &mut String, summary: &Summary, overview: &Overview) {
    let attention = if overview.attention > 0 { " class=\"bad\"" } else { "" };
    put(
        html,
        format_args!(
            "<dl class=\"figures\"><div><dt>Imports</dt><dd>{}</dd></div><div{attention}><dt>Need attention</dt><dd>{}</dd></div>\
             <div><dt>Rows a second</dt><dd>{}</dd></div><div><dt>Rows counted</dt><dd>{}</dd></div>\
             <div><dt>of them failed</dt><dd>{}</dd></div></dl>\n",
            whole(summary.jobs() as u64),
            whole(overview.attention as u64),
            rate(overview.rate),
            whole(summary.rows.successful.saturating_add(summary.rows.failed)),
            whole(summary.rows.failed),
        ),
    );
}

fn render_filter(html: &mut String, web: &Web, view: &View) {
    put(
        html,
        format_args!(
            "<form class=\"filter\" role=\"search\" method=\"get\" action=\"{}\"><label for=\"q\">Filter</label>\
             <input id=\"q\" name=\"q\" type=\"search\" value=\"{}\" placeholder=\"Name, label or id\" autocomplete=\"off\" \
             spellcheck=\"false\" aria-keyshortcuts=\"/\">",
            escape(&web.link("/")),
            escape(&view.text),
        ),
    );
    let chip = view.chip.iter().flat_map(|chip| chip.split("&amp;")).filter_map(|part| part.split_once('='));
    let labels = view.filter.labels().map(|(name, value)| ("label", format!("{name}:{value}")));
    let sort = view.sort_name().map(|name| ("sort", name));
    let limit = view.limit().map(|rows| ("limit", rows));
    let chip = chip.map(|(name, value)| (name, value.to_owned()));
    for (name, value) in chip.chain(labels).chain(sort).chain(limit) {
        put(html, format_args!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(&value)));
    }
    html.push_str("<noscript><button>Filter</button></noscript><kbd aria-hidden=\"true\">/</kbd></form>\n");
}

/// Links that show a part of the imports.
fn render_chips(html: &mut String, summary: &Summary, overview: &Overview, view: &View) {
    html.push_str("<nav class=\"chips\" aria-label=\"Show\">");
    let mut chip = |query: Option<&str>, name: &str, jobs: usize| {
        let chosen = view.chip.as_deref() == query;
        if jobs > 0 || chosen || query.is_none() {
            let current = if chosen { " aria-current=\"true\"" } else { "" };
            let (link, jobs) = (view.with_chip(query), whole(jobs as u64));
            put(html, format_args!("<a data-nav href=\"{link}\"{current}>{name} <b>{jobs}</b></a>"));
        }
    };
    chip(None, "All", summary.jobs());
    chip(Some("show=attention"), "Needs attention", overview.attention);
    chip(Some("show=unreadable"), "Can’t be read", overview.unreadable);
    for (status, jobs) in Status::ALL.into_iter().zip(summary.by_status) {
        let name = match status {
            Status::Pending => "Pending",
            Status::Processing => "Processing",
            Status::Completed => "Completed",
            Status::Failed => "Failed",
            Status::Unknown => "Unknown",
        };
        chip(Some(&format!("status={}", status.as_str())), name, jobs);
    }
    chip(Some("status=UNPOLLED"), "Not read yet", summary.unpolled);
    html.push_str("</nav>\n");
}

fn render_table(
    html: &mut String,
    web: &Web,
    shown: &[Arc<JobSnapshot>],
    view: &View,
    tells_why: bool,
    now: UnixTime,
) {
    if shown.is_empty() {
        put(
            html,
            format_args!(
                "<p class=\"empty\" role=\"status\">No import matches. <a data-nav href=\"?\">Show all</a></p>\n"
            ),
        );
        return;
    }
    let last_page = (shown.len() - 1) / view.rows() * view.rows();
    let start = view.filter.offset.min(last_page);
    let end = (start + view.rows()).min(shown.len());
    html.push_str("<table role=\"table\"><thead role=\"rowgroup\"><tr role=\"row\">");
    for (title, class, sort) in COLUMNS {
        let sorted = if sort == view.sort { sorted_as(view) } else { "" };
        let link = view.sorted_by(sort);
        put(
            html,
            format_args!(
                "<th role=\"columnheader\" scope=\"col\" class=\"{class}\"{sorted}><a data-nav href=\"{link}\">{title}</a></th>"
            ),
        );
    }
    html.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    let link = escape(&web.link(""));
    for job in shown.get(start..end).unwrap_or_default() {
        row::render(html, job, now, &link, tells_why);
    }
    html.push_str("</tbody></table>\n");
    render_pager(html, view, (start, end, shown.len()));
}

/// How the column that is sorted by is marked.
fn sorted_as(view: &View) -> &'static str {
    let large_first = Sort::ALL.iter().any(|(sort, _, large_first)| *sort == view.sort && *large_first);
    if large_first == view.reversed { " aria-sort=\"ascending\"" } else { " aria-sort=\"descending\"" }
}

fn render_pager(html: &mut String, view: &View, (start, end, all): (usize, usize, usize)) {
    let what = if view.is_filtered() { "matching imports" } else { "imports" };
    put(
        html,
        format_args!(
            "<nav class=\"pager\" aria-label=\"Pages\"><span>{}–{} of {} {what}</span>",
            whole(start as u64 + 1),
            whole(end as u64),
            whole(all as u64)
        ),
    );
    if start > 0 {
        let link = view.at_row(start.saturating_sub(view.rows()));
        put(html, format_args!("<a data-nav rel=\"prev\" href=\"{link}\">Previous</a>"));
    }
    if end < all {
        put(html, format_args!("<a data-nav rel=\"next\" href=\"{}\">Next</a>", view.at_row(end)));
    }
    html.push_str("</nav>\n");
}

/// Sorts. The sort is stable: what is equal keeps the order in which it joined.
fn order(jobs: &mut [Arc<JobSnapshot>], view: &View, now: UnixTime) {
    let progress = |job: &JobSnapshot| job.observed.as_ref().and_then(|observed| observed.progress);
    match view.sort {
        Sort::Attention => jobs.sort_by_cached_key(|job| {
            let rank = Rank::of(job, now);
            let changed = job.observed.as_ref().map_or(0, |observed| observed.last_change.as_millis());
            // The latest trouble first; what runs keeps its place.
            (rank, Reverse(if rank == Rank::Failed || rank == Rank::EndedBadly { changed } else { 0 }))
        }),
        Sort::Name => jobs.sort_by(|one, other| name_of(one).cmp(name_of(other))),
        Sort::Progress => by_number(jobs, view, |job| {
            progress(job).map(|progress| progress.processed / progress.total.max(1.0))
        }),
        Sort::Failed => by_number(jobs, view, |job| progress(job).map(|progress| progress.failed)),
        Sort::Rate => by_number(jobs, view, speed),
        Sort::Left => by_number(jobs, view, |job| seconds_left(job, now).map(|seconds| seconds as f64)),
        Sort::Age => by_number(jobs, view, |job| {
            let is_ended = job.status().is_some_and(Status::is_ended);
            job.last_poll_success.filter(|_| !is_ended).map(|time| now.as_seconds() - time.as_seconds())
        }),
    }
    if view.reversed && matches!(view.sort, Sort::Attention | Sort::Name) {
        jobs.reverse();
    }
}

/// By a number; imports without one come last in either direction.
fn by_number(jobs: &mut [Arc<JobSnapshot>], view: &View, number: impl Fn(&JobSnapshot) -> Option<f64>) {
    let large_first = Sort::ALL.iter().any(|(sort, _, large_first)| *sort == view.sort && *large_first);
    jobs.sort_by(|one, other| match (number(one), number(other)) {
        (Some(one), Some(other)) if large_first == view.reversed => one.total_cmp(&other),
        (Some(one), Some(other)) => other.total_cmp(&one),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
}
