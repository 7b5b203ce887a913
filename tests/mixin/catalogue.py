"""What the exporter publishes: metrics, their kinds and labels, and known label values, read from the Rust source."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Metrics of DESIGN's table that the source does not have yet; a check tells when one can go from here.
LATER = {}
# Made by Prometheus for each target.
OF_SCRAPES = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}
# Labels that scrape configurations give to targets.
OF_TARGETS = {"job", "instance", "cluster", "namespace", "account", "pod", "container", "endpoint", "service"}
# Labels that the example configuration gives to jobs; any other is a user's own.
OF_JOBS = {"name", "team"}

REASONS_WITHOUT_ALERT = {
    "dns": "as GridBulkExporterBlind and GridBulkJobPollFailing; of no share of the requests sent, for none is sent",
    "redirect": "as GridBulkExporterBlind and GridBulkJobPollFailing; a wrong address, seen at once when set up",
    "rate_limited": "GridBulkApiThrottled counts 429 among the requests",
    "other": "as GridBulkExporterBlind and GridBulkJobPollFailing",
}


def families():
    """Name to (kind, labels) of every metric family in src/telemetry/families.rs."""
    source = (ROOT / "src/telemetry/families.rs").read_text(encoding="utf-8")
    found = {}
    for kind, name, labels in re.findall(r'Family\s*=\s*(gauge|counter|histogram)\(\s*"([a-z0-9_]+)",\s*&\[([^\]]*)\]', source):
        found[name] = (kind, re.findall(r'"(\w+)"', labels))
    return found


def all_families():
    return {**LATER, **families()}


def family_of(metric):
    """The family that a metric in a query belongs to, or None."""
    known = all_families()
    if metric in known:
        return metric
    base = re.sub(r"_(bucket|sum|count)$", "", metric)
    return base if base in known and known[base][0] == "histogram" else None


def kind_of(metric):
    """gauge, counter or histogram; None if the exporter has no such metric."""
    if metric in OF_SCRAPES:
        return "gauge"
    family = family_of(metric)
    if family is None:
        return None
    kind = all_families()[family][0]
    return "counter" if kind == "histogram" and metric != family else kind


def labels_of_metric(metric):
    """Every label that a series of that metric may have once scraped."""
    family = family_of(metric)
    own = set(all_families()[family][1]) if family else set()
    if metric.endswith("_bucket") or (family == metric and all_families()[family][0] == "histogram"):
        own.add("le")  # a native histogram keeps its buckets within, so that `by (le)` does no harm
    if metric == "grid_bulk_job_info":
        own |= OF_JOBS
    if metric == "ALERTS":
        own |= {"alertname", "alertstate", "severity"}
    return own | OF_TARGETS


def strings_in(path, kind):
    """The label values that `as_str` of a Rust enum gives."""
    source = (ROOT / path).read_text(encoding="utf-8")
    start = source.index(f"impl {kind} {{")
    body = source[source.index("as_str", start):]
    return set(re.findall(r'Self::\w+ => "(\w+)"', body[: body.index("\n    }\n")]))


def known_values():
    """Label to the values that a query may name."""
    statuses = strings_in("src/job/status.rs", "Status")
    return {
        "status": statuses | {"UNPOLLED"},
        "reason": strings_in("src/job/failure.rs", "PollFailure"),
        "result": {"successful", "failed"},
        "outcome": strings_in("src/telemetry/webhooks.rs", "WebhookOutcome"),
        "code": {"429", "none"},
    }
