//! From a change in the store to the bytes of a scrape, for 100 to 100,000 jobs: update, render, compress, scrape.
//! `cargo bench --bench exposition`. What costs the number of jobs shows as a line that grows tenfold each step.

#![expect(clippy::expect_used, reason = "a benchmark of something else than good jobs is to fail")]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use grid_bulk_exporter::clock::{Clock, SharedClock, SystemClock, UnixTime};
use grid_bulk_exporter::exposition::negotiate::{Encoding, Format};
use grid_bulk_exporter::exposition::{Exposition, Wanted, gzip, zstd};
use grid_bulk_exporter::job::{CompletedAt, ErrorTally, JobId, JobReading, Labels, Progress, ReportedStatus};
use grid_bulk_exporter::store::{CountFrom, NewJob, Outcome, Store};
use grid_bulk_exporter::telemetry::own::OwnMetrics;
use http_body_util::BodyExt;
use std::hint::black_box;
use std::sync::Arc;

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];

/// What scrapers ask for; the first two are text.
const WANTED: [(&str, Format, Encoding); 6] = [
    ("plain", Format::Text004, Encoding::Identity),
    ("gzip", Format::Text004, Encoding::Gzip),
    ("zstd", Format::Text004, Encoding::Zstd),
    ("openmetrics_gzip", Format::OpenMetrics100, Encoding::Gzip),
    ("protobuf_plain", Format::Protobuf, Encoding::Identity),
    ("protobuf_gzip", Format::Protobuf, Encoding::Gzip),
];

/// Jobs that were all read once, as an exporter holds them.
struct Bench {
    store: Store,
    exposition: Exposition,
    ids: Vec<JobId>,
    /// Polls so far: each brings other counts.
    polls: u32,
}

impl Bench {
    fn new(jobs: usize) -> Self {
        let store = Store::new(UnixTime::from_millis(0));
        let ids: Vec<JobId> = (0..jobs)
            .map(|job| format!("Job:019542f5-b3e7-1d02-0000-{job:012}").parse().expect("an id"))
            .collect();
        let new_job =
            |id: &JobId| NewJob { id: id.clone(), labels: Labels::default(), sources: vec!["jobs"] };
        store.join(ids.iter().map(new_job).collect(), CountFrom::FirstReading);
        let clock: SharedClock = Arc::new(SystemClock);
        let own = OwnMetrics::new(&clock).expect("metrics");
        let exposition = Exposition::new(store.clone(), own.registry);
        let mut bench = Self { store, exposition, ids, polls: 0 };
        bench.poll(0..jobs);
        bench.exposition.refresh();
        bench
    }

    /// Each of these jobs was read, and has moved on.
    fn poll(&mut self, jobs: impl IntoIterator<Item = usize>) {
        let now = SystemClock.now();
        for job in jobs {
            self.polls += 1;
            let id = self.ids.get(job).expect("a job");
            self.store.apply(id, Outcome::Read(reading(self.polls)), now);
        }
    }

    fn body(&self, format: Format, encoding: Encoding) -> Bytes {
        let body = self.exposition.scrape(Wanted { format, encoding, ..Wanted::default() });
        body.collect().now_or_never().expect("all is there").expect("no fault").to_bytes()
    }

    fn scrape(&self, format: Format, encoding: Encoding) -> usize {
        self.body(format, encoding).len()
    }
}

fn reading(polls: u32) -> JobReading {
    let processed = f64::from(polls % 5000);
    JobReading {
        status: ReportedStatus::from_word("PROCESSING"),
        progress: Some(Progress { total: 5000.0, processed, successful: processed, failed: 0.0 }),
        errors: ErrorTally::new(20),
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    }
}

fn changes(criterion: &mut Criterion) {
    for jobs in SIZES {
        let mut bench = Bench::new(jobs);
        let mut group = criterion.benchmark_group("change");
        group.sample_size(10);
        let mut next = 0;
        group.bench_function(BenchmarkId::new("store_update", jobs), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % jobs;
                bench.poll([next]);
            });
        });
        for (name, format, encoding) in WANTED {
            // From the first scrape on, what was asked for is kept up to date, and nothing else.
            let mut bench = Bench::new(jobs);
            black_box(bench.scrape(format, encoding));
            let hundredth = (jobs / 100).max(1);
            let mut first = 0;
            group.bench_function(BenchmarkId::new(format!("refresh_1_percent_{name}"), jobs), |bencher| {
                bencher.iter_custom(|rounds| {
                    let mut spent = std::time::Duration::ZERO;
                    for _ in 0..rounds {
                        first = (first + hundredth) % (jobs - hundredth + 1);
                        bench.poll(first..first + hundredth);
                        let began = tokio::time::Instant::now();
                        bench.exposition.refresh();
                        spent += began.elapsed();
                    }
                    spent
                });
            });
            group.bench_function(BenchmarkId::new(format!("refresh_all_{name}"), jobs), |bencher| {
                bencher.iter_custom(|rounds| {
                    let mut spent = std::time::Duration::ZERO;
                    for _ in 0..rounds {
                        bench.poll(0..jobs);
                        let began = tokio::time::Instant::now();
                        bench.exposition.refresh();
                        spent += began.elapsed();
                    }
                    spent
                });
            });
        }
        group.finish();
    }
}

/// Compressing alone, of all that a scrape has; a refresh compresses the strips that changed.
fn compressions(criterion: &mut Criterion) {
    for jobs in SIZES {
        let body = Bench::new(jobs).body(Format::Text004, Encoding::Identity);
        let mut group = criterion.benchmark_group("compress");
        group.sample_size(10).throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("gzip", jobs), |bencher| {
            bencher.iter(|| gzip::deflate(black_box(&body)).bytes.len());
        });
        group.bench_function(BenchmarkId::new("zstd", jobs), |bencher| {
            bencher.iter(|| zstd::compress(black_box(&body)).len());
        });
        group.finish();
    }
}

fn scrapes(criterion: &mut Criterion) {
    for jobs in SIZES {
        let mut group = criterion.benchmark_group("scrape_unchanged");
        group.sample_size(10);
        for (name, format, encoding) in WANTED {
            let bench = Bench::new(jobs);
            group.throughput(Throughput::Bytes(bench.scrape(format, encoding) as u64));
            group.bench_function(BenchmarkId::new(format!("begin_{name}"), jobs), |bencher| {
                bencher.iter(|| {
                    let wanted = Wanted { format, encoding, ..Wanted::default() };
                    bench.exposition.scrape(wanted).length()
                });
            });
            group.bench_function(BenchmarkId::new(format!("whole_{name}"), jobs), |bencher| {
                bencher.iter(|| bench.scrape(format, encoding));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, changes, compressions, scrapes);
criterion_main!(benches);
