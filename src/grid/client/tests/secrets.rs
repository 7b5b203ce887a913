//! Secrets stay out of everything that is printed; `assert_failed` checks each failure's text as well.

use super::server::{Step, json};
use super::*;
use std::io::{self, Write};
use std::sync::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps all that is logged.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Log {
    /// All lines so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Takes the lines of this thread from here on.
    ///
    /// With a single dispatcher, tracing asks only that of the thread which first reaches a place in the code, and
    /// a test beside this one, which has none, would switch that place off for all; hence the second one.
    fn listen(&self) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch) {
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(self.clone());
        let guard = tracing::subscriber::set_default(subscriber.finish());
        tracing::callsite::rebuild_interest_cache();
        (guard, second)
    }
}

#[tokio::test]
async fn no_log_line_of_any_level_holds_a_secret() {
    let log = Log::default();
    let _guard = log.listen();
    let server = Server::answering(vec![vec![Step::Send(json(JOB))], vec![Step::Reset]]).await;
    let client = client_of(&config(&server.url()));
    client.read(query()).await;
    client.read(query()).await;
    let logged = log.text();
    assert!(logged.contains("hyper"), "the libraries' lines are there: {logged}");
    assert_no_secret(&logged);
}

#[test]
fn debug_shows_no_secret() {
    let config = config("https://api.invalid/v1");
    assert_no_secret(&format!("{config:?} {:?}", client_of(&config)));
}
