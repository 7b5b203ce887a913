//! Scenario files, good and bad, as whoever writes them sees them.

use super::*;
use crate::sim::course::{Ending, Failing};
use crate::sim::fault::{FaultKind, OddCounts, Oddity};
use crate::sim::throttle::RetryAfterForm;

const DOCUMENTATION: &str = include_str!("../../../docs/simulator.md");

fn documented() -> Scenario {
    let example = DOCUMENTATION.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    Scenario::from_yaml(example, "docs/simulator.md").unwrap()
}

fn job(id: &str) -> crate::sim::SimJobSpec {
    documented().jobs.into_iter().find(|job| job.id == id).unwrap()
}

#[test]
fn the_documented_example_says_what_its_comments_say() {
    let scenario = documented();
    let limit = scenario.api.rate_limit.unwrap();
    assert!((limit.requests_per_second - 50.0).abs() < 1e-9 && limit.quota_headers);
    assert_eq!(limit.retry_after, RetryAfterForm::Seconds);
    assert!(scenario.api.etag && scenario.api.gzip);
    let statuses: Vec<u16> = scenario
        .api
        .faults
        .iter()
        .filter_map(|fault| match &fault.kind {
            FaultKind::HttpStatus(fault) => Some(fault.status),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [401, 502]);
    assert!(scenario.api.faults[0].window.contains(600.0) && !scenario.api.faults[0].window.contains(660.0));
    assert_eq!(scenario.jobs.len(), 9);

    let spikes = job("Job:spike").course.spikes;
    assert_eq!(
        (spikes[0].failing, spikes[0].code.as_deref()),
        (Failing::Share(0.7), Some("DUPLICATE_CUSTOMER"))
    );
    assert_eq!(spikes[1].failing, Failing::Rows(250));
    assert_eq!(job("Job:failed").course.ending, Ending::Failed { after: Some(90.0) });
    assert_eq!(job("Job:pending").course.ending, Ending::NeverStarts);
    let FaultKind::HttpStatus(throttled) = &job("Job:throttled-alone").faults[0].kind.clone() else {
        panic!()
    };
    assert_eq!((throttled.status, throttled.retry_after.as_deref()), (429, Some("5")));
    let odd = OddCounts {
        total: None,
        processed: Some("-1".into()),
        successful: Some("\"12\"".into()),
        failed: Some("1e30".into()),
    };
    assert_eq!(job("Job:contradicts-itself").faults[0].kind, FaultKind::Oddity(Oddity::Counts(odd)));
}

#[test]
fn every_fault_that_can_be_written_is_documented() {
    for name in super::fault::names() {
        let row =
            DOCUMENTATION.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert!(row.is_some(), "{name} has no row in docs/simulator.md");
    }
}

#[test]
fn every_fault_is_read_with_no_more_than_its_needed_keys() {
    for name in super::fault::names() {
        let needed = match name {
            "http_status" => ", status: 500",
            "delay" => ", seconds: 1",
            "wrong_length" => ", difference: 5",
            "redirect" => ", to: loop",
            "status_word" => ", word: X",
            "counts" => ", total: 1e400",
            "error_entries" => ", entries: 3",
            "completed_at" => ", value: soon",
            _ => "",
        };
        let text =
            format!("api:\n  faults:\n    - {{fault: {name}{needed}, from: 1, until: 2, share: 0.5}}\n");
        let scenario = Scenario::from_yaml(&text, "f").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(scenario.api.faults.len(), 1);
    }
}

#[test]
fn odd_counts_go_out_as_they_are_written() {
    let counts = |text: &str| {
        let text = format!("jobs: [{{id: a, faults: [{{fault: counts, total: {text}}}]}}]");
        let scenario = Scenario::from_yaml(&text, "f").unwrap();
        match &scenario.jobs[0].faults[0].kind {
            FaultKind::Oddity(Oddity::Counts(counts)) => counts.total.clone().unwrap().to_string(),
            other => panic!("{other:?}"),
        }
    };
    for (written, sent) in [
        ("-5", "-5"),
        ("2.50", "2.50"),
        ("1e400", "1e400"),
        ("\"7\"", "\"7\""),
        ("many", "\"many\""),
        ("null", "null"),
    ] {
        assert_eq!(counts(written), sent, "{written}");
    }
}

#[test]
fn bad_files_are_told_with_their_line_and_a_remedy() {
    for (text, expected) in [
        ("", "f:1: the file is empty; docs/simulator.md has an example"),
        ("- a\n", "f:1: the file is a list; write a mapping (`key: value`)"),
        ("api: {}\njbos: []\n", "f:2: jbos is not a key of the scenario; did you mean `jobs`?"),
        (
            "jobs:\n  - id: a\n    row: 5\n",
            "f:3: jobs[0].row is not a key of the scenario; did you mean `rows`?",
        ),
        (
            "jobs:\n  - id: a\n    xyz: 5\n",
            "f:3: jobs[0].xyz is not a key of the scenario; known here: id, rows, \
          rows_per_second, starts_at, wobble, failing_share, code, spikes, stalls, ends, fails_after, faults",
        ),
        ("jobs:\n  - rows: 5\n", "f:2: jobs[0] has no `id`; add it"),
        ("jobs:\n  - id: a\n    rows: many\n", "f:3: jobs[0].rows is `many`; write a whole number from 0"),
        ("jobs:\n  - id: a\n    rows: -1\n", "f:3: jobs[0].rows is `-1`; write a whole number from 0"),
        (
            "jobs:\n  - id: a\n    rows_per_second: 0\n",
            "f:3: jobs[0].rows_per_second is `0`; write a number above 0",
        ),
        (
            "jobs:\n  - id: a\n    failing_share: 20\n",
            "f:3: jobs[0].failing_share is `20`; write a number from 0 to 1",
        ),
        ("jobs:\n  - id: a\n\n  - id: a\n", "f:4: jobs[1] has the id `a` of jobs[0]; give each job its own"),
        (
            "jobs:\n  - id: a/b\n",
            "f:2: jobs[0].id can't be asked for; write an id without `/`, such as Job:spike",
        ),
        (
            "jobs:\n  - id: a\n    ends: DONE\n",
            "f:3: jobs[0].ends is `DONE`; write COMPLETED or FAILED or never starts",
        ),
        (
            "jobs:\n  - id: a\n    ends: COMPLETED\n    fails_after: 3\n",
            "f:2: jobs[0] has `fails_after`, but does not end as FAILED; write `ends: FAILED` or take it out",
        ),
        (
            "jobs:\n  - id: a\n    spikes:\n      - {at: 1, for: 2}\n",
            "f:4: jobs[0].spikes[0] needs either `share` (0 to 1) or `rows`, how many rows fail",
        ),
        ("jobs:\n  - id: a\n    spikes: {at: 1}\n", "f:3: jobs[0].spikes is a mapping; write a list"),
        (
            "jobs:\n  - id: a\n    stalls:\n      - {at: soon}\n",
            "f:4: jobs[0].stalls[0].at is `soon`; write seconds, such as 30",
        ),
        (
            "jobs:\n  - id: a\n    faults:\n      - {fault: hang_haed}\n",
            "f:4: jobs[0].faults[0].fault is `hang_haed`, which is no fault; did you mean `hang_head`? \
          (docs/simulator.md lists all)",
        ),
        (
            "jobs:\n  - id: a\n    faults:\n      - fault: html\n        seconds: 3\n",
            "f:5: jobs[0].faults[0].seconds is not a key of the scenario; known here: fault, from, until, share",
        ),
        (
            "jobs:\n  - id: a\n    faults:\n      - {fault: http_status, status: 99}\n",
            "f:4: jobs[0].faults[0].status is `99`; write a whole number from 200 to 599",
        ),
        (
            "api:\n  faults:\n    - {fault: html, from: 9, until: 3}\n",
            "f:3: api.faults[0] is over at 3 before it begins at 9; write `from` < `until`",
        ),
        ("api:\n  rate_limit:\n    burst: 3\n", "f:2: api.rate_limit has no `requests_per_second`; add it"),
        ("api:\n  etag: perhaps\n", "f:2: api.etag is `perhaps`; write true or false"),
        ("api: {}\napi: {}\n", "f:2: not YAML: duplicated key in mapping"),
        ("api: {}\n---\njobs: []\n", "f:3: a second document begins; a scenario is one"),
    ] {
        let error = Scenario::from_yaml(text, "f").unwrap_err().to_string();
        assert_eq!(error, expected, "for {text:?}");
    }
    let tab = Scenario::from_yaml("api:\n\tetag: true\n", "f").unwrap_err().to_string();
    assert!(tab.starts_with("f:2: not YAML: "), "{tab}");
}

#[test]
fn a_file_that_is_no_text_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.yml");
    std::fs::write(&path, b"\xff\xfe\x00").unwrap();
    let error = Scenario::load(&path).unwrap_err().to_string();
    assert!(error.contains("s.yml: ") && error.contains("UTF-8"), "{error}");
}
