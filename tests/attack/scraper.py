"""A well-behaved scraper, in a process of its own: what Prometheus would see while others attack.

It scrapes every 50 ms, half the time on a connection that is kept and half on a new one. As Go's HTTP client does, it
asks once more where the server has closed the kept connection meanwhile; anything else but 200 and a whole body is a
failure.
"""
import http.client
import math
import multiprocessing
import ssl
import time

PAUSE = 0.05


def open_connection(target):
    address, tls = target["address"], target["tls"]
    if not tls:
        return http.client.HTTPConnection(*address, timeout=10)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(*address, timeout=10, context=context)


def ask(connection, target):
    connection.request("GET", "/metrics", headers=target["headers"])
    response = connection.getresponse()
    body = response.read()
    if response.status != 200 or b"\nprocess_start_time_seconds " not in body:
        raise RuntimeError(f"status {response.status}, {len(body)} bytes")


def scrape(kept, target, anew):
    """One scrape; the connection to keep."""
    if anew:
        connection = open_connection(target)
        ask(connection, target)
        connection.close()
        return kept
    if kept is not None:
        try:
            ask(kept, target)
            return kept
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
            pass  # It was idle and made room for others.
    kept = open_connection(target)
    ask(kept, target)
    return kept


def follow(target, stop, results):
    kept, number = None, 0
    while not stop.is_set():
        began = time.monotonic()
        failure = None
        try:
            kept = scrape(kept, target, anew=number % 2 == 0)
        except Exception as error:
            kept, failure = None, repr(error)
        results.put((time.monotonic() - began, failure))
        number += 1
        time.sleep(PAUSE)


class Scraper:
    """Scrapes from its beginning to its end (`with`)."""

    def __init__(self, target):
        self.stop, self.queue = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=follow, args=(target, self.stop, self.queue), daemon=True)
        self.times, self.failures = [], []

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        while self.process.is_alive() or not self.queue.empty():
            try:
                seconds, failure = self.queue.get(timeout=0.1)
            except Exception:
                continue
            self.times.append(seconds)
            if failure:
                self.failures.append(failure)
        self.process.join()

    def quantile(self, share):
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
