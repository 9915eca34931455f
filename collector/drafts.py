"""A text or request body that nobody has sent yet, read as the call it would be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from collector import apis
from collector.apis.json_shapes import Json
from collector.decoding import decoded
from collector.tokenizers import bare_model
from ledger.types import Api, Message, Part, PartKind, Prompt, Request

_TEXT_ABOUT: tuple[tuple[str, Api], ...] = (
    ("*embed*", Api.OPENAI_EMBEDDINGS),
    ("*claude*", Api.ANTHROPIC_MESSAGES),
    ("*gemini*", Api.GEMINI_GENERATE),
    ("gpt-3.5-turbo-instruct*", Api.OPENAI_COMPLETIONS),
    ("davinci-002*", Api.OPENAI_COMPLETIONS),
    ("babbage-002*", Api.OPENAI_COMPLETIONS),
)
_BODY_KEYS = {"messages": list, "contents": list, "input": str | list, "prompt": str | list}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UNSEEN = {
    PartKind.IMAGE: "image of unknown size",
    PartKind.AUDIO: "audio",
    PartKind.FILE: "file",
    PartKind.REASONING: "reasoning block",
    PartKind.OPAQUE: "part of a kind unknown here",
}


class DraftError(ValueError):
    """What was given cannot be counted; the text says what it is and what to change."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A call as it would be sent; `text` is what was given where that was no request body."""

    request: Request
    text: str | None


def text_of(data: bytes) -> str:
    """Decode what was given. Raises DraftError where it is empty or no UTF-8 text."""
    if data.startswith(_UTF16):
        raise DraftError("is UTF-16 text: convert it to UTF-8 first")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DraftError(f"is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}") from None
    if "\0" in text:
        raise DraftError(f"is binary, not text: there is a NUL at character {text.index(chr(0))}")
    if not text:
        raise DraftError("is empty: there is nothing to count")
    return text


def draft(text: str, model: str | None, provider: str | None = None, *, as_text: bool = False) -> Draft:
    """Read a request body where the text is one, else the text as the one message of a call.

    Raises DraftError where nothing names the model.
    """
    body = None if as_text else body_of(text)
    return _of_text(text, model, provider) if body is None else _of_body(body, model, provider)


def body_of(text: str) -> Json | None:
    """The request body that a text is, None where it is just a text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = decoded(text.encode())
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    is_body = any(isinstance(found.get(key), kind) for key, kind in _BODY_KEYS.items())
    return found if is_body else None


def _of_text(text: str, model: str | None, provider: str | None) -> Draft:
    if not model:
        raise DraftError("is a text: name the model it is for with --model")
    name = bare_model(model)
    api = next((api for pattern, api in _TEXT_ABOUT if fnmatchcase(name, pattern)), Api.OPENAI_CHAT)
    prompt = Prompt((Message("user", (Part(PartKind.TEXT, text),)),))
    return Draft(_call(api, model, provider, prompt), text)


def _of_body(body: Json, model: str | None, provider: str | None) -> Draft:
    api = _api_of(body, model)
    reader = apis.APIS[api]
    facts = reader.request_facts(body)
    chosen = model or facts.model
    if not chosen:
        raise DraftError("is a request body that names no model: name it with --model")
    prompt = reader.prompt(body)
    call = _call(api, chosen, provider, prompt)
    call = replace(call, max_output_tokens=facts.max_output_tokens, service_tier=facts.service_tier)
    return Draft(call, None)


def _api_of(body: Json, model: str | None) -> Api:
    api = apis.detect(None, {**body, "model": model} if model else body, None)
    # Only Anthropic has its system text beside the messages; a body may yet lack what a sent one has.
    is_claude = "system" in body or bare_model(str(model or body.get("model") or "")).startswith("claude")
    return Api.ANTHROPIC_MESSAGES if api is Api.OPENAI_CHAT and is_claude else api


def _call(api: Api, model: str, provider: str | None, prompt: Prompt) -> Request:
    return Request(
        api=api,
        model=model,
        provider=apis.named(provider) if provider else apis.provider(None, api, model),
        operation=apis.operation(api, None),
        prompt=prompt,
    )


def unseen(prompt: Prompt, uncounted: Sequence[PartKind]) -> tuple[str, ...]:
    """Name what is billed and no count shows: `uncounted` parts, hosted tools, what is hidden."""
    kinds = Counter(name for kind, name in _UNSEEN.items() for one in uncounted if one is kind)
    kinds += Counter("tool that the provider runs" for tool in prompt.tools if tool.hosted)
    return (*(f"{count} × {kind}" for kind, count in kinds.items()), *prompt.hidden)
