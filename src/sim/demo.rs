//! The imports of the demo: a dozen with names and teams, of every size and fate, and new ones as long as it runs.
//!
//! Used by `cli::demo`, which watches what [`imports_at`] names, and by the simulator, which answers for them.
//! Pure: everything follows from the seed and the time. Times are simulated seconds since the simulator's start;
//! some imports began before it, so that all four statuses are there from the first second.

use crate::sim::course::{Course, Ending, Failing, Plan, Spike, Stall};
use crate::sim::entry::INVALID_CSV;
use crate::sim::seed::{Series, between, fraction, job_id, mix};
use std::time::Duration;

/// So many imports are there at the start.
pub const AT_START: u64 = 12;

/// A new import comes each so many seconds.
pub const EVERY: f64 = 60.0;

/// A new import waits so long before its first row. Longer than [`EVERY`], so that one always waits.
const PENDING: f64 = 66.0;

/// The longest that an import runs: none older than this many newer ones needs to be looked at.
const LONGEST: u64 = 130;

/// An import of the demo.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoImport {
    /// Its number, 0 for the first.
    pub number: u64,
    /// The job's id at the simulated API.
    pub id: String,
    /// Its name, unique: `eu-launch`.
    pub name: String,
    /// Whose it is: `onboarding`.
    pub team: &'static str,
    /// When it is added to those watched.
    pub added_at: f64,
    /// How it runs.
    pub course: Course,
}

/// The imports to watch now, oldest first: those that run, and the ended ones among the latest twelve.
#[must_use]
pub fn imports_at(seed: u64, elapsed: Duration) -> Vec<DemoImport> {
    let now = elapsed.as_secs_f64();
    let newest = newest_at(now);
    let last_arrival = (now / EVERY).floor() * EVERY;
    (newest.saturating_sub(LONGEST)..=newest)
        .map(|number| import(seed, number))
        .filter(|import| {
            // Ended ones leave when a new one comes, never in between: so none comes back, and none leaves
            // before its end was seen.
            import.number + AT_START > newest
                || Plan::new(import.course.clone(), 0).ends_at().is_none_or(|end| end > last_arrival)
        })
        .collect()
}

/// The number of the newest import.
fn newest_at(now: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as meant")]
    let come = (now / EVERY) as u64;
    AT_START - 1 + come
}

/// The import that an id names, come or yet to come.
pub(crate) fn import_of_id(seed: u64, id: &str) -> Option<DemoImport> {
    let number = id.rsplit_once('-')?.1.parse().ok()?;
    (job_id(seed, Series::Demo, number) == id).then(|| import(seed, number))
}

/// The import of this number.
#[must_use]
pub fn import(seed: u64, number: u64) -> DemoImport {
    let id = job_id(seed, Series::Demo, number);
    if let Some((name, team, course)) = opening(number) {
        return DemoImport { number, id, name: name.to_owned(), team, added_at: 0.0, course };
    }
    let added_at = (number + 1).saturating_sub(AT_START) as f64 * EVERY;
    let (name, team) = name_of(seed, number);
    DemoImport { number, id, name, team, added_at, course: later_course(seed, number, added_at) }
}

/// The story of the first five minutes, by number.
fn opening(number: u64) -> Option<(&'static str, &'static str, Course)> {
    let course = |rows: u64, rows_per_second: f64, starts_at: f64, failing_share: f64| Course {
        rows,
        rows_per_second,
        starts_at,
        wobble: 0.4,
        failing_share,
        ..Course::default()
    };
    Some(match number {
        // Done before we look.
        0 => ("uk-pilot", "onboarding", course(1_200, 10.0, -720.0, 0.0)),
        1 => ("fr-retail", "growth", course(8_400, 30.0, -520.0, 0.004)),
        // The whole file is wrong.
        2 => {
            let whole_file = Course {
                failing_share: 1.0,
                code: Some(INVALID_CSV.into()),
                nested_entries: true,
                ending: Ending::Failed { after: None },
                ..course(180, 20.0, -130.0, 1.0)
            };
            ("mx-partners", "partners", whole_file)
        }
        // The clean one: big, done after four minutes.
        3 => ("eu-launch", "onboarding", course(24_000, 55.0, -200.0, 0.0)),
        // Goes well, then half of its rows fail for two minutes: the alert on a failing share.
        4 => {
            let spike = Spike {
                at: 130.0,
                lasts: 110.0,
                failing: Failing::Share(0.7),
                code: Some("DUPLICATE_CUSTOMER".into()),
            };
            ("us-summer", "growth", Course { spikes: vec![spike], ..course(9_000, 22.0, -80.0, 0.005) })
        }
        // Stands still from the first minute on, long enough for the alert on stalled jobs.
        5 => {
            let stall = Stall { at: 105.0, lasts: 2_700.0 };
            (
                "latam-merchants",
                "partners",
                Course { stalls: vec![stall], ..course(6_500, 28.0, -60.0, 0.01) },
            )
        }
        6 => ("apac-wallets", "payments", course(3_600, 18.0, -95.0, 0.02)),
        // Breaks off before our eyes.
        7 => {
            let ending = Ending::Failed { after: Some(210.0) };
            ("de-payroll", "payments", Course { ending, ..course(7_000, 25.0, -40.0, 0.015) })
        }
        8 => ("ca-migration", "platform", course(120_000, 200.0, -30.0, 0.002)),
        9 => ("br-gig-workers", "growth", course(2_500, 20.0, 20.0, 0.01)),
        10 => ("nordics-rerun", "onboarding", course(900, 7.0, 75.0, 0.03)),
        // Waits over an hour: the alert on jobs that stay pending.
        11 => ("ng-agents", "partners", course(5_000, 25.0, 4_200.0, 0.01)),
        _ => return None,
    })
}

/// Regions and purposes make the names of later imports, with the number to keep them apart.
fn name_of(seed: u64, number: u64) -> (String, &'static str) {
    const REGIONS: [&str; 12] =
        ["eu", "uk", "us", "ca", "mx", "br", "apac", "in", "ng", "ke", "de", "nordics"];
    const PURPOSES: [&str; 10] = [
        "launch",
        "merchants",
        "payroll",
        "wallets",
        "partners",
        "resellers",
        "backfill",
        "migration",
        "gig-workers",
        "loyalty",
    ];
    const TEAMS: [&str; 5] = ["onboarding", "growth", "partners", "payments", "platform"];
    let pick = |from: &[&'static str], what: u64| {
        let at = usize::try_from(mix(&[seed, number, what]) % from.len().max(1) as u64).unwrap_or_default();
        from.get(at).copied().unwrap_or_default()
    };
    (format!("{}-{}-{number}", pick(&REGIONS, 1), pick(&PURPOSES, 2)), pick(&TEAMS, 3))
}

fn later_course(seed: u64, number: u64, added_at: f64) -> Course {
    let part = |what: u64| fraction(&[seed, number, 10 + what]);
    let takes = 120.0 + 360.0 * part(0);
    let rows_per_second = 5.0 + 55.0 * part(1) * part(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "600 to 28,800")]
    let rows = (takes * rows_per_second) as u64;
    let mut course = Course {
        rows,
        rows_per_second,
        starts_at: added_at + PENDING,
        wobble: 0.4,
        failing_share: if between(0, 2, &[seed, number, 20]) == 0 { 0.02 * part(2) } else { 0.0 },
        ..Course::default()
    };
    match number % 10 {
        // Each tenth fails within two minutes of its coming: so one FAILED is always among the latest twelve.
        3 => course.ending = Ending::Failed { after: Some(20.0 + 30.0 * part(3)) },
        7 => {
            let failing = Failing::Share(0.4 + 0.5 * part(4));
            course.spikes.push(Spike { at: takes * 0.3, lasts: takes * 0.3, failing, code: None });
        }
        _ if number % 36 == 20 => course.stalls.push(Stall { at: takes * 0.4, lasts: 2_400.0 }),
        _ => {}
    }
    course
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Status;
    use std::collections::{BTreeMap, BTreeSet};

    fn set_at(seed: u64, second: u64) -> Vec<DemoImport> {
        imports_at(seed, Duration::from_secs(second))
    }

    fn statuses_at(seed: u64, second: u64) -> BTreeMap<&'static str, usize> {
        let mut statuses = BTreeMap::new();
        for import in set_at(seed, second) {
            let state = Plan::new(import.course, 0).state_at(second as f64);
            *statuses.entry(state.status.as_str()).or_default() += 1;
        }
        statuses
    }

    #[test]
    fn each_of_the_four_statuses_is_there_at_every_moment() {
        for seed in [1, 2, 77] {
            for second in (0..3 * 3600).step_by(5) {
                let statuses = statuses_at(seed, second);
                assert_eq!(statuses.len(), 4, "seed {seed}, second {second}: {statuses:?}");
            }
        }
    }

    #[test]
    fn about_a_dozen_are_there_and_none_comes_back() {
        let mut gone: BTreeSet<u64> = BTreeSet::new();
        let mut before: BTreeSet<u64> = BTreeSet::new();
        for second in (0..3 * 3600).step_by(20) {
            let now: BTreeSet<u64> = set_at(1, second).iter().map(|import| import.number).collect();
            assert!((12..=17).contains(&now.len()), "second {second}: {} imports", now.len());
            gone.extend(before.difference(&now));
            assert!(gone.is_disjoint(&now), "second {second}");
            before = now;
        }
        assert!(gone.len() > 150);
    }

    #[test]
    fn none_leaves_before_it_has_ended() {
        let mut before = set_at(1, 0);
        for second in (10..3600).step_by(10) {
            let now = set_at(1, second);
            for import in before {
                if !now.contains(&import) {
                    let state = Plan::new(import.course.clone(), 0).state_at(second as f64);
                    assert!(matches!(state.status, Status::Completed | Status::Failed), "{import:?}");
                }
            }
            before = now;
        }
    }

    #[test]
    fn names_and_ids_are_unique_and_ids_lead_back() {
        let imports: Vec<_> = (0..200).map(|number| import(5, number)).collect();
        let names: BTreeSet<_> = imports.iter().map(|import| &import.name).collect();
        assert_eq!(names.len(), 200);
        for import in &imports {
            assert_eq!(import_of_id(5, &import.id).as_ref(), Some(import));
        }
        assert_eq!(import_of_id(5, "Job:a-7"), None);
        assert_eq!(import_of_id(5, "nonsense"), None);
    }

    #[test]
    fn the_spike_would_fire_the_alert_on_a_failing_share() {
        // A fifth of at least 50 rows processed in 15 minutes, for two minutes (GridBulkJobFailedRatioSpike).
        let plan = Plan::new(import(1, 4).course, 1);
        let start = plan.state_at(0.0);
        let firing = (0..300_u32)
            .filter(|second| {
                let now = plan.state_at(f64::from(*second));
                let processed = now.processed - start.processed;
                processed >= 50 && (now.failed - start.failed) as f64 / processed as f64 > 0.2
            })
            .count();
        assert!(firing > 150, "{firing} s");
    }

    #[test]
    fn the_story_of_the_first_five_minutes() {
        let state = |number, at| Plan::new(import(1, number).course, 1).state_at(at);
        assert_eq!(state(3, 0.0).status, Status::Processing);
        assert_eq!((state(3, 270.0).status, state(3, 270.0).failed), (Status::Completed, 0), "the clean one");
        assert_eq!(state(5, 60.0).processed, state(5, 2000.0).processed, "the stalled one");
        assert_eq!((state(7, 160.0).status, state(7, 180.0).status), (Status::Processing, Status::Failed));
        assert_eq!(state(2, 0.0).status, Status::Failed);
        assert_eq!(state(11, 3700.0).status, Status::Pending);
    }
}
