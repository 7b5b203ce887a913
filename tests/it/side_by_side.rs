//! `benches/side-by-side` without measuring anything: what it refuses, what it draws, and that it ends what it starts.

use crate::support::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Runs Python with the script loaded as `bench`, so that only what is asked for runs.
fn python(program: &str, arguments: &[&str]) -> Child {
    let load = format!(
        "import importlib.machinery, importlib.util, signal, sys\n\
         loader = importlib.machinery.SourceFileLoader('bench', 'benches/side-by-side')\n\
         bench = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench', loader))\n\
         loader.exec_module(bench)\n{program}"
    );
    Command::new("python3")
        .args(["-B", "-c", &load])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn output(program: &str, arguments: &[&str]) -> Output {
    python(program, arguments).wait_with_output().unwrap()
}

#[test]
fn what_can_not_be_measured_is_refused_before_anything_is_built() {
    for (arguments, message) in [
        (&["--sizes", ""][..], "'' is no list of numbers of jobs"),
        (&["--sizes", "1000,many"], "'1000,many' is no list of numbers of jobs"),
        (&["--sizes", "0"], "'0' is no list of numbers of jobs"),
        (&["--parts", "scrape"], "there is no scrape; there are unchanged,"),
        (&["--peers", "rust"], "there is no rust; there are go, python"),
        (&["--docs", "--parts", "start"], "--docs replaces the whole table, so it needs all parts"),
    ] {
        let refused = output("bench.main()", arguments);
        let words = String::from_utf8(refused.stderr).unwrap();
        assert!(words.contains(message), "{arguments:?}: {words}");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_picture_shows_times_of_any_size() {
    let program = r"
for times in ([0.03, 0.02], [0.03], [0.1], [1.0, 1.0], [0.4, 5000.0], [1e-4, 1e5]):
    servers = {name: {'gzip': {'median_ms': ms}} for name, ms in zip(('ours', 'limit'), times)}
    svg = bench.report.picture({'sizes': {1000: servers}})
    widths = [float(part.split('\x22')[0]) for part in svg.split(' width=\x22')[2:]]
    assert len(widths) == len(times), svg
    assert all(2 <= width <= 760 - 220 for width in widths), (times, widths)
    if times[0] != times[-1]:
        assert abs(widths[0] - widths[1]) > 4, (times, widths)
";
    let drawn = output(program, &[]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
}

#[tokio::test]
async fn a_signal_ends_all_that_was_started_and_a_second_one_leaves_nothing_behind() {
    // The second process takes no notice of the polite request, so that ending it takes a while.
    let program = r"
class Bench:
    def __init__(self, arguments, work):
        deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)'
        bench.Process(['sleep', 600])
        bench.Process([sys.executable, '-c', deaf], stdout=bench.subprocess.PIPE).first_line()
        bench.Process(['sleep', 600])
        print(work, *[process.child.pid for process in bench.Process.running], flush=True)
        signal.pause()
bench.Bench = Bench
bench.main()
";
    for first in [Signal::HUP, Signal::TERM, Signal::INT] {
        let mut script = python(program, &[]);
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let work = words.next().unwrap().to_owned();
        let children: Vec<u32> = words.map(|word| word.parse().unwrap()).collect();
        assert_eq!(children.len(), 3);
        let id = Pid::from_raw(i32::try_from(script.id()).unwrap()).unwrap();
        kill_process(id, first).unwrap();
        // As soon as it has begun to end the others.
        wait_for("the first has ended", || async {
            if is_running(children[0]) { Err(format!("{first:?} did nothing")) } else { Ok(()) }
        })
        .await;
        kill_process(id, Signal::TERM).unwrap();
        kill_process(id, Signal::INT).unwrap();
        let ended = script.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "side-by-side: ended by a signal\n");
        assert_eq!(ended.status.code(), Some(1));
        assert!(!children.iter().any(|id| is_running(*id)), "{first:?}: {children:?}");
        assert!(!Path::new(&work).exists(), "its folder is gone");
    }
}

fn is_running(id: u32) -> bool {
    // What has ended and was not waited for yet is still listed.
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
