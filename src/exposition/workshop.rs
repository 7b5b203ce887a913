//! The one thread on which job series are rendered and compressed.
//!
//! One, because what it makes lives long and is let go piece by piece: the C library gives each thread memory of its
//! own, and what one thread of many had made would leave holes that the others never fill (16 MB at 100,000 jobs).
//! Started with the first work; ends with the exposition. Used by `exposition` alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Takes work for the thread.
#[derive(Debug, Default)]
pub(super) struct Workshop(Mutex<Option<mpsc::Sender<Work>>>);

impl Workshop {
    /// Has work done, after what was handed in before; false if it could not be, or panicked.
    pub(super) async fn have_done(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let (done, is_done) = oneshot::channel();
        let work: Work = Box::new(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_ok() {
                // Whoever asked may have gone.
                let _unheard = done.send(());
            }
        });
        self.hand_in(work) && is_done.await.is_ok()
    }

    fn hand_in(&self, work: Work) -> bool {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.is_none() {
            *sender = start();
        }
        sender.as_ref().is_some_and(|sender| sender.send(work).is_ok())
    }
}

/// Starts the thread; nothing if the system has none to give, which the next work tries anew.
fn start() -> Option<mpsc::Sender<Work>> {
    let (sender, works) = mpsc::channel::<Work>();
    let thread = thread::Builder::new().name("exposition".to_owned());
    thread.spawn(move || works.into_iter().for_each(|work| work())).ok().map(|_ends_by_itself| sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn work_is_done_in_order_on_one_thread_even_after_a_panic() {
        let workshop = Workshop::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = |number| {
            let seen = Arc::clone(&seen);
            move || seen.lock().unwrap().push((number, thread::current().id()))
        };
        assert!(workshop.have_done(note(1)).await);
        assert!(!workshop.have_done(|| panic!("a fault of the renderer")).await);
        assert!(workshop.have_done(note(2)).await);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(seen[0].1, seen[1].1);
        assert_ne!(seen[0].1, thread::current().id());
    }
}
