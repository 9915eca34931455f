"""Calls of an API that has no reader of its own: no prompt, no answer, and usage only from Converse."""

from __future__ import annotations

from collections.abc import Sequence

from collector.apis import openai_shapes, token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, text_or_none
from ledger.types import Answer, Prompt, Usage

request_facts = openai_shapes.request_facts
response_facts = openai_shapes.response_facts


def prompt(body: Json) -> Prompt:
    """Return an empty prompt, marked hidden: there may be one, but nothing here can read it."""
    del body
    return Prompt(hidden=("unread",))


def answer(response: Json) -> Answer:
    """Return an empty answer that says only how the call stopped."""
    return Answer(finish_reason=text_or_none(response.get("stopReason")), hidden=("unread",))


def usage(response: Json) -> token_buckets.Reported | None:
    """Read the usage of Bedrock's Converse, known by the metrics beside it; cached tokens are on top."""
    found = response.get("usage")
    if not isinstance(found, dict) or "latencyMs" not in mapping(response.get("metrics")):
        return None
    input_tokens = token_buckets.tokens(found, "inputTokens")
    if input_tokens is None:
        return None
    buckets = Usage(
        input_tokens=input_tokens,
        cache_read_tokens=token_buckets.first_tokens(
            found, "cacheReadInputTokens", "cacheReadInputTokenCount"
        ),
        cache_write_tokens=token_buckets.first_tokens(
            found, "cacheWriteInputTokens", "cacheWriteInputTokenCount"
        ),
        output_tokens=token_buckets.tokens(found, "outputTokens"),
    )
    return token_buckets.reported(found, buckets)


def assemble(chunks: Sequence[object]) -> Json:
    """Return the last chunk that carries usage, else the last: Converse ends with its metadata event."""
    last: Json = EMPTY
    for chunk in mappings(chunks):
        found = mapping(chunk.get("metadata")) or chunk
        if isinstance(found.get("usage"), dict) or "usage" not in last:
            last = found
    return last
