//! A job's body: no bytes break the parser, it says the same however they are cut, and what it takes is JSON.
//!
//! The first byte says how long the pieces are (0: the body is whole), the rest is the body.
#![no_main]

use grid_bulk_exporter::grid::parse::{JobParser, ParseError};
use grid_bulk_exporter::job::{ErrorTally, JobReading};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const CODES: usize = 3;

fn read(body: &[u8], length: usize) -> Result<JobReading, ParseError> {
    let mut parser = JobParser::new("Job:a".parse().expect("an id"), ErrorTally::new(CODES));
    for piece in body.chunks(length.max(1)) {
        parser.feed(piece)?;
    }
    parser.finish()
}

fuzz_target!(|data: &[u8]| {
    let Some((length, body)) = data.split_first() else { return };
    let whole = read(body, body.len());
    let cut = read(body, usize::from(*length));
    // Of several faults in one body another may be told: a piece's bytes are checked before its grammar.
    assert_eq!(whole.as_ref().ok(), cut.as_ref().ok(), "it depends on how the body is cut");
    let Ok(job) = whole else { return };
    assert!(job.errors.iter().count() <= CODES + 2, "{:?}", job.errors);
    assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok(), "serde_json does not take it");
});
