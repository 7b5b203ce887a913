"""Starts a program as the unit's sandbox would, as far as that can be had without systemd as process 1.

    unshare --mount /usr/bin/python3 tests/deploy/confine.py DESCRIPTION.json

In a root folder of its own that is read-only but for the state, as a user without any capability, with the unit's filter
of system calls, without other address families and without memory that can be written and run. Needs root and Debian's
python3-seccomp. Called by `service.py`.
"""

import ctypes
import errno
import json
import os
import subprocess
import sys

import seccomp
from seccomp import ALLOW, EQ, ERRNO, MASKED_EQ, Arg

AF = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
PROT_WRITE, PROT_EXEC = 2, 4
PR_CAPBSET_DROP, LAST_CAPABILITY = 24, 40


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def call_filter(permitted, families):
    calls = seccomp.SyscallFilter(ERRNO(errno.EPERM))
    for name in sorted(permitted - {"socket", "mmap", "mprotect"}):
        try:
            calls.add_rule(ALLOW, name)
        except (ValueError, RuntimeError):
            pass  # a call of another architecture, or newer than libseccomp
    for family in families:
        calls.add_rule(ALLOW, "socket", Arg(0, EQ, AF[family]))
    # MemoryDenyWriteExecute.
    calls.add_rule(ALLOW, "mmap", Arg(2, MASKED_EQ, PROT_EXEC, 0))
    calls.add_rule(ALLOW, "mmap", Arg(2, MASKED_EQ, PROT_WRITE, 0))
    calls.add_rule(ALLOW, "mprotect", Arg(2, MASKED_EQ, PROT_EXEC, 0))
    return calls


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        what = json.load(file)
    root, state = what["root"], what["root"] + what["state"]
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("--rbind", "/proc", f"{root}/proc")
    mount("--bind", state, state)
    mount("-o", "remount,bind,ro", root)
    calls = call_filter(set(what["calls"]), what["families"])
    os.chroot(root)
    os.chdir("/")
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setgid(what["user"])
    os.setuid(what["user"])
    os.umask(0o077)
    if what["environment"].get("LISTEN_FDS"):
        what["environment"]["LISTEN_PID"] = str(os.getpid())
    calls.load()
    os.execve(what["command"][0], what["command"], what["environment"])


main()
