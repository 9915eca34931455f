"""Context windows of models for which the price book has a price but no window."""

from __future__ import annotations

from fnmatch import fnmatchcase

# Tokens of prompt and answer together, from the makers' model pages as of 2026-07; first match wins.
_WINDOWS: tuple[tuple[str, int], ...] = (
    ("gemini-2.5-pro-tts*", 8_192),
    ("gemini-2.5-pro*", 1_048_576),
    ("gemini-3-pro-preview*", 1_048_576),
    ("gemini-3.1-pro-preview*", 1_048_576),
    ("gpt-4.5-preview*", 128_000),
)


def context_window(model: str) -> int | None:
    """The window of a model by its bare name; None where it is not known."""
    return next((size for pattern, size in _WINDOWS if fnmatchcase(model.lower(), pattern)), None)
