"""Reads a Dockerfile, and replays its COPY and RUN steps without a container engine. Used by `container_part.py`.

A stage that runs anything works in /srv of a mount namespace of its own, on this machine in place of the stage's base
image; the commands run as they are written. Instructions that are not known are refused, not skipped.
"""

import fnmatch
import json
import pathlib
import re
import shlex
import shutil
import subprocess

KNOWN = {"FROM", "ARG", "ENV", "SHELL", "WORKDIR", "COPY", "RUN", "LABEL", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"}


def instructions(path):
    """Each instruction as its word and its text."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            if word not in KNOWN:
                raise ValueError(f"{path}: {word} is not known to the replay")
            found.append((word, rest.strip()))
    return found


class Stage:
    def __init__(self, base, name):
        self.base, self.name, self.steps = base, name, []

    def all(self, word):
        return [text for found, text in self.steps if found == word]

    def one(self, word):
        (text,) = self.all(word)
        return text


def stages(path):
    found = []
    for word, text in instructions(path):
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+)(?: AS (\S+))?", text).groups()
            found.append(Stage(base, name))
        else:
            found[-1].steps.append((word, text))
    return found


def context(root, ignore):
    """The files of the build context: those that .dockerignore leaves, the last line that matches decides."""
    rules = [line for line in ignore.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, text=True).splitlines()
    left = []
    for name in files:
        ignored = False
        for rule in rules:
            pattern = rule.lstrip("!")
            parents = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 2)]
            if any(fnmatch.fnmatchcase(parent, pattern) and parent.count("/") == pattern.count("/") for parent in parents):
                ignored = not rule.startswith("!")
        if not ignored and (root / name).exists():
            left.append(name)
    return left


def replay(stage, root, work, arguments, environment):
    """Runs a stage that works below /srv; its /srv is `work` afterwards."""
    shell, folder, variables = ["/bin/sh", "-c"], "/srv", {}
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files = context(root, root / ".dockerignore")
    for word, text in stage.steps:
        if word == "SHELL":
            shell = json.loads(text)
        elif word == "ARG":
            name, _, default = text.partition("=")
            variables[name] = arguments.get(name, default)
        elif word == "WORKDIR":
            assert text.startswith("/srv/"), f"the replay works below /srv, not in {text}"
            folder = text
        elif word == "COPY":
            *sources, target = shlex.split(text)
            for source in sources:
                names = [name for name in files if source == "." or name == source or name.startswith(source + "/")]
                assert names, f"COPY {source}: .dockerignore leaves nothing of it"
                for name in names:
                    copy = work / folder.removeprefix("/srv/") / target / name
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(root / name, copy)
        elif word == "RUN":
            inside = 'mount --bind "$1" /srv && cd "$2" && shift 2 && exec "$@"'
            (work / folder.removeprefix("/srv/")).mkdir(parents=True, exist_ok=True)
            words = ["unshare", "--mount", "/bin/sh", "-c", inside, "sh", str(work), folder, *shell, text]
            done = subprocess.run(words, env={**environment, **variables}, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"RUN {text}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        else:
            raise ValueError(f"{word} in a stage that is replayed")
