//! The table of endpoints, and the one place where a request finds its way. Called by `server`.

use crate::job::JobId;
use crate::web::problem::problem;
use crate::web::respond::{self, Response};
use crate::web::{Web, admin, health, jobs, metrics, page, probe, reload, sd};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The metrics.
    Metrics,
    /// The status page.
    StatusPage,
    /// The page of one job.
    JobPage,
    /// The pages' style sheet.
    Style,
    /// The pages' script.
    Script,
    /// Whether the process lives.
    Healthy,
    /// Whether the first polls were made.
    Ready,
    /// All jobs as JSON.
    Jobs,
    /// One job as JSON; adding and removing it.
    Job,
    /// The ids as targets for Prometheus.
    Targets,
    /// Poll one job now.
    Probe,
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

impl Route {
    /// What stands in `path` where this route has its `{jobId}`, still encoded. Nothing if the route has none, the path
    /// is another, or no id is there.
    fn id_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let before = self.path.strip_suffix("{jobId}")?;
        path.strip_prefix(before).filter(|id| !id.is_empty())
    }
}

/// The table; `telemetry_path` is where the metrics are.
#[must_use]
pub fn table(telemetry_path: &str) -> Vec<Route> {
    let read = "GET, HEAD";
    [
        (
            telemetry_path,
            read,
            Endpoint::Metrics,
            "the metrics, in the format and compression that the scraper takes; `name[]=` chooses families; the path is \
             that of `--web.telemetry-path`",
        ),
        (
            "/",
            read,
            Endpoint::StatusPage,
            "a page with all jobs, those that need attention first; `q=`, `status=`, `label=` filter, `sort=` sorts",
        ),
        (JOB_PAGE, read, Endpoint::JobPage, "a page with one job and its course since the start"),
        ("/static/style.css", read, Endpoint::Style, "the pages' style sheet"),
        ("/static/script.js", read, Endpoint::Script, "the pages' script; they work without it"),
        (HEALTHY_PATH, read, Endpoint::Healthy, "200 as long as the process lives; never waits for the API"),
        (
            READY_PATH,
            read,
            Endpoint::Ready,
            "200 once every job was tried, well or not, or after two intervals (60 s at most)",
        ),
        (
            "/api/v1/jobs",
            read,
            Endpoint::Jobs,
            "all jobs as JSON, with raw statuses and reasons of failure; `status=`, `label=name:value` and `q=` filter, \
             `limit=` and `offset=` page",
        ),
        (
            JOB_PATH,
            "GET, HEAD, PUT, DELETE",
            Endpoint::Job,
            "one job; `PUT` and `DELETE` add and remove it and need `--web.enable-admin-api`",
        ),
        (
            "/api/v1/sd",
            read,
            Endpoint::Targets,
            "the job ids as targets of Prometheus's `http_sd`, with `__meta_grid_bulk_*` labels",
        ),
        (
            "/probe",
            read,
            Endpoint::Probe,
            "polls the job that `target=` names now and answers with its series alone; `debug=true` tells the whole \
             course; needs `--web.enable-probe`",
        ),
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

const HEALTHY_PATH: &str = "/-/healthy";
const READY_PATH: &str = "/-/ready";

/// Where one job is.
const JOB_PATH: &str = "/api/v1/jobs/{jobId}";

/// Where one job's page is.
const JOB_PAGE: &str = "/jobs/{jobId}";

/// Answers one request.
pub async fn answer(web: &Web, request: Request<Incoming>) -> Response {
    let is_head = request.method() == Method::HEAD;
    let mut response = find_and_answer(web, request).await;
    if is_head {
        // The headers stay as they are for GET, the length included.
        *response.body_mut() = Either::Right(Full::default());
    }
    response
}

/// Whether a path asks for no user: health and readiness say nothing worth guarding, and whoever asks for them has no
/// password.
#[must_use]
pub fn asks_for_nobody(web: &Web, path: &str) -> bool {
    let below = path.strip_prefix(web.options.route_prefix.as_str());
    below.is_some_and(|below| matches!(below, HEALTHY_PATH | READY_PATH))
}

async fn find_and_answer(web: &Web, request: Request<Incoming>) -> Response {
    let path = request.uri().path();
    let Some(below) = path.strip_prefix(web.options.route_prefix.as_str()) else {
        return if path == "/" { redirect(&web.link("/")) } else { respond::not_found(path, &web.link("/")) };
    };
    if below.is_empty() {
        return redirect(&web.link("/"));
    }
    let table = table(&web.options.telemetry_path);
    // What stands in the table as it is comes first: `--web.telemetry-path` may be anything.
    let found = table.iter().find(|route| route.path == below && !route.path.ends_with("{jobId}"));
    let Some(route) = found.or_else(|| table.iter().find(|route| route.id_in(below).is_some())) else {
        return respond::not_found(path, &web.link("/"));
    };
    if !route.methods.split(", ").any(|method| method == request.method().as_str()) {
        return respond::method_not_allowed(request.method(), route.methods);
    }
    match route.endpoint {
        Endpoint::Metrics => {
            metrics::answer(web, request.uri().query().unwrap_or_default(), request.headers()).await
        }
        Endpoint::StatusPage => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            page::list::answer(web, &query, request.headers()).await
        }
        Endpoint::JobPage => match job_of(route, below) {
            Ok(id) => page::job::answer(web, &id, request.headers()),
            Err(fault) => respond::words(StatusCode::BAD_REQUEST, &fault),
        },
        Endpoint::Style => page::STYLE.answer(request.headers()),
        Endpoint::Script => page::SCRIPT.answer(request.headers()),
        Endpoint::Healthy => health::healthy(),
        Endpoint::Ready => health::ready(web),
        Endpoint::Jobs => jobs::answer(web, request.uri().query().unwrap_or_default(), request.headers()),
        Endpoint::Job => match job_of(route, below) {
            Ok(id) => answer_job(web, id, request).await,
            Err(fault) => problem(StatusCode::BAD_REQUEST, &fault),
        },
        Endpoint::Targets => sd::answer(web, request.headers()),
        Endpoint::Probe => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            probe::answer(web, &query, request.headers()).await
        }
        Endpoint::Reload => reload::answer(web).await,
    }
}

/// The job whose id stands in the path, or why it is none.
fn job_of(route: &Route, below: &str) -> Result<JobId, String> {
    let encoded = route.id_in(below).unwrap_or_default();
    match percent_decode_str(encoded).decode_utf8().map(|text| text.parse::<JobId>()) {
        Ok(Ok(id)) => Ok(id),
        Ok(Err(error)) => Err(format!("The path names no job: {error}.")),
        Err(_) => Err("The path names no job: it is not UTF-8.".to_owned()),
    }
}

/// Answers a request about one job.
async fn answer_job(web: &Web, id: JobId, request: Request<Incoming>) -> Response {
    match *request.method() {
        Method::PUT | Method::DELETE => {
            let method = request.method().clone();
            admin::answer(web, id, method, request.into_body()).await
        }
        _ => jobs::one(web, &id),
    }
}

fn redirect(to: &str) -> Response {
    let mut response = respond::words(StatusCode::FOUND, &format!("See {to}"));
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
