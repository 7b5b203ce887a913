//! Each format by a reader that is not ours: the same series, the same numbers.

use super::messages;
use super::reading::Reading;
use grid_bulk_exporter::clock::{SharedClock, TokioClock, UnixTime};
use grid_bulk_exporter::exposition::negotiate::{Encoding, Format};
use grid_bulk_exporter::exposition::selection::Families;
use grid_bulk_exporter::exposition::{Exposition, Wanted};
use grid_bulk_exporter::job::{
    CompletedAt, ErrorTally, JobId, JobReading, PollFailure, Progress, ReportedStatus,
};
use grid_bulk_exporter::store::{CountFrom, NewJob, Outcome, Store};
use grid_bulk_exporter::telemetry::families;
use grid_bulk_exporter::telemetry::own::OwnMetrics;
use http_body_util::BodyExt;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

const NOW: UnixTime = UnixTime::from_millis(1_755_268_320_250);
const LATENCIES: [f64; 9] = [0.0, 0.004, 0.0371, 0.0372, 0.25, 0.26, 1.0, 17.5, 400.0];

struct Fixture {
    store: Store,
    own: OwnMetrics,
    exposition: Exposition,
}

/// Jobs with all that makes formats hard: odd ids and labels, odd numbers, failures, one never polled.
fn fixture() -> Fixture {
    let clock: SharedClock = Arc::new(TokioClock::starting_at(NOW));
    let own = OwnMetrics::new(&clock).unwrap();
    for seconds in LATENCIES {
        own.api.request_duration.observe(seconds);
    }
    own.api.count_request(Some(200));
    own.api.throttled_seconds.inc_by(0.1 + 0.2);
    own.api.show_quota(Some(100.0), Some(1e21), Some(NOW));
    let store = Store::new(NOW);
    let labels: [&[(&str, &str)]; 6] = [
        &[("team", "t\"1\n\\n"), ("name", "é \u{202e}rtl {}=,# EOF")],
        &[("team", "plain")],
        &[],
        &[("empty", "")],
        &[("name", "# {jobId=\"x\"} 1")],
        &[],
    ];
    let jobs = labels.iter().enumerate().map(|(number, labels)| NewJob {
        id: id(number),
        labels: labels.iter().map(|(name, value)| (name.parse().unwrap(), (*value).to_owned())).collect(),
        sources: vec!["jobs"],
    });
    store.join(jobs.collect(), CountFrom::Zero);
    for (number, [total, processed, successful, failed]) in [
        [5000.0, 2500.0, 2450.0, 50.0],
        [0.0, 0.0, 0.0, 0.0],
        [1e300, 0.25, -3.0, -0.0],
        [9_007_199_254_740_993.0, 1e21, 1e-7, 123_456_789.125],
    ]
    .into_iter()
    .enumerate()
    {
        let mut errors = ErrorTally::new(20);
        errors.count(Some("INVALID \"FIELD\"\\"));
        errors.count(None);
        let reading = JobReading {
            status: ReportedStatus::from_word(["PROCESSING", "COMPLETED", "PAUSED", "FAILED"][number]),
            progress: Some(Progress { total, processed, successful, failed }),
            errors,
            errors_truncated: number == 2,
            completed_at: CompletedAt::At(UnixTime::from_millis(1_755_268_319_001)),
        };
        store.apply(&id(number), Outcome::Read(reading), NOW);
    }
    let failed = Outcome::Failed { reason: PollFailure::Dns, message: String::new(), asked: true };
    store.apply(&id(4), failed, NOW);
    let exposition = Exposition::new(store.clone(), own.registry.clone());
    Fixture { store, own, exposition }
}

fn id(number: usize) -> JobId {
    ["Job:0", "Job:\"1\\", "Job:é{}", "Job:3,=", "Job:#", "never-polled"][number].parse().unwrap()
}

impl Fixture {
    async fn body(&self, format: Format, encoding: Encoding, families: &Families) -> Vec<u8> {
        let wanted = Wanted { format, encoding, families: families.clone() };
        let body = self.exposition.scrape(wanted);
        let length = body.length();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    async fn plain(&self, format: Format) -> Vec<u8> {
        self.body(format, Encoding::Identity, &Families::default()).await
    }
}

/// What stands in the first but not in the second.
fn missing<K: Ord + std::fmt::Debug, V: std::fmt::Debug + PartialEq>(
    one: &BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
) -> Vec<String> {
    let differing = one.iter().filter(|(key, value)| other.get(key) != Some(value));
    differing.map(|(key, value)| format!("{key:?}: {value:?}, and {:?}", other.get(key))).collect()
}

#[tokio::test]
async fn all_formats_have_the_same_series_and_numbers() {
    let fixture = fixture();
    let text = Reading::by_python("text", &fixture.plain(Format::Text004).await).without_the_moving();
    assert!(text.samples.len() > 130, "{} samples", text.samples.len());
    // Python names counters without their suffix.
    let is_there = |name: &str| text.families.contains_key(name.strip_suffix("_total").unwrap_or(name));
    let absent: Vec<_> = families::all().map(|family| family.name).filter(|name| !is_there(name)).collect();
    // Those of what isn't configured: lists, webhooks, storage.
    let expected = [
        "grid_bulk_exporter_sd_refresh_failures_total",
        "grid_bulk_exporter_sd_last_success_timestamp_seconds",
        "grid_bulk_exporter_webhooks_total",
        "grid_bulk_exporter_storage_up",
    ];
    assert_eq!(absent, expected);
    assert_eq!(
        fixture.plain(Format::OpenMetrics001).await.len(),
        fixture.plain(Format::OpenMetrics100).await.len()
    );
    for (format, reading) in [
        ("text 1.0.0", Reading::by_python("text", &fixture.plain(Format::Text100).await)),
        ("OpenMetrics", Reading::by_python("openmetrics", &fixture.plain(Format::OpenMetrics100).await)),
        ("protobuf", Reading::by_protobuf(&fixture.plain(Format::Protobuf).await)),
    ] {
        let mut reading = reading.without_the_moving();
        assert_eq!(missing(&text.samples, &reading.samples), Vec::<String>::new(), "{format}");
        assert_eq!(missing(&reading.samples, &text.samples), Vec::<String>::new(), "{format}");
        // Messages have no family without samples.
        let filled = |name: &String| {
            text.samples.keys().any(|(sample, _)| sample.starts_with(name)) || name.starts_with("process_")
        };
        let expected: BTreeMap<_, _> =
            text.families.clone().into_iter().filter(|(name, _)| filled(name)).collect();
        reading.families.retain(|name, _| filled(name));
        assert_eq!(reading.families, expected, "{format}");
    }
}

#[tokio::test]
async fn open_metrics_has_its_end_and_no_total_in_the_headers_and_none_but_it_has_exemplars() {
    let fixture = fixture();
    let text = String::from_utf8(fixture.plain(Format::Text100).await).unwrap();
    let open_metrics = String::from_utf8(fixture.plain(Format::OpenMetrics100).await).unwrap();
    assert!(open_metrics.ends_with("\n# EOF\n"));
    assert!(open_metrics.contains("\n# TYPE grid_bulk_rows counter\n"));
    assert!(
        open_metrics
            .contains("\ngrid_bulk_rows_total{result=\"failed\"} 50 # {jobId=\"Job:0\"} 50 1755268320.250\n")
    );
    assert!(open_metrics.contains("\n# TYPE grid_bulk_job_info gauge\n"));
    assert!(open_metrics.contains("_bucket{le=\"1.0\"} "));
    assert!(!open_metrics.contains("_created"));
    assert!(!text.contains(" # {jobId=\"Job:0\"}") && !text.ends_with("# EOF\n"));
    // The job series are the same bytes.
    let job_series = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("grid_bulk_job")).map(str::to_owned).collect()
    };
    assert_eq!(job_series(&text), job_series(&open_metrics));
}

#[tokio::test]
async fn exemplars_name_the_job_that_last_moved_a_counter_unless_its_id_is_too_long() {
    let fixture = fixture();
    let reading = |failed: f64| JobReading {
        status: ReportedStatus::from_word("PROCESSING"),
        progress: Some(Progress { total: 5000.0, processed: failed, successful: 0.0, failed }),
        errors: ErrorTally::new(20),
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    };
    for (length, is_there) in [(123, true), (124, false), (128, false), (10, true)] {
        let id: JobId = "é".repeat(length).parse().unwrap();
        let job = NewJob { id: id.clone(), labels: [].into_iter().collect(), sources: vec!["jobs"] };
        fixture.store.join(vec![job], CountFrom::Zero);
        fixture.store.apply(&id, Outcome::Read(reading(7.0)), NOW);
        fixture.store.apply(&id, Outcome::Read(reading(10.0)), UnixTime::from_millis(NOW.as_millis() + 1));
        fixture.exposition.refresh();
        let series = ("grid_bulk_rows_total".to_owned(), [("result".to_owned(), "failed".to_owned())].into());
        let labels = BTreeMap::from([("jobId".to_owned(), id.as_str().to_owned())]);
        let expected = is_there.then_some((labels, 3.0, 1_755_268_320.251));
        let open_metrics = Reading::by_python("openmetrics", &fixture.plain(Format::OpenMetrics100).await);
        let protobuf = Reading::by_protobuf(&fixture.plain(Format::Protobuf).await);
        assert_eq!(open_metrics.exemplars.get(&series), expected.as_ref(), "{length}");
        assert_eq!(protobuf.exemplars.get(&series), expected.as_ref(), "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_have_native_histograms_and_the_start_of_counters() {
    let fixture = fixture();
    fixture.own.poll.cycle_duration.observe(0.5);
    let families = messages::decode(&fixture.plain(Format::Protobuf).await);
    let start = Some(messages::Timestamp { seconds: 1_755_268_320, nanos: 250_000_000 });
    let (mut counters, mut histograms) = (0, 0);
    for family in &families {
        for metric in &family.metric {
            if let Some(counter) = &metric.counter {
                assert_eq!(counter.created_timestamp, start, "{:?}", family.name);
                counters += 1;
            }
            if let Some(histogram) = &metric.histogram {
                assert_eq!(histogram.created_timestamp, start, "{:?}", family.name);
                let native = histogram.native_buckets();
                let counted: u64 = native.iter().map(|(_, count)| count).sum();
                assert_eq!(Some(counted + histogram.zero_count.unwrap()), histogram.sample_count);
                histograms += 1;
            }
        }
    }
    assert!(counters > 30 && histograms == 2, "{counters} counters, {histograms} histograms");
    let name = Some(families::API_REQUEST_DURATION.name.to_owned());
    let family = families.iter().find(|family| family.name == name).unwrap();
    let histogram = family.metric[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.schema, histogram.zero_count), (Some(3), Some(1)));
    // Each observation in the narrowest bucket that holds it.
    let bounds: Vec<f64> = LATENCIES[1..]
        .iter()
        .map(|seconds| {
            (0..1000).map(|step| 2_f64.powf(f64::from(step - 100) / 8.0)).find(|bound| bound >= seconds)
        })
        .map(Option::unwrap)
        .collect();
    let read: Vec<f64> = histogram
        .native_buckets()
        .iter()
        .flat_map(|(bound, count)| std::iter::repeat_n(*bound, usize::try_from(*count).unwrap()))
        .collect();
    assert_eq!(read.len(), bounds.len());
    for (read, bound) in read.iter().zip(&bounds) {
        assert!((read / bound - 1.0).abs() < 1e-9, "{read} {bound}");
    }
}

#[tokio::test]
async fn a_filter_shows_the_named_families_alone_in_every_format_and_encoding() {
    let fixture = fixture();
    let chosen = [
        "grid_bulk_rows_total",
        "grid_bulk_job_failed_rows",
        "grid_bulk_api_request_duration_seconds",
        // One that stands still.
        "process_start_time_seconds",
    ];
    for names in [&chosen[..], &chosen[1..2], &["no_such_family"]] {
        let families = Families::named(names.iter().copied());
        let known: BTreeSet<&str> = names.iter().copied().filter(|name| *name != "no_such_family").collect();
        for format in [
            Format::Text004,
            Format::Text100,
            Format::OpenMetrics001,
            Format::OpenMetrics100,
            Format::Protobuf,
        ] {
            let plain = fixture.body(format, Encoding::Identity, &families).await;
            let reading = match format {
                Format::Text004 | Format::Text100 => Reading::by_python("text", &plain),
                Format::OpenMetrics001 | Format::OpenMetrics100 => Reading::by_python("openmetrics", &plain),
                Format::Protobuf => Reading::by_protobuf(&plain),
            };
            let shown: BTreeSet<&str> = reading.families.keys().map(String::as_str).collect();
            let expected: BTreeSet<&str> =
                known.iter().map(|name| name.strip_suffix("_total").unwrap_or(name)).collect();
            assert_eq!(shown, expected, "{format:?}");
            assert!(expected.is_empty() || !reading.samples.is_empty());
            for _ in 0..2 {
                let mut unpacked = Vec::new();
                let member = fixture.body(format, Encoding::Gzip, &families).await;
                flate2::read::GzDecoder::new(member.as_slice()).read_to_end(&mut unpacked).unwrap();
                assert!(unpacked == plain, "{format:?} in gzip");
                let frames = fixture.body(format, Encoding::Zstd, &families).await;
                assert!(unzstd(&frames) == plain, "{format:?} in zstd");
            }
        }
    }
}

fn unzstd(frames: &[u8]) -> Vec<u8> {
    let mut command = Command::new("zstd")
        .args(["-dc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("zstd starts; tests/run installs it");
    let mut input = command.stdin.take().unwrap();
    let frames = frames.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&frames));
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success());
    writer.join().unwrap().unwrap();
    output.stdout
}
