//! What a poll costs beside HTTP and JSON, for 100 to 100,000 jobs: schedule, pace, store, counters. The reader
//! answers at once from memory. `cargo bench --bench polling`: the time a poll must not grow with the jobs.

#![expect(clippy::expect_used, reason = "a benchmark that can't be set up is to fail")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grid_bulk_exporter::catalog::CatalogChange;
use grid_bulk_exporter::clock::{SharedClock, SystemClock};
use grid_bulk_exporter::config::{JobSource, JobSpec, PollConfig};
use grid_bulk_exporter::grid::{Advice, Answer, JobQuery, ReadJob, Reading};
use grid_bulk_exporter::job::{CompletedAt, JobReading, Labels, Progress, ReportedStatus};
use grid_bulk_exporter::poller::{ClockHandle, Poller, Setup, Surroundings};
use grid_bulk_exporter::store::Store;
use grid_bulk_exporter::telemetry::own::OwnMetrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Answers at once, and counts.
#[derive(Debug, Default)]
struct Memory {
    polls: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl ReadJob for Memory {
    async fn read(&self, query: JobQuery) -> Answer {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
        if polls == self.wanted.load(Ordering::Relaxed) {
            self.reached.notify_one();
        }
        let processed = f64::from(u32::try_from(polls % 5000).unwrap_or_default());
        let reading = JobReading {
            status: ReportedStatus::from_word("PROCESSING"),
            progress: Some(Progress { total: 5000.0, processed, successful: processed, failed: 0.0 }),
            errors: query.tally,
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        };
        Answer {
            outcome: Ok(Reading::Job(reading)),
            status_code: Some(200),
            advice: Advice::default(),
            validators: None,
            transfer: Duration::ZERO,
            requests: 1,
        }
    }
}

fn polls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll_from_memory");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for jobs in [100_usize, 1_000, 10_000, 100_000] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clock: SharedClock = Arc::new(SystemClock);
        let own = OwnMetrics::new(&clock).expect("metrics");
        let memory = Arc::new(Memory::default());
        let setup = Setup {
            reader: Arc::clone(&memory),
            // All jobs are always due: the interval is over before they were all asked.
            poll: PollConfig {
                interval: Duration::from_micros(1),
                concurrency: 16,
                max_requests_per_second: 1e9,
            },
            error_codes_per_job: 20,
            is_other_api: false,
        };
        let surroundings = Surroundings {
            store: Store::new(clock.now()),
            clock: ClockHandle(Arc::clone(&clock)),
            poll_metrics: own.poll,
            api_metrics: own.api,
        };
        let (poller, handle) = Poller::new(setup, surroundings);
        let shutdown = CancellationToken::new();
        runtime.spawn(poller.run(shutdown.clone()));
        let joined = (0..jobs)
            .map(|job| JobSpec {
                id: format!("Job:019542f5-b3e7-1d02-0000-{job:012}").parse().expect("an id"),
                labels: Labels::default(),
                sources: vec![JobSource::File],
            })
            .collect();
        runtime.block_on(handle.change_jobs(CatalogChange { joined, ..CatalogChange::default() }));
        group.bench_function(BenchmarkId::from_parameter(jobs), |bencher| {
            bencher.iter_custom(|rounds| {
                runtime.block_on(async {
                    let began = Instant::now();
                    memory.wanted.store(memory.polls.load(Ordering::Relaxed) + rounds, Ordering::Relaxed);
                    memory.reached.notified().await;
                    began.elapsed()
                })
            });
        });
        shutdown.cancel();
    }
    group.finish();
}

criterion_group!(benches, polls);
criterion_main!(benches);
