//! Exporters with a web configuration file, certificates made by OpenSSL, curl and `s_client`.

use crate::support::PATIENCE;
use crate::support::exporter::{Exporter, Start};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// A password's hash; of the lowest cost, as tests are in a hurry.
pub fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// What a program left.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program in `folder`, with this on its standard input.
pub async fn run(folder: &Path, program: &str, arguments: &[&str], input: &str) -> Done {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended by itself.
    let _gone = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs openssl, which must succeed.
pub async fn openssl(folder: &Path, arguments: &str) -> String {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let done = run(folder, "openssl", &arguments, "").await;
    assert_eq!(done.code, Some(0), "openssl {arguments:?}: {done:?}");
    done.out
}

/// A certificate that signs itself, as `openssl req -x509` makes it: an authority's, for OpenSSL.
pub async fn self_signed(folder: &Path, name: &str, more: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt {more}"),
    )
    .await;
}

/// A certificate that `ca` signs, with these extensions, a line each.
pub async fn signed(folder: &Path, ca: &str, name: &str, extensions: &str, days: &str) {
    std::fs::write(folder.join(format!("{name}.ext")), extensions).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr")).await;
    let extensions = if extensions.is_empty() { String::new() } else { format!("-extfile {name}.ext") };
    openssl(
        folder,
        &format!("x509 -req -in {name}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial {days} -out {name}.crt {extensions}"),
    )
    .await;
}

/// TLS with the certificate `server`, and these keys more under `tls_server_config`.
pub fn tls(more: &str) -> String {
    format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}")
}

/// An exporter to be, with a certificate `server` in its folder. Its API is nowhere; that does not matter here.
pub async fn start() -> Start {
    let start = Start::without_config()
        .variable("GRID_CLIENT_ID", "id")
        .variable("GRID_CLIENT_SECRET", "secret")
        .variable("GRID_JOBS", "Job:a")
        .variable("LIGHTSPARK_GRID_BASE_URL", "http://127.0.0.1:9/grid")
        .argument("--web.config.file=web.yml");
    self_signed(start.folder.path(), "server", "-addext subjectAltName=DNS:localhost,IP:127.0.0.1").await;
    start
}

/// Starts it with this web configuration file.
pub async fn serve(start: Start, web: &str) -> Exporter {
    std::fs::write(start.folder.path().join("web.yml"), web).unwrap();
    start.start().await
}

impl Exporter {
    /// What `curl` gets of a path: the status (000 if there is no answer), and what curl said.
    pub async fn curl(&self, path: &str, arguments: &[&str]) -> (String, Done) {
        let scheme = if self.log().contains("listening on https") { "https" } else { "http" };
        let url = format!("{scheme}://{}{path}", self.address());
        let mut all = vec!["-sS", "-k", "--max-time", "50", "-w", "\n%{http_code}", &url];
        all.extend(arguments);
        let done = run(self.folder.path(), "curl", &all, "").await;
        let status = done.out.lines().last().unwrap_or_default().to_owned();
        (status, done)
    }

    /// What `openssl s_client` says of a handshake.
    pub async fn s_client(&self, arguments: &str) -> Done {
        let address = self.address().to_string();
        let mut all = vec!["s_client", "-connect", &address];
        all.extend(arguments.split_whitespace());
        run(self.folder.path(), "openssl", &all, "").await
    }
}
