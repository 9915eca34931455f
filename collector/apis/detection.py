"""Which wire API a call used, and what kind of operation it was."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from collector.apis.json_shapes import Json, mapping, mappings, text
from ledger.types import Api

# First match wins. Native APIs without a reader stand first, so that a body of a familiar shape
# behind them is not read with another API's cache semantics.
_PATHS: tuple[tuple[str, Api], ...] = (
    (r":(stream)?[gG]enerateContent$", Api.GEMINI_GENERATE),
    (r"/model/[^/]+/converse(-stream)?$", Api.BEDROCK_CONVERSE),
    (r"/model/[^/]+/(invoke|converse)", Api.OTHER),
    (r"^/+api/(chat|generate|embed|embeddings)$", Api.OTHER),
    (r"/(images|audio|moderations|rerank|batches|files|models|assistants|threads)(/|$)", Api.OTHER),
    (r"/v\d+/(complete|chat|generate|embed)$", Api.OTHER),
    (r":(embedContent|batchEmbedContents|countTokens|predict)$", Api.OTHER),
    (r"/(count_tokens|input_tokens)$", Api.OTHER),
    (r"/messages/batches", Api.OTHER),
    (r"/chat/completions$", Api.OPENAI_CHAT),
    (r"/completions$", Api.OPENAI_COMPLETIONS),
    (r"/responses$", Api.OPENAI_RESPONSES),
    (r"/embeddings$", Api.OPENAI_EMBEDDINGS),
    (r"/messages$", Api.ANTHROPIC_MESSAGES),
)
_COMPILED_PATHS = tuple((re.compile(pattern), api) for pattern, api in _PATHS)

_OPERATIONS: tuple[tuple[str, str], ...] = (
    (r"/images(/|$)", "image"),
    (r"/audio(/|$)", "audio"),
    (r"/moderations", "moderation"),
    (r"/rerank", "rerank"),
    (r"[eE]mbed", "embedding"),
    (r"/(v\d+/complete|api/generate)$", "completion"),
    (r"/(chat|converse|converse-stream)$", "chat"),
    (r"/messages/batches", "chat"),
)
_COMPILED_OPERATIONS = tuple((re.compile(pattern), operation) for pattern, operation in _OPERATIONS)

_API_OPERATIONS = {
    Api.OPENAI_CHAT: "chat",
    Api.OPENAI_RESPONSES: "chat",
    Api.OPENAI_EMBEDDINGS: "embedding",
    Api.OPENAI_COMPLETIONS: "completion",
    Api.ANTHROPIC_MESSAGES: "chat",
    Api.GEMINI_GENERATE: "chat",
    Api.BEDROCK_CONVERSE: "chat",
}


def detect(url_path: str | None, request: Json, response: object) -> Api:
    """Name the wire API of a call: by its path where that is telling, else by the bodies' shape."""
    by_path = _by_path(url_path) if url_path else None
    return by_path or _by_response(_sample(response)) or _by_request(request)


@lru_cache(maxsize=1024)
def _by_path(url_path: str) -> Api | None:
    path = url_path.partition("?")[0].rstrip("/")
    return next((api for pattern, api in _COMPILED_PATHS if pattern.search(path)), None)


def _sample(response: object) -> Json:
    """Return the response, or the first chunk of a stream that says something."""
    if isinstance(response, list):
        return next((chunk for chunk in mappings(response) if chunk), {})
    return mapping(response)


_OBJECTS = {
    "chat.completion": Api.OPENAI_CHAT,
    "chat.completion.chunk": Api.OPENAI_CHAT,
    "text_completion": Api.OPENAI_COMPLETIONS,
    "response": Api.OPENAI_RESPONSES,
}
_TYPES = {"message": Api.ANTHROPIC_MESSAGES, "message_start": Api.ANTHROPIC_MESSAGES}


def _by_response(response: Json) -> Api | None:
    named = _OBJECTS.get(text(response.get("object"))) or _TYPES.get(text(response.get("type")))
    if named:
        return named
    if "candidates" in response or "usageMetadata" in response:
        return Api.GEMINI_GENERATE
    if text(response.get("type")).startswith("response."):
        return Api.OPENAI_RESPONSES
    if any("embedding" in item for item in mappings(response.get("data"))):
        return Api.OPENAI_EMBEDDINGS
    return _by_choices(response)


def _by_choices(response: Json) -> Api | None:
    first = next(mappings(response.get("choices")), {})
    if "message" in first or "delta" in first:
        return Api.OPENAI_CHAT
    return Api.OPENAI_COMPLETIONS if "text" in first else None


def _by_request(request: Json) -> Api:
    if "contents" in request:
        return Api.GEMINI_GENERATE
    if "messages" in request:
        claude = text(request.get("model")).startswith("claude") and "max_tokens" in request
        ours = claude or "anthropic_version" in request or "stop_sequences" in request
        return Api.ANTHROPIC_MESSAGES if ours else Api.OPENAI_CHAT
    if "input" in request:
        embeds = "embed" in text(request.get("model")) or "encoding_format" in request
        return Api.OPENAI_EMBEDDINGS if embeds else Api.OPENAI_RESPONSES
    return Api.OPENAI_COMPLETIONS if isinstance(request.get("prompt"), str | list) else Api.OTHER


@lru_cache(maxsize=1024)
def operation(api: Api, url_path: str | None) -> str:
    """Name the kind of call: chat, completion, embedding, image, audio, moderation, rerank, other."""
    known = _API_OPERATIONS.get(api)
    if known or not url_path:
        return known or "other"
    path = url_path.partition("?")[0].rstrip("/")
    return next((name for pattern, name in _COMPILED_OPERATIONS if pattern.search(path)), "other")


_DEPLOYMENT = re.compile(r"/models/([^/:]+):|/deployments/([^/]+)/|/engines/([^/]+)/|^/+model/([^/]+)/")


def path_model(url_path: str | None) -> str | None:
    """Read the model that a path names (Gemini, Azure deployments, old engines, Bedrock)."""
    found = _DEPLOYMENT.search(url_path) if url_path else None
    named = next((group for group in found.groups() if group), None) if found else None
    return None if named is None else unquote(named)
