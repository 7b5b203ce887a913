"""Reads PromQL into a tree, as far as rules and dashboards of this repository use it.

Called by the checks beside it, which ask of a tree what a server would not tell before the night it matters: which metrics
and labels a query names, which labels it keeps, whether a rate is taken of a gauge. Syntax as such is promtool's to judge.
"""

import re
from dataclasses import dataclass, field

AGGREGATIONS = {"sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile", "count_values"}
WITH_PARAMETER = {"topk", "bottomk", "quantile", "count_values"}
PRECEDENCE = [{"or"}, {"and", "unless"}, {"==", "!=", "<=", "<", ">=", ">"}, {"+", "-"}, {"*", "/", "%"}]
SETS = {"and", "or", "unless"}
COMPARISONS = {"==", "!=", "<=", "<", ">=", ">"}

TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\s*)*(?:
    (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
  | (?P<number>(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<operator>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],@:])
    )""",
    re.VERBOSE,
)


class SyntaxProblem(ValueError):
    """The text is not PromQL that this reader knows."""


@dataclass
class Node:
    """One piece of an expression: its kind, its name or operator, and its parts."""

    kind: str  # number, string, selector, call, aggregation, binary, negative
    name: str = ""
    parts: list = field(default_factory=list)
    matchers: list = field(default_factory=list)  # (label, operator, value)
    window: str = ""  # of a selector or subquery
    offset: str = ""
    grouping: str = ""  # by, without, on, ignoring
    labels: list = field(default_factory=list)
    group_side: str = ""  # group_left, group_right
    included: list = field(default_factory=list)

    def walk(self):
        """This node and all beneath it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def selectors(self):
        return [node for node in self.walk() if node.kind == "selector"]


class Reader:
    def __init__(self, text):
        self.tokens = []
        at = 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if not match:
                raise SyntaxProblem(f"cannot read {text[at:at + 30]!r}")
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        self.at = 0

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ("end", "")

    def next(self):
        token = self.peek()
        self.at += 1
        return token

    def expect(self, text):
        if self.peek()[1] != text:
            raise SyntaxProblem(f"expected {text!r}, found {self.peek()[1]!r}")
        self.at += 1

    def names(self):
        self.expect("(")
        found = []
        while self.peek()[1] != ")":
            found.append(self.next()[1])
            if self.peek()[1] == ",":
                self.at += 1
        self.expect(")")
        return found

    def expression(self, level=0):
        if level == len(PRECEDENCE):
            return self.unary()
        left = self.expression(level + 1)
        while self.peek()[1].lower() in PRECEDENCE[level] and self.peek()[0] in ("operator", "name"):
            node = Node("binary", self.next()[1].lower(), [left])
            if self.peek()[1] == "bool":
                self.at += 1
            if self.peek()[1] in ("on", "ignoring"):
                node.grouping = self.next()[1]
                node.labels = self.names()
            if self.peek()[1] in ("group_left", "group_right"):
                node.group_side = self.next()[1]
                if self.peek()[1] == "(" and node.group_side:
                    node.included = self.names()
            node.parts.append(self.expression(level + 1))
            left = node
        return left

    def unary(self):
        if self.peek()[1] == "-":
            self.at += 1
            return Node("negative", "-", [self.unary()])
        return self.postfix(self.atom())

    def postfix(self, node):
        while True:
            text = self.peek()[1]
            if text == "[":
                self.at += 1
                node.window = self.next()[1]
                if self.peek()[1] == ":":
                    self.at += 1
                    if self.peek()[0] == "duration":
                        self.at += 1
                self.expect("]")
            elif text == "offset":
                self.at += 1
                node.offset = self.next()[1]
            elif text == "@":
                self.at += 1
                self.next()
                if self.peek()[1] == "(":
                    self.names()
            else:
                return node

    def atom(self):
        kind, text = self.next()
        if text == "(":
            node = self.expression()
            self.expect(")")
            return node
        if kind in ("number", "duration"):
            return Node("number", text)
        if kind == "string":
            return Node("string", text[1:-1])
        if text == "{":
            self.at -= 1
            return self.selector("")
        if kind != "name":
            raise SyntaxProblem(f"unexpected {text!r}")
        if text in AGGREGATIONS:
            node = Node("aggregation", text)
            self.grouping(node)
            node.parts = self.arguments()
            self.grouping(node)
            return node
        if self.peek()[1] == "(":
            return Node("call", text, self.arguments())
        return self.selector(text)

    def grouping(self, node):
        if self.peek()[1] in ("by", "without"):
            node.grouping = self.next()[1]
            node.labels = self.names()

    def arguments(self):
        self.expect("(")
        found = []
        while self.peek()[1] != ")":
            found.append(self.expression())
            if self.peek()[1] == ",":
                self.at += 1
        self.expect(")")
        return found

    def selector(self, name):
        node = Node("selector", name)
        if self.peek()[1] == "{":
            self.at += 1
            while self.peek()[1] != "}":
                label, operator, value = self.next()[1], self.next()[1], self.next()[1]
                node.matchers.append((label, operator, value[1:-1]))
                if self.peek()[1] == ",":
                    self.at += 1
            self.expect("}")
        return node


def read(text):
    """The tree of an expression."""
    reader = Reader(text)
    node = reader.expression()
    if reader.peek()[0] != "end":
        raise SyntaxProblem(f"left over: {reader.peek()[1]!r}")
    return node


def seconds(duration):
    """A duration as Prometheus writes it, in seconds."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    return sum(float(amount) * units[unit] for amount, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def labels_of(node, labels_of_metric):
    """Labels that the result of an expression can have, or None for a number. `labels_of_metric` answers for a metric."""
    if node.kind in ("number", "string"):
        return None
    if node.kind == "negative":
        return labels_of(node.parts[0], labels_of_metric)
    if node.kind == "selector":
        return set(labels_of_metric(node.name))
    if node.kind == "call":
        if node.name in ("time", "scalar", "pi"):
            return None
        if node.name in ("absent", "absent_over_time"):
            return {label for label, operator, _ in node.parts[0].matchers if operator == "="}
        if node.name == "vector":
            return set()
        inner = labels_of(node.parts[-1] if node.name in ("histogram_quantile", "quantile_over_time") else node.parts[0], labels_of_metric)
        return inner - {"le"} if node.name == "histogram_quantile" else inner
    if node.kind == "aggregation":
        inner = labels_of(node.parts[-1], labels_of_metric) or set()
        if node.name in ("topk", "bottomk"):
            return inner
        if node.grouping == "by":
            return inner & set(node.labels)
        return inner - set(node.labels) if node.grouping == "without" else set()
    left, right = (labels_of(part, labels_of_metric) for part in node.parts)
    if left is None or right is None:
        return right if left is None else left
    if node.name == "or":
        return left | right
    if node.name in SETS:
        return left
    if node.group_side == "group_right":
        return right | set(node.included)
    if node.group_side == "group_left":
        return left | set(node.included)
    return left & set(node.labels) if node.grouping == "on" else left - set(node.labels)
