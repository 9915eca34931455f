"""The bodies of Bedrock's models: Converse's, Claude's and OpenAI's own shapes, and plain prompts."""

from __future__ import annotations

from collections.abc import Iterator

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, sequence, text
from collector.formats import bodies
from collector.formats.bodies import Body, Call
from ledger.types import Api, Usage

# Where the makers of a model put the text of a prompt, and of an answer.
_PROMPTS = ("prompt", "inputText", "message")
_TEXTS = ("generation", "outputText", "completion", "text")
_LISTS = ("results", "outputs", "generations", "completions")
_STOPS = ("stop_reason", "completionReason", "finish_reason")
_LIMITS = ("max_gen_len", "max_tokens_to_sample", "max_tokens", "maxTokenCount")


def read(operation: str, model: str, request: Json, response: Body) -> Call:
    """Read both bodies of an invocation; raises ValueError where the usage cannot be true."""
    api = _api(operation, model, request, response)
    if api is Api.OPENAI_COMPLETIONS and not _is_openai(response):
        return bodies.read_call(api, _asked(request), _answered(response))
    if api is Api.OPENAI_EMBEDDINGS:
        given = request.get("inputText", request.get("texts"))
        return bodies.read_call(api, {**request, "input": given} if request else EMPTY, EMPTY)
    return bodies.read_call(api, request, response)


def _api(operation: str, model: str, request: Json, response: Body) -> Api:
    """Whose shape the bodies have: the operation's, the maker's, or what they look like."""
    first = mapping(response) or next(mappings(response), EMPTY)
    if operation.startswith("Converse") or "nova" in model:
        return Api.BEDROCK_CONVERSE
    if "embed" in model or "embedding" in first or "embeddings" in first:
        return Api.OPENAI_EMBEDDINGS
    if "anthropic_version" in request or first.get("type") in ("message", "message_start"):
        return Api.ANTHROPIC_MESSAGES
    if any(isinstance(request.get(key), str) for key in _PROMPTS) or _says(first):
        return Api.OPENAI_COMPLETIONS
    return apis.detect(None, request, response)


def _is_openai(response: Body) -> bool:
    return "choices" in (mapping(response) or next(mappings(response), EMPTY))


def _says(response: Json) -> bool:
    return any(key in response for key in ("generation", "outputText", "completion", *_LISTS))


def _asked(request: Json) -> Json:
    """A prompt of one text in the shape of a completion."""
    config = mapping(request.get("textGenerationConfig")) or request
    prompt = next((request[key] for key in _PROMPTS if isinstance(request.get(key), str)), None)
    if prompt is None:
        return EMPTY
    limit = next((config[key] for key in _LIMITS if key in config), None)
    return {"prompt": prompt, "max_tokens": limit, "temperature": config.get("temperature")}


def _answered(response: Body) -> Json:
    """The texts of an answer, or of the pieces of its stream, in the shape of a completion."""
    pieces = [mapping(response)] if isinstance(response, dict) else list(mappings(response))
    parts = [part for piece in pieces for part in _parts(piece)]
    said = [text(part[key]) for part in parts for key in _TEXTS if isinstance(part.get(key), str)]
    if not said:
        return {key: piece[key] for piece in pieces for key in ("error", "message") if key in piece}
    stops = [part[key] for part in parts for key in _STOPS if isinstance(part.get(key), str)]
    return {"choices": [{"text": "".join(said), "finish_reason": stops[-1] if stops else None}]}


def _parts(piece: Json) -> Iterator[Json]:
    """The piece, or the answers that it lists."""
    listed = next((sequence(piece[key]) for key in _LISTS if key in piece), None)
    yield from [piece] if listed is None else mappings(listed)


def usage(call: Call) -> token_buckets.Reported | None:
    """The usage in the answer itself; of every shape but OpenAI's the input excludes the cache."""
    if call.api is not Api.BEDROCK_CONVERSE:
        return None if call.usage is None else (call.usage, call.usage_json or "")
    found = mapping(call.response.get("usage"))
    if token_buckets.tokens(found, "inputTokens") is None:
        return None
    return token_buckets.reported(found, _converse(found))


def _converse(found: Json) -> Usage:
    count = token_buckets.first_tokens
    given, output = count(found, "inputTokens"), count(found, "outputTokens")
    cache_read = count(found, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = count(found, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    one_hour = _one_hour(found)
    _check_total(found, (given or 0) + (output or 0), (cache_read or 0) + (written or 0))
    token_buckets.within(one_hour, written, "one-hour tokens in a cache write")
    return Usage(
        input_tokens=given,
        cache_read_tokens=cache_read,
        cache_write_tokens=written if written is None else written - (one_hour or 0),
        cache_write_1h_tokens=one_hour,
        output_tokens=output,
    )


def _one_hour(found: Json) -> int | None:
    """How much of what was written is kept for an hour."""
    details = [detail for detail in mappings(found.get("cacheDetails")) if detail.get("ttl") == "1h"]
    return token_buckets.total(*(token_buckets.tokens(detail, "inputTokens") for detail in details))


def _check_total(found: Json, uncached: int, cached: int) -> None:
    total = token_buckets.tokens(found, "totalTokens")
    if total is not None and total not in (uncached, uncached + cached):
        raise ValueError(
            f"usage.totalTokens is {total}, but input and output are {uncached} and the cache {cached}"
        )
