//! The table of endpoints, and the one place where a request finds its way. Called by `server`.

use crate::web::respond::{self, Response};
use crate::web::{Web, health, jobs, metrics, reload, status_page};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{Either, Full};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The metrics.
    Metrics,
    /// The status page.
    StatusPage,
    /// The page's style sheet.
    Style,
    /// Whether the process lives.
    Healthy,
    /// Whether the first polls were made.
    Ready,
    /// All jobs as JSON.
    Jobs,
    /// Load the configuration anew.
    Reload,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path below the route prefix.
    pub path: String,
    /// The methods, as `Allow` lists them.
    pub methods: &'static str,
    /// What is there.
    pub endpoint: Endpoint,
    /// The same for the README.
    pub about: &'static str,
}

/// The table; `telemetry_path` is where the metrics are.
#[must_use]
pub fn table(telemetry_path: &str) -> Vec<Route> {
    let read = "GET, HEAD";
    [
        (telemetry_path, read, Endpoint::Metrics, "the metrics; the path is that of `--web.telemetry-path`"),
        ("/", read, Endpoint::StatusPage, "a page with all jobs, and links"),
        ("/static/style.css", read, Endpoint::Style, "the page's style sheet"),
        ("/-/healthy", read, Endpoint::Healthy, "200 as long as the process lives; never waits for the API"),
        (
            "/-/ready",
            read,
            Endpoint::Ready,
            "200 once every job was tried, well or not, or after two intervals (60 s at most)",
        ),
        ("/api/v1/jobs", read, Endpoint::Jobs, "all jobs as JSON, with raw statuses and reasons of failure"),
        (
            "/-/reload",
            "POST, PUT",
            Endpoint::Reload,
            "loads the configuration anew; needs `--web.enable-lifecycle`",
        ),
    ]
    .into_iter()
    .map(|(path, methods, endpoint, about)| Route { path: path.to_owned(), methods, endpoint, about })
    .collect()
}

/// Answers one request.
pub async fn answer<B>(web: &Web, request: &Request<B>) -> Response {
    let is_head = request.method() == Method::HEAD;
    let mut response = find_and_answer(web, request).await;
    if is_head {
        // The headers stay as they are for GET, the length included.
        *response.body_mut() = Either::Right(Full::default());
    }
    response
}

async fn find_and_answer<B>(web: &Web, request: &Request<B>) -> Response {
    let path = request.uri().path();
    let Some(below) = path.strip_prefix(web.options.route_prefix.as_str()) else {
        return if path == "/" { redirect(&web.link("/")) } else { respond::not_found(path, &web.link("/")) };
    };
    if below.is_empty() {
        return redirect(&web.link("/"));
    }
    let table = table(&web.options.telemetry_path);
    let Some(route) = table.iter().find(|route| route.path == below) else {
        return respond::not_found(path, &web.link("/"));
    };
    if !route.methods.split(", ").any(|method| method == request.method().as_str()) {
        return respond::method_not_allowed(request.method(), route.methods);
    }
    match route.endpoint {
        Endpoint::Metrics => metrics::answer(web, request.headers()),
        Endpoint::StatusPage => status_page::answer(web, request.headers()),
        Endpoint::Style => status_page::style(request.headers()),
        Endpoint::Healthy => health::healthy(),
        Endpoint::Ready => health::ready(web),
        Endpoint::Jobs => jobs::answer(web, request.headers()),
        Endpoint::Reload => reload::answer(web).await,
    }
}

fn redirect(to: &str) -> Response {
    let mut response = respond::words(StatusCode::FOUND, &format!("See {to}"));
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
