"""Runs the parts of the tests of deploy/, and says how each check went. Started by `run`."""

import importlib
import sys
import time
import traceback

PARTS = ["systemd", "deb", "container", "compose", "chart", "documents"]


def main():
    wanted = sys.argv[1:] or PARTS
    unknown = set(wanted) - set(PARTS)
    if unknown:
        sys.exit(f"tests/deploy/run: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    passed = failed = 0
    for name in wanted:
        part = importlib.import_module(name + "_part")
        print(f"\n-- {name}", flush=True)
        for line in part.NOT_RUN:
            print(f"not run here: {line}", flush=True)
        for check in part.CHECKS:
            began = time.monotonic()
            title = check.__name__.replace("_", " ")
            try:
                check()
            except Exception:  # noqa: BLE001 - whatever a check meets is its failure
                failed += 1
                print(f"FAILED  {title}\n{traceback.format_exc()}", flush=True)
            else:
                passed += 1
                print(f"ok      {title} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    if failed:
        sys.exit("repeat a part with: tests/deploy/run " + "|".join(wanted))


main()
