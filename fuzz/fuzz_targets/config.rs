//! The configuration file: no bytes break its reader, and each fault is told in one line.
#![no_main]

use grid_bulk_exporter::config::Inputs;
use grid_bulk_exporter::config::reload::load;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A file of this process's own, in memory where the system has a place for that.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("grid-fuzz-{}.yml", std::process::id()))
});

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("a file in memory");
    if let Err(faults) = load(&Inputs { config_file: Some(FILE.clone()), ..Inputs::default() }) {
        let text = faults.to_string();
        assert!(!text.is_empty() && text.lines().all(|line| !line.trim().is_empty()), "{text:?}");
    }
});
