"""deploy/helm and deploy/kubernetes: rendered with Helm's own library, held against Kubernetes's schemas, and the configuration
that comes out of it read by the exporter."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

import helm_python as helm
import kubernetes_validate
import yaml
from chart import CHART, lint, objects, render
from shared import BINARY, ROOT, command, free_port, simulated_api, started, until

NOT_RUN = [
    "helm, kubectl and kustomize, and a cluster. Instead: Helm 4's own library (the Python package helm-python-sdk carries it) renders and "
    "lints the chart; every object is held against Kubernetes's JSON schemas (kubernetes-validate), those of the Prometheus operator's CRDs "
    "against checks written here and promtool; the exporter itself reads the rendered configuration and understands the rendered flags.",
    "kustomize build: kustomization.yaml is checked to name files that are there, each once; it uses nothing else.",
]
# The oldest that the chart permits, the first with numbered pods, and the newest in the package.
VERSIONS = ["1.25", "1.28", kubernetes_validate.latest_version()]
SECRET = {"existingSecret": "grid-api-token"}
SMALL = {"credentials": SECRET, "config": {"jobs": ["Job:a"]}}
KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n"
ALL = {
    "credentials": {"clientId": "id", "clientSecret": "secret"}, "baseUrl": "https://grid.example/grid", "adminApi": True,
    "config": {"poll": {"interval": "30s"}, "retention": "12h"},
    "jobFiles": {"eu.yml": [{"targets": ["Job:b"], "labels": {"team": "onboarding"}}]},
    "webConfig": {"existingSecret": "web", "tls": True}, "persistence": {"enabled": True, "storageClass": "fast"},
    "webhook": {"enabled": True, "publicKeys": {"grid.pem": KEY}, "ingress": {"enabled": True, "host": "hooks.example.com", "className": "nginx", "tlsSecret": "hooks"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tlsConfig": {"insecureSkipVerify": True}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Grid"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]}, "podDisruptionBudget": {"enabled": True},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], "podLabels": {"team": "imports"}, "podAnnotations": {"a": "b"},
    "tolerations": [{"operator": "Exists"}], "nodeSelector": {"kubernetes.io/arch": "amd64"}, "priorityClassName": "high", "imagePullSecrets": [{"name": "pull"}],
}
SHARDED = {**SMALL, "shards": 4}
# TLS for which a kubelet has no certificate.
MUTUAL = {**SMALL, "webConfig": {"existingSecret": "web", "tls": True, "execProbes": True}}
KEPT_SHARDS = {**SHARDED, "persistence": {"enabled": True, "whenScaled": "Delete"}}
CASES = {"small": SMALL, "all": ALL, "sharded": SHARDED, "kept shards": KEPT_SHARDS, "pair": {**SMALL, "replicaCount": 2}, "mutual": MUTUAL}
PLAIN = ROOT / "deploy/kubernetes"
PLAIN_VALUES = {
    "credentials": {"existingSecret": "grid-bulk-exporter-credentials"}, "config": {"poll": {"interval": "30s"}},
    "jobFiles": {"imports.yml": [{"targets": ["Job:019542f5-b3e7-1d02-0000-000000000006"], "labels": {"name": "eu-launch", "team": "onboarding"}}]},
    "networkPolicy": {"enabled": True}, "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True},
}


def of_kind(found, kind, name="grid-bulk-exporter"):
    (only,) = [item for item in found if item["kind"] == kind and item["metadata"]["name"] == name]
    return only


def container(found):
    workload = next(item for item in found if item["kind"] in ("Deployment", "StatefulSet"))
    return workload["spec"]["template"]["spec"]["containers"][0]


def check_custom(item):
    """Shapes of the Prometheus operator's objects, as far as the chart uses them."""
    assert item["apiVersion"] == "monitoring.coreos.com/v1" and set(item) == {"apiVersion", "kind", "metadata", "spec"}
    spec = item["spec"]
    if item["kind"] == "ServiceMonitor":
        assert set(spec) == {"jobLabel", "selector", "endpoints"}, set(spec)
        known = {"port", "path", "interval", "scrapeTimeout", "scheme", "tlsConfig", "basicAuth", "relabelings", "metricRelabelings"}
        for endpoint in spec["endpoints"]:
            assert set(endpoint) <= known and endpoint["port"] == "http", endpoint
    else:
        assert item["kind"] == "PrometheusRule" and set(spec) == {"groups"}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(spec, file)
            file.flush()
            command("promtool", "check", "rules", file.name)


def check(found):
    for item in found:
        if item["apiVersion"].startswith("monitoring.coreos.com/"):
            check_custom(item)
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(item, version, strict=True)


def helm_lints_the_chart():
    for name, values in CASES.items():
        report = lint(values)
        faults = [message for message in report["messages"] if message["severity"] > 1]
        assert not report["errors"] and not faults, f"{name}: {report}"


def every_object_is_what_kubernetes_knows():
    for name, values in CASES.items():
        found = objects(values)
        check(found)
        names = [(item["kind"], item["metadata"]["name"]) for item in found]
        assert len(names) == len(set(names)), f"{name}: {names}"
    kinds = {item["kind"] for item in objects(ALL)}
    wanted = {"StatefulSet", "ConfigMap", "Secret", "Service", "Ingress", "ServiceMonitor", "PrometheusRule", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"}
    assert kinds == wanted, kinds ^ wanted
    broken = objects(SMALL)
    container(broken)["imagePolicy"] = "Always"
    try:
        check(broken)
    except kubernetes_validate.ValidationError:
        return
    raise AssertionError("a key that does not exist is not noticed")


def what_cannot_work_is_refused_with_what_would_be_right():
    for values, part in (
        ({}, "no credentials: name a Secret"),
        ({**SHARDED, "replicaCount": 2}, "shards and replicaCount can't both be above 1"),
        ({**SMALL, "webhook": {"enabled": True}}, "webhook.publicKeys is empty"),
        ({**SMALL, "webhook": {"ingress": {"enabled": True}}}, "without webhook.enabled"),
        ({**SMALL, "imagge": {}}, "additional properties 'imagge' not allowed"),
        ({**SMALL, "log": {"level": "loud"}}, "/log/level"),
        ({**SMALL, "config": {"grid": {"client_secret": "x"}}}, "/config"),
        ({**SMALL, "shards": 0}, "/shards"),
        ({**SMALL, "persistence": {"whenScaled": "Never"}}, "/persistence/whenScaled"),
    ):
        try:
            render(values)
        except helm.HelmError as error:
            assert part in str(error), f"{values}: {error}"
        else:
            raise AssertionError(f"{values} is taken")


def every_value_is_in_the_schema_and_used():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
    text = "".join(path.read_text(encoding="utf-8") for path in (CHART / "templates").iterdir())

    def walk(value, path):
        if isinstance(value, dict) and value and f".Values.{path}" + " " not in text.replace("}", " "):
            for key, below in value.items():
                walk(below, f"{path}.{key}")
        else:
            assert re.search(rf"\.Values\.{re.escape(path)}\b", text), f"{path} is used by no template"

    for key, value in values.items():
        walk(value, key)


def the_exporter_understands_flags_configuration_and_lists():
    for name, values in CASES.items():
        found = objects(values)
        with tempfile.TemporaryDirectory() as folder:
            places = {"/etc/grid-bulk-exporter/": "", "/etc/grid-bulk-exporter-jobs/": "-jobs", "/etc/grid-bulk-exporter-webhook/": "-webhook"}
            for place, suffix in places.items():
                made = pathlib.Path(folder, place.strip("/"))
                made.mkdir(parents=True, exist_ok=True)
                for item in found:
                    if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "grid-bulk-exporter" + suffix:
                        for key, text in item["data"].items():
                            (made / key).write_text(text.replace("/etc/grid-bulk-exporter-", f"{folder}/etc/grid-bulk-exporter-"), encoding="utf-8")
            environment = {"GRID_CLIENT_ID": "id", "GRID_CLIENT_SECRET": "secret"}
            command(BINARY, "check-config", f"{folder}/etc/grid-bulk-exporter/grid-bulk-exporter.yml", env=environment)
        # `--help` behind all flags: a flag that is not known is refused before.
        command(BINARY, *container(found)["args"], "--help")
        flags = command(BINARY, "--help")
        for variable in container(found)["env"]:
            if variable["name"].startswith("GRID_EXPORTER_"):
                assert variable["name"] in flags, variable


def probes_ask_over_http_or_by_the_programs_own_check():
    for values, scheme in ((SMALL, "HTTP"), (ALL, "HTTPS")):
        for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
            found = container(objects(values))[probe]
            assert found["httpGet"] == {"path": path, "port": "http", "scheme": scheme} and "exec" not in found, found
    # The exporter runs with the flags of the container, and asks for certificates that nobody here has.
    exporter = container(objects(MUTUAL))
    files, port = ROOT / "tests/web-config/files", free_port()
    with tempfile.TemporaryDirectory() as folder, simulated_api("--jobs=1") as (base_url, _):
        web = {"cert_file": f"{files}/server.crt", "key_file": f"{files}/server.key", "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": f"{files}/server.crt"}
        pathlib.Path(folder, "web.yml").write_text(yaml.safe_dump({"tls_server_config": web}), encoding="utf-8")
        pathlib.Path(folder, "grid-bulk-exporter.yml").write_text("jobs: [ 'Job:a' ]\n", encoding="utf-8")

        def here(words):
            for place in ("/etc/grid-bulk-exporter-web/", "/etc/grid-bulk-exporter/"):
                words = [word.replace(place, f"{folder}/") for word in words]
            return [word.replace(":10310", f"127.0.0.1:{port}") for word in words]

        for probe in ("livenessProbe", "readinessProbe"):
            assert "httpGet" not in exporter[probe]
            assert exporter[probe]["exec"]["command"][0] == "/usr/bin/grid-bulk-exporter", "where the image has it"
        environment = {"GRID_CLIENT_ID": "demo", "GRID_CLIENT_SECRET": "demo", "LIGHTSPARK_GRID_BASE_URL": base_url}
        asked = [BINARY, *here(exporter["livenessProbe"]["exec"]["command"][1:])]

        def code():
            return subprocess.run(asked, capture_output=True, check=False, timeout=20).returncode

        assert code() == 1, "alive before it runs"
        with started(BINARY, *here(exporter["args"]), env=environment, stderr=subprocess.DEVNULL):
            until("the probe finds it alive", lambda: code() == 0)
            refused = subprocess.run(["curl", "-sk", f"https://127.0.0.1:{port}/-/healthy"], capture_output=True, check=False)
            assert refused.returncode != 0, "the exporter asks for no certificate, so that this shows nothing"
        assert code() == 1, "alive after its end"


def a_sharded_pod_knows_its_number():
    found = objects(SHARDED)
    workload = of_kind(found, "StatefulSet")
    assert workload["spec"]["replicas"] == 4
    variables = {variable["name"]: variable for variable in container(found)["env"]}
    assert variables["GRID_EXPORTER_TOTAL_SHARDS"]["value"] == "4"
    assert variables["GRID_EXPORTER_SHARD"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"
    assert of_kind(found, "Service", workload["spec"]["serviceName"])["spec"]["clusterIP"] == "None"


def volumes_of_shards_that_are_gone_go_where_that_is_wanted():
    def policy(values):
        return of_kind(objects(values), "StatefulSet")["spec"].get("persistentVolumeClaimRetentionPolicy")

    assert policy(KEPT_SHARDS) == {"whenScaled": "Delete", "whenDeleted": "Retain"}
    assert policy(ALL) is None and policy(SHARDED) is None


def services_monitors_and_policies_select_the_pods():
    found = objects(ALL)
    labels = of_kind(found, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container(found)["ports"]}
    assert ports == {"http": 10310, "webhook": 10311}
    for item in found:
        if item["kind"] == "Service":
            assert item["spec"]["selector"].items() <= labels.items()
            assert all(port["targetPort"] in ports for port in item["spec"]["ports"])
        elif item["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = item["spec"].get("podSelector") or item["spec"]["selector"]
            assert selector["matchLabels"].items() <= labels.items()
    wanted = of_kind(found, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    chosen = [item["metadata"]["name"] for item in found if item["kind"] == "Service" and wanted <= item["metadata"]["labels"].items()]
    assert chosen == ["grid-bulk-exporter"], f"one target a pod, but the monitor takes {chosen}"
    assert of_kind(found, "Service")["metadata"]["labels"]["app.kubernetes.io/name"] == "grid-bulk-exporter", "alerts look for the job by this"


def rules_and_dashboards_are_those_of_the_repository():
    found = objects(ALL)
    groups = of_kind(found, "PrometheusRule")["spec"]["groups"]
    shipped = [yaml.safe_load((ROOT / f"deploy/prometheus/grid-bulk-{name}.yml").read_text(encoding="utf-8"))["groups"] for name in ("alerts", "recording")]
    assert groups == shipped[0] + shipped[1]
    own = {**ALL, "prometheusRule": {"enabled": True, "grafanaUrl": "https://grafana.test", "runbookUrl": "https://wiki.test/books"}}
    for group in of_kind(objects(own), "PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            notes = rule.get("annotations", {"dashboard_url": "https://grafana.test/", "runbook_url": f"https://wiki.test/books/{rule.get('alert')}.md"})
            assert notes["dashboard_url"].startswith("https://grafana.test/") and notes["runbook_url"] == f"https://wiki.test/books/{rule.get('alert')}.md", rule
    for path in (ROOT / "dashboards").glob("*.json"):
        text = of_kind(found, "ConfigMap", f"grid-bulk-exporter-{path.stem}")["data"][f"grid-bulk-{path.name}"]
        assert json.loads(text) == json.loads(path.read_text(encoding="utf-8"))


def the_pod_is_restricted_and_holds_no_secret_in_its_environment():
    for values in CASES.values():
        found = objects(values)
        workload = next(item for item in found if item["kind"] in ("Deployment", "StatefulSet"))
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        context = container(found)["securityContext"]
        assert context == {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert pod["automountServiceAccountToken"] is False
        texts = [json.dumps(item) for item in found if item["kind"] != "Secret"]
        assert not [text for text in texts if '"secret"' in text and "clientSecret" in text]


def plain_files():
    """Each file of deploy/kubernetes that follows from the chart, without what only helm needs."""
    files = {}
    for item in objects(PLAIN_VALUES):
        labels = item["metadata"]["labels"]
        for name in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
            labels.pop(name)
        folder = "monitoring/" if item["apiVersion"].startswith("monitoring.") else ""
        name = item["metadata"]["name"].removeprefix("grid-bulk-exporter").lstrip("-")
        file = f"{folder}{item['kind'].lower()}{'-' + name if name else ''}.yaml"
        header = "# Written by deploy/kubernetes/generate from the chart in deploy/helm.\n"
        files[file] = header + yaml.safe_dump(item, sort_keys=False, width=120, allow_unicode=True)
    return files


def plain_manifests_are_those_of_the_chart():
    expected = plain_files()
    if os.environ.get("UPDATE_EXPECTED"):
        for old in [*PLAIN.glob("*.yaml"), *PLAIN.glob("monitoring/*.yaml")]:
            if old.name != "kustomization.yaml":
                old.unlink()
        for name, text in expected.items():
            (PLAIN / name).parent.mkdir(exist_ok=True)
            (PLAIN / name).write_text(text, encoding="utf-8")
    there = {path.relative_to(PLAIN).as_posix(): path.read_text(encoding="utf-8") for path in PLAIN.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert there == expected, f"{sorted(name for name in there.keys() | expected.keys() if there.get(name) != expected.get(name))} are old; run deploy/kubernetes/generate"
    check([yaml.safe_load(text) for text in there.values()])


def each_kustomization_names_its_files_once():
    for path in PLAIN.rglob("kustomization.yaml"):
        what = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(what) <= {"apiVersion", "kind", "namespace", "resources", "secretGenerator", "generatorOptions", "images"}, set(what)
        there = sorted(file.name for file in path.parent.glob("*.yaml") if file.name != "kustomization.yaml")
        assert sorted(what["resources"]) == there, f"{path}: {what['resources']}, but there are {there}"
        for secret in what.get("secretGenerator", []):
            for source in secret["files"]:
                # Ours to write, and not committed.
                ignored = subprocess.run(["git", "check-ignore", "-q", path.parent / source.split("=")[-1]], cwd=ROOT, check=False)
                assert ignored.returncode == 0, f"{source} would be committed"
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in PLAIN.glob("*.yaml") if path.name != "kustomization.yaml"]
    volumes = of_kind(found, "Deployment")["spec"]["template"]["spec"]["volumes"]
    named = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    made = {secret["name"] for secret in yaml.safe_load((PLAIN / "kustomization.yaml").read_text(encoding="utf-8"))["secretGenerator"]}
    assert named == made
    images = yaml.safe_load((PLAIN / "kustomization.yaml").read_text(encoding="utf-8"))["images"]
    assert [f"{image['name']}:{image['newTag']}" for image in images] == [container(found)["image"]]


def versions_are_those_of_the_crate():
    crate = re.search('^version = "(.*)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE).group(1)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == crate, f"Chart.yaml: appVersion {chart['appVersion']}, Cargo.toml: {crate}"


CHECKS = [
    helm_lints_the_chart, every_object_is_what_kubernetes_knows, what_cannot_work_is_refused_with_what_would_be_right,
    every_value_is_in_the_schema_and_used, the_exporter_understands_flags_configuration_and_lists,
    probes_ask_over_http_or_by_the_programs_own_check, a_sharded_pod_knows_its_number,
    volumes_of_shards_that_are_gone_go_where_that_is_wanted,
    services_monitors_and_policies_select_the_pods, rules_and_dashboards_are_those_of_the_repository,
    the_pod_is_restricted_and_holds_no_secret_in_its_environment, plain_manifests_are_those_of_the_chart,
    each_kustomization_names_its_files_once, versions_are_those_of_the_crate,
]
