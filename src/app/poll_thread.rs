//! The thread that polls: the poller, its requests and their connections run on a runtime of its own. Used by `app`.
//!
//! On a runtime of several threads a poll goes from one to the other several times, each of which has to be woken: at
//! 10,000 polls a second that cost more than the poll itself. One thread carries several times what an API permits
//! (`docs/performance.md`), and leaves the other cores to scrapes and rendering.

use std::io;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Its name, as `top -H` shows it.
const NAME: &str = "poller";

/// Runs this on the thread. What is returned ends when it does, also by a panic; dropping that stops nothing.
///
/// Fails where the system has no thread or no file descriptor left.
pub(super) fn start(
    poller: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (running, ended) = oneshot::channel::<()>();
    std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        // Dropped at the end, however that comes.
        let _running = running;
        runtime.block_on(poller);
        // A name that is being resolved may hang; what is out is dropped.
        runtime.shutdown_background();
    })?;
    Ok(async {
        // Nothing is ever sent.
        let _dropped = ended.await;
    })
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
        let ended = start(async move {
            see();
            tokio::spawn(async move { see() }).await.unwrap();
        });
        ended.unwrap().await;
        assert_eq!(*seen.lock().unwrap(), [Some(NAME.to_owned()), Some(NAME.to_owned())]);
    }

    #[tokio::test]
    async fn its_end_is_heard_after_a_panic_too_and_what_hangs_does_not_hold_it_up() {
        start(async { panic!("a fault") }).unwrap().await;
        let (release, held) = std::sync::mpsc::channel::<()>();
        let ended = start(async move {
            tokio::task::spawn_blocking(move || held.recv());
            tokio::task::yield_now().await;
        });
        ended.unwrap().await;
        drop(release);
    }
}
