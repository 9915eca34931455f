"""A nightly job that writes tollbook's own flat record (format `tollbook`): no bodies, only the numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

from examples.gateway import iso
from examples.shapes import Json

TENANT = "sakura-retail"


def record(day: date, seed: int) -> Json:
    """Give the one call in which the shop re-embeds its catalogue that night."""
    rng = Random(f"{seed} catalogue {day}")
    ts = datetime(day.year, day.month, day.day, 17, 30, tzinfo=UTC) + timedelta(seconds=rng.uniform(0, 90))
    return {
        "tollbook": 1,
        "call_id": f"catalogue-{day}",
        "ts": iso(ts),
        "tenant": TENANT,
        "workflow": "product-search",
        "environment": "prod",
        "provider": "openai",
        "model": "text-embedding-3-small",
        "operation": "embedding",
        "status": "ok",
        "http_status": 200,
        "latency_ms": rng.randrange(2000, 9000),
        "input_tokens": rng.randrange(180_000, 220_000),
        "output_tokens": 0,
    }
