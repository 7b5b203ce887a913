"""deploy/deb: the package, made by cargo-deb of the debug binary, installed in a clean Debian, run as its unit says."""

import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import yaml
from service import Service
from shared import ROOT, WORK, command, prometheus, simulated_api, until
from unit import Unit

NOT_RUN = [
    "the release build: the package has the debug binary; its files, scripts and units are the same.",
    "systemd in the clean Debian. Instead: the unit's command line, environment, credentials, user, filter of system calls, "
    "read-only root and sockets, put together by tests/deploy/service.py, with a socket that hears sd_notify.",
]
CLEAN = WORK / "debian"
ETC = CLEAN / "etc/grid-bulk-exporter"


def codename():
    lines = pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


def inside(*words, **options):
    """Runs a program in the clean Debian."""
    return command("chroot", CLEAN, *words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}, **options)


def package():
    (found,) = (WORK / "deb").glob("grid-bulk-exporter_*.deb")
    return found


def the_package_is_made():
    shutil.rmtree(WORK / "deb", ignore_errors=True)
    command(ROOT / "deploy/deb/build", WORK / "deb", env={**os.environ, "PROFILE": "dev"}, cwd=ROOT)
    fields = command("dpkg-deb", "--field", package())
    assert "Depends: libc6" in fields and "Architecture: " in fields, fields


def a_clean_debian_is_there():
    """By debootstrap, from the mirror of this machine's apt; kept packed for the next run."""
    kept = WORK / f"debian-{codename()}.tar"
    shutil.rmtree(CLEAN, ignore_errors=True)
    if not kept.exists():
        mirror = command("apt-get", "indextargets", "--format", "$(REPO_URI)").split()[0]
        command("debootstrap", "--variant=minbase", codename(), CLEAN, mirror)
        command("tar", "--one-file-system", "-cf", kept, "-C", CLEAN, ".")
        return
    CLEAN.mkdir(parents=True)
    command("tar", "-xf", kept, "-C", CLEAN)


def it_installs_with_what_a_clean_debian_has():
    shutil.copy(package(), CLEAN / "exporter.deb")
    inside("dpkg", "--install", "/exporter.deb")
    assert inside("dpkg-query", "-W", "-f", "${Status}", "grid-bulk-exporter") == "install ok installed"
    assert inside("dpkg", "--verify", "grid-bulk-exporter") == ""
    assert inside("grid-bulk-exporter", "--version").startswith("grid-bulk-exporter ")


def only_root_reads_the_credentials():
    for name in ("client-id", "client-secret"):
        about = (ETC / name).stat()
        assert (stat.S_IMODE(about.st_mode), about.st_uid) == (0o600, 0), f"{name}: {about}"
    for name in ("grid-bulk-exporter.yml", "jobs/README"):
        assert stat.S_IMODE((ETC / name).stat().st_mode) == 0o644


def pages_completions_rules_and_dashboards_are_where_they_are_looked_for():
    share = CLEAN / "usr/share"
    for name in (
        "man/man1/grid-bulk-exporter.1.gz", "bash-completion/completions/grid-bulk-exporter",
        "zsh/vendor-completions/_grid-bulk-exporter", "fish/vendor_completions.d/grid-bulk-exporter.fish",
        "grid-bulk-exporter/prometheus/grid-bulk-alerts.yml", "grid-bulk-exporter/grafana/dashboards/overview.json",
        "grid-bulk-exporter/alertmanager/alertmanager.yml", "doc/grid-bulk-exporter/examples/grid-bulk-exporter.yml",
        "doc/grid-bulk-exporter/copyright",
    ):
        assert (share / name).stat().st_size > 100, name
    text = subprocess.run(["man", "--local-file", share / "man/man1/grid-bulk-exporter.1.gz"], capture_output=True, text=True, check=True).stdout
    assert "--web.listen-address" in text
    command("promtool", "check", "config", share / "grid-bulk-exporter/prometheus/prometheus.yml")


def unit():
    return Unit(CLEAN / "usr/lib/systemd/system/grid-bulk-exporter.service")


def without_credentials_it_says_which_file_is_empty():
    with Service(unit(), CLEAN) as service:
        code = service.process.wait(timeout=60)
        until("the log is there", lambda: len(service.log) >= 2)
    assert code == 1, code
    for name in ("client_id", "client_secret"):
        expected = f"GRID_{name.upper()}_FILE: /run/credentials/grid-bulk-exporter.service/{name} is empty"
        assert any(line.startswith(expected) for line in service.log), service.log


def the_sandbox_refuses_what_the_unit_forbids():
    """So that a sandbox that does nothing is no proof."""
    for words, why in ((["/usr/bin/touch", "/etc/probe"], "Read-only file system"), (["/usr/bin/chrt", "--other", "0", "/bin/true"], "Operation not permitted")):
        inside(*words)
        (CLEAN / "etc/probe").unlink(missing_ok=True)
        forbidden = unit()
        forbidden.command = lambda words=words: words
        with Service(forbidden, CLEAN) as service:
            assert service.process.wait(timeout=60) != 0, words
            until("the reason is told", lambda: why in "".join(service.log))


def configure(base_url, jobs, variables=""):
    """What the administrator writes. What was learnt from another API is gone."""
    shutil.rmtree(CLEAN / "var/lib/grid-bulk-exporter", ignore_errors=True)
    (ETC / "client-id").write_text("demo\n", encoding="utf-8")
    (ETC / "client-secret").write_text("demo\n", encoding="utf-8")
    (ETC / "jobs/imports.yml").write_text(yaml.safe_dump([{"targets": jobs, "labels": {"team": "onboarding"}}]), encoding="utf-8")
    default = CLEAN / "etc/default/grid-bulk-exporter"
    default.write_text(f"GRID_EXPORTER_WEB_LISTEN_ADDRESS=127.0.0.1:0\nLIGHTSPARK_GRID_BASE_URL={base_url}\n{variables}", encoding="utf-8")


def the_units_own_command_line_serves_reloads_and_stops_in_its_sandbox():
    with simulated_api("--jobs=3", "--speed=20") as (base_url, jobs):
        configure(base_url, jobs)
        with Service(unit(), CLEAN) as service:
            service.told("READY=1")
            status = service.status()
            assert status["Uid"].split() == ["61184"] * 4 and int(status["CapBnd"], 16) == 0, status
            assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1", status
            service.told("WATCHDOG=1")
            service.until("the jobs are read", lambda: service.get("/metrics").count('team="onboarding"') == 3 and service.get("/metrics").count("grid_bulk_job_processed_rows{") == 3)
            assert "grid_bulk_exporter_storage_up 1\n" in service.get("/metrics")
            assert "process_start_time_seconds 0\n" not in service.get("/metrics"), "the sandbox hides /proc/stat"
            service.process.send_signal(signal.SIGHUP)
            service.told("RELOADING=1")
            service.told("READY=1", times=2)
            # A file that is renamed into the folder is seen without a reload.
            (ETC / "jobs/new").write_text("- targets: [ 'Job:later' ]\n", encoding="utf-8")
            (ETC / "jobs/new").rename(ETC / "jobs/later.yml")
            service.until("the new file is seen", lambda: 'jobId="Job:later"' in service.get("/metrics"))
            assert service.stop() == 0
            assert "STOPPING=1\n" in service.messages
    assert "demo" not in "".join(service.log), "a credential is in the log"
    (ETC / "jobs/later.yml").unlink()


def debians_prometheus_scrapes_it_by_the_installed_configuration():
    folder = CLEAN / "usr/share/grid-bulk-exporter/prometheus"
    with simulated_api("--jobs=2", "--speed=20") as (base_url, jobs), tempfile.TemporaryDirectory() as own:
        configure(base_url, jobs)
        with Service(unit(), CLEAN) as service:
            service.told("READY=1")
            for path in folder.iterdir():
                text = path.read_text(encoding="utf-8")
                if path.name == "prometheus.yml":
                    text = text.replace("localhost:10310", service.address()).replace("interval: 30s", "interval: 1s")
                pathlib.Path(own, path.name).write_text(text, encoding="utf-8")
            with prometheus(f"{own}/prometheus.yml") as query:
                until("two imports are in Prometheus", lambda: len(query('grid_bulk_job_total_rows{job="grid-bulk-exporter"}')) == 2)
                until("the target is up", lambda: [s["value"][1] for s in query('up{job="grid-bulk-exporter"}')] == ["1"])


def systemds_socket_is_taken():
    with simulated_api("--jobs=1") as (base_url, jobs), socket.create_server(("127.0.0.1", 0)) as listener:
        configure(base_url, jobs, "GRID_EXPORTER_WEB_SYSTEMD_SOCKET=true\n")
        with Service(unit(), CLEAN, listener) as service:
            service.told("READY=1")
            assert service.address() == "127.0.0.1:%d" % listener.getsockname()[1]
            assert "grid_bulk_up" in service.get("/metrics")


def a_purge_leaves_nothing_but_what_was_learnt():
    (ETC / "jobs/imports.yml").unlink()
    inside("dpkg", "--purge", "grid-bulk-exporter")
    assert not ETC.exists() and not (CLEAN / "etc/default/grid-bulk-exporter").exists()
    assert not (CLEAN / "usr/bin/grid-bulk-exporter").exists()


CHECKS = [
    the_package_is_made, a_clean_debian_is_there, it_installs_with_what_a_clean_debian_has, only_root_reads_the_credentials,
    pages_completions_rules_and_dashboards_are_where_they_are_looked_for, without_credentials_it_says_which_file_is_empty,
    the_sandbox_refuses_what_the_unit_forbids, the_units_own_command_line_serves_reloads_and_stops_in_its_sandbox, debians_prometheus_scrapes_it_by_the_installed_configuration,
    systemds_socket_is_taken, a_purge_leaves_nothing_but_what_was_learnt,
]
