"""OpenAI's own response objects: stored completions, and what its SDK gives by `model_dump_json()`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from collector.apis import openai_chat
from collector.apis.json_shapes import EMPTY, Json, mappings, text
from collector.formats import attributes, calls, fields
from collector.formats.format import Facts
from collector.formats.understood import Understood, inside, words
from ledger.types import Api, Request

FACTS = Facts(
    cache="inside the input: cached and cache-written tokens are parts of it",
    identity="the answer's id",
    times="created",
    unknown=(
        "the prompt, unless its list of messages is read as well; of that one the tools",
        "duration and HTTP status",
    ),
    versions=("chat.completion", "response", "text_completion", "list of stored completions"),
)
# A message of a stored completion is named by the completion and its own number.
_MESSAGE_ID = re.compile(r"(.+)-([0-9]{1,6})")
_MESSAGES = "chat.completion.messages"
_OBJECTS = frozenset({"chat.completion", "response", "text_completion"})
KEYS = ("object", "id", "model")

# Also of those who answer by the same API and add to it.
USAGE = words(
    """
    usage.cached_tokens usage.citation_tokens usage.completion_time usage.completion_tokens
    usage.completion_tokens_details usage.cost usage.cost_details usage.cost_in_usd_ticks
    usage.input_tokens usage.input_tokens_details usage.is_byok usage.num_search_queries
    usage.num_sources_used usage.output_tokens usage.output_tokens_details usage.prompt_cache_hit_tokens
    usage.prompt_cache_miss_tokens usage.prompt_time usage.prompt_tokens usage.prompt_tokens_details
    usage.queue_time usage.reasoning_tokens usage.search_context_size usage.total_time
    usage.total_tokens
    """
)


def usage_names(body: Json) -> Iterator[str]:
    """The names in a body's usage: what is new among them may be billed."""
    return inside(body, "usage")


def _names(record: Json) -> Iterator[str]:
    yield from record
    yield from usage_names(record)


UNDERSTANDS = Understood(
    USAGE
    | words(
        """
    _request_id audio background billing choices citations completed_at content_filters
    context_management conversation created created_at error frequency_penalty function_call functions
    id images include incomplete_details input_user instructions kv_transfer_params logit_bias logprobs
    max_completion_tokens max_output_tokens max_tokens max_tool_calls messages metadata modalities model
    moderation more n nvext object output output_text parallel_tool_calls prediction presence_penalty
    previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention
    prompt_filter_results prompt_logprobs prompt_token_ids provider reasoning reasoning_effort
    related_questions request_id response_format safety_identifier search_results seed service_tier
    status stop store system_fingerprint temperature text time_info tool_choice tools top_logprobs top_p
    truncation usage user verbosity warnings web_search_options x_groq
    """
    ),
    _names,
)


def matches(record: Json) -> bool:
    """Tell a response object by its kind; one beside its request is another format's."""
    if record.get("object") == "list":
        return any(_is_response(item) or _completion_of(item) for item in mappings(record.get("data")))
    return _is_response(record)


def _is_response(record: Json) -> bool:
    return text(record.get("object")) in _OBJECTS and all(key in record for key in KEYS)


def _completion_of(item: Json) -> str | None:
    """The completion that an item of a list is a message of."""
    found = _MESSAGE_ID.fullmatch(text(item.get("id")))
    return found[1] if found and isinstance(item.get("role"), str) else None


def items(record: Json) -> Iterator[Json]:
    """The responses of a page, its messages as those of one response; any other record is one."""
    if record.get("object") != "list":
        yield record
        return
    messages: dict[str, list[Json]] = {}
    for item in mappings(record.get("data")):
        of = _completion_of(item)
        if of is None:
            yield item
        else:
            messages.setdefault(of, []).append(item)
    for of, listed in messages.items():
        yield {
            "object": _MESSAGES,
            "id": of,
            "model": None,
            "messages": listed,
            "more": record.get("has_more"),
        }


def read(record: Json) -> Request:
    """Read one response; what asked for it is stored elsewhere, so the prompt is unknown and not counted."""
    if record.get("object") == _MESSAGES:
        return _asked(record)
    call = calls.read(EMPTY, record)
    read_alone = calls.request_of(call)
    metadata = attributes.tags(record.get("metadata"))
    return replace(
        read_alone,
        attributes=attributes.join(attributes.flatten(record), attributes.as_attributes(metadata)),
        tags=attributes.stored(metadata),
        end_user=fields.first_text(record, "input_user", "user", "safety_identifier"),
        prompt=None,
        span=read_alone.response_id,
    )


def _asked(record: Json) -> Request:
    """The messages that a stored completion answered: a part of it, which says nothing of its tools."""
    listed = list(mappings(record.get("messages")))
    begins = text(listed[0].get("id")).endswith("-0") if listed else False
    hidden = ("tools",) if begins and not record.get("more") else ("tools", "more_messages")
    messages = [{**item, "content": item.get("content_parts") or item.get("content")} for item in listed]
    return Request(
        api=Api.OPENAI_CHAT,
        model=None,
        prompt=replace(openai_chat.prompt({"messages": messages}), hidden=hidden),
        span=fields.text_field(record, "id"),
        part=True,
    )
