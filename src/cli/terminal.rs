//! What `watch` and `upload` have in common: exit codes, signals, the configuration, and words for the terminal.
//!
//! They ask the API as the same account as `serve`: the file's `grid` section and the variables. Jobs and lists that the
//! file names are `serve`'s business.

use super::Environment;
use crate::clock::UnixTime;
use crate::config::reload::{self, Loaded};
use crate::config::values::show_duration;
use crate::config::{Config, Faults, Inputs};
use crate::store::JobSnapshot;
use indicatif::HumanCount;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How such a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Good,
    /// Rows failed, or an import.
    Failed,
    /// It could not be done: command line, configuration, file, credentials, an import that is not there.
    NotDone,
    /// Whether the file was taken in is not known.
    Unclear,
    /// By Ctrl-C.
    Interrupted,
    /// By `SIGTERM`.
    Terminated,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::NotDone => 2,
            Exit::Unclear => 3,
            // As shells tell a process that a signal ended.
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        })
    }
}

/// The signals that end such a command.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals can't be listened for: {error}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    pub(super) async fn wait(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

/// Loads the configuration as `serve` would, without its need of jobs; warnings go to standard error.
pub(super) fn load(config_file: Option<PathBuf>, mut environment: Environment) -> Result<Config, Faults> {
    // Jobs are named on the command line: the variable's, and how many, are nothing to us.
    environment.jobs = None;
    let inputs = Inputs { config_file, environment, admin_api: true, ..Inputs::default() };
    let Loaded { config, warnings, .. } = reload::load(&inputs)?;
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
    Ok(config)
}

/// A line to standard error. If nobody reads it there is nobody to tell.
pub(super) fn say(line: &str) {
    let _unread = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line to standard output.
pub(super) fn tell(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _unread = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// A runtime with one thread: such a command waits nearly all the time.
pub(super) fn block_on(command: impl Future<Output = Exit>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("the runtime can't be started: {error}"));
            return Exit::NotDone.into();
        }
    };
    let exit = runtime.block_on(command);
    // A blocking call may hang for ever, such as the look-up of a name.
    runtime.shutdown_background();
    exit.into()
}

/// A count of rows with thousands apart; the API may send what it likes.
pub(super) fn rows(count: f64) -> String {
    match crate::job::counts::countable(count) {
        Some(count) => HumanCount(count).to_string(),
        None => count.to_string(),
    }
}

/// The state of an import in a line, without its name.
pub(super) fn state(job: &JobSnapshot, now: UnixTime) -> String {
    let Some(observed) = &job.observed else {
        return match &job.failure {
            Some(failure) => unread(&failure.message, failure.since, now),
            None => "not read yet".to_owned(),
        };
    };
    let mut line = observed.status.status().as_str().to_owned();
    if let Some(progress) = observed.progress {
        let _infallible = write!(line, " {} of {} rows", rows(progress.processed), rows(progress.total));
        if progress.total > 0.0 {
            let share = (progress.processed / progress.total * 100.0).clamp(0.0, 100.0);
            let _infallible = write!(line, " ({share:.0} %)");
        }
        if progress.failed != 0.0 {
            let _infallible = write!(line, ", {} failed", rows(progress.failed));
        }
    }
    if observed.status.status().is_ended() {
        let codes: Vec<_> = observed.errors.iter().filter(|(_, entries)| *entries > 0).collect();
        for (index, (code, entries)) in codes.iter().enumerate() {
            let before = if index == 0 { "; errors: " } else { ", " };
            let _infallible = write!(line, "{before}{code} {}", HumanCount(*entries));
        }
        if observed.errors_truncated {
            line.push_str(" (and more: the list was cut)");
        }
        return line;
    }
    if let Some(failure) = &job.failure {
        let _infallible = write!(line, "; {}", unread(&failure.message, failure.since, now));
        return line;
    }
    if let Some(pace) = pace(job) {
        let _infallible = write!(line, ", {pace}");
    }
    line
}

fn unread(message: &str, since: UnixTime, now: UnixTime) -> String {
    let seconds = now.as_millis().saturating_sub(since.as_millis()).max(0) / 1000;
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    format!("can't be read for {}: {message}", show_duration(seconds))
}

/// Rate and time left, where both mean something.
pub(super) fn pace(job: &JobSnapshot) -> Option<String> {
    let rate = job.rate.rows_per_second().filter(|rate| *rate >= 0.05)?;
    let progress = job.observed.as_ref()?.progress?;
    let shown = if rate < 10.0 { format!("{rate:.1}") } else { rows(rate.round()) };
    let mut pace = format!("{shown} rows/s");
    let left = (progress.total - progress.processed) / rate;
    if left > 0.0
        && let Ok(left) = Duration::try_from_secs_f64(left.ceil().min(3e7))
    {
        let _infallible = write!(pace, ", {} left", show_duration(left));
    }
    Some(pace)
}
