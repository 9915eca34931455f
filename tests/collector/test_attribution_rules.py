"""Dimensions come from the user's ordered rules, and never from a guess."""

from __future__ import annotations

import pytest

from collector.attribution import DEFAULT_RULES, Dimensions, Rules, attribute, model_tier
from ledger.types import Api, Request


def call(model: str | None = "gpt-4o", end_user: str | None = None, tags=None, **attributes) -> Request:
    dotted = {key.replace("__", "."): value for key, value in attributes.items()}
    return Request(api=Api.OPENAI_CHAT, model=model, end_user=end_user, tags=tags or {}, attributes=dotted)


def test_the_first_path_with_a_value_wins():
    rules = Rules(tenant=("metadata.a", "metadata.b"))
    assert attribute(rules, call(metadata__a="x", metadata__b="y")).tenant == "x"
    assert attribute(rules, call(metadata__b="y")).tenant == "y"


def test_an_empty_value_is_no_value():
    assert attribute(Rules(tenant=("a", "b")), call(a="  ", b="y")).tenant == "y"


def test_no_match_is_none():
    assert attribute(DEFAULT_RULES, call()) == Dimensions()


def test_a_default_is_used_only_where_nothing_is_found():
    rules = Rules(environment=("env",), defaults={"environment": "prod"})
    assert attribute(rules, call()).environment == "prod"
    assert attribute(rules, call(env="dev")).environment == "dev"


def test_tags_have_paths_of_their_own():
    assert attribute(Rules(environment=("tags.env",)), call(tags={"env": "qa"})).environment == "qa"


def test_the_end_user_of_the_call_stands_where_no_rule_finds_one():
    assert attribute(Rules(), call(end_user="u1")).end_user == "u1"
    assert (
        attribute(
            Rules(end_user=("metadata.customer",)), call(end_user="u1", metadata__customer="c")
        ).end_user
        == "c"
    )


@pytest.mark.parametrize(
    ("path", "dimension"),
    [
        ("tenant", "tenant"),
        ("metadata.tenant_id", "tenant"),
        ("headers.x-tenant", "tenant"),
        ("metadata.user_api_key_team_alias", "tenant"),
        ("tags.workflow", "workflow"),
        ("metadata.requester_metadata.workflow", "workflow"),
        ("metadata.env", "environment"),
        ("tags.env", "environment"),
    ],
)
def test_default_rules_know_the_usual_places(path, dimension):
    request = Request(api=Api.OTHER, model=None, attributes={path: "v"})
    assert getattr(attribute(DEFAULT_RULES, request), dimension) == "v"


TIERS = (("economy", ("*-mini*", "*-nano*")), ("premium", ("gpt-*", "Claude-Opus*")))


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-4.1-mini", "economy"),
        ("GPT-4.1", "premium"),
        ("claude-opus-4-5", "premium"),
        ("llama-3", None),
        ("", None),
        (None, None),
    ],
)
def test_the_first_tier_with_a_matching_pattern_wins(model, tier):
    assert model_tier(TIERS, model) == tier
