//! The command line: commands, flags, environment names; one file for each command.
//!
//! Called by `main` alone. A flag beats its variable (`GRID_EXPORTER_…`, see [`environment`]), which beats the
//! default. Exit codes: 0 good, 1 a fault of configuration or at run time, 2 a command line that is not understood.

pub mod check_config;
mod demo;
pub mod environment;
pub mod flags;
pub mod healthcheck;
pub mod listen;
mod serve;
mod shard;
pub mod simulate;
mod terminal;
pub mod upload;
pub mod watch;

use crate::config::{Environment, Faults, Inputs, WebOptions};
use crate::storage::StorageOptions;
use crate::telemetry::log::LogOptions;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use flags::{LogFlags, ServeFlags, WebFlags};
use serve::StartError;
use shard::ShardFlags;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The configuration file that is taken if no flag names one and it is there.
pub const DEFAULT_CONFIG_FILE: &str = "grid-bulk-exporter.yml";

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("BUILD_REVISION"),
    ", rust ",
    env!("BUILD_RUST_VERSION"),
    ")"
);

const AFTER_HELP: &str = "\
Credentials: set GRID_CLIENT_ID and GRID_CLIENT_SECRET (or the same with _FILE, for files that hold them), or name them in the configuration file.
Each flag is also an environment variable: GRID_EXPORTER_ and the flag's name in capitals with `_` for `.` and `-`, \
such as GRID_EXPORTER_WEB_LISTEN_ADDRESS. A flag beats the environment, the environment beats the file.";

/// Of help and errors in a terminal; `NO_COLOR` and pipes get none. Colours of the terminal's own palette, so that they can
/// be read on light and dark.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[derive(Parser)]
#[command(
    name = "grid-bulk-exporter",
    styles = STYLES,
    version = VERSION,
    about = "Prometheus exporter for bulk customer imports of Lightspark Grid",
    long_about = "Prometheus exporter for bulk customer imports of Lightspark Grid.\n\nPolls each import job and \
                  publishes its status, row counts and errors. Without a command it serves, as `serve` does.",
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true
)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeFlags,
    #[command(subcommand)]
    command: Option<Commands>,
}

#[derive(Subcommand)]
enum Commands {
    /// Run the exporter; the default command
    Serve(Box<ServeFlags>),
    /// Run the exporter with a simulated Grid API and moving jobs: no account needed
    Demo(Box<DemoFlags>),
    /// Run the simulated Grid API alone
    Simulate(Box<simulate::SimulateArgs>),
    /// Read a configuration file, or a web configuration file, and say what is in it, or everything that is wrong with it
    CheckConfig(CheckConfigFlags),
    /// Upload a CSV file of customers: check it, send it, register it with an exporter, watch it
    ///
    /// Prints the import's id. The file is sent once and never again by itself. Exit codes: as `watch`, and 3 if it is not
    /// known whether the file was taken.
    Upload(Box<upload::UploadCommand>),
    /// Follow imports in the terminal until they end; exit code 1 if rows failed
    ///
    /// Bars in a terminal, lines elsewhere. Exit codes: 0 all ended well, 1 rows or an import failed (--fail-on), 2 it could
    /// not be done (command line, configuration, credentials, an import that is not there), 130 by Ctrl-C.
    Watch(Box<watch::WatchCommand>),
    /// Ask the running exporter whether it is healthy; exit code 0 or 1, for containers
    ///
    /// Takes the flags and variables by which the exporter was started, and asks the first listen address.
    Healthcheck(Box<HealthcheckFlags>),
}

#[derive(clap::Args)]
struct DemoFlags {
    /// Start the machine's Prometheus on loopback as well, with the shipped rules, against the demo
    #[arg(long)]
    prometheus: bool,

    /// Write dashboards and provisioning for a Grafana of yours into this folder
    #[arg(long, value_name = "DIR")]
    grafana_files: Option<PathBuf>,

    #[command(flatten)]
    web: WebFlags,
    #[command(flatten)]
    log: LogFlags,
}

#[derive(clap::Args)]
struct CheckConfigFlags {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present = "web_config_file")]
    file: Option<PathBuf>,

    /// The web configuration file, to be checked as well or alone
    #[arg(id = "web_config_file", long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    #[command(flatten)]
    shard: ShardFlags,
}

#[derive(clap::Args)]
struct HealthcheckFlags {
    #[command(flatten)]
    web: WebFlags,
}

/// What is to be done, all flags checked.
#[derive(Debug)]
pub enum Command {
    /// `serve`, or no command.
    Serve(Box<ServeArgs>),
    /// `demo`
    Demo(Box<DemoArgs>),
    /// `simulate`
    Simulate(Box<simulate::SimulateArgs>),
    /// `check-config FILE`
    CheckConfig(Box<CheckConfigArgs>),
    /// `upload FILE.csv`
    Upload(Box<upload::UploadArgs>),
    /// `watch JOB…`
    Watch(Box<watch::WatchArgs>),
    /// `healthcheck`
    Healthcheck(WebOptions),
}

/// What `serve` is told.
#[derive(Debug)]
pub struct ServeArgs {
    /// What the configuration is made of, now and at each reload.
    pub inputs: Inputs,
    /// Reload when the configuration file changes.
    pub enable_auto_reload: bool,
    /// The web server.
    pub web: WebOptions,
    /// What outlives a restart.
    pub storage: StorageOptions,
    /// The log.
    pub log: LogOptions,
}

/// What `check-config` is told.
#[derive(Debug)]
pub struct CheckConfigArgs {
    /// What the configuration is made of, if it is to be checked.
    pub inputs: Option<Inputs>,
    /// The web configuration file, if it is to be checked.
    pub web_config_file: Option<PathBuf>,
}

/// What `demo` is told.
#[derive(Debug)]
pub struct DemoArgs {
    /// Start Prometheus as well.
    pub prometheus: bool,
    /// Where dashboards and provisioning for Grafana go.
    pub grafana_files: Option<PathBuf>,
    /// The web server.
    pub web: WebOptions,
    /// The log.
    pub log: LogOptions,
}

/// Understands `arguments` (the program's name first) and the variables that `lookup` knows.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, clap::Error> {
    let mut command = definition();
    let matches = environment::matches(&mut command, arguments.into_iter().collect(), &lookup)?;
    let line = CommandLine::from_arg_matches(&matches)?;
    let web = |flags: WebFlags| {
        flags
            .into_options()
            .map_err(|message| definition().error(clap::error::ErrorKind::ValueValidation, message))
    };
    let shard = |flags: ShardFlags| {
        flags
            .into_shard(&lookup)
            .map_err(|message| definition().error(clap::error::ErrorKind::ValueValidation, message))
    };
    let refusal = |message: String| definition().error(clap::error::ErrorKind::ValueValidation, message);
    let environment = Environment::read(&lookup);
    Ok(match line.command.unwrap_or_else(|| Commands::Serve(Box::new(line.serve))) {
        Commands::Serve(flags) => {
            let ServeFlags { config, shard: shard_flags, web: web_flags, storage, log } = *flags;
            let config_file = config.file.or_else(default_config_file);
            let (web, shard) = (web(web_flags)?, shard(shard_flags)?);
            let admin_api = web.enable_admin_api;
            Command::Serve(Box::new(ServeArgs {
                inputs: Inputs { config_file, jobs: config.jobs, environment, admin_api, shard },
                enable_auto_reload: config.enable_auto_reload,
                web,
                storage: storage.into_options(),
                log: log.into_options(),
            }))
        }
        Commands::Demo(flags) => {
            let DemoFlags { prometheus, grafana_files, web: web_flags, log } = *flags;
            let (web, log) = (web(web_flags)?, log.into_options());
            Command::Demo(Box::new(DemoArgs { prometheus, grafana_files, web, log }))
        }
        Commands::Simulate(args) => Command::Simulate(args),
        Commands::CheckConfig(flags) => {
            let shard = shard(flags.shard)?;
            let inputs = flags.file.map(|file| Inputs {
                config_file: Some(file),
                environment,
                shard,
                ..Inputs::default()
            });
            Command::CheckConfig(Box::new(CheckConfigArgs { inputs, web_config_file: flags.web_config_file }))
        }
        Commands::Upload(flags) => Command::Upload(Box::new(flags.into_args(environment).map_err(refusal)?)),
        Commands::Watch(flags) => Command::Watch(Box::new(flags.into_args(environment).map_err(refusal)?)),
        Commands::Healthcheck(flags) => Command::Healthcheck(web(flags.web)?),
    })
}

/// clap's definition of the whole command line, with the variables' names in the long help.
#[must_use]
pub fn definition() -> clap::Command {
    let command = CommandLine::command().mut_subcommand("demo", |demo| {
        // The demo is for the person at this machine; whoever wants it elsewhere says so.
        demo.mut_arg("listen_addresses", |argument| argument.default_value("127.0.0.1:10310"))
    });
    environment::mention(command)
}

/// Runs the program: `main` passes its arguments and the environment's lookup.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let command = match parse(arguments, lookup) {
        Ok(command) => command,
        Err(answer) => {
            // Help and version come this way too, with code 0. If nobody reads it there is nobody to tell.
            let _unread = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    match command {
        Command::Serve(args) => serve::main(*args),
        Command::Demo(args) => demo::main(*args),
        Command::Simulate(args) => serve::block_on(async {
            simulate::run(*args).await.map_err(|error| StartError::Other(error.to_string()))
        }),
        Command::CheckConfig(args) => {
            check_config::main(args.inputs.as_ref(), args.web_config_file.as_deref())
        }
        Command::Upload(args) => upload::main(*args),
        Command::Watch(args) => watch::main(*args),
        Command::Healthcheck(web) => healthcheck::main(&web),
    }
}

/// The working directory's configuration file. Chosen once: a file that goes away later is a fault at a reload, and
/// does not silently empty the set of jobs.
fn default_config_file() -> Option<PathBuf> {
    let path = Path::new(DEFAULT_CONFIG_FILE);
    // A file that can't be looked at is one that is there: reading it will say why.
    path.try_exists().unwrap_or(true).then(|| path.to_owned())
}

/// Tells on standard error all that is wrong with a configuration; exit code 1.
#[must_use]
pub fn refuse_faults(faults: &Faults) -> ExitCode {
    refuse(&faults.to_string())
}

/// Tells on standard error why the program stops; exit code 1.
#[must_use]
pub fn refuse(why: &str) -> ExitCode {
    let _unread = writeln!(std::io::stderr().lock(), "{why}");
    ExitCode::FAILURE
}
