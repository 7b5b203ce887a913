//! What systemd hears of the exporter: that it is ready, reloads, stops, and that it lives (`Type=notify`, watchdog).
//!
//! Called by `app` (ready, stopping, signs of life) and `reload`. Without `NOTIFY_SOCKET`, as in a container, nothing is
//! sent. A sign of life follows only from answers of the two tasks whose standstill nobody else would notice: the
//! poller, and control, which obeys reloads and the admin API. A timer alone would prove that a timer runs.

use crate::poller::Heartbeat;
use sd_notify::NotifyState;
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// Asks a task whether it goes round; it answers by sending back.
pub(super) type AliveRequest = oneshot::Sender<()>;

/// Asks the tasks that have to live.
pub(super) struct Pulse<R> {
    poller: Heartbeat<R>,
    control: mpsc::Sender<AliveRequest>,
}

impl<R> Pulse<R> {
    /// What asks them, and what control is asked by.
    pub(super) fn new(poller: Heartbeat<R>) -> (Self, mpsc::Receiver<AliveRequest>) {
        let (control, asked) = mpsc::channel(1);
        (Self { poller, control }, asked)
    }

    /// True once both have answered; false if one ended.
    async fn beats(&self) -> bool {
        let (done, is_done) = oneshot::channel();
        self.poller.beats().await && self.control.send(done).await.is_ok() && is_done.await.is_ok()
    }
}

/// So many signs of life fit into the time after which systemd ends the exporter: one that is late is no harm.
const SIGNS: u32 = 3;

/// The exporter serves. `status` is what `systemctl status` shows, one line.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(first_line(status))]);
}

/// A reload begins; [`ready`] ends it, whether it was good or not.
pub(super) fn reloading() {
    // systemd 253 and later know by the time which of two reloads this is.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!("systemd is not told of the reload: the monotonic clock can't be read ({error})"),
    }
}

/// The exporter answers what is under way, and ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often a sign of life is due; nothing if nobody watches for it.
pub(super) fn watchdog() -> Option<Duration> {
    let every = sd_notify::watchdog_enabled().map(|limit| limit / SIGNS).filter(|every| !every.is_zero())?;
    info!("systemd's watchdog is told every {} ms that the exporter lives", every.as_millis());
    Some(every)
}

/// Tells systemd's watchdog that the exporter lives.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Calls `beat` every so often, each time after poller and control have answered. Never ends.
pub(super) async fn watch<R>(every: Duration, pulse: Pulse<R>, mut beat: impl FnMut()) {
    let mut due = interval(every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        if !pulse.beats().await {
            // One of them ended: the exporter ends, too, and says which.
            return pending().await;
        }
        beat();
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("systemd is not told ({error}): NOTIFY_SOCKET names no socket that can be written to");
    }
}

/// A line break would begin another field of the message.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::time::sleep;

    const EVERY: Duration = Duration::from_secs(10);

    struct Watched {
        beats: Arc<AtomicUsize>,
        poller_is_stuck: Arc<AtomicBool>,
        control_is_stuck: Arc<AtomicBool>,
    }

    impl Watched {
        fn start() -> Self {
            let watched = Self {
                beats: Arc::default(),
                poller_is_stuck: Arc::default(),
                control_is_stuck: Arc::default(),
            };
            let poller = Heartbeat::answered_until(Arc::clone(&watched.poller_is_stuck));
            let (pulse, mut asked) = Pulse::new(poller);
            let is_stuck = Arc::clone(&watched.control_is_stuck);
            tokio::spawn(async move {
                while let Some(done) = asked.recv().await {
                    if is_stuck.load(Ordering::Relaxed) {
                        pending::<()>().await;
                    }
                    let _heard = done.send(());
                }
            });
            let beats = Arc::clone(&watched.beats);
            tokio::spawn(watch(EVERY, pulse, move || {
                beats.fetch_add(1, Ordering::Relaxed);
            }));
            watched
        }

        fn beats(&self) -> usize {
            self.beats.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_both_answer_there_is_a_sign_of_life_each_time() {
        let watched = Watched::start();
        sleep(EVERY * 10 + EVERY / 2).await;
        assert_eq!(watched.beats(), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_stuck_ends_the_signs_though_time_goes_on() {
        for stuck_is_poller in [true, false] {
            let watched = Watched::start();
            sleep(EVERY * 2 + EVERY / 2).await;
            let stuck = if stuck_is_poller { &watched.poller_is_stuck } else { &watched.control_is_stuck };
            stuck.store(true, Ordering::Relaxed);
            sleep(EVERY * 10).await;
            assert_eq!(watched.beats(), 3, "stuck is the poller: {stuck_is_poller}");
        }
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(first_line("a fault\nREADY=0"), "a fault");
    }
}
