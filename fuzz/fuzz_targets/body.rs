//! Any bytes as a job's body: no panic, and the same result whole and in pieces.
#![no_main]

use grid_bulk_exporter::grid::parse::{JobParser, ParseError};
use grid_bulk_exporter::job::{ErrorTally, JobId, JobReading};
use libfuzzer_sys::fuzz_target;

fn parse(body: &[u8], piece: usize) -> Result<JobReading, ParseError> {
    let id: JobId = "Job:019542f5-b3e7-1d02-0000-000000000006".parse().expect("an id");
    let mut parser = JobParser::new(id, ErrorTally::new(3));
    for piece in body.chunks(piece) {
        parser.feed(piece)?;
    }
    parser.finish()
}

fuzz_target!(|body: &[u8]| {
    let whole = parse(body, usize::MAX);
    for piece in [1, 2, 3, 7] {
        let cut = parse(body, piece);
        match (&whole, &cut) {
            (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
            (Err(_), Err(_)) => {}
            _ => panic!("in pieces of {piece}: {cut:?}, but whole: {whole:?}"),
        }
    }
    if whole.is_ok() {
        assert!(std::str::from_utf8(body).is_ok());
    }
});
