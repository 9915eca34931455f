"""Whatever way the same records come in, the ledger holds the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TENANTS = (None, "acme", "globex", "initech")
MODELS = ("gpt-4.1-mini", "gpt-5-mini", "claude-sonnet-4-5", "house-llm")
BROKEN = (b"not json", b"[1]", b'{"request": {}, "response": 7}', b'{"cut', b'{"request": {"a": "\xff"}}')

quick = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def one(number: int, tenant: str | None, model: str, tokens: int | None, extra: int) -> bytes:
    """A pair record. `number` decides the answer's id (0: none), so that records of one call occur."""
    usage = {} if tokens is None else {"usage": usage_of(model, tokens)}
    answer = {
        **(
            {"id": f"{'msg_' if 'claude' in model else 'chatcmpl-'}SyntheticAnswer{number:08d}"}
            if number
            else {}
        ),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Fine. " * extra}}],
        **usage,
    }
    if "claude" in model:
        answer |= {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Fine."}]}
    record = {
        "ts": f"2026-10-0{1 + number % 4}T1{extra}:00:00Z",
        "request": {"model": model, "messages": [{"role": "user", "content": f"Question {extra}?"}]},
        "response": answer,
        "status": 200,
        "metadata": {"tenant": tenant},
    }
    if extra == 0:
        del record["ts"]
    return json.dumps(record).encode()


def usage_of(model: str, tokens: int) -> dict[str, object]:
    if "claude" in model:
        return {"input_tokens": tokens, "cache_read_input_tokens": 20, "output_tokens": tokens % 50}
    return {"prompt_tokens": tokens, "completion_tokens": tokens % 50, "total_tokens": tokens + tokens % 50}


records = st.builds(
    one,
    st.integers(0, 6),
    st.sampled_from(TENANTS),
    st.sampled_from(MODELS),
    st.none() | st.integers(0, 5000),
    st.integers(0, 3),
)
logs = st.lists(st.one_of(records, records, records, st.sampled_from(BROKEN)), min_size=1, max_size=14)


@dataclass(frozen=True)
class Contents:
    requests: list[tuple[object, ...]]
    rejects: list[tuple[object, ...]]
    versions: list[tuple[object, ...]]


def contents(books) -> Contents:
    return Contents(
        books.requests(),
        books.rows("SELECT record_digest, reason FROM rejects ORDER BY ALL"),
        books.rows(
            "SELECT * REPLACE (map_entries(tool_tokens) AS tool_tokens) FROM prompt_versions ORDER BY 1, 2"
        ),
    )


def joined(log: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in log)


@pytest.fixture(scope="session")
def reference(open_books) -> Callable[[list[bytes]], Contents]:
    """What the ledger holds when the records come in one file, once."""

    def read(log: list[bytes]) -> Contents:
        books = open_books()
        books.ingest(books.file("all.jsonl", joined(log)), format="pair")
        return contents(books)

    return read


@quick
@given(log=logs, times=st.integers(2, 3))
def test_the_same_file_under_other_names_changes_nothing(open_books, reference, log, times):
    books = open_books()
    for number in range(times):
        books.ingest(books.file(f"{number}.jsonl", joined(log)), format="pair")
    assert contents(books) == reference(log)


@quick
@given(log=logs, data=st.data())
def test_the_order_of_records_and_files_does_not_matter(open_books, reference, log, data):
    shuffled = data.draw(st.permutations(log))
    cut = data.draw(st.integers(0, len(log)))
    together = data.draw(st.booleans())
    books = open_books()
    files = [books.file("b.jsonl", joined(shuffled[:cut])), books.file("a.jsonl", joined(shuffled[cut:]))]
    for group in [files] if together else [[file] for file in files]:
        books.ingest(*group, format="pair")
    assert contents(books) == reference(log)


@quick
@given(log=logs, data=st.data())
def test_a_file_that_grows_in_any_steps_ends_as_if_read_once(open_books, reference, log, data):
    whole = joined(log)
    steps = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    books = open_books()
    for end in (*steps, len(whole)):
        books.ingest(books.file("a.jsonl", whole[:end]), format="pair")
    assert contents(books) == reference(log)


@quick
@given(log=logs, suffix=st.sampled_from([".gz", ".zst"]), also_plain=st.booleans())
def test_compression_makes_no_difference(open_books, reference, log, suffix, also_plain):
    pack = gzip.compress if suffix == ".gz" else zstandard.ZstdCompressor().compress
    books = open_books()
    paths = [books.file("a.jsonl" + suffix, pack(joined(log)))]
    if also_plain:
        paths.append(books.file("b.jsonl", joined(log[: len(log) // 2])))
    books.ingest(*paths, format="pair")
    assert contents(books) == reference(log)


@quick
@given(log=logs, size=st.integers(1, 4))
def test_the_size_of_commits_makes_no_difference(open_books, reference, monkeypatch, log, size):
    books = open_books()
    with monkeypatch.context() as patch:
        patch.setattr("collector.work.PART_RECORDS", size)
        books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    assert contents(books) == reference(log)


@quick
@given(log=logs)
def test_segments_sum_to_the_billed_input(open_books, log):
    books = open_books()
    books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    assert (
        books.rows("""
        SELECT request_id FROM requests
        WHERE coalesce(input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens) IS NOT NULL
        AND coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
            + coalesce(cache_write_1h_tokens, 0) <> seg_tools + seg_system + seg_schema + seg_history
            + seg_context + seg_tool_results + seg_user + seg_media + seg_framing + seg_unexplained
    """)
        == []
    )


# Dollars a million tokens by the makers' price lists: input, read from a cache, output.
USD = {
    "gpt-4.1-mini": ("0.40", "0.10", "1.60"),
    "gpt-5-mini": ("0.25", "0.025", "2.00"),
    "claude-sonnet-4-5": ("3.00", "0.30", "15.00"),
}
CUTS = {"tenant": "tenant", "model": "model", "ts::DATE::VARCHAR": "day"}

calls = st.lists(
    st.builds(
        dict, tenant=st.sampled_from(TENANTS), model=st.sampled_from(MODELS), tokens=st.integers(0, 5000)
    ),
    max_size=14,
)


def due(model: str, tokens: int) -> Decimal:
    """What a call of `usage_of` costs by the price list."""
    fresh, cached, answered = map(Decimal, USD.get(model, ("0", "0", "0")))
    read = 20 if "claude" in model else 0
    return (tokens * fresh + read * cached + tokens % 50 * answered) / 1_000_000


@quick
@given(made=calls)
def test_every_cut_of_the_spend_is_what_the_price_list_makes_of_the_usage(open_books, made):
    books = open_books()
    log = [one(number, extra=1, **call) for number, call in enumerate(made, start=1)]
    books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    listed = [
        {**call, "day": f"2026-10-0{1 + number % 4}", "usd": due(call["model"], call["tokens"])}
        for number, call in enumerate(made, start=1)
    ]
    for cut, name in CUTS.items():
        expected = {
            value: (
                sum(call["usd"] for call in listed if call[name] == value),
                sum(call["tokens"] % 50 for call in listed if call[name] == value),
            )
            for value in {call[name] for call in listed}
        }
        found = books.rows(
            f"SELECT {cut}, coalesce(sum(cost_usd), 0), sum(output_tokens)::BIGINT FROM requests GROUP BY 1"
        )
        assert {value: (usd, tokens) for value, usd, tokens in found} == expected


PARTS = (
    *("tools", "system", "schema", "history", "context", "tool_results", "user", "media", "framing"),
    *("unexplained", "answer", "tool_calls", "reasoning"),
)


@quick
@given(log=logs)
def test_a_calls_parts_cost_what_the_call_costs(open_books, log):
    books = open_books()
    books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    parts = " + ".join(f"cost_{name}_usd" for name in PARTS)
    assert books.rows(f"SELECT request_id FROM requests WHERE cost_usd <> {parts}") == []


@quick
@given(log=logs, ages=st.lists(st.integers(0, 3 * 86_400), min_size=2, max_size=4), data=st.data())
def test_copies_of_a_log_with_times_of_their_own_give_the_earliest_in_any_order(
    open_books, reference, log, ages, data
):
    books = open_books()
    for number, age in enumerate(data.draw(st.permutations(ages))):
        books.ingest(books.file(f"{number}.jsonl", joined(log), age), format="pair")
    oldest = open_books()
    oldest.ingest(oldest.file("a.jsonl", joined(log), max(ages)), format="pair")
    assert contents(books).requests == contents(oldest).requests


@quick
@given(log=logs)
def test_what_was_read_is_what_became_of_it(open_books, log):
    books = open_books()
    summary = books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    outcome = summary.files[0].outcome
    assert outcome.read == len(log)
    assert outcome.read == outcome.added + outcome.updated + outcome.duplicate + outcome.rejected
    assert books.rows("SELECT count(*) FROM requests") == [(outcome.added,)]
