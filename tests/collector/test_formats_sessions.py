"""Session files of coding agents: what their lines tell together, each number by hand from the sample."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.formats import FORMATS, follow
from ledger.types import PartKind, Request, Usage


def calls(name: str, records) -> list[Request]:
    """What a file of these records gives, in its order."""
    reading = follow(name)
    assert reading is not None
    return [FORMATS[name].read(item) for record in (*records, None) for item in reading(record)]


@pytest.fixture(scope="module")
def sample(samples):
    def of(name: str) -> list[dict]:
        text = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    return of


@pytest.fixture(scope="module")
def claude(sample) -> dict[str, Request]:
    """The calls of the sample by their message's id; of several lines the last."""
    return {call.response_id or "": call for call in calls("claude_code", sample("claude_code"))}


@pytest.fixture(scope="module")
def codex(sample) -> list[Request]:
    return calls("codex", sample("codex"))


@pytest.mark.parametrize(
    ("message", "usage"),
    [
        ("msg_01Nw5Jd8Kq2Lr7Ms4Pt9Vx", Usage(4, 9000, 0, 1200, 88)),
        ("msg_01Pz3Xc6Vb1Nm8Qw4Er7Ty", Usage(6, 10200, 300, 0, 41)),
        ("msg_01Ag3Nt5Si6De7Ch8Ai9Nn", Usage(900, 0, 0, 0, 60)),
        ("msg_01Fa2St4Mo6De8Sp0Ee2Dd", Usage(100, 50, 0, 0, 20)),
        ("msg_bdrk_01Be2Dr4Oc6Kk8Hh0Ii", Usage(30, 0, 0, 0, 10)),
        ("msg_01Th2In4Ki6Ng8Tt0Hh2Ou", Usage(50, 0, 0, 0, 400)),
        ("msg-old-1", Usage(100, 10, 25, None, 50)),
        ("msg_01No2Us4Ag6Ee8Aa0Bb2Cc", None),
        ("msg_01Ha2Ik4Uu6Mo8De0Ll2Oo", Usage(70, 0, 0, 0, 9)),
    ],
)
def test_every_answer_of_claude_code_has_its_buckets(claude, message, usage):
    assert claude[message].usage == usage


def test_words_of_claude_codes_own_are_no_call(claude):
    assert "msg_synthetic" not in claude
    assert len(claude) == 9


def test_the_lines_of_one_answer_are_one_answer(claude):
    found = claude["msg_01Nw5Jd8Kq2Lr7Ms4Pt9Vx"]
    assert found.answer.texts == ("I will look at how it is rounded.",)
    assert [call.name for call in found.answer.tool_calls] == ["Read"]
    assert found.ts == datetime(2026, 9, 1, 8, 0, 5, tzinfo=UTC)
    assert found.call_id == "msg_01Nw5Jd8Kq2Lr7Ms4Pt9Vx:req_01a"


def test_the_talk_above_an_answer_is_its_prompt_with_the_tools_results(claude):
    prompt = claude["msg_01Pz3Xc6Vb1Nm8Qw4Er7Ty"].prompt
    assert [message.role for message in prompt.messages] == ["user", "assistant", "user"]
    assert [part.kind for part in prompt.messages[1].parts] == [PartKind.TEXT, PartKind.TOOL_CALL]
    assert prompt.messages[2].parts[0].text == "def cents(x): return int(x * 100)"
    assert prompt.hidden == ("system", "tools")


def test_an_agents_answer_without_a_talk_above_has_no_prompt(claude):
    found = claude["msg_01Ag3Nt5Si6De7Ch8Ai9Nn"]
    assert found.prompt is None
    assert (found.attributes["agentId"], found.attributes["isSidechain"]) == ("a4f1", "true")


def test_folder_branch_and_speed_are_attributes(claude):
    found = claude["msg_01Fa2St4Mo6De8Sp0Ee2Dd"].attributes
    assert (found["cwd"], found["gitBranch"], found["speed"]) == (
        "/srv/northwind/billing",
        "invoices",
        "fast",
    )


def test_the_id_of_a_message_tells_who_served_it(claude):
    served = {call.response_id[:8]: call.provider for call in claude.values()}
    assert (served["msg_bdrk"], served["msg_01No"]) == ("aws", "anthropic")


def test_an_old_line_has_its_cost_and_no_answer_to_count(claude):
    found = claude["msg-old-1"]
    assert (found.reported_cost_usd, found.answer) == (Decimal("0.0121"), None)
    assert found.call_id == "msg-old-1:req-old-1"


def test_a_line_of_another_type_is_refused_by_its_field(sample):
    line = sample("claude_code")[2]
    line["message"]["usage"] = 17
    with pytest.raises(ValueError, match=r"^message\.usage is a whole number, expected an object$"):
        calls("claude_code", [line])


def test_a_talk_that_answers_itself_ends():
    line = {"type": "assistant", "uuid": "a", "parentUuid": "a", "sessionId": "s"}
    (found,) = calls("claude_code", [line | {"message": {"id": "m", "role": "assistant", "content": "so"}}])
    assert found.usage is None


@pytest.mark.parametrize(
    ("number", "model", "usage"),
    [
        (0, "gpt-5-codex", Usage(750, 250, None, None, 125, 75)),
        # 3500 - 1000 in, 2250 - 250 of them cached, 325 - 125 out.
        (1, "gpt-5-codex", Usage(500, 2000, None, None, 200, 0)),
        (2, "gpt-5.2", Usage(200, 0, None, None, 10, 0)),
        # The total begins again: what is said of the last call stands.
        (3, "gpt-5.2", Usage(300, 0, None, None, 20, 0)),
        (4, "gpt-5.2", Usage(40, 0, None, None, 5, 0)),
        (5, "gpt-5.2-codex", Usage(400, 100, None, None, 30, 10)),
        (6, "gpt-5.2", Usage(100, 0, None, None, 1, 0)),
        (7, None, Usage(1000, 4000, None, None, 220, 100)),
        (8, None, Usage(600, 0, None, None, 30)),
        (9, None, Usage(70, 0, None, None, 3)),
    ],
)
def test_every_call_of_codex_has_its_share_of_the_total(codex, number, model, usage):
    assert (codex[number].model, codex[number].usage) == (model, usage)


def test_a_total_that_is_told_again_is_no_call(codex):
    assert len(codex) == 10


def test_a_session_says_where_it_ran(codex):
    assert codex[0].attributes["session.cwd"] == "/srv/northwind/billing"
    assert codex[0].attributes["session.git.branch"] == "invoices"
    assert (codex[0].provider, codex[0].ts) == ("openai", datetime(2026, 9, 2, 9, 1, tzinfo=UTC))


def test_a_thread_is_one_call_until_its_total_begins_again(codex):
    assert [call.call_id for call in codex[7:]] == [
        "01990000-bbbb-7000-8000-000000000002:1",
        "01990000-bbbb-7000-8000-000000000002:2",
        "01990000-cccc-7000-8000-000000000003:1",
    ]


def test_a_fork_tells_its_parents_calls_as_the_same(sample):
    parent = sample("codex")[:7]
    begins = {
        "type": "session_meta",
        "payload": {"id": "child", "forked_from_id": parent[0]["payload"]["id"]},
    }
    copied = [{**line, "timestamp": "2026-09-03T00:00:00Z"} for line in parent]
    ids = [call.call_id for call in calls("codex", parent)]
    assert [call.call_id for call in calls("codex", [begins, *copied])] == ids


def test_a_fork_goes_on_from_its_parents_total(books, sample, as_lines):
    parent = sample("codex")[:7]
    begins = {
        "type": "session_meta",
        "payload": {"id": "child", "forked_from_id": parent[0]["payload"]["id"]},
    }
    copied = [{**line, "timestamp": "2026-09-03T00:00:00Z"} for line in parent]
    grown = json.loads(json.dumps(parent[6]))
    grown["timestamp"] = "2026-09-03T00:01:00Z"
    grown["payload"]["info"] = {"total_token_usage": {"input_tokens": 3600, "output_tokens": 330}}
    books.ingest(books.file("b.jsonl", as_lines([begins, *copied, grown])))
    books.ingest(books.file("a.jsonl", as_lines(parent)))
    assert books.rows(
        "SELECT ts::VARCHAR, input_tokens + coalesce(cache_read_tokens, 0) FROM requests ORDER BY ts"
    ) == [
        ("2026-09-02 09:01:00", 1000),
        ("2026-09-02 09:02:00", 2500),
        ("2026-09-03 00:01:00", 100),
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_an_answer_in_two_files_the_one_with_the_most_output_stands(books, sample, as_lines, order):
    short, long = sample("claude_code")[2:4]
    resumed = {**short, "sessionId": "5d0c1f7e-0000-4000-8000-00000000f002"}
    files = [("a.jsonl", [resumed]), ("b.jsonl", [short, long])]
    for place in order:
        name, lines = files[place]
        books.ingest(books.file(name, as_lines(lines)))
    assert books.rows("SELECT output_tokens, cache_write_1h_tokens FROM requests") == [(88, 1200)]


def turn(given, said):
    return {"type": "turn.completed", "usage": {"input_tokens": given, "output_tokens": said}}


def test_turns_of_one_thread_tell_its_total_and_are_never_added(books, as_lines):
    thread = {"type": "thread.started", "thread_id": "01990000-dddd-7000-8000-000000000004"}
    # The second run resumes the thread in a file of its own; the third is appended to the first's.
    books.ingest(books.file("b.jsonl", as_lines([thread, turn(3000, 30)])))
    books.ingest(
        books.file("a.jsonl", as_lines([thread, turn(1000, 10), turn(2000, 20), thread, turn(4500, 45)]))
    )
    assert books.rows("SELECT input_tokens, output_tokens FROM requests") == [(4500, 45)]


def test_turns_that_name_no_thread_have_their_share_each():
    found = calls("codex", [turn(1000, 10), turn(3000, 30)])
    assert [(call.call_id, call.usage) for call in found] == [
        (None, Usage(1000, output_tokens=10)),
        (None, Usage(2000, output_tokens=20)),
    ]


def test_a_total_that_cannot_be_true_costs_no_other_call(books, as_lines):
    thread = {"type": "thread.started", "thread_id": "01990000-dddd-7000-8000-000000000004"}
    books.ingest(books.file("a.jsonl", as_lines([thread, turn("many", 10), turn(3000, 30)])))
    reason = "usage.input_tokens is text of 4 characters, expected a whole number of tokens"
    assert books.rows("SELECT input_tokens, output_tokens FROM requests") == [(3000, 30)]
    assert books.reasons() == [(2, reason)]
