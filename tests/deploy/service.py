"""A service that runs as its unit says, in a root folder, with what stands in for systemd. Used by `deb.py`."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
# Of the range from which systemd takes users of DynamicUser=.
USER = 61184
PATIENCE = 60


class Service:
    """Started by `with`; ended by its process id."""

    def __init__(self, unit, root, listener=None):
        self.unit, self.root, self.listener = unit, pathlib.Path(root), listener
        self.messages = []
        self.log = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.hand_over_credentials()
        state = self.root / "var/lib" / self.unit.one("StateDirectory")
        state.mkdir(mode=0o700, exist_ok=True)
        os.chown(state, USER, USER)
        path = self.root / "run/notify"
        path.unlink(missing_ok=True)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(path))
        os.chmod(path, 0o666)
        environment = self.unit.environment(self.root)
        environment["NOTIFY_SOCKET"] = "/run/notify"
        environment["WATCHDOG_USEC"] = str(self.unit.seconds("WatchdogSec") * 1_000_000)
        if self.listener:
            environment["LISTEN_FDS"] = "1"
        description = pathlib.Path(self.folder, "description.json")
        what = {
            "root": str(self.root), "state": "/var/lib/" + self.unit.one("StateDirectory"), "user": USER,
            "calls": sorted(self.unit.system_calls()), "families": self.unit.one("RestrictAddressFamilies").split(),
            "environment": environment, "command": self.unit.command(),
        }
        description.write_text(json.dumps(what), encoding="utf-8")
        words = ["unshare", "--mount", "/usr/bin/python3", str(HERE / "confine.py"), str(description)]
        options = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, "text": True}
        if self.listener:
            # systemd passes sockets from descriptor 3 on.
            saved = os.dup(self.listener.fileno())
            options |= {"pass_fds": (3,), "preexec_fn": lambda: os.dup2(saved, 3)}
        self.process = subprocess.Popen(words, **options)
        threading.Thread(target=self.read_log, daemon=True).start()
        threading.Thread(target=self.read_messages, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        # A thread that is still at its end of the socket hears of it.
        self.manager.shutdown(socket.SHUT_RDWR)
        self.manager.close()
        shutil.rmtree(self.folder)

    def hand_over_credentials(self):
        folder = self.root / self.unit.credentials_folder.lstrip("/")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, source in self.unit.credentials().items():
            copy = folder / name
            copy.write_bytes((self.root / source.lstrip("/")).read_bytes())
            os.chmod(copy, 0o400)
            os.chown(copy, USER, USER)
        os.chmod(folder, 0o500)
        os.chown(folder, USER, USER)

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def read_messages(self):
        while True:
            try:
                message = self.manager.recv(4096)
            except OSError:
                return
            if not message:
                return
            self.messages.append(message.decode())

    def until(self, what, check):
        """Waits until `check` gives something true, and returns that."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {PATIENCE} s\n{self.messages}\n{''.join(self.log)}")

    def told(self, beginning, times=1):
        self.until(f"systemd is told {beginning}", lambda: sum(m.startswith(beginning) for m in self.messages) >= times)

    def address(self):
        found = self.until("it listens", lambda: re.search(r"listening on http://([^/\"]+)/", "".join(self.log)))
        return found.group(1)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address()}{path}", timeout=10) as answer:
            return answer.read().decode()

    def stop(self):
        """As `systemctl stop` does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=self.unit.seconds("TimeoutStopSec"))
        return code

    def status(self):
        """/proc/…/status of the process."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
