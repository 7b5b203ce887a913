//! What `watch` prints: bars in a terminal, lines elsewhere, or JSON. Called by `watch` at each change.
//!
//! Results go to standard output, bars to standard error: `watch … > file` shows bars and keeps the results.

use crate::cli::terminal::{pace, rows, say, state, tell};
use crate::cli::watch::verdict::Fate;
use crate::clock::UnixTime;
use crate::job::{JobId, PollFailure, Status};
use crate::store::{JobSnapshot, Observed};
use crate::web::jobs;
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal, Write};
use std::sync::Arc;

/// Where nothing but counts changed, a job's next line comes after so long.
const LINE_EVERY_MILLIS: i64 = 10_000;

/// More bars than this don't fit on a screen; later imports have lines alone.
const MOST_BARS: usize = 20;

/// What stands beside a bar in most cases: `12,345 of 50,000, 102 rows/s, 8m20s left, 17 failed`.
const BESIDE: usize = 50;

/// So much of a name is left where the terminal is narrow.
const SHORT_NAME: usize = 16;

/// The width of a terminal that does not tell its own.
const USUAL_COLUMNS: u16 = 80;

/// Counts of the bar; the API's may be any.
const LARGEST: f64 = 9e15;

/// Prints.
pub(super) struct Show {
    way: Way,
    /// Imports whose end was told.
    over: HashSet<JobId>,
}

enum Way {
    Bars(MultiProgress, HashMap<JobId, ProgressBar>),
    Lines(HashMap<JobId, (Told, UnixTime)>),
    Json(HashMap<JobId, Seen>),
}

/// What a line told, but for counts.
type Told = (Option<&'static str>, Option<PollFailure>);

/// All that a change is told of.
type Seen = (Option<Observed>, Option<PollFailure>);

impl Show {
    /// The way that suits where the output goes.
    pub(super) fn new(json: bool, jobs: usize) -> Self {
        let way = if json {
            Way::Json(HashMap::with_capacity(jobs))
        } else if std::io::stderr().is_terminal() {
            Way::Bars(MultiProgress::new(), HashMap::new())
        } else {
            Way::Lines(HashMap::with_capacity(jobs))
        };
        Self { way, over: HashSet::new() }
    }

    /// Shows what changed.
    pub(super) fn update(&mut self, jobs: &[Arc<JobSnapshot>], fates: &[Fate], now: UnixTime) {
        for (job, fate) in jobs.iter().zip(fates) {
            let is_over = *fate != Fate::Running;
            if is_over && !self.over.insert(job.id.clone()) {
                continue;
            }
            match &mut self.way {
                Way::Bars(all, bars) => draw(all, bars, job, is_over, now),
                Way::Lines(told) => print(told, job, is_over, now),
                Way::Json(seen) => {
                    let now = (job.observed.clone(), job.failure.as_ref().map(|failure| failure.reason));
                    if job.tried && seen.get(&job.id) != Some(&now) {
                        tell(&String::from_utf8_lossy(&jobs::document(job)));
                        seen.insert(job.id.clone(), now);
                    }
                }
            }
            if *fate == Fate::NotThere {
                let line = format!("the Grid API knows no import {}; check the id and the account", job.id);
                match &self.way {
                    Way::Bars(all, _) => all.suspend(|| say(&line)),
                    Way::Lines(_) | Way::Json(_) => say(&line),
                }
            }
        }
    }

    /// Takes the bars away; results stay.
    pub(super) fn close(&mut self) {
        if let Way::Bars(all, bars) = &mut self.way {
            for (_, bar) in bars.drain() {
                bar.finish_and_clear();
            }
            // If it can't be cleared there is no terminal any more.
            let _gone = all.clear();
        }
    }
}

/// The name under which users know an import.
fn name(job: &JobSnapshot) -> String {
    let name = job.labels.iter().find(|(name, value)| name.as_str() == "name" && !value.is_empty());
    let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
    name.map_or_else(|| job.id.to_string(), |(_, value)| format!("{} ({})", shown(value), job.id))
}

fn draw(
    all: &MultiProgress,
    bars: &mut HashMap<JobId, ProgressBar>,
    job: &JobSnapshot,
    is_over: bool,
    now: UnixTime,
) {
    if is_over {
        if let Some(bar) = bars.remove(&job.id) {
            bar.finish_and_clear();
            all.remove(&bar);
        }
        all.suspend(|| tell(&format!("{} {}", name(job), state(job, now))));
        return;
    }
    if !bars.contains_key(&job.id) {
        if bars.len() >= MOST_BARS {
            return;
        }
        let bar = all.add(ProgressBar::new(1));
        let columns = Term::stderr().size_checked().map_or(USUAL_COLUMNS, |(_, columns)| columns);
        let name = name(job);
        let (width, letters) = fit(usize::from(columns), name.chars().count());
        let style = ProgressStyle::with_template(&template(width));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.set_prefix(cut(&name, letters));
        bars.insert(job.id.clone(), bar);
    }
    let Some(bar) = bars.get(&job.id) else { return };
    if let Some(progress) = job.observed.as_ref().and_then(|observed| observed.progress) {
        bar.set_length(whole(progress.total).max(1));
        bar.set_position(whole(progress.processed));
    }
    bar.set_message(beside_the_bar(job, now));
}

fn template(width: usize) -> String {
    format!("{{prefix}} [{{bar:{width}.cyan/dim}}] {{wide_msg}}")
}

/// The width of a bar, and how much of the name stands before it, so that rate and time left have room.
fn fit(columns: usize, name: usize) -> (usize, usize) {
    let room = columns.saturating_sub(BESIDE + " [] ".len());
    let wanted = [(24, name), (10, name)].into_iter().find(|(bar, name)| bar + name <= room);
    wanted.unwrap_or((10, name.min(SHORT_NAME)))
}

/// The name, or its end, in which ids differ.
fn cut(name: &str, letters: usize) -> String {
    let count = name.chars().count();
    if count <= letters {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count + 1 - letters.max(1)).collect();
    format!("\u{2026}{end}")
}

/// As [`state`], but short, and what moves first, as a narrow terminal cuts the rest.
fn beside_the_bar(job: &JobSnapshot, now: UnixTime) -> String {
    let progress = job.observed.as_ref().and_then(|observed| observed.progress);
    match (progress, pace(job)) {
        (Some(progress), Some(pace)) if job.failure.is_none() => {
            let (processed, total) = (rows(progress.processed), rows(progress.total));
            format!("{processed} of {total}, {pace}, {} failed", rows(progress.failed))
        }
        _ => state(job, now),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before; NaN is 0")]
fn whole(count: f64) -> u64 {
    count.clamp(0.0, LARGEST) as u64
}

fn print(told: &mut HashMap<JobId, (Told, UnixTime)>, job: &JobSnapshot, is_over: bool, now: UnixTime) {
    if !job.tried {
        return;
    }
    let failure = job.failure.as_ref().map(|failure| failure.reason);
    let now_told = (job.status().map(Status::as_str), failure);
    if let Some((before, at)) = told.get(&job.id)
        && !is_over
        && *before == now_told
        && now.as_millis().saturating_sub(at.as_millis()) < LINE_EVERY_MILLIS
    {
        return;
    }
    told.insert(job.id.clone(), (now_told, now));
    tell(&format!("{} {}", name(job), state(job, now)));
    let _unread = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_template_is_sound() {
        assert!(ProgressStyle::with_template(&template(24)).is_ok());
    }

    #[test]
    fn rate_and_time_left_have_room_beside_an_id() {
        let id = "Job:019542f5-b3e7-1d02-0000-000000000006";
        assert_eq!(fit(120, id.len()), (24, 40));
        assert_eq!(fit(110, id.len()), (10, 40));
        assert_eq!(fit(80, id.len()), (10, 16));
        assert_eq!(fit(80, 5), (10, 5));
        assert_eq!(fit(0, 5), (10, 5));
        assert_eq!(cut(id, 16), "\u{2026}00-000000000006");
        assert_eq!(
            (cut(id, 40), cut("", 0), cut("ab", 0)),
            (id.to_owned(), String::new(), "\u{2026}".to_owned())
        );
    }

    #[test]
    fn counts_that_can_not_be_are_bounded() {
        assert_eq!([-1.0, f64::NAN, 2.5, 1e30].map(whole), [0, 0, 2, 9_000_000_000_000_000]);
    }
}
