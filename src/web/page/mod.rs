//! The pages for people: `/` with all imports, `/jobs/{jobId}` with one.
//!
//! A page is whole as the server makes it: it needs no script, and the filter is a plain form. The script asks for the
//! same page every two seconds with the tag of the one that it has, and changes only what is different, so there is
//! one renderer and nothing flickers. The tag is the store's version: as long as nothing changed, the answer is 304
//! and nothing is rendered, sorted or compressed. All imports are sorted and filtered here and a page of them is sent,
//! so a browser never holds 100,000 rows. Pages are made one at a time: many that want one leave the other threads to
//! scrapes.
//!
//! `list` and `job` are the two pages, `notice` what stands above or instead of imports, `row` an import's row,
//! `attention` says what stands first, `query` what is asked for, `chart` draws, `words` escapes and writes numbers. All
//! texts from elsewhere are escaped. Style and script are files of their own, since the content security policy permits
//! nothing inline.

mod attention;
mod chart;
pub mod job;
pub mod list;
mod notice;
mod query;
mod row;
#[cfg(test)]
pub(super) mod tests;
mod words;

use crate::clock::UnixTime;
use crate::job::Shard;
use crate::telemetry::own::build;
use crate::web::Web;
use crate::web::respond::{self, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{Arguments, Write};
use std::sync::LazyLock;
use words::{escape, lasting};

/// Where the documentation is.
const DOCS: &str = "https://github.com/grid-bulk-exporter/grid-bulk-exporter";

/// A file that the pages load.
#[derive(Debug)]
pub struct Asset {
    text: &'static str,
    content_type: &'static str,
    /// The checksum of the text: another text has another URL.
    version: LazyLock<u32>,
}

/// The style sheet.
pub static STYLE: Asset = Asset {
    text: include_str!("style.css"),
    content_type: "text/css; charset=utf-8",
    version: LazyLock::new(|| crc32fast::hash(include_bytes!("style.css"))),
};

/// The script.
pub static SCRIPT: Asset = Asset {
    text: include_str!("script.js"),
    content_type: "text/javascript; charset=utf-8",
    version: LazyLock::new(|| crc32fast::hash(include_bytes!("script.js"))),
};

impl Asset {
    /// Answers with the file.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let mut response = respond::whole(StatusCode::OK, self.content_type, self.text);
        // Pages name it with its version, so it may be kept for as long as a browser likes.
        let cache = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, cache);
        respond::compress_for(request, response, self.text.as_bytes())
    }
}

/// The icon: three bars. A `data:` URL, so that no browser asks for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' \
     height='16' rx='3' fill='%232456c7'/%3E%3Cpath d='M3 5h10M3 8h7M3 11h4' stroke='%23fff' stroke-width='1.8'/%3E%3C/svg%3E";

/// Appends to a page.
fn put(html: &mut String, text: Arguments<'_>) {
    // Writing to a string can't fail.
    let _infallible = html.write_fmt(text);
}

/// The path of an import's page, below the prefix.
fn job_path(id: &str) -> String {
    format!("/jobs/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// The tag of what the pages show now: another one after each change, and each minute, as ages and ranks move on.
fn tag(web: &Web, now: UnixTime) -> String {
    let minute = now.as_millis().div_euclid(60_000);
    format!("W/\"{:x}-{:x}-{minute:x}\"", web.store.began().as_millis(), web.store.version())
}

/// 304, if the client has the page with this tag.
fn not_modified(request: &HeaderMap, tag: &str) -> Option<Response> {
    let has_it = request.get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    has_it.then(|| {
        let mut response = respond::no_content();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().extend(HeaderValue::from_str(tag).ok().map(|tag| (ETAG, tag)));
        response
    })
}

/// Which of several shards the page is of; nothing if there is one.
fn shard_in_words(shard: Shard) -> String {
    if shard.total() == 1 {
        String::new()
    } else {
        format!(", {shard} (counted from 0), whose imports are shown")
    }
}

/// What stands around the middle of each page.
struct Frame<'a> {
    status: StatusCode,
    title: &'a str,
    tag: &'a str,
    now: UnixTime,
    /// The middle.
    main: &'a str,
}

/// A whole page.
fn framed(web: &Web, request: &HeaderMap, frame: &Frame<'_>) -> Response {
    let link = |path: &str| escape(&web.link(path));
    let mut html = String::with_capacity(frame.main.len() + 4096);
    put(
        &mut html,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n\
             <link rel=\"stylesheet\" href=\"{}?v={:08x}\">\n<script src=\"{}?v={:08x}\" defer></script>\n</head>\n",
            escape(frame.title),
            link("/static/style.css"),
            *STYLE.version,
            link("/static/script.js"),
            *SCRIPT.version,
        ),
    );
    put(
        &mut html,
        format_args!(
            "<body>\n<a class=\"skip\" href=\"#main\">Skip to the imports</a>\n<header class=\"top\"><a class=\"brand\" href=\"{}\">\
             <svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M2 4h12M2 8h8M2 12h5\"/></svg>Grid bulk imports</a>\
             <nav aria-label=\"Links\"><a href=\"{}\">Metrics</a><a href=\"{}\">JSON</a><a href=\"{}\">Health</a>\
             <a href=\"{}\">Readiness</a><a href=\"{DOCS}\" rel=\"noreferrer\">Docs</a></nav></header>\n\
             <p id=\"lost\" class=\"banner bad\" role=\"status\" hidden></p>\n",
            link("/"),
            link(&web.options.telemetry_path),
            link("/api/v1/jobs"),
            link("/-/healthy"),
            link("/-/ready"),
        ),
    );
    put(
        &mut html,
        format_args!(
            "<main id=\"main\" data-now=\"{}\" data-tag=\"{}\">\n{}</main>\n<footer>grid-bulk-exporter {} ({}){}, up for {}. \
             <span id=\"live\"><noscript>Reload for new numbers.</noscript></span></footer>\n</body>\n</html>\n",
            frame.now.as_millis(),
            escape(frame.tag),
            frame.main,
            build::VERSION,
            build::REVISION,
            shard_in_words(web.shard),
            lasting(web.store.began(), frame.now),
        ),
    );
    let body = html.clone().into_bytes();
    let mut response = respond::page(html);
    *response.status_mut() = frame.status;
    response.headers_mut().extend(HeaderValue::from_str(frame.tag).ok().map(|tag| (ETAG, tag)));
    respond::compress_for(request, response, &body)
}
