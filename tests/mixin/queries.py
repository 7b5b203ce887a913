"""Checks of single expressions, in rules and dashboards alike. Each yields problems in words."""

import re

import catalogue
import promql

# Four times the scrape interval of the example configuration: a shorter window may hold too few samples.
SHORTEST_WINDOW = 4 * 30
RATES = {"rate", "increase", "irate"}
OF_GAUGES = {"deriv", "delta", "idelta", "predict_linear"}


def unknown_names(tree, recorded=()):
    """Metrics, labels and values that the exporter does not have."""
    values = catalogue.known_values()
    for selector in tree.selectors():
        if selector.name == "ALERTS" or selector.name in recorded:
            continue
        if catalogue.kind_of(selector.name) is None:
            yield f"metric {selector.name} does not exist"
            continue
        known = catalogue.labels_of_metric(selector.name)
        for label, operator, value in selector.matchers:
            if label not in known:
                yield f"{selector.name} has no label {label}"
            if label in values and not value.startswith("$"):
                for word in value.split("|"):
                    if word not in values[label] and word != ".*":
                        yield f"{label} is never {word!r}"
    for node in tree.walk():
        if node.kind == "aggregation" and node.grouping == "by":
            inner = promql.labels_of(node.parts[-1], catalogue.labels_of_metric) or set()
            for label in node.labels:
                if label not in inner and label not in catalogue.OF_TARGETS:
                    yield f"by ({label}): what is aggregated has no such label"


def misused_functions(tree, own_window=lambda window: False):
    """Rates of gauges, derivatives of counters, counters bare, rates of sums, windows that are too short."""
    def below(node, inside):
        if node.kind == "call" and node.name in RATES | OF_GAUGES:
            argument = node.parts[0]
            if argument.kind != "selector":
                yield f"{node.name}() of something that is not a plain series: first rate, then sum"
            else:
                kind = catalogue.kind_of(argument.name)
                if node.name in RATES and kind == "gauge":
                    yield f"{node.name}() over the gauge {argument.name}"
                if node.name in OF_GAUGES and kind != "gauge":
                    yield f"{node.name}() over {argument.name}, which is no gauge"
        if node.kind == "selector":
            if catalogue.kind_of(node.name) == "counter" and not inside & RATES:
                yield f"counter {node.name} outside of rate() and increase()"
            if node.window and not own_window(node.window) and promql.seconds(node.window) < SHORTEST_WINDOW:
                yield f"[{node.window}] of {node.name} is shorter than four scrapes"
        for part in node.parts:
            yield from below(part, inside | ({node.name} if node.kind == "call" else set()))
    yield from below(tree, set())


def careless_matching(tree):
    """Operators between vectors whose labels differ, without on or ignoring."""
    for node in tree.walk():
        if node.kind != "binary":
            continue
        left, right = (promql.labels_of(part, catalogue.labels_of_metric) for part in node.parts)
        if left is None or right is None:
            continue
        if node.grouping == "on":
            missing = [label for label in node.labels if label not in left or label not in right]
            if missing:
                yield f"`{node.name}` on ({', '.join(missing)}): not on both sides"
        elif left - set(node.labels) != right - set(node.labels):
            differ = sorted((left ^ right) - set(node.labels))
            yield f"`{node.name}`: sides differ in {', '.join(differ)}; say on or ignoring"


def careless_regexes(tree):
    """=~ without a pattern, and anchors, which Prometheus adds itself."""
    for selector in tree.selectors():
        for label, operator, value in selector.matchers:
            if operator in ("=~", "!~") and not value.startswith("$"):
                if not re.search(r"[.*+?|()\[\]]", value):
                    yield f"{label}{operator}{value!r} has no pattern: use = or !="
                if value.startswith("^") or value.endswith("$"):
                    yield f"{label}{operator}{value!r}: Prometheus anchors by itself"


def unguarded_division(tree):
    """A quotient of rates or counts whose divisor may be 0 is NaN or infinite on a panel."""
    for node in tree.walk():
        if node.kind == "binary" and node.name == "/":
            divisor = node.parts[1]
            if divisor.kind == "number" or (divisor.kind == "binary" and divisor.name in promql.COMPARISONS):
                continue
            if any(selector.name == "process_max_fds" for selector in divisor.selectors()):
                continue
            yield "a divisor that may be 0: filter it with > 0"
