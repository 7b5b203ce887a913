//! The README's tables against the code; `UPDATE_EXPECTED=1` rewrites them.

use grid_bulk_exporter::telemetry::families::{self, Kind};
use grid_bulk_exporter::web::routes;
use std::fmt::Write;
use std::path::PathBuf;

fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// Compares the part between `<!-- name: begin … -->` and `<!-- name: end -->`, or rewrites it.
fn check_part(name: &str, expected: &str) {
    let text = std::fs::read_to_string(readme()).unwrap();
    let begin = text.find(&format!("<!-- {name}: begin")).unwrap();
    let begin = begin + text[begin..].find("-->\n").unwrap() + 4;
    let end = begin + text[begin..].find(&format!("<!-- {name}: end -->")).unwrap();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        let updated = format!("{}{expected}{}", &text[..begin], &text[end..]);
        std::fs::write(readme(), updated).unwrap();
    } else {
        assert_eq!(&text[begin..end], expected, "run `UPDATE_EXPECTED=1 cargo test --test it docs`");
    }
}

// One test for all parts, since they rewrite one file.
#[test]
fn the_tables_of_the_readme_are_what_the_code_says() {
    check_part("endpoints", &endpoints());
    check_part("metrics", &metrics());
    check_part("alerts", &alerts());
}

fn endpoints() -> String {
    let mut table = String::from("| path | methods | |\n| --- | --- | --- |\n");
    for route in routes::table("/metrics") {
        writeln!(table, "| `{}` | {} | {} |", route.path, route.methods, route.about).unwrap();
    }
    table
}

fn metrics() -> String {
    let mut table = String::from("| name | labels | meaning |\n| --- | --- | --- |\n");
    for family in families::all() {
        let kind = match family.kind {
            Kind::Gauge => "",
            Kind::Counter => " (counter)",
            Kind::Histogram => " (histogram)",
        };
        let mut labels = family.labels.join(", ");
        if family == families::JOB_INFO {
            labels.push_str(" and all configured labels");
        }
        writeln!(table, "| `{}`{kind} | {labels} | {} |", family.name, family.help).unwrap();
    }
    table
}

fn alerts() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/grid-bulk-alerts.yml");
    let text = std::fs::read_to_string(path).unwrap();
    // The file is generated with one key a line; a YAML reader is not needed.
    let value = |line: &str, key: &str| {
        line.trim_start()
            .trim_start_matches("- ")
            .strip_prefix(key)
            .map(|value| value.trim_matches('"').to_owned())
    };
    let mut table = String::from("| alert | severity | |\n| --- | --- | --- |\n");
    let (mut name, mut severity, mut summary) = (None, None, None);
    let mut rows = 0;
    for line in text.lines().chain(["- alert: "]) {
        if let Some(next) = value(line, "alert: ") {
            let before = name.replace(next);
            if let Some(name) = before {
                let severity: String = severity.take().unwrap_or_else(|| panic!("{name} has no severity"));
                let summary: String = summary.take().unwrap_or_else(|| panic!("{name} has no summary"));
                writeln!(table, "| [`{name}`](docs/runbooks/{name}.md) | {severity} | {summary} |").unwrap();
                assert!(
                    readme().with_file_name(format!("docs/runbooks/{name}.md")).exists(),
                    "{name} has no runbook"
                );
                rows += 1;
            }
        }
        severity = value(line, "severity: ").or(severity);
        summary = value(line, "summary: ").or(summary);
    }
    assert!(rows >= 20, "only {rows} alerts were found: has the form of the file changed?");
    table
}
