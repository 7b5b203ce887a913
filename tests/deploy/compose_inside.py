"""Runs services side by side as compose would: each in a root of its own, all in one network namespace, found by name.

    unshare --mount --net --pid --fork --kill-child --mount-proc python3 tests/deploy/compose_inside.py PLAN.json

Started by `compose_part.py`. Ends when it has seen what it waits for; whatever it started ends with its namespaces.
"""

import fcntl
import json
import pathlib
import socket
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request

PATIENCE = 150


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def loopback_up():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def start(service, work, hosts):
    """A root made of the image with the service's mounts, read-only if compose says so."""
    folder = work / service["name"]
    root = folder / "root"
    for name in ("upper", "scratch", "root"):
        (folder / name).mkdir(parents=True)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={service['image']},upperdir={folder}/upper,workdir={folder}/scratch", root)
    (root / "etc/hosts").write_text(hosts, encoding="utf-8")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("", encoding="utf-8")
    (root / "proc").mkdir(exist_ok=True)
    # As an engine does it: the image's folder is not seen below a mount, and targets are made where there are none.
    for source, target, read_only in service["mounts"]:
        source, place = pathlib.Path(source), root / target.lstrip("/")
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        mount("--bind", source, place)
        if read_only:
            mount("-o", "remount,bind,ro", place)
    mount("--bind", root, root)
    mount("--rbind", "/proc", root / "proc")
    if service["read_only"]:
        mount("-o", "remount,bind,ro", root)
    # The bind of the root hides the mounts below it.
    for source, target, read_only in service["mounts"]:
        mount("--bind", source, root / target.lstrip("/"))
        if read_only:
            mount("-o", "remount,bind,ro", root / target.lstrip("/"))
    service["root"] = root
    log = open(work / f"{service['name']}.log", "w", encoding="utf-8")
    service["process"] = subprocess.Popen(inside(service, service["command"]), env=service["environment"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def inside(service, words):
    script = 'cd "$2" && exec chroot --userspec="$1" . "${@:3}"'
    return ["/bin/bash", "-c", script, "bash", service["user"], str(service["root"]), *words]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def query(expression):
    return get("http://prometheus:9090/api/v1/query?query=" + urllib.parse.quote(expression))["data"]["result"]


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    work = pathlib.Path(plan["work"])
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "tmpfs", work)
    loopback_up()
    hosts = "127.0.0.1 localhost " + " ".join(service["name"] for service in plan["services"]) + "\n"
    (work / "hosts").write_text(hosts, encoding="utf-8")
    mount("--bind", work / "hosts", "/etc/hosts")
    services = {service["name"]: service for service in plan["services"]}
    for service in plan["services"]:
        start(service, work, hosts)
    exporter = services["exporter"]

    def healthy():
        return subprocess.run(inside(exporter, plan["healthcheck"]), env=exporter["environment"], check=False, capture_output=True).returncode == 0

    def targets_up():
        return {series["metric"]["job"]: series["value"][1] for series in query("up")} == {"grid-bulk-exporter": "1", "prometheus": "1", "alertmanager": "1"}

    waits = {
        "the exporter's health check is good": healthy,
        "Prometheus scrapes all targets": targets_up,
        "all imports are in Prometheus with their labels": lambda: len(query("grid_bulk_job_processed_rows * on (jobId) group_left (team) grid_bulk_job_info{team!=''}")) == plan["jobs"],
        "all rules are evaluated well": lambda: all(rule["health"] == "ok" for group in get("http://prometheus:9090/api/v1/rules")["data"]["groups"] for rule in group["rules"]),
        "Alertmanager has the alert of the import that failed": lambda: any(alert["labels"]["alertname"] == "GridBulkJobFailed" and alert["labels"]["jobId"] == "Job:wrong-file" for alert in get("http://alertmanager:9093/api/v2/alerts")),
    }
    for what, check in waits.items():
        end = time.monotonic() + PATIENCE
        why = None
        while True:
            for name, service in services.items():
                if service["process"].poll() is not None:
                    sys.exit(f"{name} ended\n{(work / (name + '.log')).read_text()}")
            try:
                if check():
                    print(f"seen: {what}", flush=True)
                    break
            except OSError as error:
                why = error
            if time.monotonic() > end:
                logs = "".join(f"== {name}\n{(work / (name + '.log')).read_text()[-2000:]}" for name in services)
                sys.exit(f"{what}: not within {PATIENCE} s ({why})\n{logs}")
            time.sleep(0.5)


main()
