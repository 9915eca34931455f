"""What a record says about a call besides its content, as dotted paths for the attribution rules."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from collector.apis.json_shapes import Json, mapping, sequence
from collector.redaction import holds_secret

MOST_ENTRIES = 2_000
MOST_TAGS = 64
LONGEST_VALUE = 200
_DEEPEST = 6

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
# What a tag of a list looks like; a sentence or an address is none.
_TAG_NAME = re.compile(r"[^\W_][\w.\-/+]{0,39}")
_LONGEST_TAG = 64
_PERSON = frozenset(
    {"user", "userid", "username", "useremail", "enduser", "enduserid", "email", "mail", "emailaddress"}
    | {"phone", "phonenumber", "person", "personid", "safetyidentifier", "userapikeyenduserid"}
)
_ADDRESS = re.compile(r"\S+@\S+\.\S+")
_SECRET_VALUE = re.compile(r"^(sk-|pk-|Bearer |Basic |eyJ|gh[pousr]_|xox|AKIA)")


def flatten(record: Json) -> dict[str, str]:
    """Collect the scalars of a record outside content and secrets: dotted path -> text."""
    return _bounded(_scalars(record, "", 0))


def join(*sources: Mapping[str, str]) -> dict[str, str]:
    """Merge attributes; of a path that several have, the first stands."""
    merged: dict[str, str] = {}
    for source in sources:
        for path, value in source.items():
            merged.setdefault(path, value)
    return merged


def under(prefix: str, source: object) -> dict[str, str]:
    """Collect the scalars of one nested object under a prefix."""
    found = mapping(source)
    return _bounded(_scalars(found, prefix + ".", 1)) if found else {}


def headers(given: object) -> dict[str, str]:
    """Collect the custom headers (x-…) that are not secrets, in lower case."""
    found = mapping(given)
    if not found:
        return {}
    custom = {str(key).lower(): value for key, value in found.items() if str(key).lower().startswith("x-")}
    return _bounded(_scalars(custom, "headers.", _DEEPEST))


def tags(given: object) -> dict[str, str]:
    """Read tags from an object, or from a list of short "key:value", "key=value" or bare words.

    Secrets, keys that are no plain name, and sentences under a key of content are left out.
    """
    pairs = given.items() if isinstance(given, dict) else map(_split_tag, sequence(given))
    named = ((key.strip(), _text(value)) for key, value in pairs if isinstance(key, str))
    kept = ((key, text) for key, text in named if text and _is_tag(key, text))
    return dict(itertools.islice(kept, MOST_ENTRIES))


def _is_tag(key: str, text: str) -> bool:
    lowered = key.lower()
    if not _TAG_NAME.fullmatch(key) or _SECRET.search(lowered):
        return False
    return not (_CONTENT.fullmatch(lowered) and " " in text)


def _split_tag(tag: object) -> tuple[str, str]:
    if not isinstance(tag, str) or len(tag) > _LONGEST_TAG or _SECRET_VALUE.match(tag.strip()):
        return "", ""
    parted = re.split(r"[:=]", tag, maxsplit=1)
    return parted[0], (parted[1].strip() or "true") if len(parted) > 1 else "true"


def stored(found: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that the ledger may keep as they are: none that names a person."""
    kept = ((key, value) for key, value in found.items() if not is_person(key, value))
    return dict(itertools.islice(kept, MOST_TAGS))


def is_person(key: str, value: str) -> bool:
    """Whether a value is, or is called, a person: their name, address or number."""
    return re.sub(r"[\W_]", "", key).lower() in _PERSON or bool(_ADDRESS.search(value))


def as_attributes(found: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the paths that attribution rules know them by."""
    return {f"tags.{key}": value for key, value in found.items()}


def _bounded(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    return dict(itertools.islice(pairs, MOST_ENTRIES))


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
        shown = stripped[:LONGEST_VALUE]
        return "" if _SECRET_VALUE.match(stripped) or holds_secret(shown) else shown
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else ""
