"""OpenAI embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from collector.apis import openai_shapes
from collector.apis.json_shapes import EMPTY, Json, mappings
from collector.apis.openai_completions import input_messages
from ledger.types import Answer, Prompt

request_facts = openai_shapes.request_facts
response_facts = openai_shapes.response_facts
usage = openai_shapes.usage


def prompt(body: Json) -> Prompt:
    """Read what is to be embedded: one message for each input."""
    return Prompt(messages=input_messages(body.get("input"), "input"))


def answer(response: Json) -> Answer:
    """Return an empty answer: vectors are not tokens."""
    del response
    return Answer()


def assemble(chunks: Sequence[object]) -> Json:
    """Return the last object: embeddings do not stream."""
    last = EMPTY
    for chunk in mappings(chunks):
        last = chunk
    return last
