#!/usr/bin/env python3
"""Prints hours of made-up metrics of the exporter as OpenMetrics, for `promtool tsdb create-blocks-from openmetrics`.

For looking at dashboards without waiting for hours. Not a stand-in for the exporter in tests of the exporter: the names come
from its table of families, but how numbers move is invented here.

    history.py --jobs 5 --hours 7 --step 30 > history.om
"""

import argparse
import math
import random
import sys
import time

STATUSES = ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "UNKNOWN"]
CODES = ["INVALID_EMAIL", "DUPLICATE_CUSTOMER", "MISSING_FIELD", "INVALID_COUNTRY", "KYC_REJECTED", "INVALID_DATE"]
NAMES = ["eu-launch", "us-partners", "brazil-wave-2", "kyc-backfill", "merchants-q3", "beta-testers"]
TEAMS = ["onboarding", "growth", "compliance"]
REASONS = ["timeout", "dns", "connect", "tls", "redirect", "unauthorized", "forbidden", "not_found", "rate_limited",
           "server_error", "bad_response", "too_large", "other"]
OUTCOMES = ["accepted", "ignored", "duplicate", "other_shard", "bad_signature", "bad_body"]
LATENCY = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
TARGET = 'job="grid-bulk-exporter",instance="10.0.0.7:10310"'


class Job:
    """One import: when it starts, how fast it goes, how much fails, and what becomes of it."""

    def __init__(self, number, start, end, rng):
        self.id = f"Job:019542f5-b3e7-1d02-0000-{number:012d}"
        self.labels = {} if number % 11 == 10 else {"name": f"{NAMES[number % len(NAMES)]}-{number}", "team": TEAMS[number % 3]}
        self.total = rng.choice([800, 12_000, 45_000, 120_000, 400_000])
        span = end - start
        self.begin = start + rng.uniform(0.05, 0.75) * span
        self.pending = rng.uniform(60, 900)
        self.rate = self.total / rng.uniform(0.25 * span, 1.2 * span)
        self.fail = rng.choice([0.002, 0.01, 0.03, 0.08])
        # The first few each tell one story of the runbooks; the rest are like them, most of them well.
        self.fate = ["well", "spike", "stall", "failed", "unreadable"][number % 5] if number < 5 or rng.random() < 0.06 else "well"
        now = end - 900
        if number == 0:
            self.total, self.begin, self.rate = 120_000, now - 5400, 14
        if number == 1:
            self.total, self.begin, self.rate = 90_000, now - 4200, 16
        if number == 2:
            self.total, self.begin, self.rate = 45_000, now - 9000, 4
        if number == 3:
            self.total, self.begin, self.rate = 45_000, now - 7000, 5
        if number == 4:
            self.total, self.begin, self.rate = 400_000, now - 10_000, 20
        self.spike = now - 900
        self.stop = now - 3000
        if number >= 5 and self.fate != "well":
            self.total, self.begin, self.rate = 120_000, now - 6000, rng.uniform(2, 9)
        self.codes = rng.sample(CODES, 4)

    def at(self, t):
        """Its series at a time, or nothing before it is watched."""
        if t < self.begin:
            return None
        running = max(0.0, t - self.begin - self.pending)
        if self.fate == "stall":
            running = min(running, max(0.0, self.stop - self.begin - self.pending))
        blind = self.fate == "unreadable" and t > self.stop
        read_at = min(t, self.stop) if blind else t
        if blind:
            running = max(0.0, self.stop - self.begin - self.pending)
        processed = min(self.total, int(running * self.rate))
        ended = processed >= self.total
        status = "PENDING" if t - self.begin < self.pending else "COMPLETED" if ended else "PROCESSING"
        ended_at = self.begin + self.pending + self.total / self.rate
        if self.fate == "failed" and t > self.stop:
            status, ended_at = "FAILED", self.stop
            processed = min(processed, int(max(0.0, self.stop - self.begin - self.pending) * self.rate))
        failed = int(processed * self.fail)
        if self.fate == "spike" and t > self.spike:
            since = min(processed, int(min(running, t - self.spike) * self.rate))
            failed += int(since * 0.55)
        changed = ended_at if status in ("COMPLETED", "FAILED") else self.stop if self.fate == "stall" and t > self.stop else read_at
        return {
            "status": status, "processed": processed, "failed": failed, "blind": blind, "read": min(read_at, max(ended_at, self.begin)) if status in ("COMPLETED", "FAILED") else read_at,
            "changed": changed, "ended": ended_at if status in ("COMPLETED", "FAILED") else None,
        }


def label_text(labels):
    return "".join(f',{name}="{value}"' for name, value in labels.items())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--jobs", type=int, default=5)
    arguments.add_argument("--hours", type=float, default=7)
    arguments.add_argument("--step", type=int, default=30, help="seconds between samples")
    arguments.add_argument("--end", type=int, default=int(time.time()) + 900, help="Unix time of the last sample; by default 15 minutes from now")
    arguments.add_argument("--cluster", default="", help="value of a label cluster; none by default")
    options = arguments.parse_args()

    rng = random.Random(7)
    end = options.end
    start = end - int(options.hours * 3600)
    times = range(start, end + 1, options.step)
    jobs = [Job(number, start, end, rng) for number in range(options.jobs)]
    target = TARGET + (f',cluster="{options.cluster}"' if options.cluster else "")
    series = {}

    def put(name, labels, t, value):
        series.setdefault(name, {}).setdefault(target + labels, []).append((value, t))

    rows = {"successful": 0, "failed": 0}
    last = {}
    counters = {}

    def count(name, labels, t, amount):
        counters[name, labels] = counters.get((name, labels), 0) + amount
        put(name, labels, t, round(counters[name, labels], 4))

    for i, t in enumerate(times):
        statuses = dict.fromkeys([*STATUSES, "UNPOLLED"], 0)
        polled = failures = 0
        for job in jobs:
            now = job.at(t)
            if now is None:
                continue
            label = f',jobId="{job.id}"'
            put("grid_bulk_job_info", label + label_text(job.labels), t, 1)
            for status in STATUSES:
                put("grid_bulk_job_status", f'{label},status="{status}"', t, int(status == now["status"]))
            statuses[now["status"]] += 1
            put("grid_bulk_job_total_rows", label, t, job.total)
            put("grid_bulk_job_processed_rows", label, t, now["processed"])
            put("grid_bulk_job_failed_rows", label, t, now["failed"])
            put("grid_bulk_job_successful_rows", label, t, now["processed"] - now["failed"])
            put("grid_bulk_job_poll_success", label, t, int(not now["blind"]))
            put("grid_bulk_job_last_poll_success_timestamp_seconds", label, t, round(now["read"] - rng.uniform(0, 10), 3))
            put("grid_bulk_job_last_change_timestamp_seconds", label, t, round(now["changed"], 3))
            put("grid_bulk_job_first_seen_timestamp_seconds", label, t, round(job.begin, 3))
            put("grid_bulk_job_status_since_timestamp_seconds", label, t, round(now["ended"] or job.begin, 3))
            put("grid_bulk_job_errors_truncated", label, t, 0)
            if now["ended"]:
                put("grid_bulk_job_completed_timestamp_seconds", label, t, round(now["ended"], 3))
            else:
                polled += 1
                failures += now["blind"]
            shares = [0.5, 0.3, 0.15, 0.05]
            if now["failed"]:
                for code, share in zip(job.codes, shares):
                    put("grid_bulk_job_error_entries", f'{label},code="{code}"', t, int(now["failed"] * share))
            before = last.get(job.id, (now["processed"] - now["failed"], now["failed"]))
            rows["successful"] += max(0, now["processed"] - now["failed"] - before[0])
            rows["failed"] += max(0, now["failed"] - before[1])
            last[job.id] = (now["processed"] - now["failed"], now["failed"])
        for result, value in rows.items():
            put("grid_bulk_rows_total", f',result="{result}"', t, value)
        for status, value in statuses.items():
            put("grid_bulk_jobs", f',status="{status}"', t, value)

        trouble = 0.35 < i / len(times) < 0.4 or i / len(times) > 0.9
        put("up", "", t, 1)
        put("scrape_duration_seconds", "", t, round(0.004 + 2e-6 * options.jobs + rng.uniform(0, 0.002), 5))
        put("scrape_samples_scraped", "", t, 160 + 20 * len(last))
        put("grid_bulk_up", "", t, 1)
        count("grid_bulk_polls_total", "", t, polled)
        for reason in REASONS:
            amount = failures if reason == "timeout" else int(trouble and polled and reason in ("server_error", "rate_limited") and rng.random() < 0.4)
            count("grid_bulk_poll_failures_total", f',reason="{reason}"', t, amount)
        count("grid_bulk_api_requests_total", ',code="200"', t, max(0, polled - failures))
        count("grid_bulk_api_requests_total", ',code="none"', t, failures)
        for code in ("429", "503"):
            count("grid_bulk_api_requests_total", f',code="{code}"', t, int(trouble and rng.random() < 0.5))
        below, shift = 0, 0.03 * (4 if trouble else 1)
        for bound in LATENCY:
            below = max(below, polled * min(1.0, 1 / (1 + math.exp(-2.2 * math.log(bound / shift)))))
            count("grid_bulk_api_request_duration_seconds_bucket", f',le="{float(bound)}"', t, round(below))
        count("grid_bulk_api_request_duration_seconds_bucket", ',le="+Inf"', t, polled)
        count("grid_bulk_api_request_duration_seconds_count", "", t, polled)
        count("grid_bulk_api_request_duration_seconds_sum", "", t, polled * shift)
        count("grid_bulk_api_response_bytes_total", "", t, polled * 5200)
        count("grid_bulk_api_throttled_seconds_total", "", t, 3.0 * trouble * rng.random())
        for kind in ("counts", "fell", "status", "completed_at"):
            count("grid_bulk_api_inconsistent_answers_total", f',kind="{kind}"', t, int(kind == "fell" and rng.random() < 0.002))
        for bound in LATENCY:
            count("grid_bulk_exporter_poll_cycle_duration_seconds_bucket", f',le="{float(bound)}"', t, int(bound >= (1 if trouble else 0.25)))
        count("grid_bulk_exporter_poll_cycle_duration_seconds_bucket", ',le="+Inf"', t, 1)
        count("grid_bulk_exporter_poll_cycles_total", "", t, 1)
        count("grid_bulk_exporter_poll_overruns_total", "", t, int(trouble and rng.random() < 0.15))
        put("grid_bulk_exporter_last_poll_cycle_timestamp_seconds", "", t, t - rng.randrange(0, 30))
        put("grid_bulk_exporter_config_last_reload_successful", "", t, 1)
        put("grid_bulk_exporter_config_last_reload_success_timestamp_seconds", "", t, start)
        count("grid_bulk_exporter_jobs_rejected_total", ',source="file"', t, 0)
        put("grid_bulk_exporter_sd_last_success_timestamp_seconds", ',source="http"', t, t - t % 60)
        put("grid_bulk_exporter_sd_last_success_timestamp_seconds", ',source="file"', t, t - t % 400)
        for outcome in OUTCOMES:
            count("grid_bulk_exporter_webhooks_total", f',outcome="{outcome}"', t, int(outcome in ("accepted", "duplicate") and rng.random() < 0.05))
        put("grid_bulk_exporter_web_connections", "", t, rng.randrange(1, 3))
        put("grid_bulk_exporter_build_info", ',version="0.1.0",revision="0123abc",rustversion="1.95.0"', t, 1)
        count("process_cpu_seconds_total", "", t, options.step * 0.004 + 1e-5 * options.jobs)
        put("process_resident_memory_bytes", "", t, 14_000_000 + 4000 * len(last) + rng.randrange(500_000))
        put("process_open_fds", "", t, 20 + rng.randrange(4))
        put("process_max_fds", "", t, 1024)
        put("process_start_time_seconds", "", t, start if i < len(times) * 0.45 else start + int(0.45 * len(times)) * options.step)

    write = sys.stdout.write
    for name, by_labels in series.items():
        for labels, samples in by_labels.items():
            for value, t in samples:
                write(f"{name}{{{labels}}} {value} {t}\n")
    write("# EOF\n")


if __name__ == "__main__":
    main()
