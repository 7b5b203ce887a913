"""Renders the chart by Helm 4's own library. Used by `chart_part.py` and `deploy/kubernetes/generate`."""

import logging
import os
import pathlib
import sys

import helm_python as helm
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/grid-bulk-exporter"
logging.getLogger("helm_python").setLevel(logging.ERROR)


class quiet:
    """The library tells of each symbolic link on standard error, from Go, where Python's streams don't matter."""

    def __enter__(self):
        sys.stderr.flush()
        self.saved = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def __exit__(self, *_):
        os.dup2(self.saved, 2)
        os.close(self.saved)


def render(values, name="grid-bulk-exporter", namespace="monitoring"):
    """The manifests' texts by template. Values are checked against the schema first, as helm does."""
    with quiet(), helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name=name, namespace=namespace)
    return {path.split("/templates/")[1]: text for path, text in files.items()}


def objects(values):
    """All objects, in order."""
    found = []
    for name, text in render(values).items():
        if name.endswith(".yaml"):
            found += [document for document in yaml.safe_load_all(text) if document]
    return found


def lint(values):
    with quiet():
        return helm.lint(str(CHART), values, strict=True)
