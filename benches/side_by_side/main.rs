//! The measuring half of `benches/side-by-side`, which starts it; it measures and serves, and judges nothing.
//!
//! - `client`: scrapes a server over one connection (or several at once) and prints the times as JSON
//! - `static`: the limit: a hyper server that sends ready bytes, plain and gzip
//! - `polls`: the naive poller: reqwest and serde_json, a task a job, so many at a time
//!
//! A client of our own, and not curl or `requests`: its cost is in every time that it takes, and must be small
//! beside a scrape of a third of a millisecond.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that can't be taken is to fail aloud, and its result goes to standard output"
)]

mod client;
mod polls;
mod ready_bytes;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["client", options @ ..] => client::run(options),
        ["static", plain, gzip] => ready_bytes::serve(plain, gzip),
        ["polls", options @ ..] => polls::run(options),
        // `cargo bench` without a name runs every benchmark: this one needs its script.
        _ => println!("side_by_side: run benches/side-by-side, which starts this program"),
    }
}
