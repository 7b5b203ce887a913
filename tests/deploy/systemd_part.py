"""deploy/systemd: what systemd thinks of the units."""

import pathlib
import re
import tempfile

from shared import ROOT, command
from unit import Unit

NOT_RUN = ["systemd as process 1. Instead: systemd's own analysis of the units here, and in `deb` the unit's command line in its sandbox."]
UNITS = ROOT / "deploy/systemd"


def exposure(path):
    text = command("systemd-analyze", "security", "--offline=true", "--no-pager", path)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text).group(1))


def the_service_is_exposed_less_than_two():
    found = exposure(UNITS / "grid-bulk-exporter.service")
    assert found < 2.0, f"systemd-analyze security: {found}"
    with tempfile.TemporaryDirectory() as folder:
        bare = pathlib.Path(folder, "bare.service")
        bare.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
        assert exposure(bare) > 9, "the analysis sees no difference"


def verified(edit=lambda text: text):
    """What `systemd-analyze verify` says of both units, without the program and the page that are not installed here."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("grid-bulk-exporter.service", "grid-bulk-exporter.socket"):
            text = edit((UNITS / name).read_text(encoding="utf-8"))
            text = re.sub("Documentation=.*\n", "", text.replace("/usr/bin/grid-bulk-exporter", "/bin/true"))
            pathlib.Path(folder, name).write_text(text, encoding="utf-8")
        paths = [str(path) for path in sorted(pathlib.Path(folder).iterdir())]
        return command("systemd-analyze", "verify", *paths).strip()


def systemd_understands_every_line():
    assert verified() == "", verified()
    broken = verified(lambda text: text.replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in broken, "a setting that does not exist is not noticed"


def the_unit_is_what_the_program_needs():
    unit = Unit(UNITS / "grid-bulk-exporter.service")
    assert unit.one("Type") == "notify" and unit.seconds("WatchdogSec") >= 30
    assert unit.one("ExecReload") == "/bin/kill -HUP $MAINPID"
    environment = unit.environment("/nonexistent")
    names = unit.credentials()
    assert set(names) == {"client_id", "client_secret"}
    for name in names:
        assert environment[f"GRID_{name.upper()}_FILE"] == f"{unit.credentials_folder}/{name}"
    assert environment["GRID_EXPORTER_STORAGE_PATH"] == "/var/lib/" + unit.one("StateDirectory")


def the_socket_is_the_exporters_port():
    socket = Unit(UNITS / "grid-bulk-exporter.socket")
    assert socket.one("ListenStream", "Socket") == "10310"


CHECKS = [the_service_is_exposed_less_than_two, systemd_understands_every_line, the_unit_is_what_the_program_needs, the_socket_is_the_exporters_port]
