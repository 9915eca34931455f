"""Langfuse's usage details: a count a kind of token, which kinds lie inside others told by their total."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from collector.apis import token_buckets
from collector.apis.json_shapes import Json, mapping, text
from collector.formats import fields
from collector.formats.genai_content import json_of

# Each SDK and integration has names of its own for the same kinds of tokens.
_INPUT = ("input", "prompt_tokens", "promptTokens", "input_tokens")
_OUTPUT = ("output", "completion_tokens", "completionTokens", "output_tokens")
_TOTAL = ("total", "total_tokens", "totalTokens")
_CACHE_READ = (
    "input_cached_tokens",
    "cache_read_input_tokens",
    "input_cache_read",
    "input_cache_read_input_tokens",
    "cache_read_tokens",
    "cache_read.input_tokens",
    "prompt_details.cache_read",
    "input_cached_content",
)
_CACHE_WRITE = (
    "input_cache_creation",
    "cache_creation_input_tokens",
    "input_cache_creation_input_tokens",
    "input_cache_write",
    "input_cache_write_tokens",
    "cache_write_tokens",
    "cache_creation.input_tokens",
    "cache_write.input_tokens",
    "prompt_details.cache_write",
)
_FIVE_MINUTES = (
    "input_cache_creation_5m",
    "cache_creation_5m_input_tokens",
    "ephemeral_5m_input_tokens",
    "input_ephemeral_5m_input_tokens",
)
_ONE_HOUR = (
    "input_cache_creation_1h",
    "cache_creation_1h_input_tokens",
    "ephemeral_1h_input_tokens",
    "input_ephemeral_1h_input_tokens",
)
_REASONING = (
    "output_reasoning_tokens",
    "output_reasoning",
    "reasoning_tokens",
    "reasoning.output_tokens",
    "completion_details.reasoning",
)
_AUDIO_INPUT = ("input_audio_tokens", "input_audio", "prompt_details.audio")
_AUDIO_OUTPUT = ("output_audio_tokens", "output_audio", "completion_details.audio")
_NAMED = frozenset(
    {
        *(*_INPUT, *_OUTPUT, *_TOTAL, *_CACHE_READ, *_CACHE_WRITE, *_FIVE_MINUTES, *_ONE_HOUR),
        *(*_REASONING, *_AUDIO_INPUT, *_AUDIO_OUTPUT),
    }
)
_OF_INPUT, _OF_OUTPUT = ("input", "prompt"), ("output", "completion", "prediction")


@dataclass(frozen=True, slots=True)
class _Parts:
    """The counts by kind; `*_others` are kinds of input and output that have no bucket of their own."""

    cache_read: int | None
    cache_write: int | None
    one_hour: int | None
    audio_input: int | None
    reasoning: int | None
    audio_output: int | None
    input_others: int
    output_others: int

    @property
    def of_input(self) -> int:
        """All that `input` holds or leaves out."""
        return (self.cache_read or 0) + (self.cache_write or 0) + (self.audio_input or 0) + self.input_others

    @property
    def of_output(self) -> int:
        """All that `output` holds or leaves out."""
        return (self.reasoning or 0) + (self.audio_output or 0) + self.output_others


def usage(details: Json, older: Json) -> token_buckets.Reported | None:
    """Read the usage details, else the usage object of older versions where it counts tokens.

    Raises ValueError where a count cannot be true, or the total fits no reading of its parts.
    """
    found = {key: _count(value) for key, value in details.items() if value is not None}
    if not any(key in found for key in (*_INPUT, *_OUTPUT)):
        found = {key: _count(value) for key, value in older.items() if key != "unit" and value is not None}
        if text(older.get("unit")).upper() not in ("", "TOKENS"):
            return None
    return _read(found) if any(found.values()) else None


def _count(value: object) -> object:
    """64-bit integers are texts in some exports."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value


def _read(found: Json) -> token_buckets.Reported | None:
    parts = _parts(found)
    given = token_buckets.first_tokens(found, *_INPUT)
    answered = token_buckets.first_tokens(found, *_OUTPUT)
    if given is None and not parts.of_input:
        return None
    beside_input, beside_output = _reading(found, given or 0, answered or 0, parts)
    return token_buckets.inclusive(
        {key: value for key, value in found.items() if key != "total_tokens"},
        input_tokens=(given or 0) + (parts.of_input if beside_input else 0),
        output_tokens=_output(answered, parts, beside_output),
        cache_read=parts.cache_read,
        cache_write=parts.cache_write,
        cache_write_1h=parts.one_hour,
        reasoning=parts.reasoning,
        audio_input=parts.audio_input,
        audio_output=parts.audio_output,
    )


def _output(answered: int | None, parts: _Parts, beside: bool) -> int | None:
    if answered is None and not parts.of_output:
        return None
    return (answered or 0) + (parts.of_output if beside else 0)


def _parts(found: Json) -> _Parts:
    first = token_buckets.first_tokens
    five_minutes, one_hour = first(found, *_FIVE_MINUTES), first(found, *_ONE_HOUR)
    return _Parts(
        cache_read=first(found, *_CACHE_READ),
        cache_write=_written(first(found, *_CACHE_WRITE), five_minutes, one_hour),
        one_hour=one_hour,
        audio_input=first(found, *_AUDIO_INPUT),
        reasoning=first(found, *_REASONING),
        audio_output=first(found, *_AUDIO_OUTPUT),
        input_others=_others(found, _OF_INPUT),
        output_others=_others(found, _OF_OUTPUT),
    )


def _written(whole: int | None, five_minutes: int | None, one_hour: int | None) -> int | None:
    """All that was written to the cache: split by lifetime, or beside what is split."""
    split = token_buckets.total(five_minutes, one_hour)
    return split if split is not None and split == whole else token_buckets.total(whole, split)


def _others(found: Json, words: tuple[str, ...]) -> int:
    """The tokens of kinds that nobody named, as far as their names say which side they are of."""
    kinds = (key for key in found if key not in _NAMED and _side(key) == words)
    return sum(token_buckets.tokens(found, key) or 0 for key in kinds)


def _side(key: str) -> tuple[str, ...] | None:
    sides = (_OF_INPUT, _OF_OUTPUT)
    return next((words for words in sides if any(word in key for word in words)), None)


def _reading(found: Json, given: int, answered: int, parts: _Parts) -> tuple[bool, bool]:
    """Whether the parts stand beside input and output: they do by convention, unless the total says else."""
    total = token_buckets.first_tokens(found, *_TOTAL)
    if total is None:
        return True, True
    strange = sum(token_buckets.tokens(found, key) or 0 for key in found if _is_strange(key))
    for beside_input, beside_output in ((True, True), (False, False), (True, False), (False, True)):
        read = given + answered + beside_input * parts.of_input + beside_output * parts.of_output
        if total in (read, read + strange):
            return beside_input, beside_output
    raise ValueError(
        f"usage.total is {total}, which neither input {given} and output {answered} add up to, nor these with"
        f" the {parts.of_input} and {parts.of_output} tokens of particular kinds beside them"
    )


def _is_strange(key: str) -> bool:
    return key not in _NAMED and _side(key) is None


def cost(record: Json) -> Decimal | None:
    """Read what Langfuse says the call cost: its total, else that of the details; zero is a price unknown."""
    details = mapping(json_of(record.get("costDetails")))
    given = (record.get("totalCost"), details.get("total"), record.get("calculatedTotalCost"))
    return next((found for value in given if (found := fields.usd_or_none(value))), None)
