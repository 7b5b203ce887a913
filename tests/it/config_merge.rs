//! Flag over environment over file; jobs of all three sources in one list.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the report of a failure"
)]

use grid_bulk_exporter::config::{
    Config, CredentialSource, Environment, Faults, Inputs, JobSource, Loaded, reload,
};
use grid_bulk_exporter::job::Shard;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// A file, flags and variables that are loaded together.
#[derive(Default)]
struct Sources<'a> {
    file: &'a str,
    flags: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
}

const FILE: &str = "grid: { base_url: 'https://file.example', client_id: file-id, client_secret: file-secret }\n\
                    jobs: [ Job:a, { id: Job:b, labels: { team: x } } ]\n";

impl Sources<'_> {
    fn inputs(&self, folder: &tempfile::TempDir) -> Inputs {
        let path = folder.path().join("grid.yml");
        fs::write(&path, self.file).unwrap();
        let variables: HashMap<_, _> = self.variables.iter().copied().collect();
        Inputs {
            config_file: (!self.file.is_empty()).then_some(path),
            jobs: self.flags.iter().map(|id| id.parse().unwrap()).collect(),
            environment: Environment::read(|name| variables.get(name).map(Into::into)),
            admin_api: false,
            shard: Shard::default(),
        }
    }

    fn load(&self) -> Result<Loaded, Faults> {
        let folder = tempfile::tempdir().unwrap();
        reload::load(&self.inputs(&folder))
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    fn faults(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn value(source: &CredentialSource) -> (&str, &str) {
    match source {
        CredentialSource::Value { value, origin } => (value.expose(), origin),
        CredentialSource::File(path) => panic!("a value, not the file {}", path.display()),
    }
}

const CREDENTIALS: [(&str, &str); 2] = [("GRID_CLIENT_ID", "id"), ("GRID_CLIENT_SECRET", "secret")];

#[test]
fn the_environment_alone_is_enough() {
    let config = Sources {
        variables: &[CREDENTIALS[0], CREDENTIALS[1], ("GRID_JOBS", " Job:a , Job:b ")],
        ..Sources::default()
    }
    .config();
    assert_eq!(config.grid.base_url.as_str(), "https://api.lightspark.com/grid/2025-10-13");
    assert_eq!(value(&config.grid.client_secret), ("secret", "GRID_CLIENT_SECRET"));
    assert_eq!(config.poll.interval, Duration::from_secs(30));
    let ids: Vec<_> = config.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(ids, ["Job:a", "Job:b"]);
}

#[test]
fn the_environment_beats_the_file() {
    let config = Sources {
        file: FILE,
        variables: &[
            CREDENTIALS[0],
            ("GRID_CLIENT_SECRET", " secret\n"),
            ("LIGHTSPARK_GRID_BASE_URL", "https://env.example/"),
        ],
        ..Sources::default()
    }
    .config();
    assert_eq!(config.grid.base_url.as_str(), "https://env.example/");
    assert_eq!(value(&config.grid.client_id), ("id", "GRID_CLIENT_ID"));
    assert_eq!(value(&config.grid.client_secret).0, "secret");
}

#[test]
fn a_variable_may_name_a_file_with_the_credential() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "hunter2\n").unwrap();
    let shown = path.to_str().unwrap();
    let variables = [CREDENTIALS[0], ("GRID_CLIENT_SECRET_FILE", shown)];
    let config = Sources { file: FILE, variables: &variables, ..Sources::default() }.config();
    assert!(matches!(&config.grid.client_secret, CredentialSource::File(named) if *named == path));

    let both = [CREDENTIALS[0], CREDENTIALS[1], ("GRID_CLIENT_SECRET_FILE", shown)];
    let faults = Sources { file: FILE, variables: &both, ..Sources::default() }.faults();
    assert_eq!(faults, "GRID_CLIENT_SECRET_FILE: is set, and GRID_CLIENT_SECRET, too; unset one of them");

    let missing = [CREDENTIALS[1], ("GRID_CLIENT_ID_FILE", "/nonexistent/id")];
    let faults = Sources { file: FILE, variables: &missing, ..Sources::default() }.faults();
    assert!(faults.starts_with("GRID_CLIENT_ID_FILE: /nonexistent/id "), "{faults}");
    assert_eq!(faults.lines().count(), 1, "{faults}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let variables = [
        ("GRID_CLIENT_ID", ""),
        ("GRID_CLIENT_SECRET", " "),
        ("LIGHTSPARK_GRID_BASE_URL", ""),
        ("GRID_JOBS", "  "),
    ];
    let config = Sources { file: FILE, variables: &variables, ..Sources::default() }.config();
    assert_eq!(value(&config.grid.client_id).0, "file-id");
    assert_eq!(config.grid.base_url.host_str(), Some("file.example"));
    assert_eq!(config.jobs.len(), 2);
}

#[test]
fn a_job_of_two_sources_is_one_with_the_files_labels() {
    let config =
        Sources { file: FILE, flags: &["Job:c", "Job:b"], variables: &[("GRID_JOBS", "Job:b,Job:c,Job:d")] }
            .config();
    let jobs: Vec<_> = config.jobs.iter().map(|job| (job.id.as_str(), job.sources.as_slice())).collect();
    assert_eq!(
        jobs,
        [
            ("Job:a", &[JobSource::File][..]),
            ("Job:b", &[JobSource::File, JobSource::Flag, JobSource::Environment]),
            ("Job:c", &[JobSource::Flag, JobSource::Environment]),
            ("Job:d", &[JobSource::Environment]),
        ]
    );
    assert_eq!(config.jobs[1].labels.get("team"), Some("x"));
}

#[test]
fn a_job_twice_in_one_source_is_an_error_in_each() {
    let faults =
        Sources { file: FILE, flags: &["Job:c", "Job:c"], variables: &[("GRID_JOBS", "Job:d,Job:e,Job:d")] }
            .faults();
    assert_eq!(
        faults,
        "--job: Job:c is given twice; give it once\n\
         GRID_JOBS: Job:d is there twice, again as item 3; name it once"
    );
}

#[test]
fn bad_items_of_the_variable_are_told_with_their_place() {
    let faults =
        Sources { file: FILE, variables: &[("GRID_JOBS", "Job:d,,a b,")], ..Sources::default() }.faults();
    assert_eq!(
        faults,
        "GRID_JOBS: item 2 is empty; put one comma between two job ids, none at the end\n\
         GRID_JOBS: item 3: job id \"a b\" has the character ' '; ids have no white space, control characters or `/`\n\
         GRID_JOBS: item 4 is empty; put one comma between two job ids, none at the end"
    );
}

#[test]
fn a_bad_base_url_of_the_environment_is_told_with_its_variable_and_without_its_password() {
    let variables = [("LIGHTSPARK_GRID_BASE_URL", "https://me:hunter2@h")];
    let faults = Sources { file: FILE, variables: &variables, ..Sources::default() }.faults();
    assert_eq!(
        faults,
        "LIGHTSPARK_GRID_BASE_URL: has a user or password in it; leave them out and give client_id and client_secret"
    );
}

#[test]
fn without_credentials_and_jobs_all_three_are_told() {
    let faults = Sources::default().faults();
    let keys: Vec<_> = faults.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["grid.client_id", "grid.client_secret", "jobs"]);
}

#[test]
fn a_secret_file_that_the_environment_beats_need_not_be_there() {
    let file = "grid: { client_id: id, client_secret_file: no-such-file }\njobs: [ Job:a ]\n";
    assert!(Sources { file, ..Sources::default() }.faults().contains("no-such-file does not exist"));
    let config = Sources { file, variables: &CREDENTIALS, ..Sources::default() }.config();
    assert_eq!(value(&config.grid.client_secret).0, "secret");
}

#[test]
fn a_secret_file_may_end_with_a_newline_and_lies_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let file = "grid: { client_id: id, client_secret_file: secret }\njobs: [ Job:a ]\n";
    let inputs = Sources { file, ..Sources::default() }.inputs(&folder);
    let config = reload::load(&inputs).unwrap().config;
    assert_eq!(config.grid.client_secret, CredentialSource::File(folder.path().join("secret")));
}

#[test]
fn what_is_unwise_is_taken_with_a_warning() {
    let file = "grid:\n  base_url: http://api.example\n  client_id: id\n  client_secret: s\n  timeout: 10m\n  \
                tls_config: { insecure_skip_verify: true }\njobs: [ Job:a ]\n";
    let loaded = Sources { file, ..Sources::default() }.load().unwrap();
    let told: Vec<_> = loaded.warnings.iter().map(|warning| (warning.line, warning.key.as_deref())).collect();
    assert_eq!(
        told,
        [
            (Some(5), Some("grid.max_duration")),
            (Some(6), Some("grid.tls_config.insecure_skip_verify")),
            (Some(2), Some("grid.base_url")),
        ]
    );
    let local =
        "grid: { base_url: 'http://127.0.0.1:10320', client_id: id, client_secret: s }\njobs: [ Job:a ]\n";
    assert_eq!(Sources { file: local, ..Sources::default() }.load().unwrap().warnings, []);
}

#[test]
fn debug_of_a_configuration_shows_no_password() {
    let file = "grid: { client_id: id, client_secret: hunter2, proxy_url: 'http://u:hunter3@proxy:3128' }\n\
                jobs: [ Job:a ]\n";
    let loaded = Sources { file, ..Sources::default() }.load().unwrap();
    assert_eq!(loaded.config.grid.proxy_url.as_ref().unwrap().password(), Some("hunter3"));
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn label_values_are_taken_as_they_are_written() {
    let file = "grid: { client_id: 0195, client_secret: 1e3 }\n\
                jobs: [ { id: Job:a, labels: { a: 017, b: true, c: 'x y', d: \"zeile\\n2\", e: '', f: ü } } ]\n";
    let config = Sources { file, ..Sources::default() }.config();
    let labels: Vec<_> = config.jobs[0].labels.iter().map(|(name, value)| (name.as_str(), value)).collect();
    assert_eq!(labels, [("a", "017"), ("b", "true"), ("c", "x y"), ("d", "zeile\n2"), ("e", ""), ("f", "ü")]);
    assert_eq!(value(&config.grid.client_id).0, "0195");
    assert_eq!(value(&config.grid.client_secret).0, "1e3");
}

#[test]
fn a_reload_gives_the_new_configuration_or_all_faults() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = Sources { file: FILE, ..Sources::default() }.inputs(&folder);
    let first = reload::load(&inputs).unwrap();
    let path = inputs.config_file.clone().unwrap();
    fs::write(&path, format!("{FILE}poll: {{ interval: 5 }}\n")).unwrap();
    assert!(reload::load(&inputs).unwrap_err().to_string().contains("has no unit"));
    fs::write(&path, format!("{FILE}poll: {{ interval: 5s }}\n")).unwrap();
    let second = reload::load(&inputs).unwrap();
    assert_eq!(second.config.poll.interval, Duration::from_secs(5));
    assert_ne!(first.fingerprint, second.fingerprint);
    fs::remove_file(&path).unwrap();
    assert!(reload::load(&inputs).unwrap_err().to_string().ends_with("does not exist"));
}
