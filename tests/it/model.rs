//! Random sequences of what the API may say and what may happen to the set of jobs, against a model that is written
//! without a look at the store: no sequence breaks a rule of the metrics.

use crate::exposition::reading::Reading;
use crate::support::scrape::{Sample, Scrape};
use futures_util::FutureExt as _;
use grid_bulk_exporter::clock::UnixTime;
use grid_bulk_exporter::exposition::negotiate::Format;
use grid_bulk_exporter::exposition::{Exposition, Wanted};
use grid_bulk_exporter::job::{
    CompletedAt, JobId, JobReading, Labels, PollFailure, Progress, ReportedStatus,
};
use grid_bulk_exporter::store::{CountFrom, NewJob, Outcome, Store};
use grid_bulk_exporter::telemetry::registry::OwnRegistry;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

const BEGAN: i64 = 1_755_268_320_000;
const CODE_LIMIT: usize = 3;
const STATUSES: [&str; 5] = ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "UNKNOWN"];

#[derive(Clone, Debug)]
enum Event {
    Joins { from_zero: bool },
    Leaves,
    Fails { asked: bool },
    Unchanged,
    Reads(Said),
}

/// What the API says.
#[derive(Clone, Debug)]
struct Said {
    status: &'static str,
    /// total, processed, successful, failed
    counts: Option<[f64; 4]>,
    codes: Vec<&'static str>,
    /// Seconds after the process began.
    completed: Option<i64>,
    truncated: bool,
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (0_u32..200).prop_map(f64::from),
        1 => prop::sample::select(vec![-1.0, 0.5, 1e30, f64::MAX, -0.0, 9_007_199_254_740_992.0, 9_007_199_254_740_994.0]),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let words = ["PENDING", "PROCESSING", "PROCESSING", "PROCESSING", "COMPLETED", "FAILED", "PAUSED"];
    let codes = ["A", "B", "C", "D", "other", "unspecified", "two words"];
    (
        prop::sample::select(words.to_vec()),
        prop::option::weighted(0.9, [count(), count(), count(), count()]),
        prop::collection::vec(prop::sample::select(codes.to_vec()), 0..5),
        prop::option::weighted(0.3, -100_i64..100),
        any::<bool>(),
    )
        .prop_map(|(status, counts, codes, completed, truncated)| Said {
            status,
            counts,
            codes,
            completed,
            truncated,
        })
}

fn event() -> impl Strategy<Value = (usize, Event)> {
    let event = prop_oneof![
        2 => any::<bool>().prop_map(|from_zero| Event::Joins { from_zero }),
        1 => Just(Event::Leaves),
        2 => any::<bool>().prop_map(|asked| Event::Fails { asked }),
        1 => Just(Event::Unchanged),
        8 => said().prop_map(Event::Reads),
    ];
    (0_usize..4, event)
}

/// What the rules say of one job in the set.
#[derive(Clone, Debug, Default)]
struct Known {
    tried: bool,
    fails: bool,
    status: Option<&'static str>,
    counts: Option<[f64; 4]>,
    truncated: bool,
    last_success: Option<i64>,
    /// Codes in the order in which they came, with their latest numbers.
    codes: Vec<(String, u64)>,
}

/// How far one count of a job came: where it began to count, and the most it showed.
type Reach = Option<(u64, u64)>;

#[derive(Debug, Default)]
struct Model {
    jobs: BTreeMap<usize, Known>,
    /// Of each job that was ever seen, also after it left: whether it counts from zero, and its two counts.
    reach: BTreeMap<usize, (bool, [Reach; 2])>,
}

/// A number that has no fraction and is not negative.
fn whole(number: f64) -> u64 {
    format!("{}", number.abs()).parse().expect("a whole number")
}

fn is_ended(status: &str) -> bool {
    matches!(status, "COMPLETED" | "FAILED")
}

impl Model {
    fn happens(&mut self, job: usize, event: &Event, now: i64) {
        match event {
            Event::Joins { from_zero } => {
                if let Entry::Vacant(place) = self.jobs.entry(job) {
                    place.insert(Known::default());
                    self.reach.entry(job).or_insert((*from_zero, [None, None]));
                }
                return;
            }
            Event::Leaves => {
                self.jobs.remove(&job);
                if self.reach.get(&job).is_some_and(|(_, reach)| *reach == [None, None]) {
                    self.reach.remove(&job);
                }
                return;
            }
            _ => {}
        }
        let Some(known) = self.jobs.get_mut(&job) else { return };
        known.tried = true;
        known.fails = matches!(event, Event::Fails { .. });
        if known.fails {
            return;
        }
        known.last_success = Some(now);
        let Event::Reads(said) = event else { return };
        if known.status.is_some_and(is_ended) && !is_ended(said.status) {
            return;
        }
        known.status = Some(if STATUSES.contains(&said.status) { said.status } else { "UNKNOWN" });
        known.counts = said.counts.or(known.counts);
        known.truncated = said.truncated;
        known.count_codes(&said.codes);
        let ended_before = is_ended(said.status) && said.completed.is_some_and(|second| second < 0);
        let Some((from_zero, reach)) = self.reach.get_mut(&job) else { return };
        let Some([_, _, successful, failed]) = known.counts else { return };
        for (reach, count) in reach.iter_mut().zip([successful, failed]) {
            if count < 0.0 || count.fract() != 0.0 || count > 9_007_199_254_740_992.0 {
                continue;
            }
            let count = whole(count);
            let start = if *from_zero && !ended_before { 0 } else { count };
            let (start, most) = reach.unwrap_or((start, start));
            *reach = Some((start, most.max(count)));
        }
    }

    fn rows(&self, result: usize) -> u64 {
        self.reach.values().filter_map(|(_, reach)| reach[result]).map(|(start, most)| most - start).sum()
    }
}

impl Known {
    fn count_codes(&mut self, codes: &[&str]) {
        self.codes.iter_mut().for_each(|(_, number)| *number = 0);
        for code in codes {
            let collective = |code: &str| code == "other" || code == "unspecified";
            let named = self.codes.iter().filter(|(code, _)| !collective(code)).count();
            let is_known = self.codes.iter().any(|(known, _)| known == code);
            let has_room = collective(code) || (named < CODE_LIMIT && !code.contains(' '));
            let shown = if is_known || has_room { *code } else { "other" };
            match self.codes.iter_mut().find(|(known, _)| known == shown) {
                Some((_, number)) => *number += 1,
                None => self.codes.push((shown.to_owned(), 1)),
            }
        }
    }
}

fn id(job: usize) -> JobId {
    format!("Job:{job}").parse().unwrap()
}

fn new_job(id: JobId, labels: Labels) -> NewJob {
    NewJob { id, labels, sources: vec!["jobs"] }
}

/// Does to the store what the poller would do.
fn apply(store: &Store, job: usize, event: &Event, now: UnixTime) {
    let id = id(job);
    let outcome = match event {
        Event::Joins { from_zero } => {
            let from = if *from_zero { CountFrom::Zero } else { CountFrom::FirstReading };
            return store.join(vec![new_job(id, Labels::default())], from);
        }
        Event::Leaves => return store.leave(&[id]),
        Event::Fails { asked } => {
            Outcome::Failed { reason: PollFailure::Timeout, message: "no answer".to_owned(), asked: *asked }
        }
        Event::Unchanged => Outcome::Unchanged,
        Event::Reads(said) => {
            let mut errors = store.tally_for(&id, CODE_LIMIT);
            said.codes.iter().for_each(|code| errors.count(Some(code)));
            let progress = said.counts.map(|[total, processed, successful, failed]| Progress {
                total,
                processed,
                successful,
                failed,
            });
            let completed = said.completed.map(|second| UnixTime::from_millis(BEGAN + second * 1000));
            Outcome::Read(JobReading {
                status: ReportedStatus::from_word(said.status),
                progress,
                errors,
                errors_truncated: said.truncated,
                completed_at: completed.map_or(CompletedAt::Absent, CompletedAt::At),
            })
        }
    };
    store.apply(&id, outcome, now);
}

/// A scrape as text, of which protobuf shows the same.
fn scrape(exposition: &Exposition) -> Scrape {
    exposition.refresh();
    let body = |format| {
        let body = exposition.scrape(Wanted { format, ..Wanted::default() });
        body.collect().now_or_never().unwrap().unwrap().to_bytes()
    };
    let scrape = Scrape::parse(std::str::from_utf8(&body(Format::Text004)).unwrap());
    let messages = Reading::by_protobuf(&body(Format::Protobuf)).samples;
    assert_eq!(scrape.samples.len(), messages.len());
    for Sample { name, labels, value } in &scrape.samples {
        let mut series = (name.clone(), labels.clone());
        series.1.retain(|_, value| !value.is_empty());
        assert_eq!(messages.get(&series), Some(value), "{series:?}");
    }
    scrape
}

fn check(model: &Model, scrape: &Scrape) {
    let expected: Vec<_> = model.jobs.keys().map(|job| format!("Job:{job}")).collect();
    assert_eq!(scrape.job_ids(), expected);
    let named: BTreeSet<_> = scrape.samples.iter().filter_map(|sample| sample.labels.get("jobId")).collect();
    assert!(named.iter().all(|id| expected.contains(id)), "a job that left takes all its series along");
    let sum: f64 = scrape.series("grid_bulk_jobs", &[]).map(|sample| sample.value).sum();
    assert_eq!(sum, model.jobs.len() as f64, "the sum over the statuses is the set");
    for (result, name) in ["successful", "failed"].into_iter().enumerate() {
        let rows = scrape.value("grid_bulk_rows_total", &[("result", name)]);
        assert_eq!(rows, Some(model.rows(result) as f64), "{name} rows");
    }
    for (job, known) in &model.jobs {
        check_job(&format!("Job:{job}"), known, scrape);
    }
}

fn check_job(id: &str, known: &Known, scrape: &Scrape) {
    // `status` panics where two are at 1.
    assert_eq!(scrape.status(id).as_deref(), known.status);
    let statuses = scrape.series("grid_bulk_job_status", &[("jobId", id)]).count();
    assert_eq!(statuses, if known.status.is_some() { 5 } else { 0 });
    let shown = ["total", "processed", "successful", "failed"]
        .map(|name| scrape.of_job(&format!("grid_bulk_job_{name}_rows"), id));
    assert_eq!(shown, known.counts.map_or([None; 4], |counts| counts.map(Some)));
    let success = known.tried.then(|| f64::from(!known.fails));
    assert_eq!(scrape.of_job("grid_bulk_job_poll_success", id), success);
    let last = known.last_success.map(|millis| millis as f64 / 1000.0);
    assert_eq!(scrape.of_job("grid_bulk_job_last_poll_success_timestamp_seconds", id), last);
    let truncated = known.status.map(|_| f64::from(known.truncated));
    assert_eq!(scrape.of_job("grid_bulk_job_errors_truncated", id), truncated);
    let codes: Vec<_> = scrape
        .series("grid_bulk_job_error_entries", &[("jobId", id)])
        .map(|sample| (sample.labels["code"].clone(), whole(sample.value)))
        .collect();
    assert_eq!(codes, known.codes);
    let completed = scrape.of_job("grid_bulk_job_completed_timestamp_seconds", id);
    assert!(completed.is_none() || known.status.is_some_and(is_ended));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_answers_breaks_a_rule_of_the_metrics(events in prop::collection::vec(event(), 1..60)) {
        let store = Store::new(UnixTime::from_millis(BEGAN));
        let exposition = Exposition::new(store.clone(), OwnRegistry::default());
        let mut model = Model::default();
        let mut rows = [0.0; 2];
        for (second, (job, event)) in (1..).zip(&events) {
            let now = BEGAN + second * 1000;
            let ended_before = model.jobs.get(job).and_then(|known| known.status).is_some_and(is_ended);
            apply(&store, *job, event, UnixTime::from_millis(now));
            model.happens(*job, event, now);
            let scrape = scrape(&exposition);
            check(&model, &scrape);
            if ended_before && !matches!(event, Event::Leaves) {
                let status = scrape.status(&format!("Job:{job}")).unwrap();
                prop_assert!(is_ended(&status), "ended stays ended, not {status}");
            }
            for (result, before) in ["successful", "failed"].into_iter().zip(&mut rows) {
                let now = scrape.value("grid_bulk_rows_total", &[("result", result)]).unwrap();
                prop_assert!(now >= *before, "a counter fell from {before} to {now}");
                *before = now;
            }
        }
    }

    #[test]
    fn any_label_value_and_job_id_is_read_back_as_it_was(value in any::<String>(), id in r"[^\s\pC/]{1,40}") {
        prop_assume!(!value.is_empty());
        if let Ok(id) = id.parse::<JobId>() {
            assert_read_back(&[(id, value)]);
        }
    }
}

fn assert_read_back(jobs: &[(JobId, String)]) {
    let store = Store::new(UnixTime::from_millis(BEGAN));
    let name = || "team".parse().unwrap();
    let named =
        jobs.iter().map(|(id, value)| new_job(id.clone(), [(name(), value.clone())].into_iter().collect()));
    store.join(named.collect(), CountFrom::Zero);
    let scrape = scrape(&Exposition::new(store, OwnRegistry::default()));
    for (id, value) in jobs {
        let id = id.as_str();
        let of_this_job = [("jobId", id)];
        let info =
            scrape.series("grid_bulk_job_info", &of_this_job).next().unwrap_or_else(|| panic!("{id:?}"));
        assert!(info.labels["team"] == *value, "{:?} is not {value:?}", info.labels["team"]);
    }
}

#[test]
fn every_character_of_unicode_is_read_back_as_it_was() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let jobs: Vec<_> = all
        .chunks(4096)
        .enumerate()
        .map(|(number, characters)| (id(number), characters.iter().collect::<String>()))
        .collect();
    assert_read_back(&jobs);
    for odd in ["\\", "\"", "\n", "\r\n", "\\n", "\"} 1\n", "\u{feff}", "\u{2028}", "a,b=\"c\""] {
        assert_read_back(&[(id(0), odd.to_owned())]);
    }
}
