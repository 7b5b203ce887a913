"""Reads a body by prometheus_client's own parser: `read.py text|openmetrics < body`, JSON on standard output."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

parse = {"text": parser, "openmetrics": openmetrics_parser}[sys.argv[1]].text_string_to_metric_families
body = sys.stdin.buffer.read().decode("utf-8")
families = []
for family in parse(body):
    samples = []
    for sample in family.samples:
        exemplar = sample.exemplar and [sample.exemplar.labels, repr(sample.exemplar.value), repr(float(sample.exemplar.timestamp))]
        assert sample.timestamp is None
        samples.append([sample.name, sample.labels, repr(float(sample.value)), exemplar])
    families.append([family.name, family.type, family.documentation, samples])
json.dump(families, sys.stdout)
