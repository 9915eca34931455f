"""A call's tenant and workflow come from spans above it, whichever file or ingest tells of them first."""

from __future__ import annotations

import itertools
import json

import pytest

# 2026-10-05 12:00:00 UTC
NOON = 1_791_201_600_000_000_000


def span(name: str, parent: str, **said: str | int) -> dict[str, object]:
    attributes = [
        {"key": key, "value": {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}}
        for key, each in said.items()
    ]
    ids = {"traceId": "5b" * 16, "spanId": name * 8, "parentSpanId": parent * 8}
    return {**ids, "startTimeUnixNano": str(NOON), "endTimeUnixNano": str(NOON), "attributes": attributes}


CALL = {"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4.1-mini"} | {
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 5,
}
TOLD = [
    span("0a", "0b", **CALL),
    span("0b", "0c", **{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "triage"}),
    span("0c", "0d"),
    span("0d", "", **{"tenant.id": "acme", "gen_ai.workflow.name": "support"}),
]


def export(found: dict[str, object]) -> bytes:
    resource = {"attributes": [{"key": "tenant.id", "value": {"stringValue": "of the resource"}}]}
    group = {"resource": resource, "scopeSpans": [{"spans": [found]}]}
    return json.dumps({"resourceSpans": [group]}).encode() + b"\n"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_every_order_of_files_gives_the_same_books(open_books, order):
    apart, together = open_books(), open_books()
    for number in order:
        apart.ingest(apart.file(f"{number}.jsonl", export(TOLD[number])))
    together.ingest(together.file("all.jsonl", b"".join(map(export, TOLD))))
    assert apart.requests() == together.requests()
    rollup = "SELECT * FROM rollup ORDER BY ALL"
    assert apart.rows(rollup) == together.rows(rollup)
    # The agent's name is the nearest word of a workflow; the tenant stands two steps above it.
    assert apart.rows("SELECT tenant, workflow, input_tokens FROM requests") == [("acme", "triage", 100)]
