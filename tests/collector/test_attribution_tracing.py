"""What is told of a call's attribution is what the ledger does with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.attribution import Rules, attribute, of_source, without_steps
from collector.attribution_rules import Rule, Table
from collector.tracing import trace
from ledger.types import Api, Request

FILE = "/logs/acme/a.jsonl"
PATHS = st.sampled_from(["a", "b", "tags.c", "source.folder", "source.folder.9"])
TABLE = Table("t.csv", "d", {"x": "mapped"})
RULES = st.one_of(
    PATHS,
    st.builds(Rule, path=PATHS, pattern=st.just("^(x|acme)"), otherwise=st.sampled_from([None, "else"])),
    st.builds(Rule, path=PATHS, table=st.just(TABLE)),
    st.builds(Rule, constant=st.just("fixed")),
)
SAID = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", " "]))
LISTS = st.lists(RULES, max_size=4).map(tuple)


@given(
    tenant=LISTS,
    end_user=LISTS,
    said=SAID,
    around=SAID,
    tags=st.dictionaries(st.just("c"), st.just("x")),
    person=st.sampled_from([None, "ida"]),
    defaults=st.dictionaries(st.just("tenant"), st.just("default")),
)
def test_a_trace_ends_in_the_value_that_is_booked(tenant, end_user, said, around, tags, person, defaults):
    rules = Rules(tenant=tenant, end_user=end_user, defaults=defaults)
    call = Request(api=Api.OTHER, model=None, attributes=said, around=around, tags=tags, end_user=person)
    booked = without_steps(attribute(of_source(rules, FILE), call))
    told = {each.dimension: each.value for each in trace(rules, call, FILE)}
    assert (told["tenant"], told["end_user"]) == (booked.tenant, booked.end_user)


def test_each_rule_is_told_once_with_what_it_found():
    rules = Rules(tenant=("a", Rule("b", table=TABLE), "c"))
    call = Request(api=Api.OTHER, model=None, attributes={"b": "y"}, around={"c": "z"})
    tenant = trace(rules, call, FILE)[0]
    assert [(each.rule.name, each.found) for each in tenant.asked] == [
        ("a", None),
        ("b map t.csv", "y"),
        ("c", "z"),
    ]
    assert (tenant.value, tenant.by) == ("z", "c")
