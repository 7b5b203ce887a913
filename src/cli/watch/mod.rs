//! `watch JOB…`: follows imports in the terminal until they end; `upload --watch` goes on with it.
//!
//! It has the exporter's own poller and Grid client, so that it paces itself, obeys 429 and tells refusals from passing
//! faults as `serve` does; nothing is published or kept. `show` prints, `verdict` decides when an import is over and
//! what the exit code is.

mod show;
mod verdict;

use super::Environment;
use super::terminal::{self, Exit, Stop, say};
use crate::catalog::CatalogChange;
use crate::clock::{SharedClock, SystemClock};
use crate::config::values::parse_duration;
use crate::config::{Config, JobSource, JobSpec, PollConfig};
use crate::grid::client::GridClient;
use crate::job::{JobId, Labels};
use crate::poller::{ClockHandle, Poller, Setup, Surroundings};
use crate::store::Store;
use crate::telemetry::own::OwnMetrics;
use clap::builder::BoolishValueParser;
use show::Show;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use verdict::Fate;

pub(super) use verdict::FailOn;

/// How often times left are shown anew, and it is looked whether an import is still not there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Error codes told apart.
const ERROR_CODES: usize = 100;

/// How imports are followed; `upload --watch` has the same flags.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WatchFlags {
    /// What makes the exit code 1
    #[arg(long = "fail-on", value_name = "WHAT", default_value = "rows")]
    pub(super) fail_on: FailOn,

    /// Print an object in JSON, a line for each change, as GET /api/v1/jobs/{jobId} of serve gives it
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new(), num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_possible_values = true)]
    pub(super) json: bool,

    /// How often each import is polled
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    pub(super) interval: Duration,
}

/// Flags of `watch`.
#[derive(clap::Args)]
pub(super) struct WatchCommand {
    /// Ids of the imports
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<JobId>,

    /// The configuration file (YAML), for its section `grid`; without it, grid-bulk-exporter.yml of the working
    /// directory if that is there
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    #[command(flatten)]
    watch: WatchFlags,
}

/// What `watch` is told.
#[derive(Debug)]
pub struct WatchArgs {
    jobs: Vec<JobId>,
    config_file: Option<PathBuf>,
    watch: WatchFlags,
    environment: Environment,
}

impl WatchCommand {
    /// The flags with the environment; an error if they contradict each other.
    pub(super) fn into_args(self, environment: Environment) -> Result<WatchArgs, String> {
        let mut seen = HashSet::new();
        if let Some(twice) = self.jobs.iter().find(|id| !seen.insert(*id)) {
            return Err(format!("{twice} is given twice; give it once"));
        }
        let config_file = self.config_file.or_else(super::default_config_file);
        Ok(WatchArgs { jobs: self.jobs, config_file, watch: self.watch, environment })
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&interval) {
        return Ok(interval);
    }
    Err("it is not between 1s and 1h".to_owned())
}

/// Follows imports until they end.
pub(super) fn main(args: WatchArgs) -> ExitCode {
    let WatchArgs { jobs, config_file, watch, environment } = args;
    let config = match terminal::load(config_file, environment) {
        Ok(config) => config,
        Err(faults) => {
            say(&faults.to_string());
            return Exit::NotDone.into();
        }
    };
    terminal::block_on(async {
        match Stop::listen() {
            Ok(mut stop) => run(&config, &jobs, &watch, &mut stop).await,
            Err(error) => {
                say(&error);
                Exit::NotDone
            }
        }
    })
}

/// The same within a runtime.
pub(super) async fn run(config: &Config, jobs: &[JobId], flags: &WatchFlags, stop: &mut Stop) -> Exit {
    match follow(config, jobs, flags, stop).await {
        Ok(exit) => exit,
        Err(line) => {
            say(&line);
            Exit::NotDone
        }
    }
}

async fn follow(
    config: &Config,
    jobs: &[JobId],
    flags: &WatchFlags,
    stop: &mut Stop,
) -> Result<Exit, String> {
    let clock: SharedClock = Arc::new(SystemClock);
    let store = Store::new(clock.now());
    let poller = poller(config, jobs, flags.interval, &store, &clock)?;
    let shutdown = CancellationToken::new();
    let _stopped_at_the_end = shutdown.clone().drop_guard();
    let mut polling = tokio::spawn(poller.run(shutdown));
    let mut show = Show::new(flags.json, jobs.len());
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            exit = stop.wait() => Some(exit),
            () = store.changed() => None,
            _ = look.tick() => None,
            _ended = &mut polling => return Err("the poller ended by itself; please report this".to_owned()),
        };
        let (snapshots, _) = store.jobs();
        let now = clock.now();
        let fates: Vec<_> = snapshots.iter().map(|job| verdict::fate(job, now)).collect();
        let refused =
            fates.iter().find_map(|fate| if let Fate::Refused(why) = fate { Some(why) } else { None });
        if let Some(why) = refused {
            show.close();
            let (id, secret) = (config.grid.client_id.origin(), config.grid.client_secret.origin());
            return Err(format!(
                "the Grid API refuses the credentials: {why}; the id is from {id}, the secret from {secret}"
            ));
        }
        show.update(&snapshots, &fates, now);
        if let Some(exit) = stopped {
            show.close();
            let running = fates.iter().filter(|fate| **fate == Fate::Running).count();
            say(&format!(
                "stopped; {running} of {} imports had not ended, and go on without us",
                fates.len()
            ));
            return Ok(exit);
        }
        if !fates.contains(&Fate::Running) {
            show.close();
            return Ok(verdict::exit(&snapshots, &fates, flags.fail_on));
        }
    }
}

/// The poller of these jobs alone, which no configuration of `serve` has to know.
fn poller(
    config: &Config,
    jobs: &[JobId],
    interval: Duration,
    store: &Store,
    clock: &SharedClock,
) -> Result<Poller<GridClient>, String> {
    let own = OwnMetrics::new(clock).map_err(|error| error.to_string())?;
    let client = GridClient::new(&config.grid, own.api.clone(), Arc::clone(clock))
        .map_err(|error| config.places.locate(&error.to_string()))?;
    let setup = Setup {
        reader: Arc::new(client),
        poll: PollConfig { interval, ..config.poll },
        error_codes_per_job: ERROR_CODES,
        is_other_api: false,
    };
    let surroundings = Surroundings {
        store: store.clone(),
        clock: ClockHandle(Arc::clone(clock)),
        poll_metrics: own.poll.clone(),
        api_metrics: own.api.clone(),
    };
    let (mut poller, _handle) = Poller::new(setup, surroundings);
    let known: HashMap<&JobId, &Labels> = config.jobs.iter().map(|job| (&job.id, &job.labels)).collect();
    let joined = jobs.iter().map(|id| JobSpec {
        id: id.clone(),
        labels: known.get(id).map(|labels| (*labels).clone()).unwrap_or_default(),
        sources: vec![JobSource::Flag],
    });
    poller.begin_with(CatalogChange { joined: joined.collect(), ..CatalogChange::default() });
    Ok(poller)
}
