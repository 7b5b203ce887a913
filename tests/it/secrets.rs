//! Secrets never show: planted ones are looked for in everything that the binary puts out, in every form in which
//! they could get there.

use crate::support::exporter::{Finished, Start, run_in};
use crate::support::wait_for;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{CertificateParams, KeyPair};
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const CLIENT: &str = "0195-token";
const SECRET: &str = "pl@nted/cli3nt+s€cret";
const PROXY_PASSWORD: &str = "pl@nted-pr0xy-word";

/// Base64 as HTTP Basic has it (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let value = (0..3).fold(0, |value, at| value << 8 | u32::from(*three.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = LETTERS[(value >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Every form of a secret that is looked for.
fn forms(user: &str, secret: &str) -> Vec<String> {
    let both = format!("{user}:{secret}");
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let plain = |text: &str| base64(text.as_bytes()).trim_end_matches('=').to_owned();
    let mut forms = vec![secret.to_owned(), plain(secret), plain(&both), encoded(secret)];
    forms.push(encoded(secret).to_lowercase());
    forms.extend([plain(secret), plain(&both)].map(|text| text.replace('+', "-").replace('/', "_")));
    // As Rust's Debug and JSON would write it, and as bytes.
    forms.push(secret.escape_unicode().to_string());
    forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat());
    forms.push(secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "));
    forms
}

fn all_forms() -> Vec<String> {
    [forms(CLIENT, SECRET), forms("proxyuser", PROXY_PASSWORD)].concat()
}

fn assert_silent(what: &str, output: &str, extra: &[String]) {
    for form in all_forms().iter().chain(extra) {
        assert!(!output.contains(form.as_str()), "{what} shows {form}: {output}");
    }
}

fn assert_all_silent(what: &str, finished: &Finished, extra: &[String]) {
    assert_silent(what, &finished.stdout, extra);
    assert_silent(what, &finished.stderr, extra);
}

#[test]
fn base64_is_that_of_the_standard() {
    for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
}

/// A server that sends back whatever it was sent: as redirect elsewhere, as HTML, as an error, by turns.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let header = head.lines().find(|line| line.to_lowercase().contains("authorization:"));
            let told = header.unwrap_or_default().trim();
            let first = match turn % 5 {
                0 => format!("302 Found\r\nLocation: http://{SECRET_HOST}/?{told}"),
                1 => "200 OK\r\nContent-Type: text/html".to_owned(),
                2 => format!("500 {told}\r\nx-echo: {told}"),
                3 => format!("200 OK\r\nContent-Type: {told}"),
                _ => "407 Proxy Authentication Required".to_owned(),
            };
            let answer = format!(
                "HTTP/1.1 {first}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{head}",
                head.len()
            );
            // The other side may have gone.
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

const SECRET_HOST: &str = "elsewhere.example";

fn config(base_url: &str, more: &str) -> String {
    format!(
        "grid:\n  base_url: {base_url}\n  client_id: {CLIENT}\n  client_secret_file: secret\n{more}\
         poll: {{ interval: 1s }}\njobs: [ 'Job:a', 'Job:b' ]\n"
    )
}

#[tokio::test]
async fn nothing_that_the_running_exporter_puts_out_shows_a_secret() {
    let echo = echo().await;
    let proxy = format!("  proxy_url: http://proxyuser:{}@{echo}\n", PROXY_PASSWORD.replace('@', "%40"));
    for (format, more) in [("logfmt", ""), ("json", ""), ("logfmt", proxy.as_str())] {
        let base_url =
            if more.is_empty() { format!("http://{echo}/grid") } else { "http://grid.invalid/v1".to_owned() };
        let start = Start::with_config(&config(&base_url, more))
            .argument("--log.level=debug")
            .argument(&format!("--log.format={format}"))
            .argument("--web.enable-lifecycle");
        std::fs::write(start.folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let exporter = start.start().await;
        wait_for("several answers of each kind came", || async {
            let failures = exporter.scrape().await;
            let polls = failures.value("grid_bulk_polls_total", &[]).unwrap();
            if polls >= 8.0 { Ok(()) } else { Err(exporter.log()) }
        })
        .await;
        for path in ["/metrics", "/", "/api/v1/jobs", "/jobs/Job:a", "/-/ready", "/nothing"] {
            let response = exporter.get(path).await;
            assert_silent(path, &format!("{:?}\n{}", response.headers, response.text()), &[]);
        }
        exporter.write_config(&config("nonsense", &more.replace("http:", "gopher:")));
        let refused = exporter.request("POST", "/-/reload", &[]).await;
        assert_eq!(refused.status, 500);
        assert_silent("/-/reload", &refused.text(), &[]);
        std::fs::write(exporter.folder.path().join("secret"), format!("{SECRET}\n\n{SECRET}")).unwrap();
        let refused = exporter.request("POST", "/-/reload", &[]).await;
        assert_silent("/-/reload", &refused.text(), &[]);
        let log = exporter.log();
        assert!(log.contains("can't be read"), "{log}");
        assert_silent("the log", &log, &[]);
        let arguments = std::fs::read(format!("/proc/{}/cmdline", exporter.id())).unwrap();
        assert_silent("the process's arguments", &String::from_utf8_lossy(&arguments), &[]);
    }
}

/// Files with mistakes of which the secret is a part, and so of the text that an error might quote. `{S}` and `{P}`
/// stand for the secrets.
const MISTAKES: [&str; 23] = [
    "grid: { client_id: 0195-token, client_secret: [ '{S}' ] }",
    "grid: { client_id: 0195-token, client_secrt: '{S}' }",
    "grid: { client_id: 0195-token, client_secret: '{S}', client_secret: '{S}' }",
    "grid: { client_id: 0195-token, client_secret: \"{S}\\n{S}\" }",
    "grid: { client_id: 0195-token, client_secret: '{S}', client_secret_file: secret }",
    "grid: { client_id: '0195-token:{S}', client_secret: '{S}' }",
    "grid: { base_url: 'https://0195-token:{S}@grid.example/', client_id: a, client_secret: b }",
    "grid: { base_url: 'https://grid.example/?key={S}', client_id: a, client_secret: b }",
    "grid: { base_url: '0195-token:{S}@grid.example/', client_id: a, client_secret: b }",
    "grid: { client_id: a, client_secret: '{S}', proxy_url: 'http://proxyuser:{P}@host/path' }",
    "grid: { client_id: a, client_secret: '{S}', proxy_url: 'ftp://proxyuser:{P}@host' }",
    "grid: { client_id: a, client_secret: '{S}', proxy_url: 'proxyuser:{P}@host' }",
    "grid: { client_id: a, client_secret: '{S}\n  x: '",
    "grid: { client_id: a, client_secret: !env '{S}' }",
    "grid:\n  client_id: a\n  client_secret:{S}",
    "grid:\n  client_secret = {S}",
    "client_secret: {S}",
    "grid: client_secret: {S}",
    "grid:\n  client_secret: {S}: x",
    "grid:\n  client_secret: |\n    {S}\n    {S}",
    "grid:\n client_id: a\n   client_secret: {S}",
    "grid:\n  client_secret: @{S}",
    "grid: {S}",
];

#[tokio::test]
async fn no_refused_configuration_shows_its_secrets() {
    for mistake in MISTAKES {
        let folder = TempDir::new().unwrap();
        let yaml = mistake.replace("{S}", SECRET).replace("{P}", PROXY_PASSWORD);
        std::fs::write(folder.path().join("grid.yml"), format!("{yaml}\njobs: [ 'Job:a' ]\n")).unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        for arguments in [&["check-config", "grid.yml"][..], &["serve", "--config.file=grid.yml"]] {
            let finished = run_in(&folder, arguments, &[]).await;
            assert_eq!(finished.code, Some(1), "{yaml}: {finished:?}");
            assert_all_silent(mistake, &finished, &[]);
        }
    }
}

#[tokio::test]
async fn neither_help_nor_wrong_flags_nor_a_good_check_show_the_environment() {
    let folder = TempDir::new().unwrap();
    let proxy = format!("http://proxyuser:{}@proxy:3128", PROXY_PASSWORD.replace('@', "%40"));
    std::fs::write(folder.path().join("grid.yml"), format!("grid: {{ proxy_url: '{proxy}' }}\n")).unwrap();
    let environment = [
        ("GRID_CLIENT_ID", CLIENT),
        ("GRID_CLIENT_SECRET", SECRET),
        ("GRID_JOBS", "Job:a"),
        ("HTTPS_PROXY", proxy.as_str()),
    ];
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["simulate", "--help"],
        &["check-config", "--help"],
        &["check-config", "grid.yml"],
        &["serve", "--no-such-flag"],
        &["serve", "--web.listen-address=nonsense"],
        &["simulate", "--client-secret", SECRET, "--speed", "0"],
        &["simulate", "--client-id", "a:b", "--client-secret", SECRET],
    ] {
        let finished = run_in(&folder, arguments, &environment).await;
        assert!(!finished.stdout.is_empty() || !finished.stderr.is_empty(), "{arguments:?}");
        assert_all_silent(&format!("{arguments:?}"), &finished, &[]);
    }
}

/// The parts of a PEM file that are secret.
fn lines_of_key(pem: &str) -> Vec<String> {
    let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect();
    assert!(lines.len() >= 2);
    lines
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn the_content_of_key_files_never_shows() {
    let key = KeyPair::generate().unwrap();
    let pem = key.serialize_pem();
    let other = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&other).unwrap().pem();
    let secret_lines = lines_of_key(&pem);
    let torn = pem.replacen(&secret_lines[0], &secret_lines[0][..20], 1);
    for (cert_file, key_file) in
        [("cert.pem", "key.pem"), ("key.pem", "key.pem"), ("cert.pem", "torn.pem"), ("cert.pem", "text.pem")]
    {
        let folder = TempDir::new().unwrap();
        write(folder.path(), "key.pem", &pem);
        write(folder.path(), "torn.pem", &torn);
        write(folder.path(), "text.pem", &secret_lines.join("\n"));
        write(folder.path(), "cert.pem", &certificate);
        write(folder.path(), "secret", SECRET);
        let tls = format!("  tls_config: {{ cert_file: {cert_file}, key_file: {key_file} }}\n");
        write(folder.path(), "grid.yml", &config("https://grid.invalid/v1", &tls));
        for arguments in
            [&["serve", "--config.file=grid.yml", "--log.level=debug"][..], &["check-config", "grid.yml"]]
        {
            let finished = run_in(&folder, arguments, &[]).await;
            let cut = secret_lines.iter().map(|line| line[..20].to_owned()).collect::<Vec<_>>();
            assert_all_silent(key_file, &finished, &cut);
            if arguments[0] == "serve" {
                assert_eq!(finished.code, Some(1), "{finished:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_the_web_configuration_file_and_its_passwords_shows() {
    let (password, guess) = ("pl@nted/p4ssword+é", "pl@nted-gu3ss");
    let hash = bcrypt::hash(password, 4).unwrap();
    for format in ["logfmt", "json"] {
        let start = Start::with_config("jobs: [ 'Job:a' ]\n")
            .variable("GRID_CLIENT_ID", CLIENT)
            .variable("GRID_CLIENT_SECRET", SECRET)
            .variable("LIGHTSPARK_GRID_BASE_URL", "http://127.0.0.1:9/grid")
            .argument("--web.config.file=web.yml")
            .argument("--log.level=debug")
            .argument(&format!("--log.format={format}"));
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let indented =
            |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
        let web = format!(
            "tls_server_config:\n  cert: |\n{}  key: |\n{}basic_auth_users:\n  alice: '{hash}'\n",
            indented(&certificate.pem()),
            indented(&key.serialize_pem())
        );
        let path = start.folder.path().join("web.yml");
        std::fs::write(&path, &web).unwrap();
        let mut secret = [forms("alice", password), forms("alice", guess)].concat();
        secret.push(hash.clone());
        secret.extend(hash.split('$').skip(3).map(str::to_owned));
        secret.extend(key.serialize_pem().lines().filter(|line| line.len() > 20).map(str::to_owned));
        let exporter = start.start().await;
        for word in [password, guess] {
            let (status, done) = exporter.curl("/metrics", &["-u", &format!("alice:{word}")]).await;
            assert_eq!(status, if word == password { "200" } else { "401" });
            assert_silent("an answer", &done.out, &secret);
        }
        let spoilt = [
            web.replace("alice:", "alice: x\n  bob:"),
            web.replace(&hash, password),
            web.replace(&hash, &hash[..50]),
            web.replace("PRIVATE KEY", "PRIVATE KEI"),
            web.replace("    -----BEGIN PRIVATE KEY-----\n", ""),
            web.replace("  key: |", "  kee: |"),
            web.replace("basic_auth_users:", "basic_auth_users: |"),
            web.replace("basic_auth_users:", &format!("basic_auth_users: {password}")),
            web.replace("  key: |\n", "  key: \n"),
            format!("{web}  alice: '{hash}'\n"),
        ];
        for (number, spoilt) in spoilt.iter().enumerate() {
            std::fs::write(&path, spoilt).unwrap();
            let (status, _) = exporter.curl("/-/healthy", &[]).await;
            assert_eq!(status, "200");
            let checked = run_in(&exporter.folder, &["check-config", "--web.config.file=web.yml"], &[]).await;
            assert_eq!(checked.code, Some(1), "{number}: {checked:?}");
            assert_all_silent("check-config", &checked, &secret);
        }
        std::fs::write(&path, &web).unwrap();
        let checked = run_in(&exporter.folder, &["check-config", "--web.config.file=web.yml"], &[]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_all_silent("check-config", &checked, &secret);
        let log = exporter.log();
        assert!(log.matches("is refused, the one before is kept").count() >= spoilt.len(), "{log}");
        assert_silent("the log", &log, &secret);
    }
}
