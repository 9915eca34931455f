"""The retrieved chunks of a prompt: told apart by marks alone, their tokens kept with the call."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.apis import APIS
from collector.counting import count
from collector.retrieved import chunks_of
from collector.segments import SegmentRules
from collector.tokenizers import count_text
from ledger.types import Api, Message, Part, PartKind, Prompt, Request, Tool


def asked(*messages: Message, rules: SegmentRules | None = None) -> tuple[int, ...]:
    request = Request(api=Api.OPENAI_CHAT, model="gpt-4.1-mini", prompt=Prompt(messages))
    return count(request, rules or SegmentRules()).chunk_tokens


def says(text: str, name: str | None = None) -> Message:
    return Message("user", (Part(PartKind.TEXT, text),), name)


def test_context_in_the_system_text_is_kept_as_a_chunk_and_changes_no_total():
    tools = (Tool("look", schema={"type": "object", "properties": {}}),)
    text = "Use <context>" + " fact" * 20 + "</context> only."
    messages = (Message("system", (Part(PartKind.TEXT, text),)), says("Why?"))
    plain = Request(api=Api.OPENAI_CHAT, model="gpt-4o", prompt=Prompt(messages, tools=tools))
    unmarked = SegmentRules(context_tags=(), context_headings=())
    found, whole = count(plain), count(plain, unmarked)
    assert (len(found.chunk_tokens), whole.chunk_tokens) == (1, ())
    assert found.segments.context + found.segments.system == whole.segments.system
    assert (found.input_tokens, found.method) == (whole.input_tokens, whole.method)
    # 20 words of one token, and the two tags.
    assert 20 < found.segments.context < 30


def test_an_embedded_text_is_counted_as_a_whole_whatever_marks_stand_in_it():
    text = "un<context>believable</context>s"
    prompt = Prompt((Message("input", (Part(PartKind.TEXT, text),)),))
    request = Request(api=Api.OPENAI_EMBEDDINGS, model="text-embedding-3-small", prompt=prompt)
    assert count(request).input_tokens == count_text("cl100k_base", text)


def test_each_document_among_documents_is_a_chunk():
    block = (
        '<documents>\n<document index="1">One.</document>\n<document index="2">Two.</document>\n</documents>'
    )
    assert chunks_of(block) == [
        '<document index="1">One.</document>',
        '<document index="2">Two.</document>',
    ]


def test_a_document_of_its_own_is_one_chunk_whatever_it_quotes():
    block = "<document>See\n[1] this\n[2] that\n<item>x</item></document>"
    assert chunks_of(block) == [block]


def test_numbers_before_each_item_mark_chunks():
    block = "<context>\n[1] Red.\nMore red.\n[2] Blue.\n</context>"
    assert chunks_of(block) == ["[1] Red.\nMore red.\n", "[2] Blue.\n</context>"]
    assert chunks_of("Context:\nDocument 1: a\nDocument 2: b") == ["Document 1: a\n", "Document 2: b"]


def test_blank_lines_and_plain_lists_mark_no_chunks():
    for block in (
        "<context>One.\n\nTwo.\n\nThree.</context>",
        "Context:\n1. one\n2. two",
        "Context:\n[7] seven\n[9] x",
    ):
        assert chunks_of(block) == [block]


def test_the_tokens_of_each_chunk_are_kept_with_the_count():
    # "<document>" and "</document>" are 3 tokens each; " the" is one.
    text = (
        f"<documents><document>{' the' * 40}</document><document>{' the' * 10}</document></documents>\nWhy?"
    )
    assert asked(says(text)) == (46, 16)


@pytest.mark.parametrize("question_first", [True, False])
def test_a_message_named_as_context_beside_the_question_is_a_chunk(question_first):
    messages = (says("Why?"), says(" the" * 12, name="retrieval"))
    assert asked(*(messages if question_first else reversed(messages))) == (12,)


def test_what_was_retrieved_for_an_earlier_question_is_history():
    answer = Message("assistant", (Part(PartKind.TEXT, "Hm."),))
    assert asked(says(" the" * 12, name="retrieval"), says("Why?"), answer, says("And?")) == ()


def test_a_question_asked_twice_is_not_taken_for_its_first_time():
    answer, question = Message("assistant", (Part(PartKind.TEXT, "Hm."),)), says("Why?")
    facts = says(" the" * 12, name="retrieval")
    assert asked(facts, question, answer, facts, question) == (12,)


def test_a_question_has_no_chunks():
    assert asked(says("Why?")) == ()


def test_the_users_own_marks_tell_chunks():
    rules = SegmentRules(context_tags=("quelle",), context_headings=(), context_names=())
    assert len(asked(says("<quelle>eins</quelle><quelle>zwei</quelle> Warum?"), rules=rules)) == 2


def anthropic(*blocks: dict) -> Prompt:
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": list(blocks)}]}
    return APIS[Api.ANTHROPIC_MESSAGES].prompt(body)


def test_anthropics_documents_and_search_results_are_context_a_chunk_each():
    document = {"type": "document", "title": "Rules", "source": {"type": "text", "data": " the" * 30}}
    result = {
        "type": "search_result",
        "source": "https://wiki.example/a",
        "title": "A",
        "content": [{"type": "text", "text": " the" * 20}, {"type": "text", "text": " of" * 5}],
    }
    prompt = anthropic(document, result, {"type": "text", "text": "Which rule holds?"})
    counted = count(Request(api=Api.ANTHROPIC_MESSAGES, model="claude-sonnet-4-5", prompt=prompt))
    assert len(counted.chunk_tokens) == 2
    assert counted.chunk_tokens[0] == 1 + 1 + 1 + 30  # "Rules", the line end, a space of its own, the words
    assert counted.segments.context > counted.segments.user > 0


def test_a_document_of_an_api_is_one_chunk_even_if_it_holds_tags():
    document = {
        "type": "document",
        "source": {"type": "text", "data": "<documents><doc>a</doc><doc>b</doc></documents>"},
    }
    counted = count(Request(api=Api.ANTHROPIC_MESSAGES, model="claude-x", prompt=anthropic(document)))
    assert len(counted.chunk_tokens) == 1


def test_the_ledger_keeps_the_chunks_of_each_call(books, chat_record, as_lines):
    text = f"<context>\n[1]{' the' * 9}\n[2]{' the' * 5}\n</context>\n\nQuestion: why?"
    books.ingest(books.file("a.jsonl", as_lines([chat_record(1, text=text), chat_record(2)])))
    rows = books.rows("SELECT context_chunk_tokens FROM requests ORDER BY source_line")
    # "[1]" is 3 tokens, nine words, the line end; then the same with five words and the closing tag's 3.
    assert json.loads(json.dumps(rows)) == [[[13, 12]], [[]]]


@given(st.text(alphabet="<>/docitem [1]2\n:", max_size=300))
def test_chunks_are_pieces_of_the_block_in_its_order(block):
    position = 0
    for chunk in chunks_of(block):
        position = block.index(chunk, position) + len(chunk)


@pytest.mark.timeout(10)
def test_a_hundred_thousand_marks_are_read_in_one_pass():
    chunks_of("<context>" + "<doc>" * 100_000)
    chunks_of("<context>" + "[1] " * 100_000)
