//! The one thread that touches the database: it may block on the disk, and survives a panic of redb.
//!
//! redb panics on some damaged files. Here that becomes an error like any other: the panic's own message is not
//! printed, the database is let go, and the thread goes on. Used by `keeper`.

use crate::storage::error::StorageError;
use crate::storage::file::OpenFile;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Once, mpsc};
use tokio::sync::oneshot;

/// What is done on the thread, with the file that is open, if one is.
type Work = Box<dyn FnOnce(&mut Option<OpenFile>) + Send>;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct DatabaseThread {
    work: mpsc::Sender<Work>,
    /// For messages.
    file: PathBuf,
}

impl DatabaseThread {
    /// Starts it. `file` is the one that it works on.
    pub(super) fn start(file: PathBuf) -> Result<Self, StorageError> {
        let (work, receiver) = mpsc::channel::<Work>();
        std::thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || {
                silence_panics();
                let mut open = None;
                while let Ok(work) = receiver.recv() {
                    work(&mut open);
                }
                drop_silently(&mut open);
            })
            .map_err(|error| StorageError::Thread(error.to_string()))?;
        Ok(Self { work, file })
    }

    /// Does something there, and waits for its end. An error leaves no file open.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<OpenFile>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (done, result) = oneshot::channel();
        let file = self.file.clone();
        let work: Work = Box::new(move |open| {
            let result = catch_unwind(AssertUnwindSafe(|| work(open)));
            let result =
                result.unwrap_or_else(|panic| Err(StorageError::Damaged { file, detail: told_by(&*panic) }));
            if result.is_err() {
                drop_silently(open);
            }
            // Whoever asked may have gone.
            let _unheard = done.send(result);
        });
        let ended = || StorageError::Thread("it ended".to_owned());
        self.work.send(work).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

/// Closes the file. That may panic as well, if it is damaged.
fn drop_silently(open: &mut Option<OpenFile>) {
    let _whatever_it_says = catch_unwind(AssertUnwindSafe(|| drop(open.take())));
}

/// What a panic says, as one line.
fn told_by(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let line = text.unwrap_or_default().lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|character| !character.is_control()).take(200).collect();
    if line.is_empty() { "reading it failed".to_owned() } else { line }
}

thread_local! {
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Panics of this thread are not printed from now on: they are told as errors.
fn silence_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_SILENT.get() {
                before(panic);
            }
        }));
    });
    IS_SILENT.set(true);
}
