//! A real Chromium (Debian's package), driven over HTTP through its chromedriver: one session for each test, in a new
//! empty profile, with a record of its console and of each request that left it.

use super::{PATIENCE, wait_for};
use base64::Engine;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A browser that ends with the test, by [`Browser::quit`].
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: TempDir,
}

/// What a test reads of the browser's record.
#[derive(Debug, Default)]
pub struct Record {
    /// What the console shows: errors, warnings, breaches of the content security policy.
    pub console: Vec<String>,
    /// The URLs of all requests.
    pub requests: Vec<String>,
    /// The documents and data that came, with their statuses.
    pub statuses: Vec<(u64, String)>,
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; tests/run installs it");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = tokio::time::timeout(PATIENCE, async {
            loop {
                let line = lines.next_line().await.unwrap().expect("chromedriver tells its port");
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().unwrap();
                }
            }
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.await.expect("chromedriver listens in time")));
        // What it says later must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = TempDir::new().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--lang=en",
            "--window-size=1280,900",
            &folder,
        ];
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "timeouts": { "script": patience, "pageLoad": patience },
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let mut browser = Self { driver, address, session: String::new(), _profile: profile };
        let session = browser.send("POST", "/session", &wanted).await;
        session["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser
    }

    /// Ends the browser, then its driver.
    pub async fn quit(mut self) {
        self.send("DELETE", &format!("/session/{}", self.session), &Value::Null).await;
        self.driver.kill().await.unwrap();
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let sending = async {
            let stream = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            let request = http::Request::builder()
                .method(method)
                .uri(path)
                .header("Host", self.address.to_string())
                .header("Content-Type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
        };
        let (status, bytes) =
            tokio::time::timeout(PATIENCE, sending).await.expect("chromedriver answers in time");
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(status, 200, "{method} {path}: {}", answer["value"]);
        answer["value"].clone()
    }

    async fn command(&self, name: &str, body: Value) -> Value {
        self.send("POST", &format!("/session/{}/{name}", self.session), &body).await
    }

    /// A command of Chromium's `DevTools` protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// Runs the body of a function in the page and gives what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The same for a promise.
    pub async fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(String(e)));"
        );
        self.command("execute/async", json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true in the page.
    pub async fn wait_until(&self, expression: &str) {
        let script = format!(
            "try {{ return ({expression}) ? true : document.body.innerText }} catch (error) {{ return String(error) }}"
        );
        wait_for(expression, || async {
            let value = self.run(&script).await;
            if value == true { Ok(()) } else { Err(value.to_string()) }
        })
        .await;
    }

    /// Presses keys, one after the other; `\u{e015}` is the arrow down, `\u{e00c}` Escape, `\u{e004}` Tab.
    pub async fn press(&self, keys: &str) {
        let strokes: Vec<_> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        self.command("actions", actions).await;
    }

    /// Clicks on the element that a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let found = self.command("element", json!({ "using": "css selector", "value": selector })).await;
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.command(&format!("element/{id}/click"), json!({})).await;
    }

    /// Sets width and height in CSS pixels, and light or dark.
    pub async fn look(&self, (width, height): (u32, u32), dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [scheme] })).await;
    }

    /// Draws what is seen into `target/screenshots`.
    pub async fn draw(&self, name: &str) -> PathBuf {
        let picture = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// What was recorded since the last call.
    pub async fn record(&self) -> Record {
        let mut record = Record::default();
        for entry in self.command("se/log", json!({ "type": "browser" })).await.as_array().unwrap() {
            record.console.push(format!("{}: {}", entry["level"], entry["message"]));
        }
        for entry in self.command("se/log", json!({ "type": "performance" })).await.as_array().unwrap() {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let parameters = &event["message"]["params"];
            match event["message"]["method"].as_str().unwrap() {
                "Network.requestWillBeSent" => {
                    record.requests.push(parameters["request"]["url"].as_str().unwrap().to_owned());
                }
                "Network.responseReceived" => {
                    let response = &parameters["response"];
                    let url = response["url"].as_str().unwrap().to_owned();
                    record.statuses.push((response["status"].as_u64().unwrap(), url));
                }
                _ => {}
            }
        }
        record
    }

    /// What axe-core finds wrong with the page, a line each.
    pub async fn violations(&self) -> Vec<String> {
        let path = axe();
        let axe = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; tests/run fetches it", path.display()));
        // Through `DevTools`: the page's content security policy would not let it in as a script element.
        self.devtools("Runtime.evaluate", json!({ "expression": axe })).await;
        let result = self
            .run_async(
                "const found = await axe.run(document, { resultTypes: ['violations'] });
                 return { checked: found.passes.length, violations: found.violations.flatMap(rule =>
                   rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`)) };",
            )
            .await;
        assert!(result["checked"].as_u64() > Some(10), "it looked: {result}");
        result["violations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap().to_owned())
            .collect()
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// Where pictures of the pages go.
pub fn screenshots() -> PathBuf {
    target().join("screenshots")
}

fn axe() -> PathBuf {
    target().join("axe/axe.min.js")
}
