//! What webhooks tell about jobs that nobody names, that others name, and that don't fit.

use super::*;
use crate::app::control::hear;
use crate::app::deliveries::Deliveries;
use crate::grid::webhook::EndedJob;
use crate::job::Progress;
use crate::store::RowTotals;
use crate::web::admin::NotDone;
use crate::web::webhook::{DeliveryRequest, Taken};

/// The fixture's process began then.
const BEGAN: i64 = 1_800_000_000_000;

fn ended(delivery: &str, job: &str, sent: Option<i64>) -> EndedJob {
    EndedJob {
        delivery: delivery.into(),
        job: job.parse().unwrap(),
        reading: JobReading {
            status: ReportedStatus::from_word("COMPLETED"),
            progress: Some(Progress { total: 10.0, processed: 10.0, successful: 7.0, failed: 3.0 }),
            errors: ErrorTally::new(40),
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        },
        sent: sent.map(UnixTime::from_millis),
    }
}

/// What these deliveries, which come together, are answered.
async fn tell(
    fixture: &mut Fixture,
    deliveries: &mut Deliveries,
    told: Vec<EndedJob>,
) -> Vec<Result<Taken, NotDone<LimitReached>>> {
    let (mut heard, mut results) = (Vec::new(), Vec::new());
    for ended in told {
        let (done, result) = oneshot::channel();
        heard.push(DeliveryRequest { ended, done });
        results.push(result);
    }
    hear(&mut fixture.jobs, deliveries, &mut heard, fixture.clock.now()).await;
    results.into_iter().map(|mut result| result.try_recv().unwrap()).collect()
}

fn rows(fixture: &Fixture) -> RowTotals {
    fixture.jobs.store.summary().rows
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_becomes_known_shows_at_once_and_goes_after_retention() {
    let mut fixture = Fixture::new();
    let mut deliveries = Deliveries::default();
    // The set of the start.
    fixture.put("of-the-start").await;
    let told = vec![ended("1", "a", Some(BEGAN + 1)), ended("1", "a", None), ended("2", "b", None)];
    let answers = tell(&mut fixture, &mut deliveries, told).await;
    assert_eq!(answers, [Ok(Taken::Now), Ok(Taken::Before), Ok(Taken::Now)]);
    assert!(fixture.page().await.contains("grid_bulk_job_status{jobId=\"b\",status=\"COMPLETED\"} 1\n"));
    let a = "a".parse().unwrap();
    assert_eq!(fixture.jobs.catalog.sources(&a), [JobSource::Webhook]);
    assert_eq!(fixture.jobs.store.job(&a).unwrap().sources.as_ref(), ["webhook"]);
    assert_eq!(rows(&fixture), RowTotals { successful: 14, failed: 6 });
    fixture.pass(ALMOST).await;
    assert!(fixture.is_watched("a"));
    fixture.pass(Duration::from_secs(120)).await;
    assert!(!fixture.is_watched("a") && !fixture.is_watched("b"));
    assert_eq!(rows(&fixture), RowTotals { successful: 14, failed: 6 });
    let again = tell(&mut fixture, &mut deliveries, vec![ended("1", "a", None)]).await;
    assert_eq!(again, [Ok(Taken::Before)]);
    assert!(!fixture.is_watched("a"), "a delivery that comes again brings nothing back");
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_job_that_ended_before_the_start_are_not_counted() {
    let mut fixture = Fixture::new();
    fixture.put("of-the-start").await;
    let mut deliveries = Deliveries::default();
    let mut completed_before = ended("2", "b", None);
    completed_before.reading.completed_at = CompletedAt::At(UnixTime::from_millis(BEGAN - 1));
    let told = vec![ended("1", "a", Some(BEGAN - 1)), completed_before];
    tell(&mut fixture, &mut deliveries, told).await;
    assert!(fixture.is_watched("a") && fixture.is_watched("b"));
    assert_eq!(rows(&fixture), RowTotals::default());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_list_names_goes_with_the_list() {
    let mut fixture = Fixture::new();
    let source = SourceId { kind: JobSource::Files, number: 1 };
    let list = |ids: &[&str]| {
        let named = ids.iter().map(|id| NamedJob { id: id.parse().unwrap(), labels: Labels::default() });
        ListUpdate { source, jobs: Some(named.collect()) }
    };
    fixture.jobs.take(list(&["a"])).await;
    let mut deliveries = Deliveries::default();
    tell(&mut fixture, &mut deliveries, vec![ended("1", "a", None)]).await;
    assert_eq!(fixture.jobs.catalog.sources(&"a".parse().unwrap()), [JobSource::Files]);
    fixture.pass(RETENTION * 2).await;
    assert!(fixture.is_watched("a"));
    fixture.jobs.take(list(&[])).await;
    assert!(!fixture.is_watched("a"));
}

#[tokio::test(start_paused = true)]
async fn delete_takes_back_what_a_webhook_named() {
    let mut fixture = Fixture::new();
    let mut deliveries = Deliveries::default();
    tell(&mut fixture, &mut deliveries, vec![ended("1", "a", None)]).await;
    fixture.jobs.put("a".parse().unwrap(), Labels::default()).await.unwrap();
    assert_eq!(fixture.jobs.delete(&"a".parse().unwrap()).await, Ok(()));
    assert!(!fixture.is_watched("a"));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_not_remembered_and_taken_when_it_comes_again() {
    let mut fixture = Fixture::new();
    fixture.jobs.configure(Vec::new(), 1).await;
    let mut deliveries = Deliveries::default();
    fixture.put("full").await;
    let refused = Err(NotDone::Refused(LimitReached { limit: 1 }));
    let told = vec![ended("1", "a", None), ended("2", "full", None)];
    let answers = tell(&mut fixture, &mut deliveries, told).await;
    assert_eq!(answers, [refused, Ok(Taken::Now)], "a watched job needs no place");
    assert!(fixture.is_watched("full"), "nor makes it one");
    fixture.jobs.delete(&"full".parse().unwrap()).await.unwrap();
    let again = tell(&mut fixture, &mut deliveries, vec![ended("1", "a", None)]).await;
    assert_eq!(again, [Ok(Taken::Now)]);
    assert!(fixture.is_watched("a"));
}
