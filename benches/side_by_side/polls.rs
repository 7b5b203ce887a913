//! The naive poller, as one would write it in an afternoon: what a poll costs without any of our care.

use reqwest::Client;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    progress: Option<Progress>,
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Progress {
    total: f64,
    processed: f64,
    successful: f64,
    failed: f64,
}

#[derive(Deserialize)]
struct Entry {
    code: Option<String>,
}

/// `BASE_URL USER PASSWORD FILE_OF_IDS SECONDS AT_ONCE EVERY`: each job every so many seconds, spread over them, or as fast
/// as it can if that is 0. Prints `{"polls": …, "seconds": …, "cpu_seconds": …}`.
pub(crate) fn run(options: &[&str]) {
    let [base, user, password, ids, seconds, at_once, every] = options else {
        println!("polls: BASE_URL USER PASSWORD FILE_OF_IDS SECONDS AT_ONCE EVERY");
        return;
    };
    let ids = std::fs::read_to_string(ids).expect("a file of ids");
    let limit = Duration::from_secs_f64(seconds.parse().expect("a number of seconds"));
    let every = Duration::from_secs_f64(every.parse().expect("a number of seconds"));
    let places = Arc::new(Semaphore::new(at_once.parse().expect("a number of requests at once")));
    // Plain HTTP needs no TLS, but reqwest asks for it.
    let _already_set = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new();
    let polls = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let elapsed = runtime.block_on(async {
        let started = Instant::now();
        let count = ids.lines().count().max(1) as f64;
        for (number, id) in ids.lines().enumerate() {
            let mut turn = started + every.mul_f64(number as f64 / count);
            let url = format!("{base}/customers/bulk/jobs/{id}");
            let (client, places, polls) = (client.clone(), Arc::clone(&places), Arc::clone(&polls));
            let (user, password) = ((*user).to_owned(), (*password).to_owned());
            tokio::spawn(async move {
                loop {
                    if !every.is_zero() {
                        sleep_until(turn).await;
                        turn += every;
                    }
                    let _place = places.acquire().await.expect("a place");
                    let request = client.get(&url).basic_auth(&user, Some(&password));
                    let body = request.send().await.expect("an answer").bytes().await.expect("a body");
                    let job: Job = serde_json::from_slice(&body).expect("a job");
                    let mut codes = BTreeMap::<String, u64>::new();
                    for entry in job.errors {
                        *codes.entry(entry.code.unwrap_or_default()).or_default() += 1;
                    }
                    let progress = job.progress.map_or([0.0; 4], |progress| {
                        [progress.total, progress.processed, progress.successful, progress.failed]
                    });
                    std::hint::black_box((job.id, job.status, progress, codes));
                    polls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tokio::time::sleep(limit).await;
        started.elapsed().as_secs_f64()
    });
    let polls = polls.load(Ordering::Relaxed);
    println!("{}", serde_json::json!({ "polls": polls, "seconds": elapsed, "cpu_seconds": cpu_seconds() }));
    runtime.shutdown_background();
}

/// CPU time of this process so far, of threads that ended too.
fn cpu_seconds() -> f64 {
    let this = procfs::process::Process::myself().and_then(|this| this.stat()).expect("procfs");
    (this.utime + this.stime) as f64 / procfs::ticks_per_second() as f64
}
