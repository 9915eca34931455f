"""Which segment each message and each stretch of a question belongs to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.segments import SegmentRules, label, last_turn, split_context
from ledger.types import Message, Part, PartKind, Prompt


def says(role: str, text: str, name: str | None = None) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),), name)


def returns(role: str, text: str) -> Message:
    return Message(role, (Part(PartKind.TOOL_RESULT, text, name="look_up", call_id="c1"),))


def segments(*messages: Message, rules: SegmentRules | None = None) -> list[str]:
    return [one.segment for one in label(Prompt(messages), rules or SegmentRules())]


def cut(text: str, rules: SegmentRules | None = None) -> list[tuple[str, str]]:
    return [(piece.segment, piece.text) for piece in split_context(text, rules or SegmentRules())]


def test_only_the_last_user_message_is_the_question() -> None:
    conversation = [says("system", "s"), says("user", "a"), says("assistant", "b"), says("user", "c")]
    assert segments(*conversation) == ["system", "history", "history", "user"]


def test_developer_text_is_system_wherever_it_stands() -> None:
    assert segments(says("user", "a"), says("developer", "b"), says("user", "c")) == [
        "history",
        "system",
        "user",
    ]


@pytest.mark.parametrize("role", ["system", "user"])
def test_retrieved_text_is_context_where_its_marks_stand_over_parts_too(role) -> None:
    texts = ("Answer from <context>One. ", "Two.</context>", " Be brief.")
    message = Message(role, tuple(Part(PartKind.TEXT, text) for text in texts))
    (labelled,) = label(Prompt((message,)))
    assert [(piece.segment, piece.text) for piece in labelled.slices] == [
        (role, "Answer from "),
        ("context", "<context>One. Two.</context>"),
        (role, " Be brief."),
    ]
    assert labelled.text() == "".join(texts)


def test_tool_results_after_the_question_are_tool_results_and_its_calls_history() -> None:
    call = Message("assistant", (Part(PartKind.TOOL_CALL, "{}", name="look_up", call_id="c1"),))
    assert segments(says("user", "a"), call, returns("tool", "r")) == ["user", "history", "tool_results"]


def test_tool_results_of_earlier_turns_are_history() -> None:
    assert segments(says("user", "a"), returns("tool", "r"), says("user", "b")) == [
        "history",
        "history",
        "user",
    ]


def test_a_user_message_of_results_alone_asks_nothing() -> None:
    assert last_turn((says("user", "a"), returns("user", "r"))) == 0
    assert segments(says("user", "a"), returns("user", "r")) == ["user", "tool_results"]


def test_a_named_message_is_context() -> None:
    rules = SegmentRules(context_names=("kb",))
    assert segments(says("user", "facts", name="KB"), rules=rules) == ["context"]


@pytest.mark.parametrize("tag", ["context", "document", "documents", "CONTEXT"])
def test_a_tag_around_text_marks_it_as_context(tag: str) -> None:
    marked = f'<{tag} id="1">fact</{tag}>'
    assert cut(f"Why? {marked} Say it.") == [("user", "Why? "), ("context", marked), ("user", " Say it.")]


def test_nested_documents_are_one_context() -> None:
    marked = "<documents><document>a</document><document>b</document></documents>"
    assert cut(f"{marked}\nWhich?") == [("context", marked), ("user", "\nWhich?")]


def test_a_heading_opens_context_until_the_question() -> None:
    text = "Context:\nfact one\n\nfact two\n\nQuestion: which?"
    assert cut(text) == [("context", "Context:\nfact one\n\nfact two"), ("user", "\n\nQuestion: which?")]


def test_a_heading_without_a_question_runs_to_the_end() -> None:
    assert cut("Answer from this.\nContext: fact") == [
        ("user", "Answer from this.\n"),
        ("context", "Context: fact"),
    ]


def test_a_tag_that_is_never_closed_marks_nothing() -> None:
    assert cut("a <context> b") == [("user", "a <context> b")]


def test_the_word_context_in_a_sentence_marks_nothing() -> None:
    assert cut("What does context: mean here?") == [("user", "What does context: mean here?")]


def test_long_text_without_a_marker_is_never_context() -> None:
    text = "fact " * 10_000
    assert cut(text) == [("user", text)]


def test_own_tags_and_headings_replace_the_defaults() -> None:
    rules = SegmentRules(context_tags=("quelle",), context_headings=("fundstellen",))
    assert cut("<quelle>a</quelle>", rules) == [("context", "<quelle>a</quelle>")]
    assert cut("<context>a</context>", rules) == [("user", "<context>a</context>")]


def test_no_markers_at_all_mark_nothing() -> None:
    assert cut("<context>a</context>", SegmentRules((), (), ())) == [("user", "<context>a</context>")]


def test_a_hundred_thousand_unclosed_tags_stay_quick() -> None:
    started = time.perf_counter()
    split_context("<context>" * 100_000)
    assert time.perf_counter() - started < 2


PIECES = st.sampled_from(
    [
        "<context>",
        "</context>",
        "<document a='1'>",
        "</document>",
        "Context:",
        "\n\n",
        "Question: ",
        "x",
        " ",
        "ß",
    ]
)


@given(st.lists(PIECES, max_size=30))
def test_the_slices_of_a_text_join_to_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert "".join(piece.text for piece in split_context(text)) == text
