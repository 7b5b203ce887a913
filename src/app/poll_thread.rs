//! The thread that polls: the poller, its requests and their connections run on a runtime of its own. Used by `app`.
//!
//! On a runtime of several threads a poll goes from one to the other several times, each of which has to be woken: at
//! 10,000 polls a second that was half of what a poll cost. One thread carries several times what an API permits
//! (`docs/performance.md`), and leaves the other cores to scrapes and rendering.

use std::io;
use std::pin::Pin;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Its name, as `top -H` shows it.
const NAME: &str = "poller";

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The thread, before it polls. It ends if this is dropped.
pub(super) struct PollThread {
    work: oneshot::Sender<Work>,
    ended: oneshot::Receiver<()>,
}

impl PollThread {
    /// Starts the thread, which waits for what to run. Fails where the system has no thread or no file left for it.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (work, given) = oneshot::channel::<Work>();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
            // Dropped at the end, however that comes.
            let _running = running;
            runtime.block_on(async {
                if let Ok(work) = given.await {
                    work.await;
                }
            });
            // A name that is being resolved may hang; what is out is dropped.
            runtime.shutdown_background();
        })?;
        Ok(Self { work, ended })
    }

    /// Runs this on the thread. Returns when that ends, also by a panic; whoever waits no longer stops nothing.
    pub(super) async fn run(self, poller: impl Future<Output = ()> + Send + 'static) {
        // If the thread is gone, its end is heard at once.
        let _gone = self.work.send(Box::pin(poller));
        // Nothing is ever sent.
        let _dropped = self.ended.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::thread;

    #[tokio::test]
    async fn what_it_spawns_runs_on_the_same_thread_and_its_end_is_heard() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let see = {
            let seen = Arc::clone(&seen);
            move || seen.lock().unwrap().push(thread::current().name().map(str::to_owned))
        };
        let poller = async move {
            see();
            tokio::spawn(async move { see() }).await.unwrap();
        };
        PollThread::start().unwrap().run(poller).await;
        assert_eq!(*seen.lock().unwrap(), [Some(NAME.to_owned()), Some(NAME.to_owned())]);
    }

    #[tokio::test]
    async fn its_end_is_heard_after_a_panic_too_and_what_hangs_does_not_hold_it_up() {
        PollThread::start().unwrap().run(async { panic!("a fault") }).await;
        let (release, held) = std::sync::mpsc::channel::<()>();
        let poller = async move {
            tokio::task::spawn_blocking(move || held.recv());
            tokio::task::yield_now().await;
        };
        PollThread::start().unwrap().run(poller).await;
        drop(release);
    }

    #[tokio::test]
    async fn a_thread_without_work_ends() {
        let PollThread { work, ended } = PollThread::start().unwrap();
        drop(work);
        assert!(ended.await.is_err());
    }
}
