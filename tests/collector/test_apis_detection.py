"""Which API, operation and provider a call has, from its path, host, bodies and model."""

from __future__ import annotations

import pytest

from collector.apis import detect, named, operation, path_model, provider
from ledger.types import Api


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", Api.OPENAI_CHAT),
        ("/api/v1/chat/completions", Api.OPENAI_CHAT),
        ("/openai/deployments/prod/chat/completions?api-version=1", Api.OPENAI_CHAT),
        ("/v1/responses", Api.OPENAI_RESPONSES),
        ("/v1/embeddings", Api.OPENAI_EMBEDDINGS),
        ("/v1/completions", Api.OPENAI_COMPLETIONS),
        ("/v1/messages", Api.ANTHROPIC_MESSAGES),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", Api.GEMINI_GENERATE),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", Api.GEMINI_GENERATE),
        ("/model/anthropic.claude-v2/invoke", Api.OTHER),
        ("/v1/messages/count_tokens", Api.OTHER),
        ("/v1/images/generations", Api.OTHER),
        ("/api/chat", Api.OTHER),
    ],
)
def test_the_path_names_the_api(path, api):
    assert detect(path, {}, {}) is api


@pytest.mark.parametrize(
    ("request_body", "response", "api"),
    [
        ({}, {"object": "chat.completion"}, Api.OPENAI_CHAT),
        ({}, [{"object": "chat.completion.chunk"}], Api.OPENAI_CHAT),
        ({}, {"object": "response"}, Api.OPENAI_RESPONSES),
        ({}, [{"type": "response.created"}], Api.OPENAI_RESPONSES),
        ({}, {"choices": [{"text": "x"}]}, Api.OPENAI_COMPLETIONS),
        ({}, {"data": [{"embedding": [0.5]}]}, Api.OPENAI_EMBEDDINGS),
        ({}, [{"type": "message_start"}], Api.ANTHROPIC_MESSAGES),
        ({}, {"candidates": []}, Api.GEMINI_GENERATE),
        ({"contents": []}, {}, Api.GEMINI_GENERATE),
        ({"model": "claude-x", "max_tokens": 5, "messages": []}, {}, Api.ANTHROPIC_MESSAGES),
        ({"model": "gpt-4o", "messages": []}, {}, Api.OPENAI_CHAT),
        ({"model": "text-embedding-3-small", "input": "a"}, {}, Api.OPENAI_EMBEDDINGS),
        ({"model": "gpt-5", "input": "a"}, {}, Api.OPENAI_RESPONSES),
        ({"prompt": "a"}, {}, Api.OPENAI_COMPLETIONS),
        ({}, {}, Api.OTHER),
    ],
)
def test_without_a_path_the_shape_decides(request_body, response, api):
    assert detect(None, request_body, response) is api


@pytest.mark.parametrize(
    ("api", "path", "name"),
    [
        (Api.OPENAI_CHAT, None, "chat"),
        (Api.OPENAI_EMBEDDINGS, None, "embedding"),
        (Api.OPENAI_COMPLETIONS, None, "completion"),
        (Api.OTHER, "/v1/images/edits", "image"),
        (Api.OTHER, "/v1/audio/speech", "audio"),
        (Api.OTHER, "/v1/moderations", "moderation"),
        (Api.OTHER, "/v2/rerank", "rerank"),
        (Api.OTHER, "/v1beta/models/g:batchEmbedContents", "embedding"),
        (Api.OTHER, "/somewhere", "other"),
    ],
)
def test_the_operation_follows_api_and_path(api, path, name):
    assert operation(api, path) == name


@pytest.mark.parametrize(
    ("url", "api", "model", "name"),
    [
        ("https://api.openai.com/v1/chat/completions", Api.OPENAI_CHAT, "gpt-4o", "openai"),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions",
            Api.OPENAI_CHAT,
            "gpt-4o",
            "azure",
        ),
        ("https://api.groq.com/openai/v1/chat/completions", Api.OPENAI_CHAT, "llama-3", "groq"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse", Api.OTHER, "m", "aws"),
        ("https://aiplatform.googleapis.com/v1/x", Api.GEMINI_GENERATE, None, "google"),
        ("http://localhost:11434/v1/chat/completions", Api.OPENAI_CHAT, "gpt-4o", None),
        ("https://notopenai.com/v1/chat/completions", Api.OPENAI_CHAT, "gpt-4o", None),
        ("/api/v1/chat/completions", Api.OPENAI_CHAT, "openai/gpt-4o", "openrouter"),
        ("/openai/deployments/d/chat/completions", Api.OPENAI_CHAT, "gpt-4o", "azure"),
        ("/v1/chat/completions", Api.OPENAI_CHAT, "gpt-4o", "openai"),
        ("/v1/chat/completions", Api.OPENAI_CHAT, "qwen2.5", None),
        ("/v1/chat/completions", Api.OPENAI_CHAT, "gpt-oss-120b", None),
        (None, Api.ANTHROPIC_MESSAGES, "claude-haiku-4-5", "anthropic"),
        (None, Api.GEMINI_GENERATE, "gemini-2.5-pro", "google"),
        (None, Api.OPENAI_CHAT, None, None),
    ],
)
def test_the_provider_is_known_or_none(url, api, model, name):
    assert provider(url, api, model) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [("vertex_ai", "google"), ("Bedrock", "aws"), ("together_ai", "together"), ("acme", "acme")],
)
def test_provider_aliases_become_price_list_names(said, name):
    assert named(said) == name


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("/openai/deployments/gpt-4o/chat/completions", "gpt-4o"),
        ("/v1/chat/completions", None),
        (None, None),
    ],
)
def test_a_path_may_name_the_model(path, model):
    assert path_model(path) == model
