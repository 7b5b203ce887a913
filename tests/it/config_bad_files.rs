//! `tests/bad-config/*.yml`: each beside the exact lines that a user sees. `UPDATE_EXPECTED=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the report of a failure")]

use grid_bulk_exporter::config::{Inputs, reload};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Relative, so that messages are the same on each machine: cargo runs tests in the package's folder.
const FOLDER: &str = "tests/bad-config";

fn messages_of(path: &Path) -> String {
    let inputs = Inputs { config_file: Some(path.to_owned()), ..Inputs::default() };
    match reload::load(&inputs) {
        Ok(_) => format!("{} is taken, though it should be refused\n", path.display()),
        Err(faults) => format!("{faults}\n"),
    }
}

fn files_with_extension(extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn each_bad_file_gets_exactly_the_lines_beside_it() {
    let files = files_with_extension("yml");
    assert!(files.len() >= 45, "only {} files in {FOLDER}", files.len());
    let mut wrong = String::new();
    for file in files {
        let messages = messages_of(&file);
        let expected_file = file.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_file, &messages).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if messages != expected {
            let _infallible =
                writeln!(wrong, "{}\n  expected:\n{expected}  but got:\n{messages}", file.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_message_shows_a_secret() {
    for file in files_with_extension("expected") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("hunter"), "{}: {text}", file.display());
    }
}

#[test]
fn each_message_names_its_file_and_is_one_line() {
    for file in files_with_extension("yml") {
        let messages = messages_of(&file);
        for line in messages.lines() {
            let is_of_file = line.starts_with(&format!("{}:", file.display()));
            let is_of_all =
                ["grid.client_", "jobs: ", "limits.jobs: "].iter().any(|key| line.starts_with(key));
            assert!(is_of_file || is_of_all, "{line}");
        }
    }
}

#[test]
fn a_file_of_50_mib_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yml");
    fs::File::create(&path).unwrap().set_len(50 << 20).unwrap();
    assert_eq!(messages_of(&path), format!("{}: has 50 MiB; at most 32MiB are taken\n", path.display()));
}

#[test]
fn a_source_without_an_end_is_refused_at_the_limit() {
    assert_eq!(
        messages_of(Path::new("/dev/zero")),
        "/dev/zero: has more than 32MiB, the most that is taken\n"
    );
}

#[test]
fn what_is_no_file_is_told_as_what_it_is() {
    assert_eq!(messages_of(Path::new(FOLDER)), "tests/bad-config: is a folder, not a file\n");
    assert_eq!(messages_of(Path::new("no-such.yml")), "no-such.yml: does not exist\n");
    let unreadable = messages_of(Path::new("/proc/self/mem"));
    assert!(unreadable.starts_with("/proc/self/mem: can't be read: "), "{unreadable}");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "jobs: []").unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(file.path()).is_ok() {
        return; // root reads everything
    }
    assert!(
        messages_of(file.path()).contains("may not be read by this user"),
        "{}",
        messages_of(file.path())
    );
}
