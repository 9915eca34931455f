"""Whatever way the same records come in, the ledger holds the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TENANTS = (None, "acme", "globex", "initech")
MODELS = ("gpt-4.1-mini", "gpt-5-mini", "claude-sonnet-4-5", "house-llm")
BROKEN = (b"not json", b"[1]", b'{"request": {}, "response": 7}', b'{"cut', b'{"request": {"a": "\xff"}}')

quick = settings(
    max_examples=12,
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
        patch.setattr("collector.ingest._BATCH_RECORDS", size)
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


@quick
@given(log=logs)
def test_every_cut_of_the_spend_is_the_same_total(open_books, log):
    books = open_books()
    books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    total = books.rows("SELECT sum(cost_usd), count(*), sum(output_tokens) FROM requests")
    for cut in ("tenant", "model", "workflow", "ts::DATE", "(ts + INTERVAL 345 MINUTE)::DATE"):
        sums = "sum(cost_usd) AS c, count(*) AS n, sum(output_tokens) AS t"
        by_cut = f"SELECT {cut}, {sums} FROM requests GROUP BY 1"
        assert books.rows(f"SELECT sum(c), coalesce(sum(n), 0)::BIGINT, sum(t) FROM ({by_cut})") == total
    parts = " + ".join(
        f"cost_{name}_usd"
        for name in (
            "tools", "system", "schema", "history", "context", "tool_results", "user", "media", "framing",
            "unexplained", "answer", "tool_calls", "reasoning",
        )
    )  # fmt: skip
    assert books.rows(f"SELECT request_id FROM requests WHERE cost_usd <> {parts}") == []


@quick
@given(log=logs)
def test_what_was_read_is_what_became_of_it(open_books, log):
    books = open_books()
    summary = books.ingest(books.file("a.jsonl", joined(log)), format="pair")
    outcome = summary.files[0].outcome
    assert outcome.read == len(log)
    assert outcome.read == outcome.added + outcome.updated + outcome.duplicate + outcome.rejected
    assert books.rows("SELECT count(*) FROM requests") == [(outcome.added,)]
