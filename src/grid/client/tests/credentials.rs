//! Credentials that change while the client runs.

use super::server::json;
use super::*;

#[tokio::test]
async fn a_rotated_secret_is_used_and_announced_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "old\n").unwrap();
    let server = Server::saying(json(JOB)).await;
    let config = GridConfig { client_secret: CredentialSource::File(path.clone()), ..config(&server.url()) };
    let client = client_of(&config);
    let mut changed = client.credentials_changed();
    client.read(query()).await;
    std::fs::write(&path, "new\n").unwrap();
    tokio::select! {
        () = client.watch_credentials() => {}
        result = tokio::time::timeout(Duration::from_secs(5), changed.changed()) => result.unwrap().unwrap(),
    }
    client.read(query()).await;
    // base64 of `token-id-0195:old` and `token-id-0195:new`
    for (head, basic) in
        server.requests().iter().zip(["dG9rZW4taWQtMDE5NTpvbGQ=", "dG9rZW4taWQtMDE5NTpuZXc="])
    {
        assert!(head.contains(&format!("Basic {basic}\r\n")), "{head}");
    }
}

#[test]
fn a_client_without_its_files_says_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = CredentialSource::File(folder.path().join("missing"));
    let config = GridConfig { client_id: missing, ..config("https://api.invalid") };
    let error = GridClient::new(&config, metrics().api, Arc::new(SystemClock)).unwrap_err().to_string();
    assert!(error.starts_with("grid.client_id_file: file /"), "{error}");
    assert!(error.contains("missing can't be read (No such file"), "{error}");
}
