"""deploy/compose: read by Debian's docker-compose; its services run side by side on Debian's programs."""

import json
import pathlib
import re
import shutil
import tempfile

import dockerfile
import yaml
from shared import ROOT, WORK, command, simulated_api

NOT_RUN = [
    "docker compose and the images. Instead: Debian's docker-compose (1.29, which does not know the key `name`) reads the file; the exporter and the "
    "simulator run from the folder that `container` made, Debian's Prometheus and Alertmanager in place of the pinned images, each with the "
    "mounts, command line, environment and secrets of compose.yaml, in a network of their own where they find each other by name.",
    "Grafana. Instead: what compose.yaml mounts into it is there, and its provisioning names those places.",
]
COMPOSE = ROOT / "deploy/compose"
IMAGE = WORK / "container/rootfs"
PROGRAMS = {"prometheus": "/usr/bin/prometheus", "alertmanager": "/usr/bin/prometheus-alertmanager"}
NOBODY = "65534:65534"


def project():
    """compose.yaml as docker-compose understands it: all paths whole, all short forms long."""
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    assert re.search("^name: grid-bulk\n", text, re.MULTILINE)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=COMPOSE) as file:
        file.write(text.replace("name: grid-bulk\n", ""))
        file.flush()
        return yaml.safe_load(command("docker-compose", "--project-name=grid-bulk", "--file", file.name, "config"))


def volumes(service):
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        yield source, target, mode == ["ro"]


def docker_compose_reads_it():
    services = project()["services"]
    assert set(services) == {"simulator", "exporter", "prometheus", "alertmanager", "grafana"}


def versions_are_pinned_and_ports_are_on_loopback():
    for name, service in project()["services"].items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"]), f"{name}: {service['image']}"
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
    version = re.search('^version = "(.*)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE).group(1)
    assert project()["services"]["exporter"]["image"] == f"grid-bulk-exporter:{version}"


def what_is_mounted_is_there_and_what_the_tests_run():
    mounted = set()
    for name, service in project()["services"].items():
        for source, target, read_only in volumes(service):
            if source.startswith("/"):
                assert pathlib.Path(source).exists(), f"{name}: {source} is not there, and docker would make a folder of it"
                assert read_only, f"{name}: {target} is not read-only"
                mounted.add(pathlib.Path(source).relative_to(ROOT).as_posix())
    shared = {"deploy/prometheus/grid-bulk-alerts.yml", "deploy/prometheus/grid-bulk-recording.yml", "deploy/alertmanager/alertmanager.yml", "dashboards"}
    assert shared <= mounted, shared - mounted


def prometheus_and_alertmanager_take_the_files():
    with tempfile.TemporaryDirectory() as folder:
        for source, _, _ in volumes(project()["services"]["prometheus"]):
            if source.startswith("/"):
                shutil.copy(source, folder)
        command("promtool", "check", "config", f"{folder}/prometheus.yml")
    command("amtool", "check-config", ROOT / "deploy/alertmanager/alertmanager.yml")
    ours = yaml.safe_load((COMPOSE / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    shipped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert ours["rule_files"] == shipped["rule_files"]
    assert ours["scrape_configs"][0]["job_name"] == shipped["scrape_configs"][0]["job_name"], "alerts look for the job by its name"


def grafana_finds_dashboards_and_data_source():
    grafana = project()["services"]["grafana"]
    places = {target: pathlib.Path(source) for source, target, _ in volumes(grafana)}
    (provider,) = (places["/etc/grafana/provisioning/dashboards"]).glob("*.yml")
    path = yaml.safe_load(provider.read_text(encoding="utf-8"))["providers"][0]["options"]["path"]
    assert (places[path] / "overview.json").exists()
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(path + "/") and (places[path] / home.removeprefix(path + "/")).exists()
    ours = yaml.safe_load((COMPOSE / "grafana/datasources/grid-bulk.yml").read_text(encoding="utf-8"))
    shipped = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/grid-bulk.yml").read_text(encoding="utf-8"))
    for source in (ours, shipped):
        source["datasources"][0].pop("url")
        source["datasources"][0]["jsonData"].pop("timeInterval")
    assert ours == shipped


def the_simulator_knows_the_imports_that_the_exporter_watches():
    lists = yaml.safe_load((COMPOSE / "exporter/jobs/imports.yml").read_text(encoding="utf-8"))
    watched = sorted(job for item in lists for job in item["targets"])
    scenario = yaml.safe_load((COMPOSE / "simulator/scenario.yml").read_text(encoding="utf-8"))
    assert watched == sorted(job["id"] for job in scenario["jobs"])
    with simulated_api(f"--scenario={COMPOSE / 'simulator/scenario.yml'}"):
        pass


def all_services_find_each_other_and_an_alert_arrives():
    assert IMAGE.exists(), "run the part `container` first: it makes the image's folder"
    plan = {"services": [], "jobs": 6}
    check = re.search(r"CMD (\[.*\])", dockerfile.stages(ROOT / "Dockerfile")[1].one("HEALTHCHECK")).group(1)
    plan["healthcheck"] = json.loads(check)
    described = project()
    with tempfile.TemporaryDirectory() as folder:
        for name, service in described["services"].items():
            if name == "grafana":
                continue
            is_ours = name in ("simulator", "exporter")
            user = "65532:65532" if is_ours else NOBODY
            mounts = []
            for source, target, read_only in volumes(service):
                if not source.startswith("/"):
                    # A named volume takes the owner of the image's folder.
                    made = pathlib.Path(folder, source)
                    made.mkdir()
                    shutil.chown(made, int(user.split(":")[0]), int(user.split(":")[1]))
                    source = str(made)
                mounts.append((source, target, read_only))
            for secret in service.get("secrets", []):
                secret = secret["source"] if isinstance(secret, dict) else secret
                mounts.append((described["secrets"][secret]["file"], f"/run/secrets/{secret}", True))
            command_line = service.get("command", [])
            plan["services"].append({
                "name": name, "image": str(IMAGE) if is_ours else "/", "user": user, "mounts": mounts,
                "read_only": service["read_only"], "environment": service.get("environment", {}),
                "command": ["/usr/bin/grid-bulk-exporter" if is_ours else PROGRAMS[name], *command_line],
            })
        work = pathlib.Path(folder, "work")
        work.mkdir()
        plan["work"] = str(work)
        pathlib.Path(folder, "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        said = command(*words, "/usr/bin/python3", ROOT / "tests/deploy/compose_inside.py", f"{folder}/plan.json")
        assert said.count("seen: ") == 5, said


CHECKS = [
    docker_compose_reads_it, versions_are_pinned_and_ports_are_on_loopback, what_is_mounted_is_there_and_what_the_tests_run,
    prometheus_and_alertmanager_take_the_files, grafana_finds_dashboards_and_data_source,
    the_simulator_knows_the_imports_that_the_exporter_watches, all_services_find_each_other_and_an_alert_arrives,
]
