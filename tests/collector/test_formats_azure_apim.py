"""Azure API Management's rows: put together in any order, joined with the gateway's, numbers by hand."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS, follow
from ledger.types import Api, Request, Status, Usage

NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def records(samples) -> list[dict]:
    text = (samples / "formats" / "azure_apim.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def read_all(records) -> list[Request]:
    reading = follow("azure_apim")
    assert reading is not None
    return [FORMATS["azure_apim"].read(item) for record in (*records, None) for item in reading(record)]


@pytest.fixture(scope="module")
def calls(records) -> dict[int, Request]:
    """The calls by the last figures of their id, as they are told last."""
    return {int((call.call_id or "")[-4:]): call for call in read_all(records) if not call.part}


@pytest.fixture(scope="module")
def gateway(records) -> dict[int, Request]:
    return {int((part.span or "")[-4:]): part for part in read_all(records) if part.part}


@pytest.mark.parametrize(
    ("number", "model", "usage"),
    [
        (1, "gpt-4o-2024-08-06", Usage(12, output_tokens=4)),
        (2, "gpt-4o-2024-08-06", Usage(9000, output_tokens=3)),
        (3, "text-embedding-3-small", Usage(5)),
        (4, "gpt-4o-2024-08-06", None),
        (5, "gpt-4o-2024-08-06", None),
        (6, "gpt-4o-mini", Usage(20, output_tokens=2)),
        (7, "gpt-4o-mini", Usage(7, output_tokens=1)),
        (8, "gpt-4o-2024-08-06", Usage(100, output_tokens=30)),
        (9, "gpt-4o-2024-08-06", Usage(50, output_tokens=6)),
        (10, "gpt-4o-2024-08-06", Usage(11, output_tokens=2)),
    ],
)
def test_every_call_has_its_tokens(calls, number, model, usage):
    found = calls[number]
    assert (found.model, found.usage, found.provider) == (model, usage, "azure")


def test_rows_are_put_together_by_their_numbers_in_any_order(calls):
    found = calls[2]
    assert [message.parts[0].text for message in found.prompt.messages] == ["A long text."]
    assert found.answer.texts == ("Long indeed.",)
    assert (found.streamed, found.prompt.hidden) == (True, ("tools",))


def test_messages_logged_as_text_are_read(calls):
    assert calls[6].prompt.messages[0].parts[0].text == "Hi there"
    assert calls[6].answer.texts == ("Hi.",)


def test_a_text_cut_between_rows_is_read_whole():
    def row(number: int, text: str) -> dict[str, object]:
        return {
            "Type": "ApiManagementGatewayLlmLog",
            "CorrelationId": "c-1",
            "SequenceNumber": number,
            "RequestMessages": text,
        }

    (*_, found) = read_all([row(0, '[{"role":"user","con'), row(1, 'tent":"One text"}]')])
    assert found.prompt.messages[0].parts[0].text == "One text"


def test_a_tools_call_is_part_of_the_answer(calls):
    assert [call.name for call in calls[9].answer.tool_calls] == ["clock"]


def test_an_embedding_is_known_by_its_operation(calls):
    assert (calls[3].api, calls[3].operation) == (Api.OPENAI_EMBEDDINGS, "embedding")
    assert calls[3].prompt.messages[0].parts[0].text == "Opening hours"


def test_a_call_whose_messages_are_not_logged_has_no_text(calls):
    assert (calls[7].prompt, calls[7].answer, calls[8].prompt) == (None, None, None)


def test_the_workspace_is_never_an_attribute(calls, gateway):
    said = [value for call in (*calls.values(), *gateway.values()) for value in call.attributes.values()]
    assert "00000000-1111-4222-8333-444444444444" not in said
    assert "203.0.113.9" not in said
    assert calls[1].attributes["DeploymentName"] == "gpt-4o-prod"


def test_the_gateways_row_is_the_part_of_a_call(gateway):
    assert (gateway[1].http_status, gateway[1].latency_ms, gateway[1].status) == (200, 700, Status.OK)
    assert gateway[1].attributes["ApimSubscriptionId"] == "northwind-sub"
    assert (gateway[5].http_status, gateway[5].status) == (429, Status.ERROR)
    assert (gateway[6].latency_ms, gateway[6].attributes["ApimSubscriptionId"]) == (90, "northwind-sub")


def test_a_row_without_its_first_is_a_part(records):
    (found,) = read_all(records[2:3])
    assert (found.part, found.ts, found.answer.texts) == (True, None, ("Long indeed.",))


def test_a_total_that_does_not_fit_is_refused(records):
    with pytest.raises(ValueError, match=r"^usage.TotalTokens is 99, but prompt and completion are 16$"):
        read_all([records[0] | {"TotalTokens": 99}])


def test_a_row_without_its_id_is_refused(records):
    row = {key: value for key, value in records[0].items() if key != "CorrelationId"}
    with pytest.raises(ValueError, match="^correlationid is missing$"):
        read_all([row])


WHOLE = "SELECT input_tokens, output_tokens, status, http_status, latency_ms FROM requests ORDER BY ALL"


def test_calls_and_the_gateways_rows_meet_in_the_ledger(books, records, as_lines):
    books.ingest(books.file("log.jsonl", as_lines(records)))
    assert books.rows(WHOLE) == [
        (5, None, "ok", None, None),
        (7, 1, "ok", None, None),
        (9, 3, "ok", None, None),
        (11, 2, "ok", None, None),
        (12, 4, "ok", 200, 700),
        (20, 2, "ok", 200, 90),
        (50, 6, "ok", None, None),
        (100, 30, "ok", None, None),
        (9000, 3, "ok", None, None),
        (None, None, "error", 429, 20),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_any_order_and_in_two_files_give_the_same_calls(open_books, records, as_lines, seed):
    """But for the text of a call whose rows are in two files: each file counts what it has."""
    one, other = open_books(), open_books()
    one.ingest(one.file("log.jsonl", as_lines(records)))
    mixed = random.Random(seed).sample(records, len(records))
    other.ingest(other.file("a.jsonl", as_lines(mixed[:8])))
    other.ingest(other.file("b.jsonl", as_lines(mixed[8:])))
    reported = WHOLE.replace("input_tokens, output_tokens", "usage_json, model")
    assert other.rows(reported) == one.rows(reported)


def test_a_gateways_row_attributes_a_call_that_came_before_it(books, records, as_lines):
    from collector.attribution import Rules

    rules = Rules(tenant=("ApimSubscriptionId",))
    books.ingest(books.file("a.jsonl", as_lines(records[:1])), rules=rules)
    books.ingest(books.file("b.jsonl", as_lines(records[1:2])), rules=rules)
    assert books.rows("SELECT tenant, http_status FROM requests") == [("northwind-sub", 200)]


def test_rows_whose_first_one_stays_away_for_long_are_parts_all_the_same():
    rows = [
        {"Type": "ApiManagementGatewayLlmLog", "CorrelationId": f"{number:036d}", "SequenceNumber": 1}
        for number in range(4_100)
    ]
    spans = {call.span for call in read_all(rows) if call.part}
    assert spans == {row["CorrelationId"] for row in rows}
