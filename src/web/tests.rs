//! The endpoints over real sockets, as a client sees them.

use super::*;
use crate::clock::{SystemClock, UnixTime};
use crate::job::{CompletedAt, ErrorTally, JobReading, Labels, Progress, ReportedStatus, Shard};
use crate::store::{CountFrom, NewJob, Outcome};
use crate::telemetry::own::OwnMetrics;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A server on a free port of loopback.
struct Server {
    address: std::net::SocketAddr,
    web: Arc<Web>,
    ready: watch::Sender<bool>,
    reloads: mpsc::Receiver<ReloadRequest>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(change: impl FnOnce(&mut WebOptions)) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let own = OwnMetrics::new(&clock).unwrap();
        let store = Store::new(UnixTime::from_millis(0));
        let labels: Labels = [("team".parse().unwrap(), "<script>".to_owned())].into_iter().collect();
        let id: crate::job::JobId = "Job:1".parse().unwrap();
        store.join(vec![NewJob { id: id.clone(), labels, sources: vec!["jobs"] }], CountFrom::FirstReading);
        let reading = JobReading {
            status: ReportedStatus::from_word("PAUSED"),
            progress: Some(Progress { total: 10.0, processed: 5.0, successful: 3.0, failed: 2.0 }),
            errors: ErrorTally::new(20),
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        };
        store.apply(&id, Outcome::Read(reading), clock.now());
        let mut options = WebOptions {
            listen_addresses: Vec::new(),
            systemd_socket: false,
            config_file: None,
            telemetry_path: "/metrics".to_owned(),
            external_url: None,
            route_prefix: String::new(),
            max_requests: 40,
            enable_lifecycle: false,
            enable_admin_api: false,
            enable_probe: false,
        };
        change(&mut options);
        let (ready, readiness) = watch::channel(false);
        let (reload, reloads) = mpsc::channel(1);
        let web = Arc::new(Web {
            exposition: Arc::new(Exposition::new(store.clone(), own.registry.clone())),
            scrapes: (options.max_requests > 0).then(|| Arc::new(Semaphore::new(options.max_requests))),
            options,
            shard: Shard::default(),
            store,
            readiness,
            reload,
            admin: mpsc::channel(1).0,
            pages: tokio::sync::Mutex::default(),
            probe: crate::poller::ProbeHandle::of_nobody(),
            connections: own.web_connections.clone(),
            door: None,
            clock,
        });
        let listeners = listen::bind("127.0.0.1:0").await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(server::serve(Arc::clone(&web), listeners, shutdown.clone()));
        Self { address, web, ready, reloads, shutdown, task }
    }

    /// Sends raw bytes on a connection of its own and reads to its end.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn ask(&self, method: &str, path: &str) -> String {
        self.exchange(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask("GET", path).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.task.abort();
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn metrics_have_the_exact_content_type_and_length() {
    let server = Server::start(|_| {}).await;
    let answer = server.get("/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(body.contains("grid_bulk_job_failed_rows{jobId=\"Job:1\"} 2\n"));
    assert!(body.contains("grid_bulk_exporter_web_connections 1\n"), "this one");
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let server = Server::start(|_| {}).await;
    for path in ["/", "/jobs/Job%3A1", "/-/healthy", "/api/v1/jobs", "/static/style.css", "/static/script.js"]
    {
        let get = server.get(path).await;
        let head = server.ask("HEAD", path).await;
        let without_date = |text: &str| {
            let head = text.split("\r\n\r\n").next().unwrap();
            head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(without_date(&head), without_date(&get), "{path}");
        assert!(head.ends_with("\r\n\r\n"), "{path} sent a body");
    }
    assert_eq!(status(&server.ask("HEAD", "/metrics").await), "200");
}

#[tokio::test]
async fn what_is_not_there_is_told_in_plain_words() {
    let server = Server::start(|_| {}).await;
    let answer = server.get("/nothing").await;
    assert_eq!(status(&answer), "404");
    assert!(answer.contains("There is nothing at /nothing."));
    let answer = server.ask("DELETE", "/metrics").await;
    assert_eq!(status(&answer), "405");
    assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    let answer = server.get("/-/reload").await;
    assert_eq!(status(&answer), "405");
    assert!(answer.contains("allow: POST, PUT\r\n"), "{answer}");
}

#[tokio::test]
async fn the_page_escapes_what_others_wrote_and_loads_nothing_from_elsewhere() {
    let server = Server::start(|_| {}).await;
    for path in ["/", "/jobs/Job%3A1", "/jobs/%3Cscript%3E"] {
        let answer = server.get(path).await;
        assert!(
            answer.contains(
                "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';"
            )
        );
        assert!(
            !answer.contains("unsafe-inline") && !answer.contains("style=\"") && !answer.contains("onerror="),
            "{answer}"
        );
        let scripts: Vec<_> = answer.split("<script").skip(1).collect();
        assert!(matches!(scripts[..], [only] if only.starts_with(" src=\"/static/script.js?v=")), "{answer}");
        assert!(!answer.contains("src=\"http"), "{path}");
    }
    let answer = server.get("/").await;
    assert!(answer.contains("team <bdi>&lt;script&gt;</bdi>"), "{answer}");
    assert!(answer.contains("PAUSED"), "the API's own word");
    assert!(answer.contains("<title>(1) Grid bulk imports</title>"), "one needs attention");
}

#[tokio::test]
async fn a_page_that_did_not_change_is_not_made_again() {
    let server = Server::start(|_| {}).await;
    for path in ["/", "/?q=job", "/jobs/Job%3A1"] {
        let tag =
            |answer: &str| answer.lines().find_map(|line| line.strip_prefix("etag: ").map(str::to_owned));
        let ask = |tag: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-None-Match: {tag}\r\n\r\n")
        };
        // The tag is another one each minute.
        let mut first = tag(&server.get(path).await).unwrap();
        let mut answer = server.exchange(&ask(&first)).await;
        if status(&answer) == "200" {
            first = tag(&answer).unwrap();
            answer = server.exchange(&ask(&first)).await;
        }
        assert_eq!(status(&answer), "304");
        assert!(answer.ends_with("\r\n\r\n") && !answer.contains("content-type"), "{answer}");
        let now = server.web.clock.now();
        server.web.store.apply(&"Job:1".parse::<crate::job::JobId>().unwrap(), Outcome::Unchanged, now);
        let answer = server.exchange(&ask(&first)).await;
        assert_eq!(status(&answer), "200");
        assert_ne!(tag(&answer).unwrap(), first);
    }
}

#[tokio::test]
async fn a_job_has_a_page_and_one_that_is_not_watched_has_none() {
    let server = Server::start(|options| options.route_prefix = "/grid".to_owned()).await;
    let answer = server.get("/grid/jobs/Job%3A1").await;
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("href=\"/grid/api/v1/jobs/Job%3A1\"") && answer.contains("href=\"/grid/\">← All")
    );
    let answer = server.get("/grid/jobs/Job%3Anone").await;
    assert_eq!(status(&answer), "404");
    assert!(answer.contains("is not among the imports"));
    for path in [
        "/grid/jobs/a%2Fb",
        "/grid/jobs/%2E%2E",
        "/grid/jobs/%ff",
        &format!("/grid/jobs/{}", "x".repeat(300)),
    ] {
        let answer = server.get(path).await;
        assert_eq!(status(&answer), "400", "{path}");
        assert!(answer.contains("The path names no job"), "{answer}");
    }
    assert_eq!(status(&server.get("/grid/jobs/").await), "404");
}

#[tokio::test]
async fn the_page_shows_what_is_asked_for() {
    let server = Server::start(|_| {}).await;
    for (query, row) in
        [("q=job", true), ("q=nothing", false), ("status=PENDING", false), ("show=attention", true)]
    {
        let answer = server.get(&format!("/?{query}")).await;
        assert_eq!(answer.contains("data-key=\"Job:1\""), row, "{query}");
        assert_eq!(answer.contains("No import matches"), !row, "{query}");
    }
    let up = ["attention", "name", "left", "-progress", "-failed", "-rate", "-age"];
    let down = ["-attention", "-name", "-left", "progress", "failed", "rate", "age"];
    for (sort, direction) in
        up.map(|sort| (sort, "ascending")).into_iter().chain(down.map(|sort| (sort, "descending")))
    {
        let answer = server.get(&format!("/?sort={sort}")).await;
        assert_eq!(answer.matches(&format!("aria-sort=\"{direction}\"")).count(), 1, "{sort}");
        assert_eq!(answer.matches("aria-sort").count(), 1, "{sort}");
    }
    let answer = server.get("/?q=%22%3E%3Cscript%3E").await;
    assert!(answer.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{answer}");
    let answer = server.get("/?sort=size").await;
    assert_eq!(status(&answer), "400");
    assert!(answer.contains("attention, name"), "{answer}");
}

#[tokio::test]
async fn a_job_is_shown_as_json_with_its_raw_status() {
    let server = Server::start(|_| {}).await;
    let answer = server.get("/api/v1/jobs").await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(document["total"], 1);
    let job = &document["jobs"][0];
    assert_eq!(job["jobId"], "Job:1");
    assert_eq!(job["status"], "UNKNOWN");
    assert_eq!(job["rawStatus"], "PAUSED");
    assert_eq!(job["progress"]["failed"], 2);
    assert_eq!(job["poll"]["success"], true);
    assert_eq!(job["labels"]["team"], "<script>");
}

#[tokio::test]
async fn health_never_waits_and_readiness_follows_the_poller() {
    let server = Server::start(|_| {}).await;
    assert_eq!(status(&server.get("/-/healthy").await), "200");
    assert_eq!(status(&server.get("/-/ready").await), "503");
    server.ready.send_replace(true);
    assert_eq!(status(&server.get("/-/ready").await), "200");
}

#[tokio::test]
async fn a_reload_needs_its_flag_and_tells_its_faults() {
    let server = Server::start(|_| {}).await;
    assert_eq!(status(&server.ask("POST", "/-/reload").await), "403");
    let mut server = Server::start(|options| options.enable_lifecycle = true).await;
    let mut reloads = std::mem::replace(&mut server.reloads, mpsc::channel(1).1);
    let app = tokio::spawn(async move {
        reloads.recv().await.unwrap().done.send(Ok(())).unwrap();
        reloads.recv().await.unwrap().done.send(Err("grid.yml:3: no".to_owned())).unwrap();
    });
    assert_eq!(status(&server.ask("POST", "/-/reload").await), "200");
    let refused = server.ask("PUT", "/-/reload").await;
    assert_eq!(status(&refused), "500");
    assert!(refused.contains("grid.yml:3: no"));
    app.await.unwrap();
}

#[tokio::test]
async fn a_route_prefix_holds_for_everything() {
    let server = Server::start(|options| options.route_prefix = "/grid".to_owned()).await;
    assert_eq!(status(&server.get("/grid/metrics").await), "200");
    assert_eq!(status(&server.get("/metrics").await), "404");
    assert!(server.get("/").await.contains("location: /grid/\r\n"));
    assert!(server.get("/grid").await.contains("location: /grid/\r\n"));
    assert!(server.get("/grid/").await.contains("href=\"/grid/metrics\""));
}

#[tokio::test]
async fn more_scrapes_than_permitted_get_503() {
    let server = Server::start(|options| options.max_requests = 1).await;
    let held = Arc::clone(server.web.scrapes.as_ref().unwrap()).acquire_owned().await.unwrap();
    let answer = server.get("/metrics").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("--web.max-requests"));
    drop(held);
    assert_eq!(status(&server.get("/metrics").await), "200");
    assert_eq!(status(&server.get("/metrics").await), "200", "the place is given back");
}

#[tokio::test(start_paused = true)]
async fn a_scrape_that_is_read_drop_by_drop_does_not_keep_its_moment_for_ever() {
    let server = Server::start(|_| {}).await;
    // More than the sockets hold.
    let new_job = |number| NewJob {
        id: format!("Job:{number}").parse().unwrap(),
        labels: [("name".parse().unwrap(), "x".repeat(1000))].into_iter().collect(),
        sources: vec!["jobs"],
    };
    server.web.store.join((2..40_000).map(new_job).collect(), CountFrom::FirstReading);
    let began = tokio::time::Instant::now();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut piece = vec![0; 64 * 1024];
    stream.read_exact(&mut piece[..15]).await.unwrap();
    assert_eq!(&piece[..15], b"HTTP/1.1 200 OK");
    let places = || server.web.scrapes.as_ref().unwrap().available_permits();
    while places() < 40 {
        assert!(began.elapsed() < Duration::from_secs(140), "it is still being read");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let _read = stream.read(&mut piece).await;
    }
    assert!(began.elapsed() > Duration::from_secs(118), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_in_time_is_answered_although_we_were_too_busy_to_look() {
    use std::io::Write as _;
    let server = Server::start(|_| {}).await;
    // Time and request come to the connection's task at once, and chance must not choose between them.
    for _ in 0..16 {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        while server.web.connections.get() == 0 {
            tokio::task::yield_now().await;
        }
        stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").unwrap();
        tokio::time::advance(Duration::from_secs(11)).await;
        stream.set_nonblocking(true).unwrap();
        let mut answer = String::new();
        TcpStream::from_std(stream).unwrap().read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), "200");
        while server.web.connections.get() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_stop_closes_idle_and_silent_connections() {
    let server = Server::start(|_| {}).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 15];
    idle.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"P").await.unwrap();
    server.shutdown.cancel();
    for connection in [&mut idle, &mut silent] {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is closed at once");
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_in_one_line() {
    let server = Server::start(|_| {}).await;
    let address = server.address.to_string();
    let error = listen::bind(&address).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "--web.listen-address {address}: the port is in use, by another process or another --web.listen-address; choose another"
        )
    );
}
