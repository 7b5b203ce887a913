//! The course of a simulated job: what is decided beforehand, and the state that follows from it at any time.
//!
//! Pure: a poll asks for the state at a moment, and nothing ticks in between. So 100,000 jobs cost nothing while
//! nobody asks, and the same seed gives the same answers in every run. Times are simulated seconds; counts never
//! fall, and `successful` + `failed` is `processed` at every moment.

use crate::job::Status;
use crate::sim::seed::fraction;
use std::f64::consts::TAU;
use std::sync::Arc;

/// How a job runs. Times in simulated seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Rows in the file.
    pub rows: u64,
    /// Rows a second while it runs; above 0.
    pub rows_per_second: f64,
    /// When it leaves PENDING, since the simulator's start; negative: it began before.
    pub starts_at: f64,
    /// How much the speed swings, 0 (even) to 0.9.
    pub wobble: f64,
    /// Share of rows that fail outside of spikes, 0 to 1.
    pub failing_share: f64,
    /// The code of all its failures; nothing: varied ones.
    pub code: Option<Arc<str>>,
    /// The column that `invalid_csv_format` names.
    pub column: Option<Arc<str>>,
    /// Entries of `errors` in the nested form `{correlationId, error: {code, …}}`.
    pub nested_entries: bool,
    /// Times in which more rows fail.
    pub spikes: Vec<Spike>,
    /// Times in which nothing is processed.
    pub stalls: Vec<Stall>,
    /// How it ends.
    pub ending: Ending,
}

/// A time in which more rows fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Spike {
    /// When it begins, in seconds since the job's start.
    pub at: f64,
    /// How long it lasts, in seconds.
    pub lasts: f64,
    /// How many rows fail in it.
    pub failing: Failing,
    /// The code of these failures; nothing: varied ones.
    pub code: Option<Arc<str>>,
}

/// How many rows of a spike fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failing {
    /// A share of them, 0 to 1.
    Share(f64),
    /// So many, spread evenly; at most all that the spike has.
    Rows(u64),
}

/// A time in which nothing is processed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// When it begins, in seconds since the job's start.
    pub at: f64,
    /// How long it lasts, in seconds; infinite: for good.
    pub lasts: f64,
}

/// How a job ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// COMPLETED once all rows are processed.
    Completed,
    /// FAILED once all rows are processed, or `after` so many seconds since the job's start, whichever is first.
    Failed {
        /// Seconds since the job's start; nothing: only after the last row.
        after: Option<f64>,
    },
    /// Stays PENDING for good.
    NeverStarts,
}

impl Default for Course {
    /// 1,000 rows at 20 a second, all well.
    fn default() -> Self {
        Self {
            rows: 1000,
            rows_per_second: 20.0,
            starts_at: 0.0,
            wobble: 0.0,
            failing_share: 0.0,
            code: None,
            column: None,
            nested_entries: false,
            spikes: Vec::new(),
            stalls: Vec::new(),
            ending: Ending::Completed,
        }
    }
}

/// A job at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobState {
    /// PENDING, PROCESSING, COMPLETED or FAILED.
    pub status: Status,
    /// Rows in the file; 0 while PENDING, as in the API's example.
    pub total: u64,
    /// Rows done.
    pub processed: u64,
    /// Rows that failed, part of `processed`.
    pub failed: u64,
    /// When it ended, in simulated seconds since the simulator's start.
    pub ended_at: Option<f64>,
}

impl JobState {
    /// Customers created: processed, not failed.
    #[must_use]
    pub const fn successful(&self) -> u64 {
        self.processed - self.failed
    }
}

/// Rows that fail at the same share and with the same code.
#[derive(Clone, Debug)]
struct Segment {
    end: u64,
    share: f64,
    code: Option<Arc<str>>,
    /// Failed rows in all segments before.
    failed_before: u64,
    first: u64,
}

/// A course with what follows from it worked out: made once a job, asked at each poll.
#[derive(Clone, Debug)]
pub struct Plan {
    course: Course,
    job_seed: u64,
    /// Where in the beat of failing rows a segment begins, above 0 and under 1.
    phase: f64,
    segments: Vec<Segment>,
    /// When the job ends, in seconds since its start; nothing: never.
    ends_after: Option<f64>,
}

/// One swing of the speed, in simulated seconds.
const SWING: f64 = 40.0;

impl Plan {
    /// Works out a course; `job_seed` makes jobs of the same course differ in details.
    #[must_use]
    pub fn new(mut course: Course, job_seed: u64) -> Self {
        course.rows_per_second = course.rows_per_second.max(f64::MIN_POSITIVE);
        course.wobble = course.wobble.clamp(0.0, 0.9);
        course.stalls.sort_by(|one, other| one.at.total_cmp(&other.at));
        course.spikes.sort_by(|one, other| one.at.total_cmp(&other.at));
        let phase = 0.05 + 0.9 * fraction(&[job_seed, 1]);
        let mut plan = Self { course, job_seed, phase, segments: Vec::new(), ends_after: None };
        plan.segments = plan.cut_into_segments();
        plan.ends_after = plan.find_end();
        plan
    }

    /// The course it was made from.
    #[must_use]
    pub const fn course(&self) -> &Course {
        &self.course
    }

    /// The number by which this job's details differ from another's.
    #[must_use]
    pub const fn job_seed(&self) -> u64 {
        self.job_seed
    }

    /// When the job ends, in simulated seconds since the simulator's start; nothing: never.
    #[must_use]
    pub fn ends_at(&self) -> Option<f64> {
        self.ends_after.map(|after| self.course.starts_at + after)
    }

    /// The state at a moment, in simulated seconds since the simulator's start.
    #[must_use]
    pub fn state_at(&self, now: f64) -> JobState {
        let elapsed = now - self.course.starts_at;
        if elapsed < 0.0 || self.course.ending == Ending::NeverStarts {
            return JobState { status: Status::Pending, total: 0, processed: 0, failed: 0, ended_at: None };
        }
        let end = self.ends_after.filter(|after| *after <= elapsed);
        let processed = self.processed_after(end.unwrap_or(elapsed));
        let status = match (end, self.course.ending) {
            (None, _) => Status::Processing,
            (Some(_), Ending::Failed { .. }) => Status::Failed,
            (Some(_), Ending::Completed | Ending::NeverStarts) => Status::Completed,
        };
        JobState {
            status,
            total: self.course.rows,
            processed,
            failed: self.failed_among(processed),
            ended_at: end.map(|after| self.course.starts_at + after),
        }
    }

    /// The failed row of this number (0 for the first): its number in the file (1 for the first) and the code
    /// that the course gives it; nothing if there are not so many.
    #[must_use]
    pub fn failed_row(&self, index: u64) -> Option<(u64, Option<&Arc<str>>)> {
        let after = self.segments.partition_point(|segment| segment.failed_before <= index);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let (row, code) = self.failed_row_in(segment, index);
        (row <= segment.end).then_some((row, code))
    }

    fn failed_row_in<'a>(&self, segment: &'a Segment, index: u64) -> (u64, Option<&'a Arc<str>>) {
        let nth = (index - segment.failed_before + 1) as f64;
        (segment.first + whole(((nth - self.phase) / segment.share).ceil()), segment.code.as_ref())
    }

    /// Failed rows among the first `rows`.
    fn failed_among(&self, rows: u64) -> u64 {
        let after = self.segments.partition_point(|segment| segment.first < rows);
        let Some(segment) = after.checked_sub(1).and_then(|at| self.segments.get(at)) else { return 0 };
        segment.failed_before + self.failed_in(segment.share, rows.min(segment.end) - segment.first)
    }

    /// Failed ones among `rows` in a row of which a share fails: evenly spread, so that the number follows from
    /// the position alone.
    fn failed_in(&self, share: f64, rows: u64) -> u64 {
        whole((rows as f64).mul_add(share, self.phase)).min(rows)
    }

    /// Rows processed, `elapsed` seconds after the start.
    fn processed_after(&self, elapsed: f64) -> u64 {
        let stalled: f64 =
            self.course.stalls.iter().map(|stall| (elapsed - stall.at).clamp(0.0, stall.lasts)).sum();
        let worked = (elapsed - stalled).max(0.0);
        let swing = if self.course.wobble > 0.0 {
            // The derivative of worked + swing is 1 + wobble × cos(…): never negative, so counts never fall.
            let begin = TAU * fraction(&[self.job_seed, 2]);
            self.course.wobble * SWING / TAU * ((TAU * worked / SWING + begin).sin() - begin.sin())
        } else {
            0.0
        };
        // A millionth of a row more, lest 0.1 × 30 be 2.
        whole((worked + swing).mul_add(self.course.rows_per_second, 1e-6)).min(self.course.rows)
    }

    fn cut_into_segments(&self) -> Vec<Segment> {
        let mut segments = Vec::with_capacity(self.course.spikes.len() * 2 + 1);
        for spike in &self.course.spikes {
            let first = self.processed_after(spike.at.max(0.0));
            let end = self.processed_after((spike.at + spike.lasts).max(0.0));
            self.append_segment(&mut segments, first, self.course.failing_share, self.course.code.clone());
            let share = match spike.failing {
                Failing::Share(share) => share,
                Failing::Rows(rows) => rows as f64 / (end.saturating_sub(first).max(1)) as f64,
            };
            let code = spike.code.clone().or_else(|| self.course.code.clone());
            self.append_segment(&mut segments, end, share, code);
        }
        self.append_segment(
            &mut segments,
            self.course.rows,
            self.course.failing_share,
            self.course.code.clone(),
        );
        segments
    }

    fn append_segment(&self, segments: &mut Vec<Segment>, end: u64, share: f64, code: Option<Arc<str>>) {
        let (first, failed_before) = segments.last().map_or((0, 0), |last| {
            (last.end, last.failed_before + self.failed_in(last.share, last.end - last.first))
        });
        if end > first {
            segments.push(Segment { first, end, share: share.clamp(0.0, 1.0), code, failed_before });
        }
    }

    fn find_end(&self) -> Option<f64> {
        let given = match self.course.ending {
            Ending::NeverStarts => return None,
            Ending::Completed => None,
            Ending::Failed { after } => after.map(|after| after.max(0.0)),
        };
        let worked = self.finds_rows_done();
        match (given, worked) {
            (Some(given), Some(worked)) => Some(given.min(worked)),
            (given, worked) => given.or(worked),
        }
    }

    /// The first moment at which all rows are processed, by halving; nothing if a stall for good comes before.
    fn finds_rows_done(&self) -> Option<f64> {
        let stalled: f64 = self.course.stalls.iter().map(|s| s.lasts).filter(|l| l.is_finite()).sum();
        let mut late = self.course.rows as f64 / self.course.rows_per_second + stalled + SWING;
        if !late.is_finite() || self.processed_after(late) < self.course.rows {
            return None;
        }
        let mut early = 0.0;
        // A thousandth of a second is finer than what `completedAt` shows.
        while late - early > 0.0005 {
            let middle = f64::midpoint(early, late);
            if middle <= early || middle >= late {
                break;
            }
            if self.processed_after(middle) < self.course.rows { early = middle } else { late = middle }
        }
        Some(late)
    }
}

/// A float that is not negative, cut to a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is meant")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spiky() -> Plan {
        let course = Course {
            rows: 5000,
            rows_per_second: 50.0,
            starts_at: 10.0,
            wobble: 0.4,
            failing_share: 0.01,
            spikes: vec![Spike {
                at: 30.0,
                lasts: 20.0,
                failing: Failing::Share(0.6),
                code: Some("DUPLICATE_CUSTOMER".into()),
            }],
            stalls: vec![Stall { at: 60.0, lasts: 15.0 }],
            ..Course::default()
        };
        Plan::new(course, 99)
    }

    #[test]
    fn counts_never_fall_and_always_add_up() {
        let plan = spiky();
        let mut before = plan.state_at(0.0);
        for tenth in 0..2000 {
            let state = plan.state_at(f64::from(tenth) / 10.0);
            assert!(state.processed >= before.processed && state.failed >= before.failed);
            assert!(state.processed <= state.total && state.failed <= state.processed);
            assert_eq!(state.successful() + state.failed, state.processed);
            before = state;
        }
        assert_eq!((before.status, before.processed), (Status::Completed, 5000));
    }

    #[test]
    fn a_job_is_pending_then_runs_then_ends_at_one_moment() {
        let plan = spiky();
        let pending = plan.state_at(9.9);
        assert_eq!((pending.status, pending.total, pending.ended_at), (Status::Pending, 0, None));
        let end = plan.ends_at().unwrap();
        assert_eq!(plan.state_at(end - 0.01).status, Status::Processing);
        let ended = plan.state_at(end);
        assert_eq!((ended.status, ended.ended_at), (Status::Completed, Some(end)));
        assert_eq!(plan.state_at(end + 1e6), ended, "what has ended stays");
    }

    #[test]
    fn a_spike_fails_its_share_and_nothing_of_it_outside() {
        let plan = spiky();
        let [start, before, after, end] = [10.0, 40.0, 60.0, 1e5].map(|at| plan.state_at(at));
        let share = |from: JobState, to: JobState| {
            (to.failed - from.failed) as f64 / (to.processed - from.processed) as f64
        };
        assert!(share(start, before) < 0.02, "{before:?}");
        assert!((0.58..0.62).contains(&share(before, after)), "{after:?}");
        assert!(share(after, end) < 0.02, "{end:?}");
    }

    #[test]
    fn a_spike_of_so_many_rows_fails_so_many() {
        let course = Course {
            rows: 1000,
            rows_per_second: 10.0,
            spikes: vec![Spike { at: 20.0, lasts: 30.0, failing: Failing::Rows(123), code: None }],
            ..Course::default()
        };
        assert_eq!(Plan::new(course, 5).state_at(1000.0).failed, 123);
    }

    #[test]
    fn nothing_moves_in_a_stall() {
        let plan = spiky();
        assert_eq!(plan.state_at(70.0).processed, plan.state_at(85.0).processed);
        assert!(plan.state_at(88.0).processed > plan.state_at(85.0).processed);
        let stuck = Course { stalls: vec![Stall { at: 5.0, lasts: f64::INFINITY }], ..Course::default() };
        let stuck = Plan::new(stuck, 1);
        assert_eq!(stuck.ends_at(), None);
        assert_eq!((stuck.state_at(1e9).status, stuck.state_at(1e9).processed), (Status::Processing, 100));
    }

    #[test]
    fn a_job_that_fails_stops_where_it_is() {
        let course = Course { ending: Ending::Failed { after: Some(10.0) }, ..Course::default() };
        let state = Plan::new(course, 1).state_at(11.0);
        assert_eq!((state.status, state.processed, state.ended_at), (Status::Failed, 200, Some(10.0)));
        let never = Course { ending: Ending::NeverStarts, ..Course::default() };
        assert_eq!(Plan::new(never, 1).state_at(1e9).status, Status::Pending);
    }

    #[test]
    fn each_failed_row_is_named_once_and_was_processed() {
        let plan = spiky();
        let state = plan.state_at(55.0);
        let rows: Vec<_> = (0..state.failed).map(|index| plan.failed_row(index).unwrap()).collect();
        assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(rows.iter().all(|(row, _)| (1..=state.processed).contains(row)));
        let spike = rows.iter().filter(|(_, code)| code.is_some()).count();
        assert!(spike > 250, "{spike}");
    }

    #[test]
    fn an_empty_file_ends_at_once() {
        let empty = Plan::new(Course { rows: 0, ..Course::default() }, 1);
        assert_eq!(empty.state_at(1.0).status, Status::Completed);
    }
}
