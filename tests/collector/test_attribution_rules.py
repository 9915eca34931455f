"""Dimensions come from the user's ordered rules, and never from a guess."""

from __future__ import annotations

import time

import pytest

from collector.attribution import (
    DEFAULT_RULES,
    Dimensions,
    Rules,
    SourceRules,
    attribute_span,
    model_tier,
    of_source,
    ruled_tags,
    without_steps,
)
from collector.attribution import attribute as attribute_own
from collector.attribution_rules import Rule, Table
from ledger.types import Api, Request, Span


def call(model: str | None = "gpt-4o", end_user: str | None = None, tags=None, **attributes) -> Request:
    dotted = {key.replace("__", "."): value for key, value in attributes.items()}
    return Request(api=Api.OPENAI_CHAT, model=model, end_user=end_user, tags=tags or {}, attributes=dotted)


def attribute(rules: Rules, request: Request) -> Dimensions:
    return without_steps(attribute_own(rules, request))


def test_defaults_constants_and_the_surroundings_are_no_word_of_the_calls_own():
    rules = Rules(tenant=("a", Rule(constant="c"), "b"), workflow=("w",), defaults={"environment": "prod"})
    request = Request(api=Api.OPENAI_CHAT, model="m", attributes={"b": "x"}, around={"w": "chat", "a": " "})
    found = attribute_own(rules, request)
    assert (found.tenant, found.workflow, found.environment) == (None, None, None)
    assert found.otherwise == ("c", "chat", "prod", None)


def test_a_step_says_only_what_stands_in_it():
    rules = Rules(tenant=("a", Rule(constant="c")), workflow=("w",), defaults={"workflow": "default"})
    assert attribute_span(rules, Span(span="s", attributes={"a": "x"})) == Dimensions(tenant="x")


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


TEAMS = Table("teams.csv", "d", {"t-7": "acme"})


@pytest.mark.parametrize(
    ("rule", "held", "value"),
    [
        (Rule("a", pattern=r"^team-(?P<value>[a-z]+)-"), "team-blue-7", "blue"),
        (Rule("a", pattern=r"^(\w+)/(?P<value>\w+)"), "x/y", "y"),
        (Rule("a", pattern=r"(\d+)-(\w+)"), "12-b", "12"),
        (Rule("a", pattern=r"\d+"), "v42", "42"),
        (Rule("a", pattern=r"x(?P<value>y)?"), "x", None),
        (Rule("a", pattern="^q"), "x", None),
        (Rule("a", pattern="^q", otherwise="rest"), "x", "rest"),
        (Rule("a", pattern="^team", constant="teams"), "team-1", "teams"),
        (Rule("a", lower=True), " ACME ", "acme"),
        (Rule("a", pattern="^team", lower=True), "Team", "team"),
        (Rule("a", table=TEAMS), "t-7", "acme"),
        (Rule("a", table=TEAMS), "t-8", None),
        (Rule("a", table=TEAMS, otherwise="others"), "t-8", "others"),
        (Rule("a", table=TEAMS, otherwise="others"), "", None),
        (Rule("a", table=TEAMS, lower=True), "T-7", "acme"),
        (Rule("a", pattern="id=(.+)", table=TEAMS), "id=t-7", "acme"),
        (Rule(constant="acme"), "", "acme"),
    ],
)
def test_a_rule_makes_one_value_of_what_it_finds(rule, held, value):
    assert attribute(Rules(tenant=(rule,)), call(a=held)).tenant == value


def test_a_rule_that_gives_nothing_leaves_it_to_the_next():
    rules = Rules(tenant=(Rule("a", table=TEAMS), "b"))
    assert attribute(rules, call(a="t-8", b="x")).tenant == "x"
    assert attribute(rules, call(a="t-7", b="x")).tenant == "acme"


def test_no_expression_takes_more_than_time_in_proportion():
    started = time.process_time()
    assert attribute(Rules(tenant=(Rule("a", pattern="^(a+)+$"),)), call(a="a" * 5_000 + "!")).tenant is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.path", "/logs/acme/bot/2026.jsonl"),
        ("source.name", "2026.jsonl"),
        ("source.folder", "bot"),
        ("source.folder.2", "acme"),
        ("source.folder.9", None),
    ],
)
def test_the_path_of_the_file_has_paths_of_its_own(path, value):
    rules = of_source(Rules(tenant=(path,)), "/logs/acme/bot/2026.jsonl")
    assert attribute(rules, call()).tenant == value


def test_a_record_cannot_say_which_file_it_is_of():
    rules = of_source(Rules(tenant=("source.folder",)), "/logs/acme/a.jsonl")
    assert attribute(rules, call(source__folder="other")).tenant == "acme"


def test_standard_input_has_no_path():
    rules = of_source(Rules(tenant=("source.name", "b")), "-")
    assert attribute(rules, call(b="x")).tenant == "x"


def test_a_source_has_rules_of_its_own():
    own = SourceRules("/logs/a/.*", {"tenant": (Rule(constant="acme"),)}, {"environment": "prod"})
    rules = Rules(tenant=("t",), environment=("e",), defaults={"environment": "dev"}, sources=(own,))
    inside, outside = of_source(rules, "/logs/a/x.jsonl"), of_source(rules, "/logs/b/x.jsonl")
    assert attribute(inside, call(t="other")) == Dimensions(tenant="acme", environment="prod")
    assert attribute(outside, call(t="other")) == Dimensions(tenant="other", environment="dev")
    assert attribute(inside, call(e="qa")).environment == "qa"


def test_the_rest_of_the_rules_may_be_named_in_a_sources_own():
    rules = Rules(workflow=("w",), sources=(SourceRules(".*", {"workflow": ("first", "...")}),))
    of_file = of_source(rules, "/x")
    assert attribute(of_file, call(w="b")).workflow == "b"
    assert attribute(of_file, call(first="a", w="b")).workflow == "a"


def test_the_first_source_that_a_file_is_of_decides():
    sources = (SourceRules("/logs/.*"), SourceRules("/logs/a/.*", {"tenant": (Rule(constant="acme"),)}))
    assert attribute(of_source(Rules(sources=sources), "/logs/a/x"), call()).tenant is None


def test_tags_of_rules_stand_beside_those_of_the_log():
    rules = Rules(tags={"cost_center": ("metadata.cc",), "none": ("nowhere",)})
    assert ruled_tags(rules, call(metadata__cc="k-1")) == {"cost_center": "k-1"}


def test_a_default_tier_is_used_where_no_pattern_fits():
    assert (
        attribute(Rules(defaults={"model_tier": "other"}, tiers=TIERS), call("llama-3")).model_tier == "other"
    )
