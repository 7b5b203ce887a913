//! `serve` end to end: the real binary against the simulated API.

use crate::support::exporter::{Start, run};
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::{http, wait_for};
use flate2::read::GzDecoder;
use grid_bulk_exporter::secret::Secret;
use rustix::process::Signal;
use std::io::Read;

/// Three jobs in the middle of their course, which don't change while we look.
const JOBS: &str = "
jobs:
  - { id: 'Job:a', rows: 1000, rows_per_second: 100, starts_at: -5, failing_share: 0.1, stalls: [{ at: 4 }] }
  - { id: 'Job:b', rows: 200, rows_per_second: 100, starts_at: -60 }
  - { id: 'Job:c', ends: never starts }
  - { id: 'Job:d', rows: 100, rows_per_second: 100, starts_at: -60, failing_share: 1, ends: FAILED }
";

fn config(base_url: &str, jobs: &str) -> String {
    format!(
        "grid:\n  base_url: {base_url}\n  client_id: demo\n  client_secret: demo\npoll: {{ interval: 1s }}\njobs: {jobs}\n"
    )
}

fn all_read(scrape: &Scrape) -> bool {
    scrape.value("grid_bulk_jobs", &[("status", "UNPOLLED")]) == Some(0.0)
}

#[tokio::test]
async fn six_lines_of_yaml_bring_a_job_to_metrics() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a', 'Job:b', 'Job:c', 'Job:d' ]"))
        .start()
        .await;
    let scrape = exporter.scrape_until("all jobs are read", all_read).await;
    assert_eq!(scrape.status("Job:a").as_deref(), Some("PROCESSING"));
    assert_eq!(scrape.status("Job:b").as_deref(), Some("COMPLETED"));
    assert_eq!(scrape.status("Job:c").as_deref(), Some("PENDING"));
    assert_eq!(scrape.status("Job:d").as_deref(), Some("FAILED"));
    let count = |name: &str| scrape.of_job(name, "Job:a").unwrap();
    assert_eq!(count("grid_bulk_job_total_rows"), 1000.0);
    assert_eq!(count("grid_bulk_job_processed_rows"), 400.0);
    assert!(count("grid_bulk_job_failed_rows") > 10.0);
    assert_eq!(count("grid_bulk_job_successful_rows") + count("grid_bulk_job_failed_rows"), 400.0);
    let entries: f64 =
        scrape.series("grid_bulk_job_error_entries", &[("jobId", "Job:a")]).map(|sample| sample.value).sum();
    assert_eq!(entries, count("grid_bulk_job_failed_rows"));
    assert_eq!(count("grid_bulk_job_poll_success"), 1.0);
    assert!(scrape.of_job("grid_bulk_job_completed_timestamp_seconds", "Job:b").is_some());
    assert!(scrape.of_job("grid_bulk_job_completed_timestamp_seconds", "Job:a").is_none());
    assert_eq!(scrape.value("grid_bulk_up", &[]), Some(1.0));
    assert_eq!(scrape.types["grid_bulk_rows_total"], "counter");
    assert!(scrape.value("process_cpu_seconds_total", &[]).unwrap() > 0.0);
}

#[tokio::test]
async fn the_first_scrape_shows_all_jobs_although_none_was_polled() {
    let simulated =
        Simulated::with_scenario("jobs: [ { id: 'Job:a', faults: [ { fault: hang_head } ] } ]").await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a', 'Job:b' ]")).start().await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:a", "Job:b"]);
    assert_eq!(scrape.status("Job:a"), None);
}

#[tokio::test]
async fn a_job_that_has_ended_is_not_asked_for_again_and_the_others_are() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a', 'Job:b' ]")).start().await;
    wait_for("Job:a is polled four times", || async {
        let polls = simulated.handle.requests_of("Job:a");
        if polls >= 4 { Ok(()) } else { Err(polls.to_string()) }
    })
    .await;
    assert_eq!(simulated.handle.requests_of("Job:b"), 1);
    // One request a poll: the two counters are read from one scrape, between two polls.
    exporter
        .scrape_until("polls and requests are equally many", |scrape| {
            let requests = scrape.value("grid_bulk_api_requests_total", &[("code", "200")]);
            requests >= Some(5.0) && requests == scrape.value("grid_bulk_polls_total", &[])
        })
        .await;
    let asked = simulated.handle.requests_of("Job:a") + simulated.handle.requests_of("Job:b");
    let polls = exporter.scrape().await.value("grid_bulk_polls_total", &[]).unwrap();
    assert!(polls >= asked as f64 - 1.0, "{polls} polls, {asked} requests at the API");
}

#[tokio::test]
async fn flags_environment_and_file_name_jobs_together() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let file = config(&simulated.base_url, "[ { id: 'Job:a', labels: { team: red, name: \"x\\\"y\" } } ]");
    let exporter = Start::with_config(&file)
        .argument("--job=Job:b")
        .argument("--job=Job:a")
        .variable("GRID_JOBS", "Job:c, Job:b")
        .start()
        .await;
    let scrape = exporter.scrape_until("all jobs are read", all_read).await;
    assert_eq!(scrape.job_ids(), ["Job:a", "Job:b", "Job:c"]);
    let info = scrape.series("grid_bulk_job_info", &[("jobId", "Job:a")]).next().unwrap();
    assert_eq!((info.labels["team"].as_str(), info.labels["name"].as_str()), ("red", "x\"y"));
    let document = exporter.get("/api/v1/jobs").await.json();
    let sources = |position: usize| document["jobs"][position]["sources"].to_string();
    assert_eq!(sources(0), r#"["jobs","--job"]"#);
    assert_eq!(sources(1), r#"["--job","GRID_JOBS"]"#);
}

#[tokio::test]
async fn credentials_and_address_come_from_the_environment_too() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::without_config()
        .variable("GRID_CLIENT_ID", "demo")
        .variable("GRID_CLIENT_SECRET", "demo")
        .variable("LIGHTSPARK_GRID_BASE_URL", &simulated.base_url)
        .variable("GRID_JOBS", "Job:a")
        .variable("GRID_EXPORTER_WEB_TELEMETRY_PATH", "/prometheus")
        .start()
        .await;
    let body = wait_for("the job is read", || async {
        let text = exporter.get("/prometheus").await.text();
        if all_read(&Scrape::parse(&text)) { Ok(text) } else { Err(text) }
    })
    .await;
    assert_eq!(Scrape::parse(&body).status("Job:a").as_deref(), Some("PROCESSING"));
}

#[tokio::test]
async fn sighup_reloads_the_set_of_jobs_and_those_that_stay_keep_their_state() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a', 'Job:b' ]")).start().await;
    let before = exporter.scrape_until("all jobs are read", all_read).await;
    exporter.write_config(&config(&simulated.base_url, "[ 'Job:b', 'Job:c' ]"));
    exporter.signal(Signal::HUP);
    let after = exporter
        .scrape_until("the new job is read", |scrape| scrape.status("Job:c").is_some() && all_read(scrape))
        .await;
    assert_eq!(after.job_ids(), ["Job:b", "Job:c"]);
    assert_eq!(
        after.samples.iter().filter(|s| s.labels.get("jobId").is_some_and(|id| id == "Job:a")).count(),
        0
    );
    let seen = |scrape: &Scrape| scrape.of_job("grid_bulk_job_first_seen_timestamp_seconds", "Job:b");
    assert_eq!(seen(&before), seen(&after), "it stayed");
    assert_eq!(simulated.handle.requests_of("Job:b"), 1, "an ended one that stays is not polled again");
}

#[tokio::test]
async fn a_bad_file_changes_nothing_is_logged_and_shows_in_a_metric() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let good = config(&simulated.base_url, "[ 'Job:a' ]");
    let exporter = Start::with_config(&good)
        .argument("--web.enable-lifecycle")
        .argument("--log.format=json")
        .start()
        .await;
    exporter.scrape_until("all jobs are read", all_read).await;
    exporter.write_config(&good.replace("interval: 1s", "interval: 30"));
    let refused = exporter.request("POST", "/-/reload", &[]).await;
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("grid.yml:5: poll.interval"), "{}", refused.text());
    let line = exporter.log_until(&["grid.yml:5: poll.interval"]).await;
    let event: serde_json::Value = serde_json::from_str(&line).expect("one JSON object a line");
    assert_eq!(event["level"], "ERROR");
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("grid_bulk_exporter_config_last_reload_successful", &[]), Some(0.0));
    assert_eq!(scrape.status("Job:a").as_deref(), Some("PROCESSING"), "the old set is watched");
    exporter.write_config(&good);
    assert_eq!(exporter.request("POST", "/-/reload", &[]).await.status, 200);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("grid_bulk_exporter_config_last_reload_successful", &[]), Some(1.0));
}

#[tokio::test]
async fn a_changed_file_is_reloaded_by_itself_where_that_is_enabled() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a' ]"))
        .argument("--config.enable-auto-reload")
        .start()
        .await;
    exporter.scrape_until("all jobs are read", all_read).await;
    exporter.write_config(&config(&simulated.base_url, "[ 'Job:b' ]"));
    exporter.scrape_until("the new set", |scrape| scrape.job_ids() == ["Job:b"]).await;
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_with_code_0_even_while_the_api_hangs() {
    for signal in [Signal::TERM, Signal::INT] {
        let simulated =
            Simulated::with_scenario("jobs: [ { id: 'Job:hangs', faults: [ { fault: hang_head } ] } ]").await;
        let mut exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:hangs' ]")).start().await;
        wait_for("the poll is under way", || async {
            if simulated.handle.requests_of("Job:hangs") > 0 { Ok(()) } else { Err(String::new()) }
        })
        .await;
        let began = tokio::time::Instant::now();
        exporter.signal(signal);
        assert_eq!(exporter.ended().await.code(), Some(0), "{}", exporter.log());
        assert!(began.elapsed().as_secs() < 10);
    }
}

#[tokio::test]
async fn a_rotated_secret_is_picked_up_without_a_restart() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let yaml = config(&simulated.base_url, "[ 'Job:a' ]")
        .replace("client_secret: demo", "client_secret_file: secret");
    let start = Start::with_config(&yaml);
    std::fs::write(start.folder.path().join("secret"), "demo\n").unwrap();
    let exporter = start.start().await;
    exporter.scrape_until("the first secret works", all_read).await;
    simulated.handle.set_credentials("demo", &Secret::new("rotated".to_owned()));
    exporter
        .scrape_until("the old secret is refused", |scrape| {
            scrape.of_job("grid_bulk_job_poll_success", "Job:a") == Some(0.0)
        })
        .await;
    std::fs::write(exporter.folder.path().join("secret"), "rotated").unwrap();
    exporter
        .scrape_until("the new secret works", |scrape| {
            scrape.of_job("grid_bulk_job_poll_success", "Job:a") == Some(1.0)
        })
        .await;
    let secrets = exporter.log().replace("credentials changed", "");
    assert!(!secrets.contains("rotated") && !secrets.contains("demo"), "{secrets}");
}

#[tokio::test]
async fn the_log_tells_changes_of_status_and_the_two_ends_of_a_failure() {
    let scenario = "
jobs:
  - { id: 'Job:moves', rows: 100, rows_per_second: 50 }
  - { id: 'Job:fails', ends: never starts, faults: [ { fault: html, until: 3 } ] }
";
    let simulated = Simulated::with_scenario(scenario).await;
    let exporter =
        Start::with_config(&config(&simulated.base_url, "[ 'Job:moves', 'Job:fails' ]")).start().await;
    let line = exporter.log_until(&["job Job:moves is COMPLETED"]).await;
    for piece in ["level=info", "job=Job:moves", "status=COMPLETED", "total=100", "processed=100", "failed=0"]
    {
        assert!(line.contains(piece), "{piece} is not in {line}");
    }
    exporter.log_until(&["level=info", "job Job:fails is read again", "reason=bad_response"]).await;
    let log = exporter.log();
    let began: Vec<_> = log.lines().filter(|line| line.contains("job Job:fails can't be read")).collect();
    assert_eq!(began.len(), 1, "once, not on every poll: {log}");
    assert!(began[0].contains("level=warn") && began[0].contains("text/html"), "{}", began[0]);
    assert!(log.lines().all(|line| line.starts_with("ts=")), "one event a line: {log}");
}

#[tokio::test]
async fn several_addresses_ipv6_gzip_and_head_work() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a' ]"))
        .argument("--web.listen-address=[::1]:0")
        .start()
        .await;
    wait_for("both addresses are told", || async {
        let lines = exporter.log().lines().filter(|line| line.contains("listening on")).count();
        if lines == 2 { Ok(()) } else { Err(exporter.log()) }
    })
    .await;
    exporter.scrape_until("all jobs are read", all_read).await;
    let log = exporter.log();
    let ipv6 = log.lines().find_map(|line| line.split_once("http://[::1]:")?.1.split('/').next()).unwrap();
    let over_ipv6 = http::get(format!("[::1]:{ipv6}").parse().unwrap(), "/metrics").await.unwrap();
    assert_eq!(over_ipv6.status, 200);
    assert_eq!(over_ipv6.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let zipped = exporter.request("GET", "/metrics", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert_eq!(zipped.header("content-length"), zipped.body.len().to_string());
    let mut text = String::new();
    GzDecoder::new(zipped.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(Scrape::parse(&text).status("Job:a").as_deref(), Some("PROCESSING"));
    let head = exporter.request("HEAD", "/metrics", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn it_becomes_ready_although_the_api_is_away_and_shows_what_is_true() {
    let away = format!("http://127.0.0.1:{}/grid", crate::support::prometheus::free_port());
    let exporter = Start::with_config(&config(&away, "[ 'Job:a' ]")).start().await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
    wait_for("it is ready", || async {
        let ready = exporter.get("/-/ready").await;
        if ready.status == 200 { Ok(()) } else { Err(ready.text()) }
    })
    .await;
    let scrape = exporter
        .scrape_until("the poll failed", |scrape| {
            scrape.of_job("grid_bulk_job_poll_success", "Job:a") == Some(0.0)
        })
        .await;
    assert!(scrape.value("grid_bulk_poll_failures_total", &[("reason", "connect")]) >= Some(1.0));
    assert_eq!(scrape.status("Job:a"), None, "0 would be a lie");
    assert_eq!(scrape.value("grid_bulk_jobs", &[("status", "UNPOLLED")]), Some(1.0));
    assert_eq!(scrape.value("grid_bulk_up", &[]), Some(0.0));
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url, "[ 'Job:a' ]")).start().await;
    let flag = format!("--web.listen-address={}", exporter.address());
    let healthy = run(&["healthcheck", &flag], &[]).await;
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    let nobody = format!("--web.listen-address=127.0.0.1:{}", crate::support::prometheus::free_port());
    let dead = run(&["healthcheck", &nobody], &[]).await;
    assert_eq!(dead.code, Some(1));
    assert_eq!(dead.stderr.lines().count(), 1, "{dead:?}");
}

#[tokio::test]
async fn the_demo_shows_all_four_statuses_within_seconds_and_says_where() {
    let exporter = {
        let mut start = Start::without_config();
        start.command.insert(0, "demo".to_owned());
        start.start().await
    };
    let scrape = exporter.scrape_until("all jobs are read", all_read).await;
    for status in ["PENDING", "PROCESSING", "COMPLETED", "FAILED"] {
        assert!(scrape.value("grid_bulk_jobs", &[("status", status)]) >= Some(1.0), "no job is {status}");
    }
    assert_eq!(scrape.job_ids().len(), 12);
    let told = exporter.stdout();
    assert!(told.contains(&format!("Open   http://{}/", exporter.address())), "{told}");
    let yaml: String =
        told.lines().skip_while(|line| *line != "global:").take(6).collect::<Vec<_>>().join("\n");
    assert!(
        yaml.contains("scrape_configs:") && yaml.contains(&format!("targets: [\"{}\"]", exporter.address()))
    );
    let page = exporter.get("/").await.text();
    assert!(page.contains("eu-launch"), "{page}");
}

#[tokio::test]
async fn the_demo_starts_prometheus_with_the_rules_and_leaves_nothing_behind() {
    let mut start =
        Start::without_config().argument("--prometheus").argument("--grafana-files=with space: x");
    start.command.insert(0, "demo".to_owned());
    let temporary = start.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut demo = start.variable("TMPDIR", temporary.to_str().unwrap()).start().await;
    let address = wait_for("it says where Prometheus is", || async {
        let told = demo.stdout();
        let line = told.lines().find_map(|line| line.strip_prefix("Alerts http://"));
        line.and_then(|line| line.split('/').next()?.parse().ok()).ok_or(told.clone())
    })
    .await;
    let scraped = "/api/v1/query?query=sum(grid_bulk_jobs)";
    wait_for("Prometheus scrapes the demo", || async {
        let response = http::get(address, scraped).await?;
        if response.status != 200 {
            // It starts and has read nothing yet.
            return Err(response.text());
        }
        let document = response.json();
        if document["data"]["result"][0]["value"][1] == "12" { Ok(()) } else { Err(document.to_string()) }
    })
    .await;
    let rules = http::get(address, "/api/v1/rules").await.unwrap().json();
    let groups = rules["data"]["groups"].as_array().unwrap();
    let count: usize = groups.iter().map(|group| group["rules"].as_array().unwrap().len()).sum();
    assert!(count >= 30, "all rules are loaded: {count}");
    let folder = demo.folder.path().join("with space: x");
    let provider = std::fs::read_to_string(folder.join("provisioning/dashboards/grid-bulk.yml")).unwrap();
    let path = provider.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    let path: String = serde_json::from_str(path).expect("quoted, as the path needs it");
    assert!(std::path::Path::new(&path).join("overview.json").is_file(), "{path}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1);
    demo.signal(Signal::INT);
    assert_eq!(demo.ended().await.code(), Some(0), "{}", demo.log());
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "its folder is gone");
    wait_for("Prometheus has ended", || async {
        match http::get(address, "/-/ready").await {
            Err(_) => Ok(()),
            Ok(response) => Err(format!("{response:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_demo_without_prometheus_on_path_says_so_and_leaves_nothing_behind() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let environment = [("PATH", path.as_str()), ("TMPDIR", path.as_str())];
    let arguments = ["demo", "--prometheus", "--web.listen-address=127.0.0.1:0"];
    let finished = crate::support::exporter::run_in(&folder, &arguments, &environment).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("there is no `prometheus` on PATH"), "{finished:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_demo_ends_with_code_0_every_time() {
    for signal in [Signal::INT, Signal::TERM, Signal::INT, Signal::TERM] {
        let mut start = Start::without_config();
        start.command.insert(0, "demo".to_owned());
        let mut demo = start.start().await;
        demo.signal(signal);
        assert_eq!(demo.ended().await.code(), Some(0), "{}", demo.log());
    }
}

#[tokio::test]
async fn a_signal_during_the_start_is_obeyed() {
    // So many jobs that the start takes a while; the first line of the log comes after the configuration was read.
    let jobs: Vec<String> = (0..20_000).map(|number| format!("'Job:{number}'")).collect();
    let away = format!("http://127.0.0.1:{}/grid", crate::support::prometheus::free_port());
    let start = Start::with_config(&config(&away, &format!("[ {} ]", jobs.join(", "))));
    let mut command = crate::support::exporter::binary();
    command.args(&start.command).current_dir(start.folder.path()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    // Until it listens for signals they have their usual effect; that it does is seen in its own status.
    wait_for("it listens for SIGTERM", || async {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", id.as_raw_nonzero())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).map(str::to_owned);
        let caught = caught.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).unwrap_or(0);
        if caught & (1 << 14) != 0 { Ok(()) } else { Err(status) }
    })
    .await;
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    let status = tokio::time::timeout(crate::support::PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_scrape_that_is_read_slowly_is_answered_whole_at_sigterm() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // Far more than the sockets' buffers hold.
    let jobs: Vec<String> = (0..20_000).map(|number| format!("'Job:{number}'")).collect();
    let away = format!("http://127.0.0.1:{}/grid", crate::support::prometheus::free_port());
    let mut exporter = Start::with_config(&config(&away, &format!("[ {} ]", jobs.join(", ")))).start().await;
    exporter.scrape_until("all jobs are shown", |scrape| scrape.job_ids().len() == 20_000).await;
    let mut stream = tokio::net::TcpStream::connect(exporter.address()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    stream.read_exact(&mut answer).await.unwrap();
    exporter.signal(Signal::TERM);
    exporter.log_until(&["stopping: answering what is under way"]).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stream.read_to_end(&mut answer).await.unwrap();
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..head_end]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!((answer.len() - head_end).to_string(), length, "all that was promised");
    assert_eq!(exporter.ended().await.code(), Some(0), "{}", exporter.log());
}

#[tokio::test]
async fn sockets_of_systemd_are_taken() {
    let away = format!("http://127.0.0.1:{}/grid", crate::support::prometheus::free_port());
    let start = Start::with_config(&config(&away, "[ 'Job:a' ]")).argument("--web.systemd-socket");
    let exporter = start.start_by_systemd().await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn behind_a_proxy_links_lead_through_it() {
    let away = format!("http://127.0.0.1:{}/grid", crate::support::prometheus::free_port());
    let exporter = Start::with_config(&config(&away, "[ 'Job:a' ]"))
        .argument("--web.external-url=https://proxy.example/imports/")
        .argument("--web.route-prefix=/")
        .start()
        .await;
    let page = exporter.get("/").await.text();
    for link in [
        "/imports/metrics\"",
        "/imports/static/style.css?v=",
        "/imports/jobs/Job%3Aa\"",
        "/imports/api/v1/jobs\"",
    ] {
        assert!(page.contains(&format!("href=\"{link}")), "{link} is not in {page}");
    }
    assert_eq!(exporter.get("/metrics").await.status, 200, "the proxy takes its own path away");
}
