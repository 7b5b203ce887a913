//! What the page says instead of imports, or above them: how to add the first one, and that the API can't be read.

use crate::clock::UnixTime;
use crate::job::PollFailure;
use crate::web::Web;
use crate::web::page::attention::Outage;
use crate::web::page::words::{age, clock, escape, lasting};
use crate::web::page::{DOCS, put};

/// No imports yet: how to add one.
pub(super) fn render_empty(html: &mut String, web: &Web) {
    html.push_str(
        "<section class=\"empty\"><h2>No imports are watched yet</h2>\n<p>Name one by its id, in one of these ways. It \
         appears here at once.</p>\n<dl><dt>In the configuration file</dt><dd><pre tabindex=\"0\">jobs:\n  - id: \
         Job:019542f5-b3e7-1d02-0000-000000000006\n    labels: { name: eu-launch, team: onboarding }</pre></dd>\n\
         <dt>On the command line, or in the environment</dt><dd><pre tabindex=\"0\">--job=Job:019542f5-…\nGRID_JOBS=Job:019542f5-…,Job:0195430a-…\
         </pre></dd>\n<dt>By lists that change while it runs</dt><dd><code>job_files</code> (files, as Prometheus’s \
         <code>file_sd</code>) and <code>job_http</code> (a URL, as <code>http_sd</code>)</dd>\n",
    );
    let path = escape(&web.link("/api/v1/jobs/Job:019542f5-…"));
    let flag =
        if web.options.enable_admin_api { "" } else { ", once <code>--web.enable-admin-api</code> is given" };
    put(
        html,
        format_args!(
            "<dt>From a script{flag}</dt><dd><pre tabindex=\"0\">curl -X PUT http://…{path}</pre></dd></dl>\n\
             <p>All keys are in the <a href=\"{DOCS}/blob/main/docs/configuration.md\" rel=\"noreferrer\">documentation</a>.</p>\
             </section>\n"
        ),
    );
}

/// Begins the banner of something that can't be read: since when, and why. Its `section` stays open.
pub(super) fn begin_trouble(
    html: &mut String,
    title: &str,
    (since, now): (UnixTime, UnixTime),
    reason: PollFailure,
    message: &str,
) {
    put(
        html,
        format_args!(
            "<section class=\"banner bad\" aria-label=\"Trouble\"><h2>{title}</h2><p>For {}: {}, <bdi>{}</bdi>.</p>",
            lasting(since, now),
            reason.as_str(),
            escape(message.trim_end_matches('.')),
        ),
    );
}

/// The API as a whole can't be read: why, since when, and what is stale.
pub(super) fn render_outage(html: &mut String, outage: &Outage, now: UnixTime) {
    let title = if outage.is_refusal() {
        "The Grid API refuses our credentials"
    } else {
        "The Grid API can’t be read"
    };
    begin_trouble(html, title, (outage.since, now), outage.reason, &outage.message);
    match outage.last_good {
        Some(time) => put(
            html,
            format_args!(
                "<p>What is shown of imports that have not ended is as of {}, {}; the rest is final.</p>",
                clock(time),
                age(time, now)
            ),
        ),
        None => html.push_str("<p>Nothing was read since the start.</p>"),
    }
    if outage.is_refusal() {
        put(
            html,
            format_args!(
                "<p>Check <code>grid.client_id</code> and the secret (<code>grid.client_secret_file</code> or \
                 <code>GRID_CLIENT_SECRET</code>). A secret file is read again when it changes; polls go on by themselves. \
                 <a href=\"{DOCS}/blob/main/docs/runbooks/GridBulkCredentialsRefused.md\" rel=\"noreferrer\">What to do</a></p>"
            ),
        );
    }
    html.push_str("</section>\n");
}
