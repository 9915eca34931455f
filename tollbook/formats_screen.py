"""What `tollbook formats` prints: the formats that are read, or what is known of one of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from collector.formats import Format
from tollbook.screen import table, width

_INDENT = 10


def listed(formats: Mapping[str, Format]) -> str:
    """Every format with what it is."""
    return table(("format", "what it is"), [(form.name, form.doc) for form in formats.values()])


def shown(form: Format) -> str:
    """All that holds for the records of one format."""
    return "\n".join([f"{form.name}: {form.doc}", *_lines(form)])


def _lines(form: Format) -> Iterator[str]:
    facts = form.facts
    if facts is None:
        return
    yield from _entry("cache", facts.cache)
    yield from _entry("known by", facts.identity)
    yield from _entry("times", facts.times)
    if facts.versions:
        yield from _entry("versions", "; ".join(facts.versions))
    for number, unknown in enumerate(facts.unknown):
        yield from _entry("" if number else "not known", unknown)


def _entry(head: str, said: str) -> list[str]:
    lead = f"  {head:<{_INDENT}}"
    return textwrap.wrap(said, width(), initial_indent=lead, subsequent_indent=" " * len(lead))


def fields(form: Format) -> dict[str, object]:
    """The same for JSON."""
    facts = form.facts
    told = {} if facts is None else {name: getattr(facts, name) for name in facts.__slots__}
    return {"name": form.name, "what": form.doc, **told}
