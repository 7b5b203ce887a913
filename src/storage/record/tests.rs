//! Records come back as they were, and nothing else is taken for one.

use super::*;
use crate::store::Seen;
use proptest::prelude::*;

fn a_job() -> KeptJob {
    let mut errors = ErrorTally::new(3);
    for code in [Some("E1"), None, Some("E1"), Some("E2")] {
        errors.count(code);
    }
    let at = |millis: i64| UnixTime::from_millis(1_800_000_000_000 + millis);
    let job = JobSnapshot::from_kept(KeptState {
        id: "Job:019542f5-b3e7-1d02-0000-000000000006".parse().unwrap(),
        tried: true,
        observed: Some(Observed {
            status: ReportedStatus::from_word("PAUSED"),
            progress: Some(Progress { total: 10.0, processed: 3.5, successful: -1.0, failed: 1e30 }),
            errors: errors.with_limit(3),
            errors_truncated: true,
            first_seen: at(1),
            status_since: at(2),
            last_change: at(3),
            completed_at: Some(at(-4)),
        }),
        last_poll_success: Some(at(5)),
        failure: Some(Failure {
            reason: PollFailure::Timeout,
            message: "no answer within 10s".to_owned(),
            since: at(6),
            asked: true,
        }),
        over_since: Some(at(7)),
        logged: 5,
    });
    let mark =
        Mark { start: Start::Zero { began: at(0) }, successful: Some(7).into(), failed: Seen::NOTHING };
    KeptJob { number: 9, job: Arc::new(job), mark }
}

#[test]
fn a_job_comes_back_as_it_was() {
    let kept = a_job();
    assert_eq!(job(9, &of_job(&kept)).unwrap(), kept);
}

#[test]
fn each_reason_of_a_failure_comes_back() {
    for reason in PollFailure::ALL {
        let told =
            Failure { reason, message: "x".repeat(900), since: UnixTime::from_millis(-1), asked: false };
        let back = failure(failure_record(&told)).unwrap();
        assert_eq!((back.reason, back.message.len()), (reason, MESSAGE_LENGTH));
    }
}

#[test]
fn no_single_bit_that_is_flipped_goes_unseen() {
    let bytes = of_job(&a_job());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(job(9, &flipped), None, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(job(9, &bytes[..length]), None, "cut to {length}");
    }
}

#[test]
fn labels_and_totals_come_back() {
    let given: Labels =
        [("team".parse().unwrap(), "röt \n\"".to_owned()), ("name".parse().unwrap(), String::new())]
            .into_iter()
            .collect();
    assert_eq!(labels(&of_labels(&given)), Some(given));
    let sums = RowTotals { successful: u64::MAX, failed: 0 };
    assert_eq!(totals(&of_totals(sums)), Some(sums));
    assert_eq!(labels(&of_totals(sums)), None, "one is not taken for the other");
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        prop_assert_eq!(job(1, &bytes), None);
        prop_assert!(departed(1, &bytes).is_none() && labels(&bytes).is_none() && totals(&bytes).is_none());
    }
}
