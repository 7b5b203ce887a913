//! What fuzzing found or was given, replayed by every test run: nothing in it may panic.

use grid_bulk_exporter::clock::UnixTime;
use grid_bulk_exporter::config::{Inputs, reload};
use grid_bulk_exporter::exposition::negotiate::{Accepted, Encoding};
use grid_bulk_exporter::grid::Advice;
use grid_bulk_exporter::grid::parse::JobParser;
use grid_bulk_exporter::job::ErrorTally;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::path::PathBuf;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(files.len() >= 3, "the corpus of {target} is kept");
    files
}

#[test]
fn bodies_are_read_alike_however_they_are_cut() {
    for (path, body) in corpus("body") {
        let read = |size: usize| {
            let mut parser = JobParser::new(
                "Job:019542f5-b3e7-1d02-0000-000000000006".parse().unwrap(),
                ErrorTally::new(20),
            );
            body.chunks(size).try_for_each(|piece| parser.feed(piece)).and_then(|()| parser.finish())
        };
        let whole = read(body.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(read(size).is_ok(), whole.is_ok(), "{} in pieces of {size}", path.display());
        }
    }
}

#[test]
fn configurations_are_taken_or_refused_with_a_reason() {
    for (path, _) in corpus("config") {
        let inputs = Inputs { config_file: Some(path.clone()), ..Inputs::default() };
        if let Err(faults) = reload::draft(&inputs) {
            assert!(!faults.to_string().is_empty(), "{}", path.display());
        }
    }
}

#[test]
fn headers_never_ask_for_more_than_an_hour() {
    for (path, text) in corpus("retry_after") {
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut headers = HeaderMap::new();
        for name in ["retry-after", "retry-after-ms", "ratelimit", "x-ratelimit-reset", "date"] {
            for line in text.lines() {
                if let Ok(value) = HeaderValue::from_str(line) {
                    headers.append(HeaderName::from_static(name), value);
                }
            }
        }
        let advice = Advice::from_headers(&headers, UnixTime::from_millis(1_755_268_320_000));
        assert!(advice.retry_after.is_none_or(|wait| wait.as_secs() <= 3600), "{}", path.display());
    }
}

#[test]
fn every_accept_header_gets_an_answer_that_it_permits() {
    for (path, text) in corpus("accept") {
        let text = String::from_utf8_lossy(&text).into_owned();
        let (accept, accept_encoding) = text.split_once('\n').unwrap();
        let accepted = Accepted::negotiate(Some(accept));
        assert!(HeaderValue::try_from(accepted.content_type()).is_ok(), "{}", path.display());
        let encoding = Encoding::negotiate(Some(accept_encoding), &[Encoding::Gzip, Encoding::Zstd]);
        assert!(
            encoding.as_str().is_none_or(|coding| accept_encoding.contains(coding)),
            "{}",
            path.display()
        );
    }
}
