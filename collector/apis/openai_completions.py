"""OpenAI's legacy text completions."""

from __future__ import annotations

from collections.abc import Sequence

from collector.apis import openai_chat, openai_shapes
from collector.apis.json_shapes import Json, mapping, mappings, position, text, text_or_none
from ledger.types import Answer, Message, Part, PartKind, Prompt

request_facts = openai_shapes.request_facts
response_facts = openai_shapes.response_facts
usage = openai_shapes.usage


def prompt(body: Json) -> Prompt:
    """Read the prompt or prompts; a body without one (a stored prompt's id) is marked hidden."""
    if "prompt" not in body and ("messages" in body or "variables" in body):
        return openai_chat.prompt(body)
    messages = input_messages(body.get("prompt"), "prompt")
    suffix = text_or_none(body.get("suffix"))
    added = (Message("prompt", (Part(PartKind.TEXT, suffix),)),) if suffix else ()
    return Prompt(messages=messages + added)


def input_messages(given: object, role: str) -> tuple[Message, ...]:
    """Read text, a list of texts, token ids, or a list of lists of token ids: one message each."""
    if isinstance(given, str):
        return (Message(role, (Part(PartKind.TEXT, given),)),)
    if not isinstance(given, list):
        return ()
    if given and all(isinstance(item, int) for item in given):
        return (Message(role, (Part(PartKind.TOKENS, tokens=len(given)),)),)
    return tuple(Message(role, (_input_part(item),)) for item in given)


def _input_part(item: object) -> Part:
    if isinstance(item, str):
        return Part(PartKind.TEXT, item)
    if isinstance(item, list) and all(isinstance(token, int) for token in item):
        return Part(PartKind.TOKENS, tokens=len(item))
    return openai_shapes.content_part(item)


def answer(response: Json) -> Answer:
    """Read one text per choice; some gateways answer a completion in the chat shape."""
    choices = [mapping(choice) for choice in mappings(response.get("choices"))]
    if any("message" in choice for choice in choices):
        return openai_chat.answer(response)
    return Answer(
        texts=tuple(text(choice.get("text")) for choice in choices),
        finish_reason=openai_shapes.finish_reason(response),
    )


def assemble(chunks: Sequence[object]) -> Json:
    """Join stream chunks: texts by choice, the last usage, the first id and model."""
    if any("delta" in choice for chunk in mappings(chunks) for choice in mappings(chunk.get("choices"))):
        return openai_chat.assemble(chunks)
    whole = dict(openai_chat.assemble(chunks))
    texts: dict[int, list[str]] = {}
    reasons: dict[int, object] = {}
    for chunk in mappings(chunks):
        for choice in mappings(chunk.get("choices")):
            index = position(choice.get("index"))
            texts.setdefault(index, []).append(text(choice.get("text")))
            reasons[index] = choice.get("finish_reason") or reasons.get(index)
    whole["choices"] = [{"text": "".join(texts[i]), "finish_reason": reasons[i]} for i in sorted(texts)]
    return whole
