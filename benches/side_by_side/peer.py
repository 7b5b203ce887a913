"""The peer in Python: prometheus_client with the series of the file that it is given, set beforehand."""
import re
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Gauge, make_wsgi_app

SAMPLE = re.compile(r'^(grid_bulk_job_\w+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


registry = CollectorRegistry()
gauges = {}
for line in open(sys.argv[1]):
    if found := SAMPLE.match(line):
        name, labels, value = found.groups()
        labels = LABEL.findall(labels)
        if name not in gauges:
            gauges[name] = Gauge(name, "As the exporter's.", [label for label, _ in labels], registry=registry)
        gauges[name].labels(*[text for _, text in labels]).set(float(value))

server = make_server("127.0.0.1", 0, make_wsgi_app(registry), Server, handler_class=Quiet)
print(f"127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
