"""Who served a call, under the names that genai-prices has for them."""

from __future__ import annotations

import re
from functools import lru_cache

from ledger.types import Api

# Provider names are those of genai-prices, so that a price is found under them.
_HOSTS: tuple[tuple[str, str], ...] = (
    ("openrouter.ai", "openrouter"),
    ("openai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("cognitive.microsoft.com", "azure"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("googleapis.com", "google"),
    ("amazonaws.com", "aws"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral"),
    ("deepseek.com", "deepseek"),
    ("together.xyz", "together"),
    ("together.ai", "together"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("fireworks.ai", "fireworks"),
    ("perplexity.ai", "perplexity"),
    ("cerebras.ai", "cerebras"),
    ("moonshot.ai", "moonshotai"),
    ("moonshot.cn", "moonshotai"),
    ("api.x.ai", "x-ai"),
    ("ollama.com", "ollama"),
)

_PROVIDER_PATHS: tuple[tuple[str, str], ...] = (
    (r"^/+openai/deployments/", "azure"),
    (r"^/+api/v1/(chat/completions|responses)$", "openrouter"),
    (r"^/+model/[^/]+/(invoke|converse)", "aws"),
    (r"/models/[^/]+:\w+$", "google"),
    (r"^/+api/(chat|generate|embed|embeddings)$", "ollama"),
)
_COMPILED_PROVIDER_PATHS = tuple((re.compile(pattern), name) for pattern, name in _PROVIDER_PATHS)

_OPENAI_MODEL = re.compile(
    r"^(ft:)?(gpt-|chatgpt|o[134](-|$)|text-|code-|codex|davinci|babbage|curie|ada|computer-use|omni-|whisper"
    r"|tts-|dall-e)"
)
_OPENAI_APIS = frozenset(
    {Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.OPENAI_EMBEDDINGS, Api.OPENAI_COMPLETIONS, Api.OTHER}
)
# "gpt-oss" are open weights that OpenAI itself does not serve.
_OPEN_WEIGHTS = ("gpt-oss", "text-embedding-nomic", "text-embedding-bge")


_ALIASES = {
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "azure-openai": "azure",
    "azure openai": "azure",
    "amazon": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "aws_bedrock": "aws",
    "amazon_bedrock": "aws",
    "amazon-bedrock": "aws",
    "sagemaker": "aws",
    "gemini": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "google_ai_studio": "google",
    "google ai studio": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "palm": "google",
    "text-completion-openai": "openai",
    "custom_openai": "openai",
    "cohere_chat": "cohere",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "mistralai": "mistral",
    "mistral_ai": "mistral",
    "perplexity_ai": "perplexity",
    "codestral": "mistral",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "grok": "x-ai",
    "ollama_chat": "ollama",
}


def named(name: str) -> str:
    """Return the price list's name for a provider that a log names in its own way."""
    lowered = name.strip().lower()
    return _ALIASES.get(lowered) or _ALIASES.get(re.sub(r"[- ]", "_", lowered), lowered)


@lru_cache(maxsize=1024)
def provider(url: str | None, api: Api, model: str | None) -> str | None:
    """Name who served a call: by host, else by a telling path, else by model; None rather than a guess."""
    host, path = split_url(url or "")
    if host:
        known = (name for suffix, name in _HOSTS if host == suffix or host.endswith("." + suffix))
        return next(known, None)
    by_path = (name for pattern, name in _COMPILED_PROVIDER_PATHS if pattern.search(path))
    return next(by_path, None) or _by_model(api, (model or "").lower(), path)


def _by_model(api: Api, model: str, path: str) -> str | None:
    if api is Api.GEMINI_GENERATE:
        return "google"
    if api is Api.ANTHROPIC_MESSAGES:
        return "anthropic" if model.startswith("claude") or not model else None
    ours = api in _OPENAI_APIS and _OPENAI_MODEL.match(model) and not model.startswith(_OPEN_WEIGHTS)
    if path.lstrip("/").startswith("openai/v1/"):
        # Azure's version-less API and Groq share this path; Groq serves open weights only.
        return "azure" if ours else "groq"
    return "openai" if ours else None


def split_url(url: str) -> tuple[str, str]:
    """Split a URL or bare path into host (lower case, no port; empty for a path) and path."""
    scheme, found, rest = url.partition("://")
    if not found:
        return "", scheme.partition("?")[0]
    authority, slash, path = rest.partition("?")[0].partition("/")
    host = authority.rpartition("@")[2].partition(":")[0].lower()
    return host, slash + path
