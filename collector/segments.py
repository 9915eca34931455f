"""Which part of the prompt each text belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from ledger.types import Message, Part, PartKind, Prompt


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """How a user's prompts mark retrieved text; nothing is ever called context for its size.

    `context_tags` are XML-like tags around it, `context_headings` open a block ("Context:") that ends at a
    blank line followed by a question-like heading, `context_names` are names of whole messages.
    """

    context_tags: tuple[str, ...] = (
        "context",
        "document",
        "documents",
        "retrieved_context",
        "search_results",
    )
    context_headings: tuple[str, ...] = ("context", "retrieved context", "context information")
    context_names: tuple[str, ...] = ("context", "retrieval")


DEFAULT = SegmentRules()

# Names of text parts that an API itself says are retrieved: Anthropic's blocks of these types.
RETRIEVED = frozenset({"document", "search_result"})


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of a message's text and the segment it belongs to."""

    segment: str
    text: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message, the segment of its calls, results and token inputs, and its text cut by segment.

    `memo` is that of the message under this label.
    """

    message: Message
    segment: str
    slices: tuple[Slice, ...]
    memo: dict[object, object] = field(init=False, default_factory=dict, compare=False, repr=False)

    def text(self) -> str:
        """The whole text: the same string each time, so that what is counted by text is found at once."""
        known = self.memo.get("text")
        if not isinstance(known, str):
            known = self.memo["text"] = "".join(piece.text for piece in self.slices)
        return known


_SYSTEM = frozenset({"system", "developer"})
_ASSISTANT = frozenset({"assistant", "model"})
_TOOL = frozenset({"tool", "function"})
_NAMELESS = frozenset({None})
_ASKING = _SYSTEM | _ASSISTANT | _TOOL


def _asks(message: Message) -> bool:
    """Anthropic and Gemini carry tool results in user messages: those alone ask nothing."""
    if message.role in _ASKING:
        return False
    return not message.parts or any(part.kind is not PartKind.TOOL_RESULT for part in message.parts)


def last_turn(messages: tuple[Message, ...]) -> int:
    """Find where the last user turn begins; everything but system text before it is history."""
    for index in range(len(messages) - 1, -1, -1):
        if _asks(messages[index]):
            return index
    return 0


def _segment(message: Message, before_last_turn: bool, rules: SegmentRules) -> str:
    if message.role in _SYSTEM:
        return "system"
    if before_last_turn or message.role in _ASSISTANT:
        return "history"
    if message.role in _TOOL or not _asks(message):
        return "tool_results"
    return "context" if _is_named_context(message, rules) else "user"


def _is_named_context(message: Message, rules: SegmentRules) -> bool:
    return message.name is not None and message.name.lower() in rules.context_names


def _turn_start(messages: tuple[Message, ...], rules: SegmentRules) -> int:
    """Where the last turn begins: what is named as context belongs to the question beside it."""
    if {message.name for message in messages} <= _NAMELESS:
        return last_turn(messages)
    others = [index for index, message in enumerate(messages) if not _is_named_context(message, rules)]
    start = others[last_turn(tuple(messages[index] for index in others))] if others else 0
    while start and _is_named_context(messages[start - 1], rules):
        start -= 1
    return start


@dataclass(frozen=True, slots=True)
class _Markers:
    needles: tuple[str, ...]
    opening: re.Pattern[str]


_QUESTION = re.compile(
    r"\n[ \t]*\r?\n[ \t]*(?:[#*]+[ \t]*)?(?:user[ \t]+)?"
    r"(?:question|query|task|instruction|request|answer)s?\b[^\n:]{0,40}:",
    re.IGNORECASE,
)


@lru_cache(maxsize=64)
def _markers(rules: SegmentRules) -> _Markers:
    tags = "|".join(map(re.escape, sorted(rules.context_tags, key=len, reverse=True))) or r"(?!)"
    headings = "|".join(map(re.escape, rules.context_headings)) or r"(?!)"
    return _Markers(
        needles=(*(f"<{tag.lower()}" for tag in rules.context_tags), *map(str.lower, rules.context_headings)),
        opening=re.compile(
            rf"<(?P<tag>{tags})(?:\s[^<>]{{0,400}})?>|^[ \t]*(?:[#*]+[ \t]*)?(?:{headings})[ \t*]*:",
            re.IGNORECASE | re.MULTILINE,
        ),
    )


def _context_end(text: str, opened: re.Match[str], unclosed: set[str]) -> int | None:
    """Where an opened context block ends; None for a tag that is never closed, which marks nothing."""
    tag = opened["tag"]
    if tag is None:
        question = _QUESTION.search(text, opened.end())
        return question.start() if question else len(text)
    if tag.lower() in unclosed:
        return None
    closed = re.compile(rf"</{re.escape(tag)}\s*>", re.IGNORECASE).search(text, opened.end())
    if closed is None:
        unclosed.add(tag.lower())
        return None
    return closed.end()


def marked_spans(text: str, opening: re.Pattern[str], position: int = 0) -> Iterator[tuple[int, int]]:
    """Where each block begins and ends that the pattern opens; its group `tag` names what closes it."""
    # Remembering a tag without its end keeps a text of a million unclosed tags linear.
    unclosed: set[str] = set()
    while opened := opening.search(text, position):
        end = _context_end(text, opened, unclosed)
        if end is not None:
            yield opened.start(), end
        position = opened.end() if end is None else end


def split_context(text: str, rules: SegmentRules = DEFAULT, segment: str = "user") -> tuple[Slice, ...]:
    """Cut the text of a segment into its own and retrieved context; the slices join to the text."""
    markers = _markers(rules)
    lowered = text.lower()
    if not any(needle in lowered for needle in markers.needles):
        return (Slice(segment, text),)
    slices: list[Slice] = []
    position = 0
    for start, end in marked_spans(text, markers.opening):
        if start > position:
            slices.append(Slice(segment, text[position:start]))
        slices.append(Slice("context", text[start:end]))
        position = end
    if position < len(text) or not slices:
        slices.append(Slice(segment, text[position:]))
    return tuple(slices)


# Where applications put what they retrieved: beside the question, or below their instructions.
SEARCHED = frozenset({"user", "system"})


def _slices(parts: tuple[Part, ...], segment: str, rules: SegmentRules) -> tuple[Slice, ...]:
    if segment not in SEARCHED:
        return tuple(Slice(segment, part.text) for part in parts if part.kind is PartKind.TEXT)
    if len(parts) == 1 and parts[0].kind is PartKind.TEXT and parts[0].name is None:
        return split_context(parts[0].text, rules, segment)
    # A block may begin in one part and end in another.
    texts = [part for part in parts if part.kind is PartKind.TEXT]
    runs = groupby(texts, key=lambda part: part.name in RETRIEVED)
    return tuple(piece for told, run in runs for piece in _of_run(told, list(run), segment, rules))


def _of_run(told: bool, run: list[Part], segment: str, rules: SegmentRules) -> tuple[Slice, ...]:
    if told:
        return tuple(Slice("context", part.text) for part in run)
    return split_context("".join(part.text for part in run), rules, segment)


def label(prompt: Prompt, rules: SegmentRules = DEFAULT) -> tuple[Labelled, ...]:
    """Say of every message which segment it belongs to, in the prompt's order."""
    start = _turn_start(prompt.messages, rules)
    before = [_labelled(message, True, rules) for message in prompt.messages[:start]]
    return (*before, *(_labelled(message, False, rules) for message in prompt.messages[start:]))


def _labelled(message: Message, before_last_turn: bool, rules: SegmentRules) -> Labelled:
    known = message.memo.get(before_last_turn)
    if isinstance(known, _Kept) and known.rules is rules:
        return known.labelled
    segment = _segment(message, before_last_turn, rules)
    labelled = Labelled(message, segment, _slices(message.parts, segment, rules))
    message.memo[before_last_turn] = _Kept(rules, labelled)
    return labelled


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a message was labelled as by these rules."""

    rules: SegmentRules
    labelled: Labelled
