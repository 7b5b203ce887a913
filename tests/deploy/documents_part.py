"""Documents: shell blocks marked as runnable (```sh run) are run as they stand, commands of the program in all others name
commands and flags that there are, and the crate is whole as it would be published. Links are followed by tests/it/links.rs."""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile

from shared import BINARY, ROOT, command

NOT_RUN = [
    "blocks that change the machine, need an account, a cluster or a container engine: those without the mark. Of these, each command of "
    "grid-bulk-exporter is understood by the program.",
    "cargo publish --dry-run, which asks a registry. Instead: cargo package, without a network, makes the crate as it would be published and "
    "builds what is in it.",
]
PROGRAM = "grid-bulk-exporter"


def documents():
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, text=True).split()
    return [ROOT / name for name in names if (ROOT / name).exists()]


def blocks(path):
    """Info string, first line's number and text of each fenced block."""
    info, begin, lines = None, 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().startswith("```"):
            if info is None:
                info, begin, lines = line.strip().lstrip("`").strip(), number + 1, []
            else:
                yield info, begin, "\n".join(lines) + "\n"
                info = None
        elif info is not None:
            lines.append(line)
    assert info is None, f"{path}: a block without end"


def shell_blocks_marked_as_runnable_run():
    """Each in a folder of its own that shows the repository's files, with the debug binary on PATH."""
    ran = 0
    for path in documents():
        for info, line, text in blocks(path):
            if info != "sh run":
                continue
            with tempfile.TemporaryDirectory() as folder:
                for entry in ROOT.iterdir():
                    if entry.name not in (".git", "target"):
                        pathlib.Path(folder, entry.name).symlink_to(entry)
                variables = {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
                # A network of its own: the ports that documents name may be in use here.
                words = ["unshare", "--net", "--pid", "--fork", "--kill-child", "bash", "-euo", "pipefail", "-c", f"ip link set lo up\n{text}"]
                done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"{path}:{line}: exit code {done.returncode}\n{text}{done.stdout}{done.stderr}"
            ran += 1
    assert ran >= 4, f"{ran} blocks were run"


def own_commands(text):
    """The command lines of our program in a shell block."""
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if line.count("'") % 2 == 0 and line.count('"') % 2 == 0 else []
        while words and (re.fullmatch(r"[A-Z_]+=.*", words[0]) or words[0] == "sudo"):
            words.pop(0)
        if words and words[0] == PROGRAM:
            end = next((position for position, word in enumerate(words) if word in ("|", "&", "&&", ">", ";") or word.startswith(("2>", ">"))), len(words))
            yield words[1:end]


def commands_of_the_program_are_those_that_there_are():
    tried = 0
    for path in documents():
        for info, line, text in blocks(path):
            if not info.startswith(("sh", "bash", "console")) and info:
                continue
            for words in own_commands(text):
                if any("…" in word or word.isupper() for word in words):
                    continue
                try:
                    command(BINARY, *words, "--help")
                except AssertionError as error:
                    raise AssertionError(f"{path}:{line}: {error}") from error
                tried += 1
    assert tried >= 8, f"{tried} commands were found"
    assert list(own_commands("GRID_JOBS=a grid-bulk-exporter --gone | cat\n")) == [["--gone"]]


def the_crate_is_whole():
    listed = set(command("cargo", "package", "--list", "--allow-dirty", "--locked", cwd=ROOT).splitlines())
    for path in (ROOT / "src").rglob("*.rs"):
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', path.read_text(encoding="utf-8")):
            included = os.path.relpath((path.parent / name).resolve(), ROOT)
            assert included in listed, f"{path}: {included} would not be published"
    assert {"LICENSE", "README.md", "Cargo.lock", "src/main.rs"} <= listed
    assert not [name for name in listed if name.startswith(("target/", "docs/images/"))]


def the_crate_builds_from_its_own_archive():
    said = command("cargo", "package", "--allow-dirty", "--locked", "--offline", cwd=ROOT)
    assert "Verifying grid-bulk-exporter" in said, said


CHECKS = [shell_blocks_marked_as_runnable_run, commands_of_the_program_are_those_that_there_are, the_crate_is_whole, the_crate_builds_from_its_own_archive]
