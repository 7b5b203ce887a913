"""Reads the YAML that deploy/mixin/generate writes: maps, lists, quoted scalars and | blocks. So the checks need no package."""

import json
import re


def scalar(text):
    """A quoted string as JSON; a bare word, list or map in one line as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read(text):
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    value, at = block(lines, 0, indent(lines[0]))
    if at != len(lines):
        raise ValueError(f"left over: {lines[at]}")
    return value


def indent(line):
    return len(line) - len(line.lstrip())


def block(lines, at, depth):
    """The map or list that begins at a line of that depth, and the line after it."""
    if lines[at].lstrip().startswith("- "):
        items = []
        while at < len(lines) and indent(lines[at]) == depth and lines[at].lstrip().startswith("- "):
            lines[at] = lines[at].replace("- ", "  ", 1)
            item, at = block(lines, at, depth + 2) if re.match(r"\s*[\w]+:( |$)", lines[at]) else (scalar(lines[at].strip()), at + 1)
            items.append(item)
        return items, at
    found = {}
    while at < len(lines) and indent(lines[at]) == depth:
        key, _, rest = lines[at].strip().partition(":")
        rest = rest.strip()
        at += 1
        if rest == "|":
            start = at
            inner = indent(lines[at])
            while at < len(lines) and indent(lines[at]) >= inner:
                at += 1
            found[key] = "\n".join(line[inner:] for line in lines[start:at]) + "\n"
        elif rest:
            found[key] = scalar(rest)
        else:
            found[key], at = block(lines, at, indent(lines[at]))
    return found, at
