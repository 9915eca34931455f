"""What a record says about a call besides its content, as dotted paths for the attribution rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from collector.apis.json_shapes import Json, mapping, sequence

MOST_ENTRIES = 64
LONGEST_VALUE = 200
_DEEPEST = 4

# Keys that could hold what was said. A new one costs a dimension nobody asked for; a missing one would
# let prompt text be matched against attribution rules.
_CONTENT = re.compile(
    r"messages?|inputs?|outputs?|prompts?|prompt_text|system|system_prompt|instructions|tools|functions"
    r"|requests?|responses?|(request|response)_(body|headers|tags)|headers|body|url|data|raw|chunks|documents"
    r"|contents?|context|text|completions?|choices|question|query|answer|arguments|parameters|embedding"
    r"|model_parameters|tags|usage|usage_object|error|error_(str|message|information)|traceback"
    r"|model_map_information|guardrail_information|cost_breakdown|(vector_store_request|prompt_management)_metadata"
)
_SECRET = re.compile(
    r"authorization|cookie|secret|passw|credential|bearer|signature|api[-_]?key$|api[-_]?key[-_]hash"
    r"|(^|[-_])token$|private[-_]?key|access[-_]?key|auth[-_]?key"
)
_SECRET_VALUE = re.compile(r"^(sk-|pk-|Bearer |Basic |eyJ|gh[pousr]_|xox|AKIA)")


def flatten(record: Json) -> dict[str, str]:
    """Collect the scalars of a record outside content and secrets: dotted path -> text."""
    return _bounded(_scalars(record, "", 0))


def join(*sources: Mapping[str, str]) -> dict[str, str]:
    """Merge attributes, earlier ones first; never more than the limit."""
    merged: dict[str, str] = {}
    for source in sources:
        for path, value in source.items():
            if len(merged) >= MOST_ENTRIES:
                return merged
            merged.setdefault(path, value)
    return merged


def under(prefix: str, source: object) -> dict[str, str]:
    """Collect the scalars of one nested object under a prefix."""
    return _bounded(_scalars(mapping(source), prefix + ".", 1))


def headers(given: object) -> dict[str, str]:
    """Collect the custom headers (x-…) that are not secrets, in lower case."""
    found = mapping(given)
    custom = {str(key).lower(): value for key, value in found.items() if str(key).lower().startswith("x-")}
    return _bounded(_scalars(custom, "headers.", _DEEPEST))


def tags(given: object) -> dict[str, str]:
    """Read tags from an object, or from a list of "key:value", "key=value" or bare words."""
    if isinstance(given, dict):
        return {str(key)[:LONGEST_VALUE]: text for key, value in given.items() if (text := _text(value))}
    found: dict[str, str] = {}
    for tag in sequence(given):
        if isinstance(tag, str) and tag:
            key, _, value = tag.replace("=", ":", 1).partition(":") if ":" not in tag else tag.partition(":")
            found[key.strip()[:LONGEST_VALUE]] = value.strip()[:LONGEST_VALUE] or "true"
    return dict(list(found.items())[:MOST_ENTRIES])


def as_attributes(found: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the paths that attribution rules know them by."""
    return {f"tags.{key}": value for key, value in found.items()}


def _bounded(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in pairs:
        found[path] = value
        if len(found) >= MOST_ENTRIES:
            break
    return found


def _scalars(value: Json, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if _is_private(str(key)):
            continue
        if isinstance(item, dict):
            if depth < _DEEPEST:
                yield from _scalars(item, f"{prefix}{key}.", depth + 1)
        elif text := _text(item):
            yield f"{prefix}{key}", text


@lru_cache(maxsize=4096)
def _is_private(key: str) -> bool:
    lowered = key.lower()
    return bool(_CONTENT.fullmatch(lowered) or _SECRET.search(lowered))


def _text(value: object) -> str:
    if isinstance(value, str):
        stripped = value.strip()
        return "" if _SECRET_VALUE.match(stripped) else stripped[:LONGEST_VALUE]
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else ""
