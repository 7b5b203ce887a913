//! `docs/configuration.md` and the annotated example against the code. `UPDATE_EXPECTED=1` prints the table anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the report of a failure"
)]

use grid_bulk_exporter::config::keys::{KEYS, Key};
use grid_bulk_exporter::config::{Config, Environment, Inputs, environment, reload};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const DOCS: &str = "docs/configuration.md";
const EXAMPLE: &str = "deploy/grid-bulk-exporter.yml";

/// The environment brings the credentials, so that the files which the examples name need not be there.
fn load(path: &Path) -> Config {
    let is_credential = |name: &str| [environment::CLIENT_ID, environment::CLIENT_SECRET].contains(&name);
    let environment = Environment::read(|name| is_credential(name).then(|| "hunter2".into()));
    let inputs = Inputs { config_file: Some(path.to_owned()), environment, ..Inputs::default() };
    let loaded = reload::load(&inputs).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    loaded.config
}

fn load_text(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.yml");
    fs::write(&path, text).unwrap();
    load(&path)
}

fn table() -> String {
    let mut table = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for key in KEYS {
        let (name, default) = (key.path(), key.default_text());
        let _infallible =
            writeln!(table, "| `{name}` | {} | {default} | {} |", key.type_name(), key.meaning());
    }
    table
}

#[test]
fn the_table_of_keys_is_that_of_the_code() {
    let docs = fs::read_to_string(DOCS).unwrap();
    let begin = docs.find("<!-- keys: begin").unwrap();
    let begin = begin + docs[begin..].find('\n').unwrap() + 1;
    let end = docs.find("<!-- keys: end -->").unwrap();
    let expected = format!("{}{}{}", &docs[..begin], table(), &docs[end..]);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(DOCS, &expected).unwrap();
        return;
    }
    assert!(docs == expected, "the table in {DOCS} is not that of the code; it should be:\n{}", table());
}

#[test]
fn each_yaml_example_of_the_docs_is_taken() {
    let docs = fs::read_to_string(DOCS).unwrap();
    let examples: Vec<_> =
        docs.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let config = load_text(example);
        assert!(!config.jobs.is_empty() || !config.discovery.is_empty(), "{example}");
    }
}

#[test]
fn the_annotated_example_is_taken_and_has_the_labels_it_shows() {
    let config = load(Path::new(EXAMPLE));
    assert_eq!(config.jobs.len(), 2);
    assert_eq!(config.jobs[1].labels.get("team"), Some("onboarding"));
}

#[test]
fn the_annotated_example_has_every_key_with_its_default() {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    for key in KEYS {
        let name = key.path().rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{name}:")), "{} is missing in {EXAMPLE}", key.path());
        if !matches!(key, Key::Plain(_)) {
            let default = key.default_text().replace('`', "");
            // 1d and 24h are the same; the example writes it as users know it.
            let written = format!("{name}: {}", if default == "1d" { "24h" } else { &default });
            assert!(text.contains(&written), "{written} is missing in {EXAMPLE}");
        }
    }
}

#[test]
fn a_list_over_http_has_the_defaults_of_the_table() {
    let base = |keys: &str| format!("job_http: [ {{ url: 'http://localhost/jobs'{keys} }} ]\n");
    let expected = format!("{:?}", load_text(&base("")));
    for key in KEYS {
        if let (Some(("job_http[]", name)), false) =
            (key.path().split_once('.'), matches!(key, Key::Plain(_)))
        {
            let text = base(&format!(", {name}: {}", key.default_text().replace('`', "")));
            assert_eq!(format!("{:?}", load_text(&text)), expected, "{}", key.path());
        }
    }
}

#[test]
fn a_key_that_is_left_out_has_the_default_of_the_table() {
    let base = "jobs: [ Job:a ]\n";
    let expected = format!("{:?}", load_text(base));
    for key in KEYS {
        if matches!(key, Key::Plain(_)) {
            continue;
        }
        let default = key.default_text().replace('`', "");
        let text = match key.path().split_once('.') {
            Some(("grid", name)) => {
                format!("{base}grid: {{ {name}: {default} }}\n")
            }
            Some(("job_http[]", _)) => continue,
            Some((section, name)) => format!("{base}{section}: {{ {name}: {default} }}\n"),
            None => format!("{base}{}: {default}\n", key.path()),
        };
        assert_eq!(format!("{:?}", load_text(&text)), expected, "{}", key.path());
    }
}
