//! `tests/web-config/*.yml`: each beside the exact lines that a user sees, refused or taken with warnings.
//! `UPDATE_EXPECTED=1` writes them anew. And the table of keys in the docs, and the example that is shipped.

use grid_bulk_exporter::config::web_file::keys::WEB_KEYS;
use grid_bulk_exporter::web::door;
use std::fs;
use std::path::{Path, PathBuf};

/// Relative, so that messages are the same on each machine: cargo runs tests in the package's folder.
const FOLDER: &str = "tests/web-config";

/// What a user sees of a file: faults, or warnings.
fn lines_of(path: &Path) -> (bool, String) {
    match door::check(path) {
        Ok(file) => {
            let lines = file.warnings.iter().map(|warning| format!("warning: {warning}\n"));
            (true, lines.collect::<Vec<_>>().concat())
        }
        Err(fault) => (false, format!("{fault}\n")),
    }
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "yml"))
        .collect();
    files.sort();
    files
}

#[test]
fn each_file_is_taken_or_refused_with_exactly_the_lines_beside_it() {
    let files = files();
    assert!(files.len() >= 80, "only {} files in {FOLDER}", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let (is_taken, lines) = lines_of(&file);
        let is_good = file.file_name().unwrap().to_str().unwrap().starts_with("good-");
        assert_eq!(is_taken, is_good, "{}: {lines}", file.display());
        let expected_file = file.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_file, &lines).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if lines != expected {
            wrong.push(format!("{}\n  expected:\n{expected}  but got:\n{lines}", file.display()));
        }
        for line in lines.lines() {
            let place = line.trim_start_matches("warning: ");
            assert!(place.starts_with(&format!("{}:", file.display())), "no place: {line}");
            assert!(!line.contains("hunter"), "a secret: {line}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

const DOCS: &str = "docs/security.md";

fn table() -> String {
    let mut table = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for key in WEB_KEYS {
        let (name, default) = (key.path(), key.default_text());
        table.push_str(&format!("| `{name}` | {} | {default} | {} |\n", key.type_name(), key.meaning()));
    }
    table
}

#[test]
fn the_table_of_keys_in_the_docs_is_that_of_the_code() {
    let docs = fs::read_to_string(DOCS).unwrap();
    let begin = docs.find("<!-- web keys: begin").unwrap();
    let begin = begin + docs[begin..].find('\n').unwrap() + 1;
    let end = docs.find("<!-- web keys: end -->").unwrap();
    let expected = format!("{}{}{}", &docs[..begin], table(), &docs[end..]);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(DOCS, &expected).unwrap();
    } else {
        assert!(docs == expected, "the table in {DOCS} is not that of the code; it should be:\n{}", table());
    }
}

#[test]
fn the_example_that_is_shipped_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string("deploy/web-config.yml").unwrap();
    fs::write(folder.path().join("web.yml"), text).unwrap();
    for (from, to) in
        [("server.crt", "server.crt"), ("server.key", "server.key"), ("other.crt", "client-ca.crt")]
    {
        fs::copy(Path::new(FOLDER).join("files").join(from), folder.path().join(to)).unwrap();
    }
    let (is_taken, lines) = lines_of(&folder.path().join("web.yml"));
    assert!(is_taken && lines.is_empty(), "{lines}");
}
