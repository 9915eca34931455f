"""One ledger of many kinds of logs: the same in whatever order, pieces and repetitions they come."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.derived import settle

START = datetime(2026, 10, 5, 11, 50, tzinfo=UTC)
CALLS = 2
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
# Records of one call, or of the steps above it: the file they stand in, and what is written there.
Told = tuple[str, Mapping[str, object]]


def at(number: int, ms: int = 0) -> datetime:
    return START + timedelta(minutes=7 * number, milliseconds=ms)


def answer_id(number: int) -> str:
    return f"chatcmpl-SyntheticAnswerOfMany{number:04d}"


def run_id(number: int, ms: int = 0) -> str:
    """A UUID of version 7 for a run that began then."""
    began = int(at(number, ms).timestamp() * 1000)
    return str(uuid.UUID(int=began << 80 | 0x7 << 76 | 0b10 << 62 | number * 1_000_003 + ms))


def usage(number: int) -> dict[str, object]:
    return {"prompt_tokens": 100 + number, "completion_tokens": 9, "total_tokens": 109 + number}


def messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"When does ferry {number % 2} leave?"}]


def answered(number: int, *, with_usage: bool) -> dict[str, object]:
    body = {
        "id": answer_id(number),
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "At noon."}}],
    }
    return {**body, "usage": usage(number)} if with_usage else body


def gateway(number: int, tenant: str | None, with_usage: bool) -> Told:
    metadata = {} if tenant is None else {"metadata": {"tenant": tenant}}
    return "gateway", {
        "ts": at(number, 3).isoformat(),
        "request": {"model": "gpt-4.1-mini", "messages": messages(number)},
        "response": answered(number, with_usage=with_usage),
        "status": 200,
        **metadata,
    }


def attributes(**said: object) -> list[dict[str, object]]:
    def value(each: object) -> dict[str, object]:
        return {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}

    return [{"key": key.replace("__", "."), "value": value(each)} for key, each in said.items() if each]


def exported(number: int, span: str, parent: str, said: list[dict[str, object]], env: str | None) -> Told:
    nanos = int(at(number).timestamp()) * 1_000_000_000
    one = {
        "traceId": TRACE,
        "spanId": span,
        "parentSpanId": parent,
        "startTimeUnixNano": str(nanos),
        "endTimeUnixNano": str(nanos + 800_000_000),
        "attributes": said,
    }
    resource = {"attributes": attributes(deployment__environment__name=env)}
    return "traces", {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one]}]}]}


def span_of_call(number: int, parent: int, with_usage: bool, env: str | None) -> Told:
    counts = {"gen_ai__usage__input_tokens": 100 + number, "gen_ai__usage__output_tokens": 9}
    said = attributes(
        gen_ai__operation__name="chat",
        gen_ai__provider__name="openai",
        gen_ai__response__model="gpt-4.1-mini-2025-04-14",
        gen_ai__response__id=answer_id(number),
        **(counts if with_usage else {}),
    )
    return exported(number, f"a{number:015x}", f"b{parent:015x}", said, env)


def step(level: int, tenant: str | None, workflow: str | None) -> Told:
    """A step above calls; the one of level n lies beneath that of n + 1."""
    said = attributes(gen_ai__operation__name="invoke_agent", tenant__id=tenant, workflow__name=workflow)
    return exported(0, f"b{level:015x}", f"b{level + 1:015x}", said, None)


def chain(number: int, tenant: str | None, workflow: str | None) -> Told:
    said = {"tenant": tenant, "workflow": workflow}
    return "chains", {
        "event": "on_chain_start",
        "run_id": run_id(number),
        "parent_run_id": "None",
        "name": "ferry",
        "metadata": {key: value for key, value in said.items() if value},
    }


def run_started(number: int, user: str | None) -> Told:
    said = {"ls_provider": "openai", "ls_model_name": "gpt-4.1-mini", "user_id": user}
    return "chains", {
        "event": "on_chat_model_start",
        "run_id": run_id(number, 2),
        "parent_run_id": run_id(number),
        "metadata": {key: value for key, value in said.items() if value},
        "messages": [[{"type": "human", "content": messages(number)[0]["content"]}]],
        "invocation_params": {"model": "gpt-4.1-mini", "temperature": 0.2},
    }


def run_ended(number: int, with_usage: bool) -> Told:
    told = {"model_name": "gpt-4.1-mini-2025-04-14", "model_provider": "openai", "id": answer_id(number)}
    if with_usage:
        told["token_usage"] = usage(number)
    message = {"content": "At noon.", "type": "ai", "response_metadata": told}
    return "chains", {
        "event": "on_llm_end",
        "run_id": run_id(number, 2),
        "parent_run_id": run_id(number),
        "response": {"generations": [[{"text": "At noon.", "type": "ChatGeneration", "message": message}]]},
        "timestamp": at(number, 900).isoformat(),
    }


def asked_in_batch(number: int, tenant: str | None) -> Told:
    metadata = {} if tenant is None else {"metadata": {"tenant": tenant}}
    body = {"model": "gpt-4.1-mini", "messages": messages(number), **metadata}
    line = {"custom_id": f"ferry-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return "batch_input", line


def answered_in_batch(number: int, failed: bool) -> Told:
    created = {**answered(number, with_usage=not failed), "created": int(at(number).timestamp())}
    return "batch_output", {
        "id": f"batch_req_Synthetic{number:012d}",
        "custom_id": f"ferry-{number}",
        "response": {"status_code": 500 if failed else 200, "body": created},
        "error": {"code": "batch_expired"} if failed else None,
    }


def bill(day: int, tokens: int) -> Told:
    start = int(START.timestamp()) // 86_400 * 86_400 + day * 86_400
    line = {"object": "organization.usage.completions.result", "input_tokens": tokens, "output_tokens": 9}
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [line]}
    return "bills", {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


numbers = st.integers(0, CALLS - 1)
tenants = st.none() | st.sampled_from(["acme", "globex"])
flows = st.none() | st.sampled_from(["triage", "search"])
told = st.one_of(
    st.builds(gateway, numbers, tenants, st.booleans()),
    st.builds(span_of_call, numbers, st.integers(0, 2), st.booleans(), st.none() | st.just("prod")),
    st.builds(step, st.integers(0, 2), tenants, flows),
    st.builds(chain, numbers, tenants, flows),
    st.builds(run_started, numbers, st.none() | st.just("person-4")),
    st.builds(run_ended, numbers, st.booleans()),
    st.builds(asked_in_batch, numbers, tenants),
    st.builds(answered_in_batch, numbers, st.booleans()),
    st.builds(bill, st.integers(0, 1), st.just(700)),
)
FORMATS = {
    "gateway": "pair",
    "traces": "otlp",
    "chains": "langchain",
    "batch_input": "openai_batch",
    "batch_output": "openai_batch",
    "bills": "openai_bill",
}


def written(record: Mapping[str, object]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def contents(books) -> dict[str, list[tuple[object, ...]]]:
    """All that the ledger says of calls; where and when it read them aside.

    Names within a batch hold in one folder, so the hashes of calls' names are other ones in every folder.
    """
    with books.visit() as ledger:
        settle(ledger)
        return {
            "requests": ledger.rows(
                "SELECT * EXCLUDE (ingested_at, source, source_file, source_line, span) "
                "REPLACE (map_entries(tags) AS tags) FROM requests ORDER BY request_id"
            ),
            "rollup": ledger.rows("SELECT * FROM rollup ORDER BY ALL"),
            "spans": ledger.rows("SELECT * FROM spans ORDER BY ALL"),
            "bills": ledger.rows(
                "SELECT * EXCLUDE (ingested_at, source_file, source_line) "
                "REPLACE (map_entries(keys) AS keys) FROM bills ORDER BY bill_id, meter"
            ),
            "prompts": ledger.rows(
                "SELECT * REPLACE (map_entries(tool_tokens) AS tool_tokens) FROM prompt_versions ORDER BY ALL"
            ),
            "rejects": ledger.rows("SELECT record_digest, reason FROM rejects ORDER BY ALL"),
        }


def ingest(books, sequence: list[Told]) -> None:
    """Put these records at the end of their files, and read what has grown."""
    grown = {}
    for name, record in sequence:
        path = books.folder / f"{name}.jsonl"
        content = path.read_bytes() if path.exists() else b""
        grown[books.file(path.name, content + written(record))] = FORMATS[name]
    for path, form in grown.items():
        books.ingest(path, format=form)


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(log=st.lists(told, min_size=2, max_size=9), data=st.data())
def test_a_ledger_of_many_kinds_of_logs_is_the_same_in_any_order_and_pieces(open_books, log, data):
    whole = open_books()
    ingest(whole, log)
    sequence = [*data.draw(st.permutations(log)), *data.draw(st.lists(st.sampled_from(log), max_size=4))]
    cuts = data.draw(st.sets(st.integers(1, len(sequence) - 1), max_size=4))
    books = open_books()
    for start, end in pairwise([0, *sorted(cuts), len(sequence)]):
        ingest(books, sequence[start:end])
    found, expected = contents(books), contents(whole)
    for name, rows in expected.items():
        assert found[name] == rows, name
