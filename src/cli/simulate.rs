//! `simulate`: the simulated Grid API alone, for trying the exporter and the official SDKs without an account.

use crate::secret::Secret;
use crate::sim::{
    BASE_PATH, Scenario, ScenarioError, Series, SimError, SimOptions, Simulator, WebhookRecord,
    WebhookSigner, WebhookTarget, job_id,
};
use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser as _};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Flags of `simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// Where the simulated API listens (`127.0.0.1:0` for any free port)
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:10320")]
    pub listen_address: SocketAddr,
    /// Client id (user name of HTTP Basic) that it takes
    #[arg(long, value_name = "ID", default_value = "demo")]
    pub client_id: String,
    /// Client secret that it takes; it guards nothing, so choose one that is not secret
    #[arg(long, value_name = "SECRET", default_value = "demo", value_parser = StringValueParser::new().map(Secret::new))]
    pub client_secret: Secret,
    /// How many jobs to make, of varied size and fate [default: 5, or 0 with --scenario]
    #[arg(long, value_name = "N")]
    pub jobs: Option<u64>,
    /// Simulated seconds a real second
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// What sizes, fates and failing rows follow from: the same seed, the same run
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Answer at most so many requests a second, the others with 429 (beats the scenario's `rate_limit`)
    #[arg(long, value_name = "N")]
    pub max_requests_per_second: Option<f64>,
    /// Send a signed webhook there at the end of each job, an `http://` address
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<Url>,
    /// Write the public key of the webhooks' signatures into this file at the start
    #[arg(long, value_name = "FILE", requires = "webhook_url")]
    pub webhook_public_key: Option<PathBuf>,
    /// YAML file that gives single jobs a course and faults (docs/simulator.md)
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
}

/// Jobs made where neither `--jobs` nor `--scenario` says anything.
const USUAL_JOBS: u64 = 5;

/// So many ids are listed one by one.
const LISTED: u64 = 5;

/// Why `simulate` can't run.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The scenario file.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A flag's value.
    #[error("simulate: {0}")]
    Options(#[from] SimError),
    /// `--max-requests-per-second` is not above 0.
    #[error("simulate: --max-requests-per-second {0} is not possible; write a number above 0, such as 5")]
    RateLimit(f64),
    /// The address can't be listened on.
    #[error("simulate: can't listen on {address}: {source}; choose another with --listen-address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The public key can't be written.
    #[error("simulate: --webhook-public-key {file}: {source}; name a file that can be written", file = file.display())]
    PublicKey {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Signals or standard output fail.
    #[error("simulate: {0}")]
    Io(#[from] io::Error),
}

/// Serves until SIGINT or SIGTERM; says on standard output how to reach it.
pub async fn run(args: SimulateArgs) -> Result<(), SimulateError> {
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let address = args.listen_address;
    let (simulator, welcome) = prepare(&args)?;
    let listener =
        TcpListener::bind(address).await.map_err(|source| SimulateError::Listen { address, source })?;
    let text = welcome.text(listener.local_addr()?);
    // A closed pipe (`simulate | head`) is no reason to end.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    let stop = shutdown.clone();
    let records = simulator.handle().webhook_records();
    let serving = simulator.serve(listener, shutdown);
    let signalled = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(serving, signalled) } => {}
        () = tell_webhooks(records) => {}
    }
    Ok(())
}

/// Says of each webhook what became of it; never ends.
async fn tell_webhooks(mut records: broadcast::Receiver<WebhookRecord>) {
    loop {
        match records.recv().await {
            Ok(WebhookRecord { delivery, job, attempt, outcome }) => {
                let outcome = outcome.map_or_else(|why| why, |status| status.to_string());
                let line = format!("{delivery} of {job}, attempt {attempt}: {outcome}\n");
                let _ = io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush());
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Reads the scenario and makes the simulator.
fn prepare(args: &SimulateArgs) -> Result<(Simulator, Welcome), SimulateError> {
    let mut scenario = args.scenario.as_deref().map(Scenario::load).transpose()?.unwrap_or_default();
    if let Some(limit) = args.max_requests_per_second {
        if !(limit > 0.0 && limit.is_finite()) {
            return Err(SimulateError::RateLimit(limit));
        }
        scenario.api.rate_limit = Some(crate::sim::RateLimit::new(limit));
    }
    let jobs = args.jobs.unwrap_or(if args.scenario.is_some() { 0 } else { USUAL_JOBS });
    let welcome = Welcome {
        client_id: args.client_id.clone(),
        client_secret: args.client_secret.clone(),
        seed: args.seed,
        generated: jobs,
        named: scenario.jobs.iter().map(|job| job.id.clone()).collect(),
    };
    let webhook =
        args.webhook_url.clone().map(|url| WebhookTarget { url, signer: WebhookSigner::generate() });
    if let (Some(file), Some(webhook)) = (&args.webhook_public_key, &webhook) {
        std::fs::write(file, webhook.signer.public_key_pem())
            .map_err(|source| SimulateError::PublicKey { file: file.clone(), source })?;
    }
    let options = SimOptions {
        webhook,
        client_id: args.client_id.clone(),
        client_secret: args.client_secret.clone(),
        jobs,
        speed: args.speed,
        seed: args.seed,
        scenario,
        ..SimOptions::default()
    };
    Ok((Simulator::new(options)?, welcome))
}

/// What the user is told at the start.
struct Welcome {
    client_id: String,
    client_secret: Secret,
    seed: u64,
    generated: u64,
    named: Vec<String>,
}

impl Welcome {
    fn text(&self, address: SocketAddr) -> String {
        let base_url = format!("http://{address}{BASE_PATH}");
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "Simulated Grid API at {base_url}\n");
        let _ = writeln!(text, "  export LIGHTSPARK_GRID_BASE_URL={base_url}");
        let _ = writeln!(text, "  export GRID_CLIENT_ID={}", self.client_id);
        let _ = writeln!(text, "  export GRID_CLIENT_SECRET={}\n", self.client_secret.expose());
        let listed: Vec<String> = self
            .named
            .iter()
            .take(usize::try_from(LISTED).unwrap_or_default())
            .cloned()
            .chain((1..=self.generated.min(LISTED)).map(|number| self.generated_id(number)))
            .collect();
        let total = self.named.len() as u64 + self.generated;
        if let Some(first) = listed.first() {
            let _ = writeln!(text, "{total} jobs. For grid-bulk-exporter.yml:\n\njobs:");
            for id in &listed {
                // JSON strings are YAML: a colon and a space or a quote in an id does no harm.
                let _ = writeln!(text, "  - {}", serde_json::Value::from(id.as_str()));
            }
            if self.generated > LISTED {
                let last = self.generated_id(self.generated);
                let _ = writeln!(text, "  # … and so on, counting in decimal, to {last}");
            }
            let _ = writeln!(
                text,
                "\nTry it: curl -u {}:… {base_url}/customers/bulk/jobs/{first}",
                self.client_id
            );
        } else {
            let _ = writeln!(text, "No jobs yet.");
        }
        let _ = writeln!(
            text,
            "Upload: curl -u {}:… -F file=@customers.csv {base_url}/customers/bulk/csv",
            self.client_id
        );
        text
    }

    fn generated_id(&self, number: u64) -> String {
        job_id(self.seed, Series::Generated, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn args(words: &[&str]) -> SimulateArgs {
        Command::parse_from(["simulate"].iter().chain(words)).simulate
    }

    #[test]
    fn the_start_says_how_to_reach_it_and_what_the_jobs_are_called() {
        let (simulator, welcome) = prepare(&args(&["--jobs=12", "--client-id=me"])).unwrap();
        let text = welcome.text("127.0.0.1:4711".parse().unwrap());
        assert!(
            text.contains("export LIGHTSPARK_GRID_BASE_URL=http://127.0.0.1:4711/grid/2025-10-13\n"),
            "{text}"
        );
        assert!(text.contains("export GRID_CLIENT_ID=me\n") && text.contains("12 jobs"), "{text}");
        let known = simulator.handle().job_ids();
        assert_eq!(known.len(), 12);
        let listed = known.iter().filter(|id| text.contains(&format!("  - \"{id}\"\n"))).count();
        assert_eq!(listed, 5, "{text}");
        assert!(text.contains(&format!("to {}\n", known[11])), "{text}");
    }

    #[test]
    fn five_jobs_are_there_unless_a_scenario_or_a_flag_says_otherwise() {
        assert_eq!(prepare(&args(&[])).unwrap().0.handle().job_ids().len(), 5);
        assert_eq!(prepare(&args(&["--jobs=0"])).unwrap().0.handle().job_ids().len(), 0);
    }

    #[test]
    fn values_that_cannot_be_are_refused_in_one_line() {
        let refused = |words: &[&str]| prepare(&args(words)).err().map(|error| error.to_string());
        assert!(refused(&["--speed=0"]).unwrap().starts_with("simulate: speed 0 is not possible"));
        assert!(refused(&["--max-requests-per-second=0"]).unwrap().contains("above 0"));
        assert!(refused(&["--scenario=/nonexistent.yml"]).unwrap().starts_with("/nonexistent.yml: "));
    }
}
