//! `upload`, as somebody at a terminal and a script use it: the real binary against the simulator and an exporter.

use crate::support::exporter::Start;
use crate::support::prometheus::free_port;
use crate::support::simulator::Simulated;
use crate::support::{PATIENCE, wait_for};
use crate::web_config::support::{hash, self_signed, signed, tls};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const HEADER: &str = "umaAddress,platformCustomerId,customerType,fullName,birthDate,addressLine1,city,state,\
    postalCode,country,platformAccountId,businessLegalName\n";
/// Nothing of it may be printed.
const ROW: &str = "$jane@x,cust-secret,INDIVIDUAL,Jane Doe,1990-01-15,1 Main St,Austin,TX,78701,US\n";

fn file(rows: usize) -> String {
    format!("{HEADER}{}", ROW.repeat(rows))
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let ended = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let all = format!("{}{}", ended.stdout, ended.stderr);
        for personal in ["Jane", "cust-secret", "1990", "Main St", "s3cr3t"] {
            assert!(!all.contains(personal), "{all}");
        }
        ended
    }
}

const BINARY: &str = env!("CARGO_BIN_EXE_grid-bulk-exporter");

fn command(base_url: &str, folder: &TempDir) -> Command {
    let mut command = Command::new("timeout");
    command.args(["50", BINARY, "upload"]);
    prepared(command, base_url, folder)
}

fn prepared(mut command: Command, base_url: &str, folder: &TempDir) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder.path()).stdin(Stdio::null());
    command.env("GRID_CLIENT_ID", "demo").env("GRID_CLIENT_SECRET", "demo");
    command.env("LIGHTSPARK_GRID_BASE_URL", base_url);
    command
}

async fn ended(mut command: Command) -> Ended {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap().into()
}

async fn upload(base_url: &str, text: &[u8], arguments: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("customers.csv"), text).unwrap();
    let mut command = command(base_url, &folder);
    command.arg("customers.csv").args(arguments);
    ended(command).await
}

async fn api() -> Simulated {
    Simulated::with_scenario("jobs:\n  - { id: 'Job:any', rows: 1 }\n").await
}

/// The import is there and, once it runs, has so many rows.
async fn rows_of(simulated: &Simulated, id: &str, rows: u64) {
    wait_for("the import runs", || async {
        let state = simulated.handle.state(id).ok_or("it is not there")?;
        if state.total == rows { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_file_becomes_an_import_whose_id_is_all_of_standard_output() {
    let simulated = api().await;
    let told = upload(&simulated.base_url, file(300).as_bytes(), &[]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let id = told.stdout.trim_end();
    rows_of(&simulated, id, 300).await;
    assert!(told.stderr.starts_with("customers.csv: 300 rows, 12 columns, "), "{}", told.stderr);
}

#[tokio::test]
async fn it_is_registered_with_a_running_exporter_and_watched_to_its_end() {
    let simulated = api().await;
    let yaml = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 1s }}\n",
        simulated.base_url
    );
    let exporter = Start::with_config(&yaml).argument("--web.enable-admin-api").start().await;
    let url = format!("--register=http://user:s3cr3t@{}", exporter.address());
    let arguments =
        [&url, "--label=team=onboarding", "--label", "name=eu", "--watch", "--json", "--interval=1s"];
    let told = upload(&simulated.base_url, file(200).as_bytes(), &arguments.map(|text| text)).await;
    let lines: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["rows"], 200);
    let (id, last) = (lines[0]["jobId"].as_str().unwrap(), lines.last().unwrap());
    assert_eq!((&last["jobId"], &last["status"]), (&id.into(), &"COMPLETED".into()));
    let failed = simulated.handle.state(id).unwrap().failed;
    assert_eq!(told.code, Some(i32::from(failed > 0)), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("http://{}/ watches {id} from now on", exporter.address())));
    let scrape = exporter.scrape().await;
    let labels = [("jobId", id), ("team", "onboarding"), ("name", "eu")];
    assert_eq!(scrape.value("grid_bulk_job_info", &labels), Some(1.0));
}

#[tokio::test]
async fn in_a_terminal_the_file_has_a_bar_and_then_the_import() {
    let simulated = api().await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("customers.csv"), file(300)).unwrap();
    // script(1) gives the command a terminal, and its code back.
    let mut command = prepared(Command::new("script"), &simulated.base_url, &folder);
    let upload = format!(
        "stty cols 100; exec timeout 50 {BINARY} upload customers.csv --watch --interval=1s --fail-on=job"
    );
    command.args(["-qec", &upload, "/dev/null"]).env("TERM", "xterm");
    let told = ended(command).await;
    assert_eq!(told.code, Some(0), "{}", told.stdout);
    for part in ["Uploading [", "0 B of 23.58 KiB", "Job:", "PENDING", "COMPLETED 300 of 300 rows (100 %)"] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
}

#[tokio::test]
async fn shards_are_found_by_their_answer_and_an_exporter_that_refuses_is_told() {
    let simulated = api().await;
    let yaml =
        format!("grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\n", simulated.base_url);
    let mut shards = Vec::new();
    for shard in 0..2 {
        let start = Start::with_config(&yaml).argument("--web.enable-admin-api");
        shards.push(start.argument(&format!("--shard={shard}")).argument("--total-shards=2").start().await);
    }
    // Ports differ where hosts would: the wrong one alone is asked.
    let mut codes = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let url = format!("--register=http://{}", shards[0].address());
        let told = upload(&simulated.base_url, file(1).as_bytes(), &[&url]).await;
        codes.insert(told.code);
        if told.code == Some(2) {
            let part = "is not registered: ";
            assert!(
                told.stderr.contains(part) && told.stderr.contains("is watched by shard 1 of 2"),
                "{}",
                told.stderr
            );
            assert!(told.stderr.contains("write {shard} for the number"), "{}", told.stderr);
            assert!(simulated.handle.state(told.stdout.trim_end()).is_some(), "uploaded all the same");
        }
        if codes.len() == 2 {
            break;
        }
    }
    assert_eq!(codes, [Some(0), Some(2)].into());
    let exporter = Start::with_config(&format!("{yaml}jobs: [ 'Job:any' ]\n")).start().await;
    let url = format!("--register=http://{}", exporter.address());
    let told = upload(&simulated.base_url, file(1).as_bytes(), &[&url]).await;
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("answers 403: The admin API is off"), "{}", told.stderr);
}

#[tokio::test]
async fn an_exporter_with_tls_and_users_is_registered_with_and_a_strangers_certificate_is_told() {
    let simulated = api().await;
    let start = Start::with_config(&format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\n",
        simulated.base_url
    ));
    let folder = start.folder.path();
    self_signed(folder, "ca", "").await;
    signed(folder, "ca", "server", "subjectAltName=IP:127.0.0.1", "-days 2").await;
    std::fs::write(
        folder.join("web.yml"),
        format!("{}basic_auth_users: {{ user: '{}' }}\n", tls(""), hash("s3cr3t")),
    )
    .unwrap();
    let authority = folder.join("ca.crt");
    let start = start.argument("--web.enable-admin-api").argument("--web.config.file=web.yml");
    let exporter = start.start().await;
    let address = exporter.address();
    let csv = TempDir::new().unwrap();
    std::fs::write(csv.path().join("customers.csv"), file(1)).unwrap();
    for (register, is_trusted, expected) in [
        (format!("https://user:s3cr3t@{address}"), true, Ok(())),
        (
            format!("https://user:s3cr3t@{address}"),
            false,
            Err("can't be reached: invalid peer certificate: UnknownIssuer"),
        ),
        (format!("https://user:guessed@{address}"), true, Err("answers 401")),
        (format!("http://user:s3cr3t@{address}"), true, Err("does not answer as an exporter does: ")),
    ] {
        let mut command = command(&simulated.base_url, &csv);
        command.arg("customers.csv").arg(format!("--register={register}"));
        if is_trusted {
            command.env("SSL_CERT_FILE", &authority);
        }
        let told = ended(command).await;
        match expected {
            Ok(()) => assert_eq!(told.code, Some(0), "{}", told.stderr),
            Err(part) => {
                assert_eq!(told.code, Some(2), "{register}: {}", told.stderr);
                assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
                assert!(!told.stderr.contains("guessed"), "{}", told.stderr);
            }
        }
    }
}

#[tokio::test]
async fn the_number_of_the_shard_in_the_url_leads_to_the_right_one() {
    let simulated = api().await;
    let yaml =
        format!("grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\n", simulated.base_url);
    // Hosts that differ by the number alone, as a StatefulSet's pods have them.
    let port = free_port();
    let mut shards = Vec::new();
    for shard in 0..2 {
        let start = Start::with_config(&yaml)
            .argument("--web.enable-admin-api")
            .argument(&format!("--web.listen-address=127.0.0.1{shard}:{port}"))
            .argument(&format!("--shard={shard}"))
            .argument("--total-shards=2");
        shards.push(start.start().await);
    }
    let url = format!("--register=http://127.0.0.1{{shard}}:{port}");
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let told = upload(&simulated.base_url, file(1).as_bytes(), &[&url]).await;
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        let id = told.stdout.trim_end().to_owned();
        let mut owners = Vec::new();
        for (shard, exporter) in shards.iter().enumerate() {
            if exporter.scrape().await.job_ids().contains(&id) {
                owners.push(shard);
            }
        }
        let [owner] = owners[..] else { panic!("{id} is watched by {owners:?}") };
        let line = format!("http://127.0.0.1{owner}:{port}/ watches {id} from now on\n");
        assert!(told.stderr.ends_with(&line), "{}", told.stderr);
        found.insert(owner);
        if found.len() == 2 {
            break;
        }
    }
    assert_eq!(found.len(), 2, "the first answers for both, and neither is asked alone");
}

/// Starts an upload, sends it a signal once `heard` says so of the first connection, and gives what came of it, and all that
/// was sent over that connection.
async fn stopped(
    text: String,
    arguments: &[&str],
    base_url: Option<&str>,
    listener: TcpListener,
    signal: Signal,
    heard: fn(&[u8]) -> bool,
) -> (Ended, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("customers.csv"), text).unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    // Without `timeout`, whose process the signal would reach.
    let mut command = prepared(Command::new(BINARY), base_url.unwrap_or(&own), &folder);
    command.args(["upload", "customers.csv"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let task = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let limit = Some(PATIENCE);
        stream.set_read_timeout(limit).unwrap();
        let mut bytes = Vec::new();
        while !heard(&bytes) {
            assert!(read_more(&mut stream, &mut bytes) > 0, "it ended by itself");
        }
        kill_process(id, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        // What was under way; a connection that is reset is at its end as well.
        while read_more(&mut stream, &mut bytes) > 0 {}
        (output, bytes)
    });
    let (output, bytes) = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    (output.into(), bytes)
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> usize {
    let mut piece = vec![0; 65536];
    let read = stream.read(&mut piece).unwrap_or(0);
    bytes.extend_from_slice(&piece[..read]);
    read
}

#[tokio::test]
async fn ctrl_c_says_whether_the_file_was_taken() {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    // Far more than the sockets hold, most of it in one column, so that it is quickly looked through.
    let row = ROW.replace("1 Main St", &"1 Main St ".repeat(20_000));
    let large = format!("{HEADER}{}", row.repeat(150));
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let begun = |bytes: &[u8]| bytes.len() > 100_000;
        let (told, bytes) = stopped(large.clone(), &[], None, listen(), signal, begun).await;
        assert_eq!((told.code, &*told.stdout), (Some(code), ""), "{}", told.stderr);
        assert!(told.stderr.ends_with("\nstopped; the file was not taken\n"), "{}", told.stderr);
        assert!(!bytes.ends_with(b"--\r\n") && bytes.len() < large.len(), "the form has no end");
    }
    // The whole form is there: the API may have taken it.
    let whole = |bytes: &[u8]| bytes.ends_with(b"--\r\n");
    let (told, _) = stopped(file(3), &["--watch"], None, listen(), Signal::INT, whole).await;
    assert_eq!((told.code, &*told.stdout), (Some(3), ""), "{}", told.stderr);
    assert!(
        told.stderr.contains("whether the file was taken is not known: it was stopped"),
        "{}",
        told.stderr
    );
    // An exporter that does not answer.
    let simulated = api().await;
    let listener = listen();
    let url = format!("--register=http://{}", listener.local_addr().unwrap());
    let asked = |bytes: &[u8]| bytes.starts_with(b"PUT /api/v1/jobs/");
    let base_url = Some(simulated.base_url.as_str());
    let (told, _) = stopped(file(3), &[&url, "--watch"], base_url, listener, Signal::INT, asked).await;
    assert_eq!(told.code, Some(130), "{}", told.stderr);
    let id = told.stdout.trim_end();
    assert!(simulated.handle.state(id).is_some(), "its id is printed: {}", told.stdout);
    let line = format!("stopped; {id} was uploaded, but may not be registered\n");
    assert!(told.stderr.ends_with(&line), "{}", told.stderr);
}

#[tokio::test]
async fn bad_files_are_refused_before_anything_is_sent() {
    // Nobody listens there: whoever sends fails otherwise.
    let nobody = "http://127.0.0.1:1";
    let latin = file(1).replace("Jane", "J\u{e4}ne").chars().map(|c| c as u8).collect::<Vec<u8>>();
    for (text, arguments, part) in [
        (&b""[..], &[][..], "customers.csv: it is empty"),
        (HEADER.as_bytes(), &[], "it has a header and no rows"),
        (ROW.as_bytes(), &[], "its first line is no header"),
        (file(1).replace("umaAddress", "uma").as_bytes(), &[], "its header lacks umaAddress"),
        (file(1).replace(',', ";").as_bytes(), &[], "its columns are separated by ';'"),
        (&latin, &[], "line 2 is not UTF-8"),
        (file(2).replace("Jane", "\"Jane").as_bytes(), &[], ""),
        (file(3).replacen("Jane", "\"Jane", 1).as_bytes(), &[], "a quote is not closed"),
        (file(9).as_bytes(), &["--max-size=100B"], "and --max-size is 100B"),
        (
            file(1).replace("INDIVIDUAL", "X").as_bytes(),
            &["--strict"],
            "1 rows will probably fail, and --strict",
        ),
    ] {
        let told = upload(nobody, text, arguments).await;
        assert_eq!((told.code, &*told.stdout), (Some(2), ""), "{}", told.stderr);
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    let folder = TempDir::new().unwrap();
    for (name, part) in [("none.csv", "none.csv: it can't be read: "), (".", "it is not a plain file")] {
        let mut command = command(nobody, &folder);
        command.arg(name);
        let told = ended(command).await;
        assert_eq!(told.code, Some(2));
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    for arguments in [
        &["--label=a=b"][..],
        &["--register=x"],
        &["--register=http://h", "--label=team"],
        &["--register=http://h", "--label=status=x"],
        &["--max-size=lots"],
    ] {
        assert_eq!(upload(nobody, file(1).as_bytes(), arguments).await.code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn odd_rows_are_told_by_line_and_sent_all_the_same() {
    let simulated = api().await;
    let text = format!("{}{}", file(1), ROW.replace("INDIVIDUAL", "PERSON"));
    let told = upload(&simulated.base_url, text.as_bytes(), &["--dry-run"]).await;
    assert_eq!((told.code, &*told.stdout), (Some(0), ""));
    assert!(
        told.stderr.contains("line 3: customerType is neither INDIVIDUAL nor BUSINESS"),
        "{}",
        told.stderr
    );
    let told = upload(&simulated.base_url, text.as_bytes(), &[]).await;
    assert_eq!(told.code, Some(0));
    rows_of(&simulated, told.stdout.trim_end(), 2).await;
}

/// Answers the first request, once it is whole, by these bytes; how many came is told.
fn answer_once(answer: &'static [u8]) -> (String, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"--\r\n") {
            let mut piece = vec![0; 65536];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "the form ends");
            bytes.extend_from_slice(&piece[..read]);
        }
        std::io::Write::write_all(&mut stream, answer).unwrap();
        drop(stream);
        // Whoever tried again would be counted.
        listener.set_nonblocking(true).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1500));
        1 + std::iter::from_fn(|| listener.accept().ok()).count()
    });
    (url, task)
}

#[tokio::test]
async fn after_a_failure_it_says_whether_the_file_was_taken_and_never_sends_it_again() {
    let unclear = "whether the file was taken is not known: ";
    for (answer, code, part) in [
        (&b""[..], 3, unclear),
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", 3, unclear),
        (b"HTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\n{}", 3, "names no import that can be read"),
        (b"HTTP/1.1 202 X\r\nContent-Length: 20\r\n\r\n{\"jobId\"", 3, unclear),
        (b"nonsense\r\n\r\n", 3, unclear),
        (
            b"HTTP/1.1 400 X\r\nContent-Length: 48\r\n\r\n{\"code\": \"INVALID_INPUT\", \"message\": \"Jane Doe\"} ",
            2,
            "(INVALID_INPUT)",
        ),
        (b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", 2, "the file was not taken: "),
        (b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", 2, "the file was not taken: "),
        (b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 2, "sent again after 7 s"),
        (b"HTTP/1.1 302 X\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", 2, "not taken"),
    ] {
        let (url, task) = answer_once(answer);
        let told = upload(&url, file(2000).as_bytes(), &["--watch"]).await;
        let shown = String::from_utf8_lossy(answer);
        assert_eq!((told.code, &*told.stdout), (Some(code), ""), "{shown}: {}", told.stderr);
        assert!(told.stderr.contains(part), "{shown}: {}", told.stderr);
        assert_eq!(task.join().unwrap(), 1, "{shown}: it was sent again");
    }
    let told = upload("http://127.0.0.1:1", file(1).as_bytes(), &[]).await;
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("the file was not taken: no connection to 127.0.0.1:1"), "{}", told.stderr);
    let simulated = api().await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.csv"), file(1)).unwrap();
    let mut refused = command(&simulated.base_url, &folder);
    refused.arg("a.csv").env("GRID_CLIENT_SECRET", "s3cr3t");
    let refused = ended(refused).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
}
