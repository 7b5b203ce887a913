"""What the parts share: paths, the simulated API, a Prometheus, commands that must succeed."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target/deploy-test"
BINARY = ROOT / "target/debug/grid-bulk-exporter"
PATIENCE = 60


def command(*words, **options):
    """Runs a program to its end; its output, or an error with all that it said."""
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def until(what, check):
    """Waits until `check` gives something true, and returns that."""
    end = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < end:
        try:
            found = check()
            if found:
                return found
        except OSError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE} s ({last})")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def started(*words, **options):
    """A program that is ended, by its process id, with the block."""
    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def simulated_api(*flags):
    """The simulated API: its base URL and the ids of its first jobs."""
    with started(BINARY, "simulate", "--listen-address=127.0.0.1:0", *flags, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Upload:"):
                break
        text = "".join(lines)
        yield re.search(r"LIGHTSPARK_GRID_BASE_URL=(\S+)", text).group(1), re.findall(r'- "(Job:[^"]+)"', text)


@contextlib.contextmanager
def prometheus(config, extra=()):
    """Debian's Prometheus with this configuration file; asks it queries."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data, open(pathlib.Path(data, "log"), "w", encoding="utf-8") as log:
        words = ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={data}/data", *extra]
        with started(*words, stdout=log, stderr=log):

            def get(path):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                    return json.load(answer)

            until("Prometheus is ready", lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).status == 200)
            yield lambda expression: get("/api/v1/query?query=" + urllib.parse.quote(expression))["data"]["result"]
