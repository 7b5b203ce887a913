#!/usr/bin/env python3
"""Attacks an exporter on loopback, in every way of attacks.py, while a well-behaved scraper goes on beside.

    run.py --address 127.0.0.1:10310 --pid PID [--tls] [--user NAME:PASSWORD] [--seconds 2] [--p99 1] [--only NAME]

Prints for each attack the scraper's p50 and p99 and the exporter's memory at its peak. Fails (code 1) if a scrape
failed, the p99 was above `--p99` seconds, the memory above 100 MB, or an attack found what must not be.
"""
import argparse
import base64
import http.client
import multiprocessing
import resource
import ssl
import sys
import threading
import time

import attacks
from scraper import Scraper

MOST_BYTES = 100_000_000


def peak_memory(pid):
    """The most resident memory since the last reset, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def wrong_passwords(target):
    """Twenty clients that guess passwords, as fast as they are answered."""

    def guess(address, until):
        def client(number):
            while time.monotonic() < until:
                context = ssl._create_unverified_context()
                connection = http.client.HTTPSConnection(*address, timeout=10, context=context)
                try:
                    for attempt in range(100):
                        encoded = base64.b64encode(f"user{number}:{attempt}".encode()).decode()
                        connection.request("GET", "/metrics", headers={"Authorization": f"Basic {encoded}"})
                        response = connection.getresponse()
                        response.read()
                        if response.status not in (401, 503):
                            raise SystemExit(f"a guess is answered with {response.status}")
                        if time.monotonic() > until:
                            break
                except (OSError, http.client.HTTPException):
                    pass
                finally:
                    connection.close()

        clients = [threading.Thread(target=client, args=(number,)) for number in range(20)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()

    guess.__name__ = "wrong_passwords"
    return guess


def attack_in_own_process(attack, address, seconds):
    """Runs an attack to its end; what it found, or nothing."""
    found = multiprocessing.Queue()

    def run():
        try:
            attack(address, time.monotonic() + seconds)
            found.put(None)
        except BaseException as error:
            found.put(repr(error))

    process = multiprocessing.Process(target=run, daemon=True)
    process.start()
    fault = found.get(timeout=seconds + 40)
    process.join()
    return fault


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--p99", type=float, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000) if hard > 0 else 20_000, hard))
    host, port = options.address.rsplit(":", 1)
    address = (host, int(port))
    headers = {"Accept-Encoding": "identity"}
    if options.user:
        headers["Authorization"] = "Basic " + base64.b64encode(options.user.encode()).decode()
    target = {"address": address, "tls": options.tls, "headers": headers}

    with Scraper(target) as calm:
        time.sleep(options.seconds)
    print(f"{'no attack':24} p50 {calm.quantile(0.5) * 1000:6.1f} ms  p99 {calm.quantile(0.99) * 1000:6.1f} ms")
    chosen = attacks.TLS if options.tls else attacks.PLAIN
    if options.user:
        chosen = chosen + [wrong_passwords(target)]
    faults = [f"no attack: {failure}" for failure in calm.failures]
    for attack in chosen:
        name = attack.__name__
        if options.only and name != options.only:
            continue
        reset_peak(options.pid)
        with Scraper(target) as scraper:
            found = attack_in_own_process(attack, address, options.seconds)
        p50, p99, memory = scraper.quantile(0.5), scraper.quantile(0.99), peak_memory(options.pid)
        print(
            f"{name:24} p50 {p50 * 1000:6.1f} ms  p99 {p99 * 1000:6.1f} ms  {len(scraper.times):4} scrapes"
            f"  {len(scraper.failures)} failed  {memory / 1e6:5.1f} MB",
            flush=True,
        )
        if found:
            faults.append(f"{name}: {found}")
        faults.extend(f"{name}: a scrape failed: {failure}" for failure in scraper.failures[:3])
        if p99 > options.p99:
            faults.append(f"{name}: the p99 of scrapes is {p99:.2f} s; at most {options.p99} s is well")
        if memory > MOST_BYTES:
            faults.append(f"{name}: {memory / 1e6:.0f} MB of memory; at most {MOST_BYTES / 1e6:.0f} MB is well")
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
