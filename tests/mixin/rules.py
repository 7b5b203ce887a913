"""Checks of alerts and recording rules, after Cloudflare's pint and what this project wants beyond it."""

import re

import catalogue
import promql
import queries

SEVERITIES = {"critical", "warning", "info"}
RECORD = re.compile(r"[a-zA-Z_]+:[a-zA-Z_0-9]+:[a-z0-9_]+|jobId:grid_bulk_job_eta_seconds|job:grid_bulk_\w+")


def expression(rule):
    """What any expression must heed."""
    tree = promql.read(rule["expr"])
    yield from queries.unknown_names(tree)
    yield from queries.misused_functions(tree)
    yield from queries.careless_matching(tree)
    yield from queries.careless_regexes(tree)
    for node in tree.walk():
        if node.kind == "aggregation" and node.name in ("topk", "bottomk"):
            yield f"{node.name} in a rule: what it picks changes each time"


def compares(tree):
    """True if the result is filtered by a comparison, on every way that leads to it."""
    if tree.kind == "call":
        return tree.name == "absent"
    if tree.kind != "binary":
        return False
    if tree.name in promql.COMPARISONS:
        return True
    left, right = map(compares, tree.parts)
    return left and right if tree.name == "or" else left or right


def alert(rule):
    """Names, labels, annotations, waits."""
    tree = promql.read(rule["expr"])
    if not re.match(r"GridBulk[A-Z]\w+$", rule["alert"]):
        yield "name does not begin with GridBulk"
    if rule.get("labels", {}).get("severity") not in SEVERITIES:
        yield "severity is not one of three"
    if set(rule.get("labels", {})) != {"severity"}:
        yield "labels other than severity"
    if "$value" in str(rule.get("labels")) or "{{" in str(rule.get("labels")):
        yield "a template in a label: each value is a new alert"
    if not compares(tree):
        yield "no comparison: fires whenever there is data"
    for key in ("for", "keep_firing_for"):
        if key in rule and not re.fullmatch(r"[1-9]\d*[smh]", str(rule[key])):
            yield f"{key} {rule[key]!r}: leave it out rather than 0"
    if any(node.kind == "call" and node.name == "absent" for node in tree.walk()) and promql.seconds(str(rule.get("for", "0s"))) < 60:
        yield "absent without a wait of two scrapes"
    annotations = rule.get("annotations", {})
    for wanted in ("summary", "description", "runbook_url", "dashboard_url"):
        if not annotations.get(wanted):
            yield f"no annotation {wanted}"
    if "{{" in annotations.get("summary", ""):
        yield "summary is not constant: it is the headline of a group"
    description = annotations.get("description", "")
    if "{{" not in description:
        yield "description without ids"
    if not annotations.get("runbook_url", "").endswith(f"/{rule['alert']}.md"):
        yield "runbook_url does not lead to its page"
    kept = promql.labels_of(tree, catalogue.labels_of_metric) or set()
    for used in set(re.findall(r"\$labels\.(\w+)", str(annotations))):
        if used not in kept:
            yield f"$labels.{used} in an annotation, but the expression does not keep it"
    for matched in re.findall(r"\$value(?![^}]*(?:humanize|printf))[^}]*}}", str(annotations)):
        yield f"$value without humanize or printf: {matched}"
    if "jobId" in kept and "$labels.jobId" not in description:
        yield "description does not name the import"
    if "jobId" in kept and "/d/grid-bulk-job?var-jobId=" not in annotations.get("dashboard_url", ""):
        yield "dashboard_url does not lead to the import"
    for query in re.findall(r"printf `([^`]+)`", description):
        try:
            yield from (f"description: {problem}" for problem in queries.unknown_names(promql.read(query.replace("%q", '"x"'))))
        except promql.SyntaxProblem as problem:
            yield f"description: {problem}"


def group(one):
    """The group as a whole."""
    if promql.seconds(one.get("interval", "1m")) > 300:
        yield "interval over 5 minutes: windows of 5 minutes would have gaps"
    expressions = [re.sub(r"\s+", "", rule["expr"]) for rule in one["rules"]]
    for rule, text in zip(one["rules"], expressions):
        if expressions.count(text) > 1:
            yield f"{rule.get('alert', rule.get('record'))}: two equal rules"


def reasons(alerts):
    """Every reason why a poll fails is in some alert, or left out on purpose."""
    named = set()
    for rule in alerts:
        for selector in promql.read(rule["expr"]).selectors():
            for label, _, value in selector.matchers:
                if label == "reason":
                    named |= set(value.split("|"))
    for reason in catalogue.known_values()["reason"] - named - set(catalogue.REASONS_WITHOUT_ALERT):
        yield f"reason {reason} is in no alert; add it to one, or to REASONS_WITHOUT_ALERT"
    for reason in named & set(catalogue.REASONS_WITHOUT_ALERT):
        yield f"reason {reason} is in an alert and in REASONS_WITHOUT_ALERT"


def check(groups):
    """All problems of some groups of rules."""
    problems = []
    for one in groups:
        problems += [f"group {one['name']}: {problem}" for problem in group(one)]
        for rule in one["rules"]:
            name = rule.get("alert", rule.get("record", "?"))
            problems += [f"{name}: {problem}" for problem in expression(rule)]
            if "alert" in rule:
                problems += [f"{name}: {problem}" for problem in alert(rule)]
            elif not RECORD.fullmatch(rule["record"]):
                problems.append(f"{name}: a recording rule is called level:metric:operation")
    alerts = [rule for one in groups for rule in one["rules"] if "alert" in rule]
    names = [rule["alert"] for rule in alerts]
    problems += [f"alert {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    if alerts:
        problems += list(reasons(alerts))
    return problems
