"""tollbook's own metrics as a Prometheus text file, for a node exporter to pick up."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from ledger import queries
from ledger.store import Ledger

_COUNTS = {
    "tollbook_requests": ("Calls in the ledger.", "SELECT coalesce(sum(requests), 0) FROM rollup"),
    "tollbook_rejects": ("Records that could not be booked.", "SELECT count(*) FROM rejects"),
    "tollbook_unpriced_requests": (
        "Calls without a cost.",
        "SELECT coalesce(sum(unpriced_requests), 0) FROM rollup",
    ),
    "tollbook_open_incidents": (
        "Incidents that are not resolved.",
        "SELECT count(*) FROM incidents WHERE state <> 'resolved'",
    ),
    "tollbook_undelivered_notifications": (
        "Notifications that wait or were given up.",
        "SELECT count(*) FROM notifications WHERE state <> 'sent'",
    ),
}


def write(ledger: Ledger, path: Path, now: datetime) -> None:
    """Write the file whole, replacing the last one."""
    registry = CollectorRegistry()
    for name, (text, sql) in _COUNTS.items():
        Gauge(name, text, registry=registry).set(float(str(ledger.rows(sql)[0][0])))
    newest = queries.last_data(ledger, now)
    if newest is not None:
        age = Gauge("tollbook_newest_call_age_seconds", "Age of the newest call.", registry=registry)
        age.set((now - newest).total_seconds())
    for (at,) in ledger.rows("SELECT epoch(max(started_at)) FROM ingest_runs HAVING count(*) > 0"):
        last = Gauge(
            "tollbook_last_ingest_timestamp_seconds", "When logs last gave records.", registry=registry
        )
        last.set(float(str(at)))
    jobs = Gauge(
        "tollbook_job_last_success_timestamp_seconds",
        "When a job last ended well.",
        ["job"],
        registry=registry,
    )
    for job, at in ledger.rows(
        "SELECT job, epoch(max(finished_at)) FROM job_runs WHERE outcome = 'ok' GROUP BY job"
    ):
        jobs.labels(job=str(job)).set(float(str(at)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)
