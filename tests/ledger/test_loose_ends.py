"""Parts whose call never comes, and calls that two logs tell apart."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ledger import store
from ledger.frames import ECHO, PART
from ledger.loose_ends import lonely_parts, sessions_told_twice
from ledger.posting import post

NOW = datetime(2026, 10, 7, tzinfo=UTC)
NOON = datetime(2026, 10, 4, 12)


def named(name: str) -> str:
    return str(uuid.UUID(bytes=name.encode().ljust(16, b".")))


def test_a_part_is_lonely_when_its_call_has_not_come_in_two_days(ledger_path, records, batch):
    def part(name: str, ts: datetime):
        row = {"id": f"part {name}", "id_kind": PART, "span": named(name), "ts": ts, "source": "langchain"}
        return records({**row, "request_id": named(name)})

    with store.open(ledger_path) as ledger:
        for name, ts in (("a", NOON), ("b", NOON), ("late", NOON + timedelta(days=2))):
            post(ledger, batch(part(name, ts)), [], NOW)
        post(ledger, batch(records({"id": "call", "span": named("b"), "ts": NOON})), [], NOW)
        assert lonely_parts(ledger, NOW - timedelta(days=30), NOW) == [("langchain", 1)]


def test_a_session_of_two_sources_is_told_with_the_money_of_the_other(ledger_path, records, batch):
    told = [
        {"id": 1, "source": "claude_code", "parent_span": named("s1")},
        {"id": 2, "source": "otlp", "parent_span": named("s1")},
        {"id": 3, "source": "otlp", "parent_span": named("s2")},
    ]
    usage = {"input_tokens": 100, "output_tokens": 5, "ts": NOON}
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(*({**each, **usage} for each in told))), [], NOW)
        found = sessions_told_twice(ledger, "claude_code", NOW - timedelta(days=30))
    assert found == (1, Decimal("0.000048"))


def test_a_session_of_which_another_source_tells_only_what_would_have_met_is_not_told_twice(
    ledger_path, records, batch
):
    echo = {"id": 2, "id_kind": ECHO, "request_id": named("e"), "span": named("e"), "source": "otlp"}
    told = [
        {"id": 1, "source": "claude_code", "parent_span": named("s1")},
        {**echo, "parent_span": named("s1")},
    ]
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(*({**each, "ts": NOON} for each in told))), [], NOW)
        assert sessions_told_twice(ledger, "claude_code", NOW - timedelta(days=30)) == (0, Decimal(0))
