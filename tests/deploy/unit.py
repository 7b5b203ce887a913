"""Reads a systemd unit, and makes of it what systemd would start: command line, environment, credentials, filter of calls.

Used by `service.py`. Knows the settings and specifiers that deploy/systemd uses, and refuses others.
"""

import pathlib
import re
import shlex
import subprocess

SPECIFIERS = {"%S": "/var/lib"}


class Unit:
    """A unit file: sections of keys, each with all its values in order."""

    def __init__(self, path):
        self.name = pathlib.Path(path).name
        self.sections = {}
        section = None
        for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith(("#", ";")):
                continue
            if line.startswith("["):
                section = self.sections.setdefault(line.strip("[]"), {})
                continue
            key, separator, value = line.partition("=")
            if not separator or section is None:
                raise ValueError(f"{path}:{number}: neither a section nor a setting")
            section.setdefault(key, []).append(value)

    def all(self, key, section="Service"):
        return self.sections[section].get(key, [])

    def one(self, key, section="Service"):
        values = self.all(key, section)
        if len(values) != 1:
            raise ValueError(f"{self.name}: {key} is there {len(values)} times")
        return values[0]

    @property
    def credentials_folder(self):
        return f"/run/credentials/{self.name}"

    def expand(self, text):
        expanded = text.replace("%d", self.credentials_folder)
        for specifier, value in SPECIFIERS.items():
            expanded = expanded.replace(specifier, value)
        if "%" in expanded:
            raise ValueError(f"{self.name}: an unknown specifier in {text}")
        return expanded

    def command(self):
        return shlex.split(self.expand(self.one("ExecStart")))

    def credentials(self):
        """Name and source of each credential."""
        return dict(value.split(":", 1) for value in self.all("LoadCredential"))

    def environment(self, root):
        """The variables, those of the files in `root` last, as in systemd."""
        variables = {"CREDENTIALS_DIRECTORY": self.credentials_folder, "PATH": "/usr/bin:/bin"}
        for assignment in self.all("Environment"):
            name, value = self.expand(assignment).split("=", 1)
            variables[name] = value
        for name in self.all("EnvironmentFile"):
            path = pathlib.Path(root, name.lstrip("-").lstrip("/"))
            if not path.exists() and name.startswith("-"):
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.strip() and not line.startswith("#"):
                    key, value = line.split("=", 1)
                    variables[key] = value
        return variables

    def seconds(self, key):
        number, unit = re.fullmatch(r"(\d+)(s|min)", self.one(key)).groups()
        return int(number) * {"s": 1, "min": 60}[unit]

    def system_calls(self):
        """The calls that the unit's filter permits, as systemd expands its groups."""
        groups = {}
        group = None
        listing = subprocess.check_output(["systemd-analyze", "syscall-filter", "--no-pager"], text=True, stderr=subprocess.DEVNULL)
        for line in listing.splitlines():
            if line.startswith("@"):
                group = groups.setdefault(line.strip(), [])
            elif line.startswith("    ") and not line.strip().startswith("#") and group is not None:
                group.append(line.strip())

        def calls(word):
            return set().union(*map(calls, groups[word])) if word.startswith("@") else {word}

        permitted = set()
        for position, value in enumerate(self.all("SystemCallFilter")):
            named = set().union(*map(calls, value.lstrip("~").split()))
            if value.startswith("~"):
                permitted -= named
            elif position == 0:
                permitted = named | calls("@default")
            else:
                permitted |= named
        return permitted
