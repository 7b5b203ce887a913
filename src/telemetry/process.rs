//! `process_*`: what every client library publishes about its process, read from `/proc/self` at a scrape.
//!
//! Scrapes within [`FRESH`] of each other share one reading: the kernel takes longer to write it than all else in the
//! scrape of a thousand jobs takes, and counts CPU time no finer.
//!
//! The prometheus crate's own collector counts whole seconds of CPU, which makes `rate()` useless for a process as
//! frugal as this one; so this one reads the ticks. Built by `registering`, read by `registry`.

use crate::telemetry::families::{self, Family};
use crate::telemetry::registering::{Registering, opts};
use crate::telemetry::registry::{Found, Readable, Value};
use procfs::process::Stat;
use procfs::{CurrentSI, FromRead, KernelStats, WithCurrentSystemInfo};
use prometheus::{Counter, Gauge};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const STAT: &str = "/proc/self/stat";

/// The text of [`STAT`] has some 300 bytes.
const STAT_BYTES: usize = 2048;

/// A reading counts as fresh for so long: the kernel's own tick.
const FRESH: Duration = Duration::from_millis(10);

const FILES: &str = "/proc/self/fd";

/// `process_*`.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    cpu: Counter,
    open_fds: Gauge,
    max_fds: Gauge,
    virtual_memory: Gauge,
    virtual_memory_max: Gauge,
    resident_memory: Gauge,
    threads: Gauge,
    start_time: Gauge,
    /// Open for good: opening costs as much as reading. Nothing where there is no `/proc`.
    stat: Option<File>,
    last_read: Mutex<Option<Instant>>,
}

impl ProcessMetrics {
    /// Those of this process.
    ///
    /// # Errors
    /// Only if the table of families breaks the prometheus crate's rules.
    pub(super) fn new(registering: &Registering) -> Result<Self, prometheus::Error> {
        let gauge = |family| registering.checked(Gauge::with_opts(opts(family)));
        let metrics = Self {
            cpu: registering.checked(Counter::with_opts(opts(families::PROCESS_CPU)))?,
            open_fds: gauge(families::PROCESS_OPEN_FDS)?,
            max_fds: gauge(families::PROCESS_MAX_FDS)?,
            virtual_memory: gauge(families::PROCESS_VIRTUAL_MEMORY)?,
            virtual_memory_max: gauge(families::PROCESS_VIRTUAL_MEMORY_MAX)?,
            resident_memory: gauge(families::PROCESS_RESIDENT_MEMORY)?,
            threads: gauge(families::PROCESS_THREADS)?,
            start_time: gauge(families::PROCESS_START_TIME)?,
            stat: File::open(STAT).ok(),
            last_read: Mutex::default(),
        };
        if let (Ok(stat), Ok(kernel)) = (Stat::from_file(STAT), KernelStats::current()) {
            let since_boot = stat.starttime as f64 / procfs::ticks_per_second() as f64;
            metrics.start_time.set(kernel.btime as f64 + since_boot);
        }
        Ok(metrics)
    }

    /// Reads `/proc/self`, unless that was done just now.
    fn refresh(&self) {
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() >= FRESH) {
            self.read();
            *last = Some(Instant::now());
        }
    }

    /// What can't be read keeps its last value.
    fn read(&self) {
        let mut text = [0; STAT_BYTES];
        let length = self.stat.as_ref().and_then(|file| file.read_at(&mut text, 0).ok());
        let text = length.and_then(|length| text.get(..length)).unwrap_or_default();
        if let Ok(stat) = Stat::from_read(text) {
            let spent = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
            self.cpu.inc_by((spent - self.cpu.get()).max(0.0));
            self.virtual_memory.set(stat.vsize as f64);
            self.resident_memory.set(stat.rss_bytes().get() as f64);
            self.threads.set(stat.num_threads as f64);
        }
        if let Some(open) = open_files() {
            self.open_fds.set(open as f64);
        }
        // The system call and not `/proc/self/limits`, whose text costs the kernel more than all else here.
        self.max_fds.set(limit(getrlimit(Resource::Nofile).current));
        self.virtual_memory_max.set(limit(getrlimit(Resource::As).current));
    }

    /// All its metrics, sorted by name.
    fn metrics(&self) -> [(Family, &dyn Value); 8] {
        [
            (families::PROCESS_CPU, &self.cpu),
            (families::PROCESS_MAX_FDS, &self.max_fds),
            (families::PROCESS_OPEN_FDS, &self.open_fds),
            (families::PROCESS_RESIDENT_MEMORY, &self.resident_memory),
            (families::PROCESS_START_TIME, &self.start_time),
            (families::PROCESS_THREADS, &self.threads),
            (families::PROCESS_VIRTUAL_MEMORY, &self.virtual_memory),
            (families::PROCESS_VIRTUAL_MEMORY_MAX, &self.virtual_memory_max),
        ]
    }
}

/// How many files are open.
fn open_files() -> Option<u64> {
    // Since Linux 6.2 the folder's size tells; before, it is 0.
    match std::fs::metadata(FILES).ok()?.len() {
        0 => Some(std::fs::read_dir(FILES).ok()?.count() as u64),
        open => Some(open),
    }
}

/// A limit as Prometheus's client libraries show it: -1 if there is none.
fn limit(value: Option<u64>) -> f64 {
    value.map_or(-1.0, |limit| limit as f64)
}

impl Readable for ProcessMetrics {
    fn families(&self) -> Vec<Family> {
        self.metrics().map(|(family, _)| family).into()
    }

    fn read(&self, found: &mut Vec<Found>, values: &mut Vec<f64>) {
        self.refresh();
        for (_, metric) in self.metrics() {
            values.push(metric.value());
            found.push(Found::Single);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_memory_files_and_a_start() {
        let collector = ProcessMetrics::new(&Registering::default()).unwrap();
        collector.read();
        assert!(collector.resident_memory.get() > 100_000.0);
        assert!(collector.open_fds.get() >= 3.0);
        assert!(collector.start_time.get() > 1_700_000_000.0);
    }

    #[test]
    fn scrapes_at_once_share_a_reading_and_later_ones_read_anew() {
        let collector = ProcessMetrics::new(&Registering::default()).unwrap();
        collector.refresh();
        let first = *collector.last_read.lock().unwrap();
        collector.refresh();
        assert!(first.is_some());
        // Unless the machine slept for a tick between the two.
        if first.unwrap().elapsed() < FRESH {
            assert_eq!(*collector.last_read.lock().unwrap(), first);
        }
        let long_ago = Instant::now().checked_sub(FRESH).unwrap();
        *collector.last_read.lock().unwrap() = Some(long_ago);
        collector.refresh();
        assert!(*collector.last_read.lock().unwrap() > Some(long_ago));
    }

    #[test]
    fn a_second_reading_sees_what_was_spent_meanwhile() {
        let collector = ProcessMetrics::new(&Registering::default()).unwrap();
        collector.read();
        let before = collector.cpu.get();
        let begun = Instant::now();
        let mut number = 1_u64;
        while collector.cpu.get() <= before && begun.elapsed() < Duration::from_secs(20) {
            for _ in 0..1_000_000 {
                number = std::hint::black_box(number.wrapping_mul(3));
            }
            collector.read();
        }
        assert!(collector.cpu.get() > before);
    }
}
