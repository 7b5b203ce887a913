//! Users and passwords, headers and the limit of requests, as a client sees them.

use super::support::{hash, self_signed, serve, start, tls};
use crate::support::exporter::run_in;
use crate::support::wait_for;

#[tokio::test]
async fn everything_but_health_and_readiness_asks_for_a_user() {
    let web = format!("basic_auth_users:\n  alice: '{}'\n  bob: '{}'\n", hash("first"), hash("sécond:"));
    let start = start().await.argument("--web.route-prefix=/grid").argument("--web.enable-lifecycle");
    let exporter = serve(start, &web).await;
    for path in ["/grid/-/healthy", "/grid/-/ready"] {
        let status = exporter.get(path).await.status;
        assert!(status == 200 || status == 503, "{path}: {status}");
    }
    let guarded = [
        "/grid/metrics",
        "/grid/",
        "/grid",
        "/",
        "/-/healthy",
        "/grid/-/healthy/",
        "/grid//-/healthy",
        "/grid/%2d/healthy",
        "/grid/x/../-/healthy",
        "/grid/static/style.css",
        "/grid/api/v1/jobs",
        "/grid/api/v1/jobs/Job:a",
        "/grid/api/v1/sd",
        "/grid/-/reload",
        "/grid/nothing",
    ];
    for path in guarded {
        let response = exporter.get(path).await;
        assert_eq!(response.status, 401, "{path}");
        assert!(response.header("www-authenticate").starts_with("Basic realm=\""), "{path}");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(exporter.request("POST", "/grid/-/reload", &[]).await.status, 401);
    for (user, status) in [
        ("alice:first", "200"),
        ("bob:sécond:", "200"),
        ("alice:sécond:", "401"),
        ("alice:", "401"),
        ("alice:First", "401"),
        ("Alice:first", "401"),
        (":first", "401"),
        ("nobody:first", "401"),
    ] {
        let (found, done) = exporter.curl("/grid/metrics", &["-u", user]).await;
        assert_eq!(found, status, "{user}: {done:?}");
    }
    for header in [
        "Authorization: Basic",
        "Authorization: Basic !!!!",
        "Authorization: Basic YWxpY2U=",
        "Authorization: Bearer YWxpY2U6Zmlyc3Q=",
        "Authorization: Basic YWxpY2U6Zmlyc3Q",
        "Authorization: Basic /w==",
        "Authorization: Basic YWxpY2U6AGZpcnN0",
    ] {
        assert_eq!(exporter.curl("/grid/metrics", &["-H", header]).await.0, "401", "{header}");
    }
    let lower = ["-H", "authorization: basic YWxpY2U6Zmlyc3Q="];
    assert_eq!(exporter.curl("/grid/metrics", &lower).await.0, "200", "a scheme has no case");
    assert!(!exporter.log().contains("first"), "{}", exporter.log());
}

#[tokio::test]
async fn configured_headers_are_on_every_response_in_place_of_ours() {
    let web = "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n    \
               X-Frame-Options: sameorigin\n    X-XSS-Protection: 1; mode=block\n    \
               Strict-Transport-Security: max-age=60\n";
    let web = format!("{web}basic_auth_users: {{ a: '{}' }}\n", hash("b"));
    let exporter = serve(start().await, &web).await;
    for path in ["/-/healthy", "/metrics", "/nothing"] {
        let response = exporter.get(path).await;
        assert_eq!(response.header("content-security-policy"), "default-src 'self'", "{path}");
        assert_eq!(response.header("x-frame-options"), "sameorigin");
        assert_eq!(response.header("x-xss-protection"), "1; mode=block");
        assert_eq!(response.header("strict-transport-security"), "max-age=60");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn without_the_file_every_response_protects_the_browser() {
    let mut start = start().await;
    start.command.retain(|argument| !argument.contains("web.config"));
    let exporter = start.start().await;
    for path in ["/", "/metrics", "/-/healthy", "/api/v1/jobs", "/static/style.css", "/nothing"] {
        let response = exporter.get(path).await;
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(response.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(response.header("x-frame-options"), "DENY", "{path}");
        let policy = response.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(response.header("strict-transport-security"), "", "only where it is configured");
    }
}

#[tokio::test]
async fn a_limit_of_requests_answers_429_beyond_its_burst() {
    let exporter = serve(start().await, "rate_limit: { interval: 1h, burst: 3 }\n").await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(exporter.get("/metrics").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let write = |web: &str| std::fs::write(exporter.folder.path().join("web.yml"), web).unwrap();
    write("rate_limit: { interval: 0, burst: 0 }\n");
    assert_eq!(exporter.get("/metrics").await.status, 200, "an interval of 0 is no limit");
    write("rate_limit: { interval: 1ms, burst: 0 }\n");
    for path in ["/metrics", "/", "/-/healthy"] {
        assert_eq!(exporter.get(path).await.status, 429, "without a burst all get it: {path}");
    }
}

#[tokio::test]
async fn healthcheck_knows_the_scheme_and_takes_a_wish_for_a_certificate_for_a_sign_of_life() {
    let authority = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";
    let users = format!("basic_auth_users: {{ a: '{}' }}\n", hash("b"));
    for (web, answer) in [
        (users.clone(), "answers 200"),
        (tls("") + &users, "answers 200"),
        (tls(authority), "asks for a client's certificate"),
        (tls(&format!("{authority}  max_version: TLS12\n")), "asks for a client's certificate"),
        ("rate_limit: { interval: 1s, burst: 0 }\n".to_owned(), "answers 429"),
    ] {
        let start = start().await;
        self_signed(start.folder.path(), "ca", "").await;
        let mut exporter = serve(start, &web).await;
        let address = format!("--web.listen-address={}", exporter.address());
        let ask = ["healthcheck", &address, "--web.config.file=web.yml"];
        let done = run_in(&exporter.folder, &ask, &[]).await;
        assert!(done.code == Some(0) && done.stdout.contains(answer), "{web}: {done:?}");
        let by_variable = [("GRID_EXPORTER_WEB_CONFIG_FILE", "web.yml")];
        let done = run_in(&exporter.folder, &["healthcheck", &address], &by_variable).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        // A file that was spoilt later does not make the exporter unhealthy.
        let spoilt = format!("{web}nonsense: 1\n");
        std::fs::write(exporter.folder.path().join("web.yml"), spoilt).unwrap();
        let done = run_in(&exporter.folder, &ask, &[]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        exporter.signal(rustix::process::Signal::KILL);
        exporter.ended().await;
        let done = run_in(&exporter.folder, &ask, &[]).await;
        assert!(done.code == Some(1) && done.stderr.contains("web.yml:"), "{done:?}");
    }
}

#[tokio::test]
async fn a_wrong_file_stops_the_start_and_check_config_says_the_same() {
    let mut start = start().await;
    start.environment.push(("GRID_EXPORTER_WEB_LISTEN_ADDRESS".to_owned(), "127.0.0.1:0".to_owned()));
    let folder = &start.folder;
    std::fs::write(folder.path().join("web.yml"), tls("  client_auth: x\n")).unwrap();
    let environment: Vec<_> =
        start.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let fault =
        "web.yml:4: tls_server_config.client_auth: is not a key here; did you mean `client_auth_type`?\n";
    let refused = run_in(folder, &["--web.config.file=web.yml"], &environment).await;
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), fault));
    let refused = run_in(folder, &["--web.config.file=none.yml"], &environment).await;
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), "none.yml: does not exist\n"));
    let checked = run_in(folder, &["check-config", "--web.config.file=web.yml"], &[]).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(1), fault));
    let users = format!("basic_auth_users: {{ alice: '{}' }}\n", hash("hunter2"));
    std::fs::write(folder.path().join("web.yml"), tls("  min_version: TLS13\n") + &users).unwrap();
    std::fs::write(folder.path().join("grid.yml"), "jobs: [ Job:a ]\n").unwrap();
    let both = ["check-config", "grid.yml", "--web.config.file=web.yml"];
    let checked = run_in(folder, &both, &[]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for line in
        ["configuration is good\n", "web configuration is good\n", "TLS: 1.3 to 1.3\n", "users: alice\n"]
    {
        assert!(checked.stdout.contains(line), "{checked:?}");
    }
    assert!(!checked.stdout.contains("$2b$"), "{checked:?}");
}

#[tokio::test]
async fn several_listeners_and_a_limit_of_scrapes_work_with_tls() {
    let start = start().await.argument("--web.listen-address=127.0.0.1:0").argument("--web.max-requests=1");
    let exporter = serve(start, &(tls("") + &format!("basic_auth_users: {{ a: '{}' }}\n", hash("b")))).await;
    let addresses = wait_for("both are logged", || async {
        let log = exporter.log();
        let found: Vec<_> =
            log.lines().filter(|line| line.contains("listening on https://")).map(str::to_owned).collect();
        if found.len() == 2 { Ok(found) } else { Err(log) }
    })
    .await;
    for line in addresses {
        let address = line.split("https://").nth(1).unwrap().split('/').next().unwrap();
        let url = format!("https://{address}/metrics");
        let arguments = ["-sS", "-k", "-u", "a:b", "-o", "/dev/null", "-w", "%{http_code}", &url];
        let done = super::support::run(exporter.folder.path(), "curl", &arguments, "").await;
        assert_eq!(done.out, "200", "{done:?}");
    }
}
