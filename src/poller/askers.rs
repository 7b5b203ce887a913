//! The tasks that ask the API, each one question after the other.
//!
//! A request's state has several kilobytes. A task for each would allocate, move and free them with every poll, which
//! cost a tenth of it; a task that stays has them for good. There are as many as requests were out at once, at most
//! `poll.concurrency`. Used by `poller` alone.

use crate::grid::error::ApiError;
use crate::grid::{Advice, Answer, JobQuery, ReadJob};
use crate::job::{JobId, PollFailure};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// A request, by what its answer will be known.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: JobId,
    /// The request's.
    pub(super) number: u64,
    /// How often the same poll asked before.
    pub(super) attempt: u32,
    pub(super) at: Instant,
    /// Which API is asked, counted by changes of the setup.
    pub(super) api: u64,
}

/// One request that was out, when its answer comes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) answer: Answer,
}

/// The tasks, and where they bring the answers.
pub(super) struct Askers<R> {
    /// Those that have nothing to do. One whose place is dropped ends.
    idle: Vec<Place<R>>,
    back: mpsc::UnboundedReceiver<Back<R>>,
    /// Bounded by the number of tasks: each sends one answer and waits.
    sent_back: mpsc::UnboundedSender<Back<R>>,
}

/// Takes a task's next question.
type Place<R> = oneshot::Sender<Assignment<R>>;

struct Assignment<R> {
    reader: Arc<R>,
    query: JobQuery,
    question: Question,
    broken_off: AbortRegistration,
}

/// A task has nothing to do any more.
pub(super) struct Back<R> {
    place: Place<R>,
    /// Nothing if the request was broken off.
    asked: Option<Asked>,
}

impl<R: ReadJob> Askers<R> {
    pub(super) fn new() -> Self {
        let (sent_back, back) = mpsc::unbounded_channel();
        Self { idle: Vec::new(), back, sent_back }
    }

    /// Asks. The handle breaks the request off; its answer then never comes.
    pub(super) fn ask(&mut self, reader: Arc<R>, query: JobQuery, question: Question) -> AbortHandle {
        let (handle, broken_off) = AbortHandle::new_pair();
        let mut assignment = Assignment { reader, query, question, broken_off };
        // A task that ended, as one does if the runtime stops, hands the question back.
        while let Some(place) = self.idle.pop() {
            match place.send(assignment) {
                Ok(()) => return handle,
                Err(refused) => assignment = refused,
            }
        }
        tokio::spawn(ask_one_by_one(assignment, self.sent_back.clone()));
        handle
    }

    /// Waits for a task that has nothing to do any more.
    pub(super) async fn recv(&mut self) -> Option<Back<R>> {
        self.back.recv().await
    }

    /// One that has nothing to do any more, if there is one now.
    pub(super) fn try_recv(&mut self) -> Option<Back<R>> {
        self.back.try_recv().ok()
    }

    /// Takes a task's answer, and keeps no more than `most` tasks that have nothing to do.
    pub(super) fn take(&mut self, back: Back<R>, most: usize) -> Option<Asked> {
        self.idle.push(back.place);
        self.idle.truncate(most);
        back.asked
    }
}

/// Answers this question, and then those that come.
async fn ask_one_by_one<R: ReadJob>(mut next: Assignment<R>, sent_back: mpsc::UnboundedSender<Back<R>>) {
    loop {
        let Assignment { reader, query, question, broken_off } = next;
        let reading = AssertUnwindSafe(reader.read(query)).catch_unwind();
        let answer = Abortable::new(reading, broken_off).await.ok();
        // What a request needed, a task at rest does not keep.
        drop(reader);
        let asked = answer.map(|answer| Asked {
            question,
            answer: answer.unwrap_or_else(|_panic| no_answer_for_a_panic()),
        });
        let (place, following) = oneshot::channel();
        if sent_back.send(Back { place, asked }).is_err() {
            // The poller has ended.
            return;
        }
        let Ok(following) = following.await else { return };
        next = following;
    }
}

/// What stands for the answer of a poll that panicked: a fault of ours, which must not stop all other polls.
fn no_answer_for_a_panic() -> Answer {
    let message = "the poll broke off by a fault of the exporter; please report it";
    Answer {
        outcome: Err(ApiError::new(PollFailure::Other, message)),
        status_code: None,
        advice: Advice::default(),
        validators: None,
        transfer: Duration::ZERO,
        requests: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Reading;
    use crate::job::ErrorTally;
    use std::collections::HashSet;
    use std::sync::Mutex;

    /// Answers each question after its attempt in seconds, and notes which tasks asked.
    #[derive(Default)]
    struct Fake {
        tasks: Mutex<HashSet<tokio::task::Id>>,
    }

    impl ReadJob for Fake {
        async fn read(&self, query: JobQuery) -> Answer {
            self.tasks.lock().unwrap().insert(tokio::task::id());
            assert_ne!(query.id.as_str(), "Job:panics", "a fault");
            if query.id.as_str() == "Job:never" {
                std::future::pending::<()>().await;
            }
            let outcome = Ok(Reading::Unchanged);
            Answer { outcome, status_code: Some(304), ..no_answer_for_a_panic() }
        }
    }

    fn ask(askers: &mut Askers<Fake>, fake: &Arc<Fake>, job: &str, number: u64) -> AbortHandle {
        let id: JobId = job.parse().unwrap();
        let query = JobQuery { id: id.clone(), tally: ErrorTally::new(20), validators: None };
        let question = Question { id, number, attempt: 0, at: Instant::now(), api: 0 };
        askers.ask(Arc::clone(fake), query, question)
    }

    #[tokio::test(start_paused = true)]
    async fn one_task_answers_question_after_question() {
        let (mut askers, fake) = (Askers::new(), Arc::new(Fake::default()));
        for number in 0..50 {
            ask(&mut askers, &fake, if number == 20 { "Job:panics" } else { "Job:a" }, number);
            let back = askers.recv().await.unwrap();
            let asked = askers.take(back, 4).unwrap();
            assert_eq!(asked.question.number, number);
            assert_eq!(asked.answer.outcome.is_err(), number == 20, "a panic ends no task");
        }
        assert_eq!(fake.tasks.lock().unwrap().len(), 1);
        assert_eq!(Arc::strong_count(&fake), 1, "a task at rest keeps no reader");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_broken_off_gives_its_task_back_without_an_answer() {
        let (mut askers, fake) = (Askers::new(), Arc::new(Fake::default()));
        ask(&mut askers, &fake, "Job:never", 1).abort();
        let back = askers.recv().await.unwrap();
        assert!(askers.take(back, 4).is_none());
        ask(&mut askers, &fake, "Job:a", 2);
        let back = askers.recv().await.unwrap();
        assert_eq!(askers.take(back, 4).unwrap().question.number, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_tasks_stay_than_may_ask_at_once_and_none_outlives_the_poller() {
        let (mut askers, fake) = (Askers::new(), Arc::new(Fake::default()));
        for number in 0..10 {
            ask(&mut askers, &fake, "Job:a", number);
        }
        for _ in 0..10 {
            let back = askers.recv().await.unwrap();
            askers.take(back, 4).unwrap();
        }
        let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(alive(), 4);
        // A reload may permit fewer.
        ask(&mut askers, &fake, "Job:a", 10);
        let back = askers.recv().await.unwrap();
        askers.take(back, 2).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(alive(), 2);
        let never = ask(&mut askers, &fake, "Job:never", 11);
        never.abort();
        drop(askers);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(alive(), 0);
    }
}
