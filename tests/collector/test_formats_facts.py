"""Every format says of itself how its records are to be understood."""

from __future__ import annotations

from dataclasses import fields

import pytest

from collector.formats import FORMATS
from collector.formats.format import Facts


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_declares_its_cache_identity_and_times(name):
    facts = FORMATS[name].facts
    assert facts is not None
    assert all((facts.cache, facts.identity, facts.times))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_names_something_that_it_cannot_tell(name):
    assert FORMATS[name].facts.unknown


@pytest.mark.parametrize("name", FORMATS)
def test_the_facts_are_phrases_without_an_end(name):
    facts = FORMATS[name].facts
    said = [facts.cache, facts.identity, facts.times, *facts.unknown, *facts.versions]
    assert all(phrase == phrase.strip() and not phrase.endswith(".") for phrase in said)
    assert [field.name for field in fields(Facts)] == ["cache", "identity", "times", "unknown", "versions"]
