//! `upload FILE.csv`: the whole way of an import from one command: check, send, register, watch.
//!
//! `check` looks the file through, `register` names the import to a running exporter, `watch` is the command of that name.
//! The file is opened once: what is checked is what is sent. Standard output has the import's id and nothing else, so
//! that a script can take it.

mod check;
mod register;

use super::Environment;
use super::terminal::{self, Exit, Stop, say, tell};
use super::watch::{self, WatchFlags};
use crate::catalog::read_labels;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::config::error::shown_path;
use crate::config::values::{parse_size, show_size};
use crate::grid::client::GridClient;
use crate::grid::client::upload::{UploadError, UploadFile};
use crate::job::{JobId, Labels};
use crate::telemetry::own::OwnMetrics;
use bytes::Bytes;
use check::Checked;
use clap::builder::BoolishValueParser;
use futures_util::{Stream, stream};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use register::Target;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;

/// Read and sent at once, in bytes.
const PIECE: usize = 64 << 10;

/// How often the bar moves.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Flags of `upload`.
#[derive(clap::Args)]
pub(super) struct UploadCommand {
    /// The CSV file
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,

    /// The configuration file (YAML), for its section `grid`; without it, grid-bulk-exporter.yml of the working
    /// directory if that is there
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Check the file and send nothing
    #[arg(long = "dry-run", value_name = "BOOL", value_parser = BoolishValueParser::new(), num_args = 0..=1,
          require_equals = true, default_value = "false", default_missing_value = "true", hide_possible_values = true)]
    dry_run: bool,

    /// Refuse a file with rows that will probably fail, and not only one with such a header
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new(), num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_possible_values = true)]
    strict: bool,

    /// The largest file that is sent; Grid advises to stay below 100 MB
    #[arg(long = "max-size", value_name = "SIZE", default_value = "100MB", value_parser = parse_size)]
    max_size: u64,

    // A doc comment would put backticks around the variable.
    #[arg(
        long,
        value_name = "URL",
        help = "Register the import with a running exporter that has --web.enable-admin-api; {shard} in the URL stands for the \
                number of the shard that watches it, and https needs a certificate of the system's authorities, or of those \
                in the file that SSL_CERT_FILE names"
    )]
    register: Option<Target>,

    /// A label that the exporter gives the import; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", requires = "register")]
    labels: Vec<String>,

    /// Follow the import until it ends, as `watch` does
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new(), num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_possible_values = true)]
    watch: bool,

    #[command(flatten)]
    watching: WatchFlags,
}

/// What `upload` is told.
#[derive(Debug)]
pub struct UploadArgs {
    file: PathBuf,
    config_file: Option<PathBuf>,
    dry_run: bool,
    strict: bool,
    max_size: u64,
    register: Option<Target>,
    labels: Labels,
    watch: Option<WatchFlags>,
    json: bool,
    environment: Environment,
}

impl UploadCommand {
    /// The flags with the environment; an error if a label can't be one.
    pub(super) fn into_args(self, environment: Environment) -> Result<UploadArgs, String> {
        let split = |label: &'_ String| {
            label.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let labels: Option<Vec<_>> = self.labels.iter().map(split).collect();
        let labels = labels.ok_or("--label: write it as name=value, such as --label=team=onboarding")?;
        let labels = read_labels(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(UploadArgs {
            file: self.file,
            config_file: self.config_file.or_else(super::default_config_file),
            dry_run: self.dry_run,
            strict: self.strict,
            max_size: self.max_size,
            register: self.register,
            labels: labels.map_err(|fault| format!("--label: {fault}"))?,
            json: self.watching.json,
            watch: self.watch.then_some(self.watching),
            environment,
        })
    }
}

/// Why nothing was uploaded.
type NotUploaded = (Exit, String);

/// Sends the file.
pub(super) fn main(mut args: UploadArgs) -> ExitCode {
    let environment = std::mem::take(&mut args.environment);
    terminal::block_on(async {
        let result = match Stop::listen() {
            Ok(mut stop) => run(args, environment, &mut stop).await,
            Err(error) => Err((Exit::NotDone, error)),
        };
        result.unwrap_or_else(|(exit, line)| {
            say(&line);
            exit
        })
    })
}

async fn run(args: UploadArgs, environment: Environment, stop: &mut Stop) -> Result<Exit, NotUploaded> {
    let refuse = |line: String| (Exit::NotDone, format!("{}: {line}", shown_path(&args.file)));
    let (file, before) = open(&args.file, args.max_size).map_err(refuse)?;
    let (path, strict) = (args.file.clone(), args.strict);
    let checking = tokio::task::spawn_blocking(move || check_file(file));
    let (file, checked) = tokio::select! {
        checked = checking => checked.map_err(|_| refuse("it could not be checked".to_owned()))?.map_err(refuse)?,
        exit = stop.wait() => return Err((exit, "stopped; nothing was sent".to_owned())),
    };
    tell_of(&path, &checked, before.length);
    if strict && checked.bad_row_count > 0 {
        let line =
            format!("{} rows will probably fail, and --strict is given", HumanCount(checked.bad_row_count));
        return Err(refuse(line));
    }
    if args.dry_run {
        return Ok(Exit::Good);
    }
    let config = terminal::load(args.config_file.clone(), environment)
        .map_err(|faults| (Exit::NotDone, faults.to_string()))?;
    if State::of(&file).ok() != Some(before) {
        return Err(refuse("it changed while it was checked; nothing was sent".to_owned()));
    }
    let id = send(&config, &path, file, before, stop).await?;
    if args.json {
        tell(
            &serde_json::json!({ "jobId": id.as_str(), "status": "PENDING", "rows": checked.rows })
                .to_string(),
        );
    } else {
        tell(id.as_str());
    }
    let mut exit = Exit::Good;
    if let Some(target) = &args.register {
        tokio::select! {
            registered = target.register(&id, &args.labels) => match registered {
                Ok(shown) => say(&format!("{shown} watches {id} from now on")),
                Err(why) => {
                    exit = Exit::NotDone;
                    say(&format!("{id} was uploaded, but is not registered: {why}"));
                }
            },
            stopped = stop.wait() => return Err((stopped, format!("stopped; {id} was uploaded, but may not be registered"))),
        }
    }
    if let Some(flags) = &args.watch {
        let watched = watch::run(&config, std::slice::from_ref(&id), flags, stop).await;
        exit = if watched == Exit::Good { exit } else { watched };
    }
    Ok(exit)
}

/// By what it shows that a file was written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { length: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// Opens the file, or says why it can't be uploaded.
fn open(path: &Path, max_size: u64) -> Result<(File, State), String> {
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    let metadata = std::fs::metadata(path).map_err(|error| format!("it can't be read: {error}"))?;
    if !metadata.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    let file = File::open(path).map_err(|error| format!("it can't be read: {error}"))?;
    let state = State::of(&file).map_err(|error| format!("it can't be read: {error}"))?;
    if state.length > max_size {
        return Err(format!(
            "it has {} bytes, and --max-size is {}; split it, or raise that",
            HumanCount(state.length),
            show_size(max_size)
        ));
    }
    Ok((file, state))
}

fn check_file(mut file: File) -> Result<(File, Checked), String> {
    let checked = check::check(&file)?;
    file.rewind().map_err(|error| format!("it can't be read again: {error}"))?;
    Ok((file, checked))
}

/// What was found, in lines.
fn tell_of(path: &Path, checked: &Checked, length: u64) {
    let path = shown_path(path);
    let (rows, columns, length) = (HumanCount(checked.rows), checked.columns, HumanCount(length));
    say(&format!("{path}: {rows} rows, {columns} columns, {length} bytes"));
    for line in checked.notes.iter().chain(&checked.bad_rows) {
        say(&format!("{path}: {line}"));
    }
    let told = checked.bad_rows.len() as u64;
    if checked.bad_row_count > told {
        say(&format!(
            "{path}: and {} more rows that will probably fail",
            HumanCount(checked.bad_row_count - told)
        ));
    }
}

/// Sends the file once, with a bar.
async fn send(
    config: &Config,
    path: &Path,
    file: File,
    state: State,
    stop: &mut Stop,
) -> Result<JobId, NotUploaded> {
    let clock: SharedClock = Arc::new(SystemClock);
    let own = OwnMetrics::new(&clock).map_err(|error| (Exit::NotDone, error.to_string()))?;
    let client = GridClient::new(&config.grid, own.api, clock)
        .map_err(|error| (Exit::NotDone, config.places.locate(&error.to_string())))?;
    let sent = Arc::new(AtomicU64::new(0));
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| name.is_ascii());
    let upload = UploadFile {
        name: name.unwrap_or("customers.csv").to_owned(),
        length: state.length,
        pieces: pieces(file, state.length, Arc::clone(&sent)),
        sent: Arc::clone(&sent),
    };
    // Hidden by itself where there is no terminal.
    let bar = ProgressBar::new(state.length);
    let template = "Uploading [{bar:16.cyan/dim}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    let drawing = async {
        loop {
            bar.set_position(sent.load(Ordering::Relaxed));
            tokio::time::sleep(DRAW_EVERY).await;
        }
    };
    let result = tokio::select! {
        result = client.upload(upload) => result.map_err(|error| match &error {
            UploadError::NotTaken(_) => (Exit::NotDone, error.to_string()),
            UploadError::Unclear(_) => (Exit::Unclear, error.to_string()),
        }),
        exit = stop.wait() => Err(if sent.load(Ordering::Relaxed) < state.length {
            (exit, "stopped; the file was not taken".to_owned())
        } else {
            (Exit::Unclear, UploadError::Unclear("it was stopped before the answer came".to_owned()).to_string())
        }),
        () = drawing => Err((Exit::NotDone, String::new())),
    };
    bar.finish_and_clear();
    result
}

/// The file from its beginning, no byte more than were checked.
fn pieces(file: File, length: u64, sent: Arc<AtomicU64>) -> impl Stream<Item = io::Result<Bytes>> {
    let file = tokio::fs::File::from_std(file).take(length);
    stream::try_unfold((file, sent), |(mut file, sent)| async move {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        if piece.is_empty() {
            return Ok(None);
        }
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(Some((Bytes::from(piece), (file, sent))))
    })
}
