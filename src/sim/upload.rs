//! `POST /customers/bulk/csv`: reads the file as it comes, counts its rows, checks its header.
//!
//! As the API's description has it, the answer only says that the file was taken; a header that lacks a column
//! shows later, in a job that fails with `invalid_csv_format`.

use crate::sim::body::SimBody;
use crate::sim::course::{Course, Ending};
use crate::sim::entry::INVALID_CSV;
use crate::sim::problem::{Reply, invalid_field};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use multer::{Constraints, Multipart, SizeLimit};

/// Columns that every file has, whichever kind of customer.
const REQUIRED: [&str; 8] = [
    "umaAddress",
    "platformCustomerId",
    "customerType",
    "addressLine1",
    "city",
    "state",
    "postalCode",
    "country",
];

/// The largest file taken, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// The longest header line that is looked at, in bytes.
const MAX_HEADER: usize = 64 * 1024;

/// How uploaded jobs run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UploadPlan {
    /// Rows a second; above 0.
    pub rows_per_second: f64,
    /// Share of rows that fail, 0 to 1.
    pub failing_share: f64,
    /// How long a job is PENDING, in simulated seconds.
    pub pending: f64,
}

impl Default for UploadPlan {
    fn default() -> Self {
        Self { rows_per_second: 100.0, failing_share: 0.02, pending: 2.0 }
    }
}

/// What a file turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CsvSummary {
    /// Rows without the header.
    pub(crate) rows: u64,
    /// The first required column that is not there.
    pub(crate) missing_column: Option<&'static str>,
}

impl CsvSummary {
    /// The course of the job, which begins now (simulated seconds).
    pub(crate) fn course(&self, plan: UploadPlan, now: f64) -> Course {
        let course = Course {
            rows: self.rows,
            rows_per_second: plan.rows_per_second,
            starts_at: now + plan.pending,
            wobble: 0.3,
            failing_share: plan.failing_share,
            ..Course::default()
        };
        match self.missing_column {
            None => course,
            Some(column) => Course {
                failing_share: 1.0,
                code: Some(INVALID_CSV.into()),
                column: Some(column.into()),
                nested_entries: true,
                ending: Ending::Failed { after: None },
                ..course
            },
        }
    }
}

/// Reads the request to its end; the error is the answer to send.
pub(crate) async fn read_csv(request: Request<Incoming>) -> Result<CsvSummary, Reply> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return Err(invalid_field("file", "Send the CSV file as multipart/form-data in the field `file`"));
    };
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(MAX_FILE));
    let stream = futures_util::stream::try_unfold(request.into_body(), next_piece);
    let mut parts = Multipart::with_constraints(Box::pin(stream), boundary, limits);
    let mut summary = None;
    loop {
        let Some(mut part) = parts.next_field().await.map_err(|error| refusal(&error))? else { break };
        let is_file = part.name() == Some("file");
        let mut scanner = CsvScanner::default();
        while let Some(piece) = part.chunk().await.map_err(|error| refusal(&error))? {
            if is_file {
                scanner.feed(&piece);
            }
        }
        if is_file {
            summary = Some(scanner.finish());
        }
    }
    match summary {
        None => Err(invalid_field("file", "The field `file` with the CSV file is missing")),
        Some(None) => Err(invalid_field("file", "The CSV file is empty; its first line names the columns")),
        Some(Some(summary)) => Ok(summary),
    }
}

async fn next_piece(mut body: Incoming) -> Result<Option<(Bytes, Incoming)>, hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            return Ok(Some((piece, body)));
        }
    }
    Ok(None)
}

fn refusal(error: &multer::Error) -> Reply {
    invalid_field("file", &format!("The form cannot be read: {error}"))
}

/// Counts the records of a CSV file (RFC 4180: a line break within quotes belongs to the field).
#[derive(Debug, Default)]
struct CsvScanner {
    header: Vec<u8>,
    header_done: bool,
    quoted: bool,
    /// The present line has something in it.
    filled: bool,
    rows: u64,
}

impl CsvScanner {
    fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => {
                    self.end_line();
                    continue;
                }
                _ => {}
            }
            self.filled |= !byte.is_ascii_whitespace();
            if !self.header_done && self.header.len() < MAX_HEADER {
                self.header.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        if self.filled {
            if self.header_done { self.rows += 1 } else { self.header_done = true }
        }
        self.filled = false;
    }

    /// Nothing if the file has no line.
    fn finish(mut self) -> Option<CsvSummary> {
        self.end_line();
        let header = String::from_utf8_lossy(&self.header);
        let header = header.trim_start_matches('\u{feff}');
        let columns: Vec<&str> = header.split(',').map(|name| name.trim().trim_matches('"')).collect();
        let has = |name: &str| columns.contains(&name);
        let missing = REQUIRED.into_iter().find(|name| !has(name));
        // A file of individuals needs their names, one of businesses theirs; both in one file are fine.
        let of_kind = match (has("fullName"), has("birthDate"), has("businessLegalName")) {
            (_, _, true) | (true, true, false) => None,
            (true, false, false) => Some("birthDate"),
            (false, _, false) => Some("fullName"),
        };
        self.header_done.then(|| CsvSummary { rows: self.rows, missing_column: missing.or(of_kind) })
    }
}

/// The body of 202.
pub(crate) fn accepted(id: &str) -> SimBody {
    SimBody::Whole(serde_json::json!({"jobId": id, "status": "PENDING"}).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "umaAddress,platformCustomerId,customerType,fullName,birthDate,addressLine1,city,state,\
        postalCode,country,platformAccountId,businessLegalName\n";

    fn summary(text: &str, piece: usize) -> Option<CsvSummary> {
        let mut scanner = CsvScanner::default();
        for piece in text.as_bytes().chunks(piece) {
            scanner.feed(piece);
        }
        scanner.finish()
    }

    #[test]
    fn rows_are_counted_however_the_file_is_cut() {
        let text = format!(
            "\u{feff}{HEADER}$a@x,1,INDIVIDUAL\n\r\n\n$b@x,\"two\nlines, one \"\"row\"\"\"\r\n$c@x,3,x"
        );
        for piece in [1, 2, 7, 1000] {
            assert_eq!(summary(&text, piece), Some(CsvSummary { rows: 3, missing_column: None }), "{piece}");
        }
    }

    #[test]
    fn a_column_that_is_missing_is_named() {
        let without = |name: &str| summary(&HEADER.replace(name, "x"), 100).unwrap().missing_column;
        assert_eq!(without("umaAddress"), Some("umaAddress"));
        assert_eq!(without("country"), Some("country"));
        assert_eq!(without("businessLegalName"), None, "a file of individuals");
        assert_eq!(without("fullName"), None, "a file of businesses");
        let neither = HEADER.replace("businessLegalName", "x").replace("fullName", "x");
        assert_eq!(summary(&neither, 100).unwrap().missing_column, Some("fullName"));
        assert_eq!(summary(" \n\n", 1), None);
    }
}
