"""Checks of dashboards, after Grafana's dashboard linter and what this project wants beyond it."""

import itertools
import re

import promql
import queries

SCOPE = {"job": "$job", "instance": "$instance"}
UIDS = {"overview.json": "grid-bulk-overview", "job.json": "grid-bulk-job", "exporter.json": "grid-bulk-exporter"}
UNITS = {"short", "none", "locale", "percentunit", "s", "reqps", "bytes", "Bps", "dateTimeFromNow", "dateTimeAsLocalNoDateIfToday"}
GRAPHICAL = {"stat", "gauge", "timeseries", "table", "bargauge", "heatmap", "state-timeline"}
COLOURS = {"#009E73", "#3A9BDC", "#9AA0A6", "#D1342F", "#8A3FC9", "#E69F00", "transparent", "text"}
MEANING = {
    "successful": "#009E73", "COMPLETED": "#009E73", "PROCESSING": "#3A9BDC", "PENDING": "#9AA0A6", "FAILED": "#D1342F",
    "failed": "#D1342F", "UNKNOWN": "#8A3FC9",
}


def filled(expr):
    """The expression as Grafana sends it, with All chosen."""
    for name, value in (("$__rate_interval", "2m"), ("$__range", "1h"), ("$__interval", "1m")):
        expr = expr.replace(name, value)
    return expr


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def graphical(dashboard):
    return [panel for panel in panels_of(dashboard) if panel["type"] not in ("row", "text")]


def all_expressions(dashboard):
    """(where, expression) of every panel and annotation."""
    for panel in graphical(dashboard):
        for target in panel.get("targets", []):
            yield f"panel {panel.get('title')!r}, query {target.get('refId')}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']!r}", annotation["expr"]


def frame(name, dashboard):
    """uid, schema, what must not be there."""
    if dashboard.get("uid") != UIDS.get(name):
        yield f"uid is {dashboard.get('uid')!r}, must stay {UIDS.get(name)!r}"
    if dashboard.get("schemaVersion", 0) < 39:
        yield "schemaVersion below 39"
    for key in ("id", "version", "__inputs", "__requires"):
        if key in dashboard:
            yield f"has {key}"
    if dashboard.get("editable") is not False:
        yield "editable is not false"
    for key, value in (("refresh", "30s"), ("timezone", "browser"), ("graphTooltip", 1), ("tags", ["grid", "grid-bulk"])):
        if dashboard.get(key) != value:
            yield f"{key} is not {value!r}"
    if not any(link["type"] == "dashboards" and link["keepTime"] and link["includeVars"] for link in dashboard["links"]):
        yield "no list of dashboards with keepTime and includeVars among its links"


def variables(name, dashboard):
    """One data source; job and instance as the linter wants them; every variable used."""
    found = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    sources = [variable for variable in found.values() if variable["type"] == "datasource"]
    if [source["label"] for source in sources] != ["Data source"] or "datasource" not in found:
        yield "not exactly one variable for the data source, called datasource, with the label Data source"
    for wanted, label in (("job", "Job"), ("instance", "Instance")):
        variable = found.get(wanted, {})
        if not (variable.get("type") == "query" and variable.get("multi") and variable.get("includeAll")
                and variable.get("allValue") == ".+" and variable.get("label") == label):
            yield f"variable {wanted} is not as the linter wants it"
    for variable in found.values():
        if variable["type"] != "query":
            continue
        if variable["refresh"] != 2 or not variable["sort"]:
            yield f"variable {variable['name']} does not refresh with the time range, or is not sorted"
        if variable["datasource"]["uid"] != "${datasource}":
            yield f"variable {variable['name']} has a fixed data source"
        if variable["includeAll"] and not variable["allValue"]:
            yield f"variable {variable['name']}: All lists every value"
        query = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"], re.DOTALL)
        if not query:
            yield f"variable {variable['name']}: not a label_values(metric, label)"
            continue
        tree = promql.read(filled(query.group(1)))
        for problem in queries.unknown_names(tree):
            yield f"variable {variable['name']}: {problem}"
    text = str([dashboard["panels"], dashboard["annotations"], dashboard["links"]] + [variable.get("query") for variable in found.values()])
    for variable in found:
        if not re.search(rf"\$\{{?{variable}\b", text):
            yield f"variable {variable} is not used"
    for used in set(re.findall(r"\$\{?(\w+)", text)) - set(found):
        if not used.startswith("__"):
            yield f"${used} is not a variable"


def panels(name, dashboard):
    """Data source, title, description, unit, targets, noValue."""
    for panel in panels_of(dashboard):
        where = f"panel {panel.get('title')!r}"
        if not panel.get("title"):
            yield f"a {panel['type']} panel without a title"
        if panel["type"] == "row":
            continue
        if len(panel.get("description", "")) < 20:
            yield f"{where}: no description"
        if panel["type"] == "text":
            continue
        if panel["type"] not in GRAPHICAL:
            yield f"{where}: type {panel['type']} is not one that has been looked at"
        if panel.get("datasource", {}).get("uid") != "${datasource}":
            yield f"{where}: data source is not ${{datasource}}"
        if not panel.get("targets"):
            yield f"{where}: no query"
        letters = [target.get("refId") for target in panel.get("targets", [])]
        if len(set(letters)) != len(letters):
            yield f"{where}: refIds repeat"
        for target in panel.get("targets", []):
            if target.get("datasource", {}).get("uid") != "${datasource}":
                yield f"{where}, query {target.get('refId')}: data source is not ${{datasource}}"
            if not target.get("legendFormat"):
                yield f"{where}, query {target.get('refId')}: no legendFormat"
        defaults = panel["fieldConfig"]["defaults"]
        if defaults.get("unit") not in UNITS:
            yield f"{where}: unit {defaults.get('unit')!r} is not a known one"
        if panel["type"] in ("stat", "gauge") and not defaults.get("noValue"):
            yield f"{where}: no noValue"
        for override in panel["fieldConfig"]["overrides"]:
            looks = {item["id"]: item["value"] for item in override["properties"]}
            if looks.get("custom.cellOptions", {}).get("type") == "gauge" and not {"min", "max"} <= set(looks):
                yield f"{where}: gauge cell {override['matcher']['options']!r} without min and max"
            if "unit" in looks and looks["unit"] not in UNITS:
                yield f"{where}: unit {looks['unit']!r} is not a known one"


def places(name, dashboard):
    """Panel ids unique; nothing overlaps or sticks out."""
    ids = [panel["id"] for panel in panels_of(dashboard)]
    if len(set(ids)) != len(ids):
        yield "panel ids repeat"
    for panel in panels_of(dashboard):
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24:
            yield f"panel {panel['title']!r} sticks out of the 24 columns"
    for one, other in itertools.combinations(dashboard["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield f"panels {one['title']!r} and {other['title']!r} overlap"


def expressions(name, dashboard):
    """What the queries say."""
    for where, expr in all_expressions(dashboard):
        try:
            tree = promql.read(filled(expr))
            raw = promql.read(expr.replace("$__rate_interval", "17s").replace("$__range", "19s"))
        except promql.SyntaxProblem as problem:
            yield f"{where}: {problem}"
            continue
        found = [
            *queries.unknown_names(tree),
            *queries.misused_functions(tree),
            *queries.careless_matching(tree),
            *queries.careless_regexes(tree),
            *queries.unguarded_division(tree),
        ]
        for selector in raw.selectors():
            if selector.name == "ALERTS":
                continue
            matchers = {label: (operator, value) for label, operator, value in selector.matchers}
            for label, variable in SCOPE.items():
                if matchers.get(label) != ("=~", variable):
                    found.append(f'{selector.name} without {label}=~"{variable}"')
        for node in raw.walk():
            if node.kind == "call" and node.name in ("rate", "irate") and node.parts[0].window != "17s":
                found.append(f"{node.name}() over [{node.parts[0].window}], not $__rate_interval")
        yield from (f"{where}: {problem}" for problem in found)


def crowds(name, dashboard):
    """No graph that draws a line for each of a thousand imports."""
    single = not any(variable["name"] == "jobId" and variable["multi"] for variable in dashboard["templating"]["list"])
    for panel in graphical(dashboard):
        if panel["type"] == "table" or (name == "job.json" and single):
            continue
        for target in panel["targets"]:
            try:
                tree = promql.read(filled(target["expr"]))
            except promql.SyntaxProblem:
                continue  # `expressions` says so
            if "jobId" in (promql.labels_of(tree, queries.catalogue.labels_of_metric) or ()) and "topk(" not in target["expr"]:
                yield f"panel {panel['title']!r}: a series for each import"
        if "repeat" in panel:
            yield f"panel {panel['title']!r} repeats"
        if panel["type"] == "timeseries":
            if any("topk(" in target["expr"] and "@ end()" not in target["expr"] for target in panel["targets"]):
                yield f"panel {panel['title']!r}: topk picks anew at each step; use `and topk(… @ end())`"


def colours(name, dashboard):
    """Only the colours that have a meaning, and each with its own."""
    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("color", "fixedColor", "iconColor") and isinstance(inner, str) and not inner.startswith("rgba("):
                    yield inner
                else:
                    yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)
    for colour in sorted(set(walk(dashboard)) - COLOURS):
        yield f"colour {colour} has no meaning"
    for panel in graphical(dashboard):
        for override in panel["fieldConfig"]["overrides"]:
            looks = {item["id"]: item["value"] for item in override["properties"]}
            wanted = MEANING.get(override["matcher"]["options"])
            if wanted and looks.get("color", {}).get("fixedColor") != wanted:
                yield f"panel {panel['title']!r}: {override['matcher']['options']} is not {wanted}"
        for target in panel["targets"]:
            legend = target.get("legendFormat", "")
            painted = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
            if legend in MEANING and legend not in painted:
                yield f"panel {panel['title']!r}: {legend} has a colour by chance"
            if legend in ("{{status}}", "{{result}}"):
                names = ("successful", "failed") if legend == "{{result}}" else ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "UNKNOWN")
                if not set(names) <= painted:
                    yield f"panel {panel['title']!r}: a status or result has a colour by chance"


def line_colours(name, dashboard):
    """Lines told apart: no colour by value, which gives equal values one colour, and no palette, which gives any name red or green."""
    for panel in graphical(dashboard):
        if panel["type"] != "timeseries":
            continue
        overrides = [{item["id"]: item["value"] for item in override["properties"]} for override in panel["fieldConfig"]["overrides"]]
        default = panel["fieldConfig"]["defaults"].get("color", {})
        for mode in {colour.get("mode") for colour in [default, *(looks.get("color", {"mode": "fixed"}) for looks in overrides)]}:
            if mode not in ("fixed", "shades"):
                yield f"panel {panel['title']!r}: lines coloured by {mode} cannot be told apart, or mean what they do not"
        if default.get("fixedColor") == MEANING["failed"] and not any("custom.lineStyle" in looks for looks in overrides):
            yield f"panel {panel['title']!r}: shades of red without styles of line"


def links(name, dashboard):
    """Every /d/… leads to a dashboard that there is."""
    for uid in re.findall(r"/d/([\w-]+)", str(dashboard)):
        if uid not in UIDS.values():
            yield f"link to /d/{uid}, which does not exist"
    if name == "overview.json" and "/d/grid-bulk-job?var-jobId=" not in str(dashboard):
        yield "no way from a row to its import"


CHECKS = [frame, variables, panels, places, expressions, crowds, colours, line_colours, links]


def check(name, dashboard):
    """All problems of one dashboard."""
    return [f"{name}: {problem}" for one in CHECKS for problem in one(name, dashboard)]
