"""The wire APIs: how each one's request and response bodies become our records."""

from __future__ import annotations

from types import ModuleType

from collector.apis import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
    other,
)
from collector.apis.detection import detect, operation, path_model
from collector.apis.providers import named, provider, split_url
from collector.apis.reader import (
    ApiError,
    ApiReader,
    RequestFacts,
    ResponseFacts,
    error,
    error_type,
    output_limit,
    tier,
)
from ledger.types import Api


def _reader(module: ModuleType) -> ApiReader:
    return ApiReader(
        prompt=module.prompt,
        assemble=module.assemble,
        answer=module.answer,
        usage=module.usage,
        request_facts=module.request_facts,
        response_facts=module.response_facts,
    )


APIS: dict[Api, ApiReader] = {
    Api.OPENAI_CHAT: _reader(openai_chat),
    Api.OPENAI_RESPONSES: _reader(openai_responses),
    Api.OPENAI_EMBEDDINGS: _reader(openai_embeddings),
    Api.OPENAI_COMPLETIONS: _reader(openai_completions),
    Api.ANTHROPIC_MESSAGES: _reader(anthropic_messages),
    Api.GEMINI_GENERATE: _reader(gemini_generate),
    Api.BEDROCK_CONVERSE: _reader(bedrock_converse),
    Api.OTHER: _reader(other),
}

__all__ = [
    "APIS",
    "ApiError",
    "ApiReader",
    "RequestFacts",
    "ResponseFacts",
    "detect",
    "error",
    "error_type",
    "named",
    "operation",
    "output_limit",
    "path_model",
    "provider",
    "split_url",
    "tier",
]
