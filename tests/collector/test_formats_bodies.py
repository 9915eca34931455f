"""Bodies as logs hold them: text, event streams, pieces of streams; nothing of them vanishes unseen."""

from __future__ import annotations

import json

import pytest

from collector.formats import FORMATS
from ledger.types import Answer, Request, Status, Usage


def chunk(said: str) -> dict[str, object]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": said}}]}


COUNTS: dict[str, object] = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
BROKEN = {"error": {"type": "server_error", "message": "gone"}}


def answered(response: object, **record: object) -> Request:
    return FORMATS["pair"].read({"request": {"model": "gpt-4o"}, "response": response} | record)


def answer_of(response: object) -> Answer:
    found = answered(response).answer
    assert found is not None
    return found


def stream(*events: object, end: str = "\n\n") -> str:
    return "".join(f"data: {json.dumps(event, ensure_ascii=False)}{end}" for event in events)


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_a_separator_inside_a_text_does_not_break_its_chunk(inside):
    found = answered(stream(chunk(f"a{inside}b"), COUNTS))
    assert found.answer is not None
    assert found.answer.texts == (f"a{inside}b",)
    assert found.usage == Usage(input_tokens=3, output_tokens=1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_of_an_event_stream_is_known(end):
    assert answer_of(stream(chunk("a"), chunk("b"), end=end)).texts == ("ab",)


def test_a_chunk_that_cannot_be_read_is_marked():
    found = answer_of(stream(chunk("a")) + 'data: {"choices": [{"ind')
    assert (found.texts, found.hidden) == (("a",), ("unread_chunk",))


def test_a_stream_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(ValueError, match="^response is a stream of 2 chunks, none of which can be read$"):
        answered("data: {half\n\ndata: {half\n\n")


def test_an_empty_stream_is_no_error():
    assert answered("data: [DONE]\n\n").answer is None


@pytest.mark.parametrize(
    "pieces",
    [
        [json.dumps(chunk("hey")), json.dumps(COUNTS), "[DONE]"],
        [chunk("hey"), COUNTS, "[DONE]"],
        ["data: " + json.dumps(chunk("hey")), "", "data: " + json.dumps(COUNTS)],
        [stream(chunk("hey"))[:9], stream(chunk("hey"))[9:], stream(COUNTS)],
    ],
    ids=["chunks as text", "objects and a text", "lines", "pieces off the wire"],
)
def test_a_stream_logged_in_pieces_is_read(pieces):
    found = answered(pieces)
    assert found.answer is not None
    assert (found.answer.texts, found.answer.hidden) == (("hey",), ())
    assert found.usage == Usage(input_tokens=3, output_tokens=1)


def test_json_lines_are_chunks():
    assert answer_of(f"{json.dumps(chunk('a'))}\n{json.dumps(chunk('b'))}\n").texts == ("ab",)


def test_half_an_emoji_in_a_body_logged_as_text_costs_one_character():
    body = r'{"choices":[{"index":0,"message":{"content":"fine \ud83d"}}]}'
    assert answer_of(body).texts == ("fine \ufffd",)


def test_half_an_emoji_in_a_chunk_costs_one_character():
    assert answer_of(r'data: {"choices":[{"index":0,"delta":{"content":"fine \ud83d"}}]}').texts == (
        "fine \ufffd",
    )


@pytest.mark.parametrize("field", ["request", "response"])
@pytest.mark.parametrize("broken", ['{"secret words', '["secret words"', '{"n": NaN, "a": "secret words"}'])
def test_a_body_cut_off_is_refused_by_its_field_and_quotes_nothing(field, broken):
    with pytest.raises(ValueError, match=f"^{field} is text that cannot be read: ") as caught:
        FORMATS["pair"].read({"request": {}, "response": {}} | {field: broken})
    assert "secret" not in str(caught.value)


def test_an_openai_answer_broken_off_by_an_error_is_kept():
    found = answered([chunk("many words"), BROKEN])
    assert found.answer is not None
    assert (found.status, found.answer.texts) == (Status.ERROR, ("many words",))


def test_an_anthropic_answer_broken_off_by_an_error_is_kept():
    found = answered(
        [
            {"type": "message_start", "message": {"role": "assistant", "usage": {"input_tokens": 9}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some"}},
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ],
        url_path="/v1/messages",
    )
    assert found.answer is not None
    assert (found.error_type, found.answer.texts) == ("overloaded_error", ("some",))


def test_a_failed_responses_stream_keeps_what_was_streamed():
    failed = {"object": "response", "status": "failed", "output": [], "error": {"code": "server_error"}}
    found = answered(
        [
            {"type": "response.output_text.delta", "output_index": 0, "delta": "begun"},
            {"type": "response.failed", "response": failed},
        ],
        url_path="/v1/responses",
    )
    assert found.answer is not None
    assert (found.status, found.answer.texts) == (Status.ERROR, ("begun",))


def test_an_error_without_content_has_no_answer():
    assert answered([BROKEN]).answer is None


def litellm(**record: object) -> Request:
    asked = {"startTime": 1772440000, "call_type": "completion", "prompt_tokens": 5, "completion_tokens": 1}
    return FORMATS["litellm"].read(asked | record)


def test_a_shortened_response_costs_litellm_no_call():
    found = litellm(response='{"choices": [{"mess (shortened)')
    assert (found.answer, found.usage) == (None, Usage(input_tokens=5, output_tokens=1))


def test_what_arrived_before_a_litellm_failure_is_kept():
    body = {"choices": [{"index": 0, "message": {"content": "half"}}]}
    found = litellm(status="failure", response=body)
    assert found.answer is not None
    assert found.answer.texts == ("half",)
