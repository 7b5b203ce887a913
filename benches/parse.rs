//! Reading a job's body of 100 to 1,000,000 error entries: our stream parser against `serde_json::from_slice`, both
//! counting entries by code and keeping nothing else. `cargo bench --bench parse`.

#![expect(clippy::expect_used, reason = "a benchmark of something else than good bodies is to fail")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grid_bulk_exporter::grid::parse::JobParser;
use grid_bulk_exporter::job::{ErrorTally, JobId};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

const ID: &str = "Job:019542f5-b3e7-1d02-0000-000000000006";
const ENTRIES: [usize; 4] = [100, 1_000, 100_000, 1_000_000];

/// A body as the API writes it; `codes` codes take turns.
fn body(entries: usize, codes: usize) -> Vec<u8> {
    let mut body = format!(
        "{{\"id\":\"{ID}\",\"status\":\"PROCESSING\",\"progress\":{{\"total\":2000000,\"processed\":1500000,\
         \"successful\":500000,\"failed\":1000000}},\"errors\":["
    );
    for row in 0..entries {
        if row > 0 {
            body.push(',');
        }
        let code = match row % codes {
            0 => "INVALID_FIELD".to_owned(),
            other => format!("INVALID_FIELD_{other}"),
        };
        let entry = format!(
            "{{\"correlationId\":\"row_{row}\",\"code\":\"{code}\",\"message\":\"Invalid bank account number\",\
             \"details\":{{\"field\":\"accountNumber\"}}}}"
        );
        body.push_str(&entry);
    }
    body.push_str("]}");
    body.into_bytes()
}

fn ours(body: &[u8], piece: usize) -> u64 {
    let id: JobId = ID.parse().expect("an id");
    let mut parser = JobParser::new(id, ErrorTally::new(20));
    for piece in body.chunks(piece) {
        parser.feed(piece).expect("a job");
    }
    parser.finish().expect("a job").errors.iter().map(|(_, number)| number).sum()
}

#[derive(Deserialize)]
struct Job<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
    #[serde(borrow)]
    status: Cow<'b, str>,
    progress: Progress,
    errors: Tally,
}

#[derive(Deserialize)]
struct Progress {
    total: f64,
    processed: f64,
    successful: f64,
    failed: f64,
}

#[derive(Deserialize)]
struct Entry<'b> {
    #[serde(borrow)]
    code: Option<Cow<'b, str>>,
    #[serde(borrow)]
    error: Option<Nested<'b>>,
}

#[derive(Deserialize)]
struct Nested<'b> {
    #[serde(borrow)]
    code: Option<Cow<'b, str>>,
}

/// Entries by code, counted while they are read.
struct Tally(BTreeMap<String, u64>);

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;
        impl<'de> Visitor<'de> for Counter {
            type Value = Tally;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("error entries")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tally, A::Error> {
                let mut tally = BTreeMap::<String, u64>::new();
                while let Some(entry) = entries.next_element::<Entry<'de>>()? {
                    let code = entry.code.or_else(|| entry.error.and_then(|nested| nested.code));
                    let code = code.as_deref().unwrap_or("unspecified");
                    match tally.get_mut(code) {
                        Some(number) => *number += 1,
                        None => {
                            tally.insert(code.to_owned(), 1);
                        }
                    }
                }
                Ok(Tally(tally))
            }
        }
        deserializer.deserialize_seq(Counter)
    }
}

fn serde(body: &[u8]) -> u64 {
    let job: Job<'_> = serde_json::from_slice(body).expect("a job");
    let progress = &job.progress;
    black_box((
        &job.id,
        &job.status,
        progress.total,
        progress.processed,
        progress.successful,
        progress.failed,
    ));
    job.errors.0.values().sum()
}

fn bodies(criterion: &mut Criterion) {
    for (entries, codes) in ENTRIES.into_iter().flat_map(|entries| [(entries, 1), (entries, 12)]) {
        let body = body(entries, codes);
        assert_eq!(ours(&body, 16_384), entries as u64);
        assert_eq!(serde(&body), entries as u64);
        let mut group = criterion.benchmark_group(format!("{entries}_entries_{codes}_codes"));
        group.sample_size(10).throughput(Throughput::Bytes(body.len() as u64));
        for piece in [8_192, 65_536] {
            group.bench_with_input(BenchmarkId::new("ours_in_pieces", piece), &piece, |bencher, &piece| {
                bencher.iter(|| ours(black_box(&body), piece));
            });
        }
        group.bench_function("serde_json_whole", |bencher| bencher.iter(|| serde(black_box(&body))));
        group.finish();
    }
}

criterion_group!(benches, bodies);
criterion_main!(benches);
