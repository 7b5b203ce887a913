"""Dockerfile: linted, its steps replayed in a clean folder, and what they make run as a container would."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import dockerfile
from shared import ROOT, WORK, command, free_port, simulated_api, started, until

NOT_RUN = [
    "a container engine. Instead: the Dockerfile's COPY and RUN steps in a clean folder on this machine, in place of its base "
    "image; and the folder that becomes the image as root folder of a process, read-only, as the image's user.",
    "the release build: PROFILE=dev, an argument of the Dockerfile.",
]
WORKED = WORK / "container"
IMAGE = WORKED / "rootfs"
STAGES = dockerfile.stages(ROOT / "Dockerfile")


def hadolint_finds_nothing():
    command(pathlib.Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile")


def the_compiler_is_the_one_that_the_crate_names():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert STAGES[0].base == f"rust:{manifest['package']['rust-version']}-bookworm"


def labels_say_what_it_is():
    crate = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', STAGES[1].one("LABEL")))
    assert labels.pop("description"), labels
    assert labels == {"title": crate["name"], "version": crate["version"], "licenses": crate["license"], "revision": "$REVISION"}, labels


def no_secret_and_no_rubbish_gets_into_the_build():
    files = dockerfile.context(ROOT, ROOT / ".dockerignore")
    tops = {name.split("/")[0] for name in files}
    assert tops == {"Cargo.toml", "Cargo.lock", "build.rs", "src", "dashboards", "deploy"}, tops
    assert not [name for name in files if "secret" in name.split("/")[-1] and not name.startswith("src/")]


def its_steps_build_the_image():
    build, image = STAGES
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
    # Kept between runs, so that only the first one builds the dependencies.
    environment["CARGO_TARGET_DIR"] = str(WORK / "container-target")
    dockerfile.replay(build, ROOT, WORKED, {"PROFILE": "dev", "REVISION": "replayed"}, environment)
    assert image.base == "scratch" and image.all("COPY") == [f"--from={build.name} /srv/rootfs/ /"], image.steps


def inside(*words):
    """The command that runs something in the image, as a container would with --read-only."""
    user = STAGES[1].one("USER").split(":")[0]
    script = (
        'root=$1 state=$1/var/lib/grid-bulk-exporter && mount --make-rprivate / && mount --bind "$root" "$root" '
        '&& mount --bind "$state" "$state" && mount -o remount,bind,ro "$root" && exec chroot --userspec="$2" "$root" "${@:3}"'
    )
    return ["unshare", "--mount", "/bin/bash", "-c", script, "bash", str(IMAGE), f"{user}:{user}", *words]


def program(*words):
    return inside(*json.loads(STAGES[1].one("ENTRYPOINT")), *words)


def the_image_holds_the_program_its_libraries_and_nothing_to_run_beside():
    files = sorted(path.relative_to(IMAGE).as_posix() for path in IMAGE.rglob("*") if path.is_file())
    programs = [name for name in files if os.access(IMAGE / name, os.X_OK) and ".so" not in name]
    assert programs == ["usr/bin/grid-bulk-exporter"], programs
    others = [name for name in files if ".so" not in name and name not in programs]
    assert others == ["etc/group", "etc/nsswitch.conf", "etc/passwd"], others
    said = subprocess.check_output(program("--version"), text=True, env={})
    assert "revision replayed" in said, said


def it_serves_as_the_images_user_and_its_health_check_tells():
    check = re.search(r"CMD (\[.*\])", STAGES[1].one("HEALTHCHECK")).group(1)
    # An engine brings /etc/hosts; the name shows that the image resolves names.
    (IMAGE / "etc/hosts").write_text("127.0.0.1 grid-api\n", encoding="utf-8")
    (IMAGE / "etc/resolv.conf").write_text("", encoding="utf-8")
    port = free_port()
    with simulated_api("--jobs=2") as (base_url, jobs):
        environment = {
            "LIGHTSPARK_GRID_BASE_URL": base_url.replace("127.0.0.1", "grid-api"), "GRID_CLIENT_ID": "demo", "GRID_CLIENT_SECRET": "demo",
            "GRID_JOBS": ",".join(jobs), "GRID_EXPORTER_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "GRID_EXPORTER_STORAGE_PATH": "/var/lib/grid-bulk-exporter",
        }
        healthy = inside(*json.loads(check))
        assert subprocess.run(healthy, env=environment, check=False, capture_output=True).returncode == 1, "healthy before it runs"
        with started(*program(), env=environment, stderr=subprocess.DEVNULL) as process:
            until("it is healthy", lambda: subprocess.run(healthy, env=environment, check=False, capture_output=True).returncode == 0)
            until("both jobs are read", lambda: command("curl", "-s", f"http://127.0.0.1:{port}/metrics").count("grid_bulk_job_total_rows{") == 2)
            text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            assert re.search(r"Uid:\t65532\t65532\t65532\t65532\n", text), text
            process.terminate()
            assert process.wait(timeout=20) == 0
    for name in ("hosts", "resolv.conf"):
        (IMAGE / "etc" / name).unlink()


CHECKS = [
    hadolint_finds_nothing, the_compiler_is_the_one_that_the_crate_names, labels_say_what_it_is, no_secret_and_no_rubbish_gets_into_the_build,
    its_steps_build_the_image, the_image_holds_the_program_its_libraries_and_nothing_to_run_beside,
    it_serves_as_the_images_user_and_its_health_check_tells,
]
