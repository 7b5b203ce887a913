//! Whether the poller goes round: asked by `app` for systemd's watchdog.

use super::{Command, Handle};
use tokio::sync::{mpsc, oneshot};

/// Asks the poller for a sign of life.
#[derive(Debug)]
pub struct Heartbeat<R> {
    commands: mpsc::Sender<Command<R>>,
}

impl<R> Handle<R> {
    /// Asks the poller for signs of life.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat<R> {
        Heartbeat { commands: self.commands.clone() }
    }
}

impl<R> Heartbeat<R> {
    /// Waits until the poller has gone round once more: for ever if it is stuck. False if it ended.
    pub async fn beats(&self) -> bool {
        let (done, is_done) = oneshot::channel();
        self.commands.send(Command::Alive(done)).await.is_ok() && is_done.await.is_ok()
    }
}

#[cfg(test)]
impl Heartbeat<()> {
    /// For tests of whoever asks: answers as a poller would, until `stuck` is set.
    pub(crate) fn answered_until(stuck: std::sync::Arc<std::sync::atomic::AtomicBool>) -> Self {
        let (commands, mut asked) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(Command::Alive(done)) = asked.recv().await {
                if stuck.load(std::sync::atomic::Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                let _heard = done.send(());
            }
        });
        Self { commands }
    }
}
