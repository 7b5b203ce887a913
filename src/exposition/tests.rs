//! The exposition as a scraper sees it.

use super::*;
use crate::clock::UnixTime;
use crate::exposition::negotiate::Format;
use crate::job::{CompletedAt, ErrorTally, JobReading, PollFailure, Progress, ReportedStatus};
use crate::store::{CountFrom, NewJob, Outcome};
use crate::telemetry::registry::OwnRegistry;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use std::io::Read;

const NOW: UnixTime = UnixTime::from_millis(1_755_268_320_250);

fn exposition(jobs: usize) -> (Store, Exposition) {
    let store = Store::new(NOW);
    store.join((0..jobs).map(new_job).collect(), CountFrom::FirstReading);
    let exposition = Exposition::new(store.clone(), OwnRegistry::default());
    (store, exposition)
}

fn new_job(number: usize) -> NewJob {
    let labels = [("team".parse().unwrap(), format!("t\"{number}\n"))].into_iter().collect();
    NewJob { id: format!("Job:{number}").parse().unwrap(), labels, sources: vec!["jobs"] }
}

fn reading() -> JobReading {
    let mut errors = ErrorTally::new(20);
    errors.count(Some("INVALID_FIELD"));
    errors.count(None);
    JobReading {
        status: ReportedStatus::from_word("PROCESSING"),
        progress: Some(Progress { total: 5000.0, processed: 2500.0, successful: 2450.0, failed: 50.0 }),
        errors,
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    }
}

fn body(exposition: &Exposition, wanted: impl Into<Wanted>) -> Vec<u8> {
    let body = exposition.scrape(wanted);
    let length = body.length();
    let bytes = futures_util::FutureExt::now_or_never(body.collect()).unwrap().unwrap().to_bytes().to_vec();
    assert_eq!(bytes.len() as u64, length, "the length that was promised");
    bytes
}

/// The body as it is, which is the same in all encodings.
fn plain(exposition: &Exposition, format: Format, families: &Families) -> Vec<u8> {
    let wanted = |encoding| Wanted { format, encoding, families: families.clone() };
    let plain = body(exposition, wanted(Encoding::Identity));
    // Twice: what stays is sent compressed the second time.
    for _ in 0..2 {
        let mut unpacked = Vec::new();
        let member = body(exposition, wanted(Encoding::Gzip));
        GzDecoder::new(member.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(plain == unpacked, "the same in gzip");
        let frames = body(exposition, wanted(Encoding::Zstd));
        assert!(plain == ::zstd::stream::decode_all(frames.as_slice()).unwrap(), "the same in zstd");
    }
    plain
}

fn in_format(exposition: &Exposition, format: Format) -> Vec<u8> {
    plain(exposition, format, &Families::default())
}

fn text(exposition: &Exposition) -> String {
    String::from_utf8(in_format(exposition, Format::Text004)).unwrap()
}

/// The job series that are kept in a layout.
fn kept(exposition: &Exposition, layout: Layout) -> Option<Arc<Rendered>> {
    exposition.moment.load()[layout as usize].clone()
}

fn strips(rendered: &Rendered) -> Vec<&strip::Strip> {
    (0..rendered.segment_count()).map(|position| rendered.segment(position).unwrap().1).collect()
}

#[test]
fn the_whole_of_a_job_is_written_as_the_design_says() {
    let (store, exposition) = exposition(2);
    store.apply(&"Job:0".parse().unwrap(), Outcome::Read(reading()), NOW);
    let failed = Outcome::Failed { reason: PollFailure::Dns, message: String::new(), asked: true };
    store.apply(&"Job:1".parse().unwrap(), failed, NOW);
    exposition.refresh();
    let samples: Vec<_> =
        text(&exposition).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(
        samples,
        [
            r#"grid_bulk_job_status{jobId="Job:0",status="PENDING"} 0"#,
            r#"grid_bulk_job_status{jobId="Job:0",status="PROCESSING"} 1"#,
            r#"grid_bulk_job_status{jobId="Job:0",status="COMPLETED"} 0"#,
            r#"grid_bulk_job_status{jobId="Job:0",status="FAILED"} 0"#,
            r#"grid_bulk_job_status{jobId="Job:0",status="UNKNOWN"} 0"#,
            r#"grid_bulk_job_total_rows{jobId="Job:0"} 5000"#,
            r#"grid_bulk_job_processed_rows{jobId="Job:0"} 2500"#,
            r#"grid_bulk_job_successful_rows{jobId="Job:0"} 2450"#,
            r#"grid_bulk_job_failed_rows{jobId="Job:0"} 50"#,
            r#"grid_bulk_job_error_entries{jobId="Job:0",code="INVALID_FIELD"} 1"#,
            r#"grid_bulk_job_error_entries{jobId="Job:0",code="unspecified"} 1"#,
            r#"grid_bulk_job_errors_truncated{jobId="Job:0"} 0"#,
            r#"grid_bulk_job_first_seen_timestamp_seconds{jobId="Job:0"} 1755268320.250"#,
            r#"grid_bulk_job_status_since_timestamp_seconds{jobId="Job:0"} 1755268320.250"#,
            r#"grid_bulk_job_last_change_timestamp_seconds{jobId="Job:0"} 1755268320.250"#,
            r#"grid_bulk_job_poll_success{jobId="Job:0"} 1"#,
            r#"grid_bulk_job_poll_success{jobId="Job:1"} 0"#,
            r#"grid_bulk_job_last_poll_success_timestamp_seconds{jobId="Job:0"} 1755268320.250"#,
            r#"grid_bulk_job_info{jobId="Job:0",team="t\"0\n"} 1"#,
            r#"grid_bulk_job_info{jobId="Job:1",team="t\"1\n"} 1"#,
            r#"grid_bulk_jobs{status="PENDING"} 0"#,
            r#"grid_bulk_jobs{status="PROCESSING"} 1"#,
            r#"grid_bulk_jobs{status="COMPLETED"} 0"#,
            r#"grid_bulk_jobs{status="FAILED"} 0"#,
            r#"grid_bulk_jobs{status="UNKNOWN"} 0"#,
            r#"grid_bulk_jobs{status="UNPOLLED"} 1"#,
            r#"grid_bulk_rows_total{result="successful"} 0"#,
            r#"grid_bulk_rows_total{result="failed"} 0"#,
        ]
    );
}

#[test]
fn samples_of_a_family_stand_together_over_many_pages() {
    let (store, exposition) = exposition(200);
    for number in 0..200 {
        store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), NOW);
    }
    exposition.refresh();
    let text = text(&exposition);
    let mut families = Vec::new();
    for line in text.lines() {
        let name = if let Some(comment) = line.strip_prefix("# ") {
            comment.split(' ').nth(1).unwrap()
        } else {
            line.split(['{', ' ']).next().unwrap()
        };
        if families.last() != Some(&name) {
            families.push(name);
        }
    }
    let mut distinct = families.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(families.len(), distinct.len(), "no family stands in two places");
    assert_eq!(text.lines().filter(|line| line.starts_with("grid_bulk_job_failed_rows{")).count(), 200);
}

#[test]
fn a_job_that_leaves_takes_all_its_series_along() {
    let (store, exposition) = exposition(130);
    let id = "Job:129".parse().unwrap();
    store.apply(&id, Outcome::Read(reading()), NOW);
    exposition.refresh();
    assert!(text(&exposition).contains("Job:129"));
    store.leave(&[id]);
    exposition.refresh();
    let text = text(&exposition);
    assert!(!text.contains("Job:129"));
    assert!(text.contains("Job:128"));
}

#[test]
fn a_scrape_under_way_goes_on_showing_its_moment() {
    let (store, exposition) = exposition(1);
    let id = "Job:0".parse().unwrap();
    store.apply(&id, Outcome::Read(reading()), NOW);
    exposition.refresh();
    let before = text(&exposition);
    let under_way = exposition.scrape(Encoding::Identity);
    let progress = Progress { total: 5000.0, processed: 5000.0, successful: 0.0, failed: 5000.0 };
    store.apply(&id, Outcome::Read(JobReading { progress: Some(progress), ..reading() }), NOW);
    exposition.refresh();
    let shown = futures_util::FutureExt::now_or_never(under_way.collect()).unwrap().unwrap().to_bytes();
    assert_eq!(shown, before.as_bytes());
    assert_ne!(text(&exposition), before);
}

#[test]
fn an_unchanged_store_renders_nothing() {
    let (_store, exposition) = exposition(100);
    body(&exposition, Encoding::Identity);
    let before = exposition.moment.load_full();
    exposition.refresh();
    body(&exposition, Encoding::Identity);
    assert!(Arc::ptr_eq(&before, &exposition.moment.load_full()));
}

#[test]
fn one_change_renders_one_page() {
    let (store, exposition) = exposition(640);
    body(&exposition, Encoding::Identity);
    let before = kept(&exposition, Layout::Text).unwrap();
    store.apply(&"Job:70".parse().unwrap(), failed(), NOW);
    exposition.refresh();
    let (differing, _) = made_anew(&before, &kept(&exposition, Layout::Text).unwrap(), Encoding::Gzip);
    assert!(differing <= text_families_per_page() + 3, "{differing} segments were rendered anew");
    assert!(differing >= 2, "the page's info and poll_success");
}

fn failed() -> Outcome {
    Outcome::Failed { reason: PollFailure::Dns, message: String::new(), asked: true }
}

const fn text_families_per_page() -> usize {
    crate::telemetry::families::JOB_FAMILIES.len()
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asked_for_is_not_kept_and_what_nobody_asks_for_any_more_is_dropped() {
    let (store, exposition) = exposition(10);
    let kept_now = || {
        let of = |layout| {
            let rendered = kept(&exposition, layout);
            let has = |encoding| {
                rendered.as_ref().is_some_and(|rendered| {
                    let strips = strips(rendered);
                    let holds = |strip: &&strip::Strip| !strip.bytes(encoding).is_empty();
                    assert_eq!(strips.iter().any(holds), rendered.is_ready(encoding), "{encoding:?}");
                    rendered.is_ready(encoding)
                })
            };
            Encoding::ALL.map(has)
        };
        [of(Layout::Text), of(Layout::Protobuf)]
    };
    let touch = || {
        store.apply(&"Job:1".parse().unwrap(), failed(), NOW);
        exposition.refresh();
    };
    let protobuf = |encoding| Wanted { format: Format::Protobuf, encoding, ..Wanted::default() };
    touch();
    assert_eq!(kept_now(), [[false; 3]; 2], "nobody asked yet");
    body(&exposition, Encoding::Gzip);
    assert_eq!(kept_now(), [[true, true, false], [false; 3]]);
    touch();
    assert_eq!(kept_now(), [[true, true, false], [false; 3]], "kept up to date off the scrape's path");
    tokio::time::advance(KEEP_UNUSED / 2).await;
    body(&exposition, protobuf(Encoding::Zstd));
    touch();
    assert_eq!(kept_now(), [[true, true, false], [true, false, true]]);
    tokio::time::advance(KEEP_UNUSED / 2).await;
    touch();
    assert_eq!(kept_now(), [[false; 3], [true, false, true]], "gzip and text were not asked for in a while");
    body(&exposition, protobuf(Encoding::Identity));
    tokio::time::advance(KEEP_UNUSED / 2).await;
    exposition.refresh();
    assert_eq!(kept_now(), [[false; 3], [true, false, false]], "without a change too");
    let sent = exposition.own_sent.lock().unwrap();
    assert_eq!(sent.keys().collect::<Vec<_>>(), [&(Shape::Protobuf, Encoding::Identity)], "nor own metrics");
}

#[tokio::test(start_paused = true)]
async fn unused_bytes_go_while_nothing_changes() {
    let (_store, exposition) = exposition(10);
    let exposition = Arc::new(exposition);
    let task = tokio::spawn(Arc::clone(&exposition).keep_fresh());
    body(&exposition, Encoding::Gzip);
    while kept(&exposition, Layout::Text).is_some() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    task.abort();
}

#[test]
fn no_format_sends_more_than_text() {
    let (store, exposition) = exposition(2000);
    for number in 0..2000 {
        store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), NOW);
    }
    let length = |format, encoding| {
        let wanted = Wanted { format, encoding, ..Wanted::default() };
        exposition.scrape(wanted).length()
    };
    for encoding in Encoding::ALL {
        let text = length(Format::Text004, encoding);
        assert_eq!(length(Format::Text100, encoding), text);
        // OpenMetrics has exemplars and its end in addition.
        assert!(length(Format::OpenMetrics100, encoding) < text + 200);
        assert!(length(Format::Protobuf, encoding) < text, "{encoding:?}");
    }
}

#[test]
fn all_layouts_show_the_same_moment() {
    let (store, exposition) = exposition(200);
    let processed = |exposition: &Exposition| {
        let named = Families::named(["grid_bulk_jobs"]);
        let message = plain(exposition, Format::Protobuf, &named);
        let processing = message.windows(10).position(|bytes| bytes == b"PROCESSING").unwrap();
        // Behind the label: the gauge and its value.
        let value = message[processing + 10 + 3..][..8].try_into().unwrap();
        let text = String::from_utf8(plain(exposition, Format::Text004, &named)).unwrap();
        let line = text.lines().find(|line| line.contains("PROCESSING")).unwrap().to_owned();
        (f64::from_le_bytes(value), line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    assert_eq!(processed(&exposition), (0.0, 0.0));
    store.apply(&"Job:7".parse().unwrap(), Outcome::Read(reading()), NOW);
    assert_eq!(processed(&exposition), (0.0, 0.0), "not yet refreshed");
    exposition.refresh();
    assert_eq!(processed(&exposition), (1.0, 1.0));
    store.apply(&"Job:8".parse().unwrap(), Outcome::Read(reading()), NOW);
    // A format that is made anew takes the others along.
    exposition.moment.rcu(|moment| [moment[0].clone(), None]);
    assert_eq!(processed(&exposition), (2.0, 2.0));
}

#[test]
fn a_scrape_that_no_change_came_before_makes_nothing_of_jobs_anew() {
    let (store, exposition) = exposition(2000);
    for number in 0..2000 {
        store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), NOW);
    }
    exposition.refresh();
    body(&exposition, Encoding::Gzip);
    let before = exposition.moment.load_full();
    for encoding in [Encoding::Gzip, Encoding::Identity, Encoding::Gzip] {
        body(&exposition, encoding);
        exposition.refresh();
    }
    let after = exposition.moment.load_full();
    assert!(Arc::ptr_eq(&before, &after), "the very same bytes, plain and deflated");
}

#[test]
fn a_scrape_sends_the_very_memory_of_what_is_kept_and_makes_none_of_its_own() {
    use bytes::Buf;
    let (store, exposition) = exposition(2000);
    for number in 0..2000 {
        store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), NOW);
    }
    let some = Families::named(["grid_bulk_job_status", "grid_bulk_job_info", "grid_bulk_jobs"]);
    for format in [Format::Text004, Format::OpenMetrics100, Format::Protobuf] {
        for encoding in Encoding::ALL {
            for families in [&Families::default(), &some] {
                let wanted = || Wanted { format, encoding, families: families.clone() };
                body(&exposition, wanted());
                let kept = kept(&exposition, Shape::of(format).layout()).unwrap();
                let memory: HashMap<_, _> = strips(&kept)
                    .into_iter()
                    .map(|strip| (strip.bytes(encoding).as_ptr(), strip.bytes(encoding).len()))
                    .collect();
                let (mut parts, mut shared, mut rest) = (frame(&exposition, wanted()), 0, 0);
                while parts.has_remaining() {
                    let part = parts.chunk();
                    if memory.get(&part.as_ptr()) == Some(&part.len()) {
                        shared += 1;
                    } else {
                        rest += part.len();
                    }
                    parts.advance(parts.chunk().len());
                }
                assert!(shared > 5, "{format:?} {encoding:?}");
                // The head and the end of a member, an empty frame, the end of OpenMetrics.
                assert!(rest < 50, "{format:?} {encoding:?}: {rest} bytes are not those that are kept");
            }
        }
    }
}

fn frame(exposition: &Exposition, wanted: impl Into<Wanted>) -> body::Parts {
    let mut scrape = exposition.scrape(wanted);
    let frame = futures_util::FutureExt::now_or_never(scrape.frame()).unwrap().unwrap().unwrap();
    frame.into_data().unwrap()
}

#[test]
fn scrapes_at_once_in_all_forms_are_whole_and_show_what_was_counted_before_them() {
    let store = Store::new(NOW);
    store.join((0..300).map(new_job).collect(), CountFrom::FirstReading);
    let clock: crate::clock::SharedClock = Arc::new(crate::clock::SystemClock);
    let own = crate::telemetry::own::OwnMetrics::new(&clock).unwrap();
    let exposition = Exposition::new(store.clone(), own.registry.clone());
    let some = Families::named(["grid_bulk_polls_total", "grid_bulk_jobs"]);
    let scrape = |step: usize| {
        let encoding = Encoding::ALL[step % 3];
        let format = [Format::Text004, Format::OpenMetrics100][step / 3 % 2];
        let families = if (step / 6).is_multiple_of(2) { Families::default() } else { some.clone() };
        let before = own.poll.polls.get();
        let sent = body(&exposition, Wanted { format, encoding, families });
        let after = own.poll.polls.get();
        let text = unpacked(&sent, encoding);
        let line = text.lines().find_map(|line| line.strip_prefix("grid_bulk_polls_total ")).unwrap();
        let shown: u64 = line.parse().unwrap();
        assert!((before..=after).contains(&shown), "{shown} is not from {before} to {after}: {step}");
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let scrape = &scrape;
            scope.spawn(move || (0..30).for_each(|step| scrape(step * 5 + thread)));
        }
        for number in 0..100 {
            own.poll.polls.inc();
            own.api.request_duration.observe(0.01);
            own.api.count_request(Some(500 + number % 7));
            let id = format!("Job:{number}").parse().unwrap();
            store.apply(&id, Outcome::Read(reading()), NOW);
            exposition.refresh();
        }
    });
}

fn unpacked(sent: &[u8], encoding: Encoding) -> String {
    let mut plain = Vec::new();
    match encoding {
        Encoding::Identity => plain.extend_from_slice(sent),
        Encoding::Gzip => {
            let mut member = GzDecoder::new(sent);
            member.read_to_end(&mut plain).unwrap();
            assert!(member.into_inner().is_empty(), "one member and nothing behind it");
        }
        Encoding::Zstd => plain = ::zstd::stream::decode_all(sent).unwrap(),
    }
    String::from_utf8(plain).unwrap()
}

/// Plain and compressed strips that are not the same memory as before.
fn made_anew(before: &Rendered, after: &Rendered, encoding: Encoding) -> (usize, usize) {
    let (before, after) = (strips(before), strips(after));
    let differing = |encoding| {
        let pairs = before.iter().zip(&after);
        pairs
            .filter(|(before, after)| before.bytes(encoding).as_ptr() != after.bytes(encoding).as_ptr())
            .count()
    };
    (differing(Encoding::Identity), differing(encoding))
}

#[test]
fn a_poll_that_only_moves_the_time_of_the_last_poll_makes_one_strip_anew() {
    for (format, layout, encoding) in [
        (Format::Text004, Layout::Text, Encoding::Gzip),
        (Format::OpenMetrics100, Layout::Text, Encoding::Zstd),
        (Format::Protobuf, Layout::Protobuf, Encoding::Gzip),
        (Format::Protobuf, Layout::Protobuf, Encoding::Zstd),
    ] {
        let (store, exposition) = exposition(5000);
        for number in 0..5000 {
            store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), NOW);
        }
        body(&exposition, Wanted { format, encoding, ..Wanted::default() });
        let before = kept(&exposition, layout).unwrap();
        let later = UnixTime::from_millis(NOW.as_millis() + 30_000);
        // Neighbours, as the poller asks for them.
        for number in 3000..3050 {
            store.apply(&format!("Job:{number}").parse().unwrap(), Outcome::Read(reading()), later);
        }
        exposition.refresh();
        // The strip with the time, and the sums over all jobs: three strips of text, two of messages.
        let sums = if layout == Layout::Text { 3 } else { 2 };
        let after = kept(&exposition, layout).unwrap();
        assert_eq!(made_anew(&before, &after, encoding), (1 + sums, 1 + sums), "{format:?} {encoding:?}");
    }
}

#[test]
fn pages_that_were_replaced_piece_by_piece_are_as_if_rendered_whole() {
    let (store, exposition) = exposition(3000);
    body(&exposition, Encoding::Gzip);
    let id = |number: u32| -> crate::job::JobId { format!("Job:{number}").parse().unwrap() };
    // A walk that touches pages in no order, with jobs that come and go and a page that empties.
    for step in 0..60_u32 {
        let job = step * 7919 % 3000;
        store.apply(&id(job), Outcome::Read(reading()), NOW);
        if step % 3 == 0 {
            store.leave(&[id((step * 104_729) % 3000)]);
        }
        if step % 5 == 0 {
            store.join(vec![new_job(usize::try_from(5000 + step).unwrap())], CountFrom::Zero);
        }
        if step == 50 {
            store.leave(&(2900..3000).map(id).collect::<Vec<_>>());
        }
        exposition.refresh();
    }
    let mut expected: [Vec<u8>; text_families_per_page()] = Default::default();
    let names: Vec<_> = ["team".parse().unwrap()].into();
    for job in store.jobs().0 {
        text::append_job(&job, &names, &mut expected);
    }
    let expected: Vec<_> =
        expected.iter().flat_map(|family| family.split_inclusive(|b| *b == b'\n')).collect();
    let shown = text(&exposition);
    let shown: Vec<_> =
        shown.split_inclusive('\n').filter(|line| line.starts_with("grid_bulk_job_")).collect();
    assert_eq!(shown.len(), expected.len());
    assert!(shown.iter().zip(&expected).all(|(shown, expected)| shown.as_bytes() == *expected));
}

#[test]
fn a_body_is_the_same_however_much_of_it_a_connection_takes_at_once() {
    use bytes::Buf;
    let (store, exposition) = exposition(300);
    store.apply(&"Job:7".parse().unwrap(), Outcome::Read(reading()), NOW);
    exposition.refresh();
    let whole = body(&exposition, Encoding::Identity);
    for takes in [1, 7, 4096, 1 << 20] {
        let mut parts = frame(&exposition, Encoding::Identity);
        let mut taken = Vec::new();
        while parts.has_remaining() {
            let mut slices = [std::io::IoSlice::new(&[]); 64];
            let filled = parts.chunks_vectored(&mut slices);
            assert!(slices[..filled].iter().all(|slice| !slice.is_empty()));
            let offered: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
            assert!(offered.starts_with(parts.chunk()));
            let length = takes.min(offered.len());
            taken.extend_from_slice(&offered[..length]);
            parts.advance(length);
        }
        assert!(taken == whole, "{takes} bytes at once");
    }
}
