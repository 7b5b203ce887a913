"""Shows that each check can fail: a good dashboard or rule is broken in one way, and a certain problem must be reported."""

import copy
import json

import dashboards
import rules

SCOPE = 'cluster=~"$cluster",job=~"$job",instance=~"$instance"'


def panel(board, title):
    return next(panel for panel in board["panels"] if panel.get("title") == title)


def query(expr, title="Rows per second by result"):
    def change(board):
        panel(board, title)["targets"][0]["expr"] = expr
    return change


def put(*path_and_value):
    """Sets a value deep in a dashboard."""
    *path, last, value = path_and_value
    def change(board):
        for key in path:
            board = panel(board, key) if isinstance(key, str) and key[0].isupper() else board[key]
        board[last] = value
    return change


def drop(*path):
    *path, last = path
    def change(board):
        for key in path:
            board = panel(board, key) if isinstance(key, str) and key[0].isupper() else board[key]
        del board[last]
    return change


def variable(name, key, value):
    def change(board):
        next(one for one in board["templating"]["list"] if one["name"] == name)[key] = value
    return change


def without_gauge_limits(board):
    for override in panel(board, "All imports")["fieldConfig"]["overrides"]:
        override["properties"] = [item for item in override["properties"] if item["id"] not in ("min", "max")]


ROWS = "Rows per second by result"
# What is broken, how, and what must be said. All on the overview.
BROKEN_DASHBOARDS = [
    ("another uid", put("uid", "grid-bulk-overview-2"), "uid is"),
    ("an old schema", put("schemaVersion", 38), "schemaVersion"),
    ("an id", put("id", 7), "has id"),
    ("inputs", put("__inputs", []), "has __inputs"),
    ("editable", put("editable", True), "editable"),
    ("no links", put("links", []), "list of dashboards"),
    ("a fixed data source in a panel", put(ROWS, "datasource", {"uid": "abc"}), "data source is not"),
    ("a fixed data source in a query", lambda board: panel(board, ROWS)["targets"][0].update(datasource={"uid": "abc"}), "query A: data source is not"),
    ("a fixed data source in a variable", variable("job", "datasource", {"uid": "abc"}), "fixed data source"),
    ("a data source called otherwise", variable("datasource", "label", "Prometheus"), "Data source"),
    ("job without All", variable("job", "includeAll", False), "variable job is not as"),
    ("instance with another All", variable("instance", "allValue", ".*"), "variable instance is not as"),
    ("a variable read once", variable("team", "refresh", 1), "does not refresh"),
    ("a variable of an unknown metric", variable("team", "query", {"query": "label_values(grid_bulk_job_infos, team)"}), "grid_bulk_job_infos does not exist"),
    ("a variable that nobody uses", lambda board: board["templating"]["list"].append({**board["templating"]["list"][2], "name": "unused"}), "variable unused is not used"),
    ("a variable that is not there", query(f'sum(rate(grid_bulk_rows_total{{{SCOPE},result=~"$what"}}[$__rate_interval]))'), "$what is not a variable"),
    ("no title", put(ROWS, "title", ""), "without a title"),
    ("no description", put(ROWS, "description", ""), "no description"),
    ("no unit", lambda board: panel(board, ROWS)["fieldConfig"]["defaults"].pop("unit"), "unit None"),
    ("an unknown unit", lambda board: panel(board, ROWS)["fieldConfig"]["defaults"].update(unit="rows"), "unit 'rows'"),
    ("no query", put(ROWS, "targets", []), "no query"),
    ("a stat without noValue", lambda board: panel(board, "Failure ratio")["fieldConfig"]["defaults"].pop("noValue"), "no noValue"),
    ("a gauge cell without limits", without_gauge_limits, "without min and max"),
    ("overlapping panels", lambda board: panel(board, ROWS)["gridPos"].update(x=1), "overlap"),
    ("a panel beyond the edge", lambda board: panel(board, ROWS)["gridPos"].update(x=13), "sticks out"),
    ("panel ids that repeat", put(ROWS, "id", 1), "ids repeat"),
    ("a repeated panel", put(ROWS, "repeat", "jobId"), "repeats"),
    ("an unknown metric", query(f"sum(rate(grid_bulk_row_total{{{SCOPE}}}[$__rate_interval]))"), "grid_bulk_row_total does not exist"),
    ("an unknown label", query(f'sum(rate(grid_bulk_rows_total{{{SCOPE},results="failed"}}[$__rate_interval]))'), "no label results"),
    ("an unknown value", query(f'sum(rate(grid_bulk_rows_total{{{SCOPE},result="fail"}}[$__rate_interval]))'), "never 'fail'"),
    ("an unknown label in by", query(f"sum by (code) (rate(grid_bulk_rows_total{{{SCOPE}}}[$__rate_interval]))"), "by (code)"),
    ("no matcher on job", query('sum(rate(grid_bulk_rows_total{instance=~"$instance"}[$__rate_interval]))'), "without job"),
    ("a fixed window", query(f"sum(rate(grid_bulk_rows_total{{{SCOPE}}}[5m]))"), "not $__rate_interval"),
    ("a bare counter", query(f"sum(grid_bulk_rows_total{{{SCOPE}}})"), "outside of rate()"),
    ("a rate of a gauge", query(f"sum(rate(grid_bulk_jobs{{{SCOPE}}}[$__rate_interval]))"), "over the gauge"),
    ("a derivative of a counter", query(f"sum(deriv(grid_bulk_rows_total{{{SCOPE}}}[5m]))"), "which is no gauge"),
    ("a rate of a sum", query(f"rate(sum(grid_bulk_rows_total{{{SCOPE}}})[$__rate_interval])"), "first rate, then sum"),
    ("a division by what may be 0", query(f"sum(grid_bulk_jobs{{{SCOPE}}}) / sum(grid_bulk_jobs{{{SCOPE}}})"), "divisor"),
    ("labels that do not match", query(f"grid_bulk_job_failed_rows{{{SCOPE}}} and grid_bulk_job_status{{{SCOPE}}} == 1"), "say on or ignoring"),
    ("a line for each import", query(f"max by (jobId) (grid_bulk_job_failed_rows{{{SCOPE}}})"), "a series for each import"),
    ("a topk that picks anew", query(f"topk(5, max by (jobId) (grid_bulk_job_failed_rows{{{SCOPE}}}))"), "picks anew"),
    ("a broken query", query("sum(rate("), "panel 'Rows per second by result', query A"),
    ("a colour without meaning", lambda board: panel(board, ROWS)["fieldConfig"]["defaults"].update(color={"mode": "fixed", "fixedColor": "#123456"}), "no meaning"),
    ("lines coloured by value", lambda board: panel(board, ROWS)["fieldConfig"]["defaults"].update(color={"mode": "continuous-YlRd"}), "coloured by continuous-YlRd"),
    ("lines coloured by chance", lambda board: panel(board, ROWS)["fieldConfig"]["overrides"][0]["properties"][0]["value"].update(mode="palette-classic"), "coloured by palette-classic"),
    ("shades of red alone", lambda board: panel(board, ROWS)["fieldConfig"]["defaults"].update(color={"mode": "shades", "fixedColor": "#D1342F"}), "without styles of line"),
    ("failures in green", lambda board: panel(board, ROWS)["fieldConfig"]["overrides"][1]["properties"][0]["value"].update(fixedColor="#009E73"), "failed is not"),
    ("a result without its colour", lambda board: panel(board, ROWS)["fieldConfig"].update(overrides=[]), "by chance"),
    ("a link to nowhere", lambda board: board["links"][1].update(url="/d/grid-bulk-jobs"), "which does not exist"),
]


def rule(**changes):
    """The alert for a failed import, broken in one way."""
    good = {
        "alert": "GridBulkSample",
        "expr": 'max by (job, jobId) (grid_bulk_job_status{status="FAILED"}) == 1',
        "for": "2m",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "A sample.",
            "description": "Import {{ $labels.jobId }} failed.",
            "runbook_url": "https://x/GridBulkSample.md",
            "dashboard_url": "http://x/d/grid-bulk-job?var-jobId={{ $labels.jobId }}",
        },
    }
    for key, value in changes.items():
        key = {"wait": "for"}.get(key, key)
        if value is None:
            del good[key]
        elif isinstance(value, dict) and key == "annotations":
            good[key] = {**good[key], **value}
        else:
            good[key] = value
    return good


STATUS = 'grid_bulk_job_status{status="FAILED"}'
BROKEN_RULES = [
    ("another name", rule(alert="ImportFailed"), "does not begin with GridBulk"),
    ("another severity", rule(labels={"severity": "page"}), "not one of three"),
    ("a value in a label", rule(labels={"severity": "info", "rows": "{{ $value }}"}), "a template in a label"),
    ("no comparison", rule(expr=f"max by (job, jobId) ({STATUS})"), "no comparison"),
    ("an or with one bare side", rule(expr=f"max by (job, jobId) ({STATUS}) == 1 or max by (job, jobId) (grid_bulk_job_failed_rows)"), "no comparison"),
    ("a wait of 0", rule(wait="0s"), "leave it out"),
    ("absent without a wait", rule(expr='absent(up{job="x"})', wait=None), "wait of two scrapes"),
    ("no runbook", rule(annotations={"runbook_url": ""}), "no annotation runbook_url"),
    ("another runbook", rule(annotations={"runbook_url": "https://x/other.md"}), "does not lead to its page"),
    ("a summary that changes", rule(annotations={"summary": "{{ $labels.jobId }} failed."}), "not constant"),
    ("a description without ids", rule(annotations={"description": "Something failed."}), "without ids"),
    ("a label that is not kept", rule(annotations={"description": "{{ $labels.jobId }} on {{ $labels.instance }}"}), "$labels.instance"),
    ("a bare value", rule(annotations={"description": "{{ $labels.jobId }}: {{ $value }}"}), "without humanize"),
    ("a dashboard without the import", rule(annotations={"dashboard_url": "http://x/d/grid-bulk-overview"}), "does not lead to the import"),
    ("an unknown metric", rule(expr="max by (job, jobId) (grid_bulk_job_rows) > 1"), "does not exist"),
    ("an unknown metric in the description", rule(annotations={"description": "{{ $labels.jobId }} {{ printf `grid_bulk_nothing{job=%q}` $labels.job | query }}"}), "grid_bulk_nothing does not exist"),
    ("an unknown value", rule(expr='max by (job, jobId) (grid_bulk_job_status{status="FAIL"}) == 1'), "never 'FAIL'"),
    ("increase of a gauge", rule(expr="max by (job, jobId) (increase(grid_bulk_job_failed_rows[15m])) > 1"), "over the gauge"),
    ("a window that is too short", rule(expr="sum by (job) (rate(grid_bulk_polls_total[1m])) > 1"), "shorter than four scrapes"),
    ("topk", rule(expr="topk(5, max by (job, jobId) (grid_bulk_job_failed_rows)) > 1"), "topk in a rule"),
    ("a regex without pattern", rule(expr='max by (job, jobId) (grid_bulk_job_status{status=~"FAILED"}) == 1'), "no pattern"),
    ("an anchor", rule(expr='max by (job, jobId) (grid_bulk_job_status{job=~"^grid.*",status="FAILED"}) == 1'), "anchors by itself"),
    ("labels that do not match", rule(expr=f"max by (job, jobId) (grid_bulk_job_failed_rows and {STATUS} == 1) > 1"), "say on or ignoring"),
    ("on a label of one side", rule(expr=f"max by (job, jobId) (grid_bulk_job_failed_rows and on (status) {STATUS} == 1) > 1"), "not on both sides"),
    ("a recording rule without level", {"record": "grid_bulk_speed", "expr": "max by (job) (grid_bulk_jobs)"}, "is called level"),
]


def checks(groups, root):
    """The self-tests as checks for `run`."""
    board = json.loads((root / "dashboards/overview.json").read_text(encoding="utf-8"))

    def each_dashboard_check_can_fail():
        problems = []
        for what, change, wanted in BROKEN_DASHBOARDS:
            broken = copy.deepcopy(board)
            change(broken)
            said = dashboards.check("overview.json", broken)
            if not any(wanted in problem for problem in said):
                problems.append(f"{what}: no problem with {wanted!r}, only {said[:3]}")
        return problems

    def each_rule_check_can_fail():
        problems = [f"the sample itself: {problem}" for problem in rules.check([{"name": "good", "rules": [rule()]}]) if not problem.startswith("reason ")]
        for what, broken, wanted in BROKEN_RULES:
            said = rules.check([{"name": "broken", "rules": [broken]}])
            if not any(wanted in problem for problem in said):
                problems.append(f"{what}: no problem with {wanted!r}, only {said[:3]}")
        twice = rules.check([{"name": "twice", "interval": "10m", "rules": [rule(), rule()]}])
        for wanted in ("two equal rules", "is there twice", "interval over 5 minutes", "reason not_found is in no alert"):
            if not any(wanted in problem for problem in twice):
                problems.append(f"{wanted!r} is not said")
        return problems

    return [each_dashboard_check_can_fail, each_rule_check_can_fail]
