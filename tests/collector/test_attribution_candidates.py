"""The fields that would attribute most money are found by their names and by how their values repeat."""

from __future__ import annotations

from decimal import Decimal

from collector.candidates import Unattributed, candidates


def call(usd: str = "1", missing=("tenant",), **said: str) -> Unattributed:
    dotted = {name.replace("__", "."): value for name, value in said.items()}
    return Unattributed(dotted, frozenset(missing), Decimal(1), Decimal(usd))


def found(dimension: str, calls) -> list[tuple[str, str, int]]:
    return [(each.path, f"{each.share:.2f}", each.values) for each in candidates(dimension, calls)]


def test_the_field_with_the_most_money_comes_first():
    calls = [call("1", metadata__team="a")] * 6 + [call("3", metadata__customer="b")] * 6
    assert found("tenant", calls) == [("metadata.customer", "0.75", 1), ("metadata.team", "0.25", 1)]


def test_a_field_counts_for_what_those_before_it_leave():
    calls = [call("3", metadata__customer="b", metadata__team="a")] * 6 + [call("1", metadata__team="a")] * 6
    assert found("tenant", calls) == [("metadata.team", "1.00", 1)]


def test_where_nothing_is_priced_calls_count():
    calls = [call("0", metadata__team="a")] * 3 + [call("0", other="x")]
    assert found("tenant", calls) == [("metadata.team", "0.75", 1)]


def test_a_field_that_names_each_call_tells_nothing():
    calls = [call(metadata__trace_name=f"t{n}", missing=("workflow",)) for n in range(20)]
    assert found("workflow", calls) == []


def test_a_field_of_another_name_is_not_guessed_at():
    assert found("tenant", [call(metadata__color="red")] * 9) == []


def test_what_names_a_person_is_never_proposed():
    calls = [call(metadata__owner="ida@example.test", metadata__user="ida")] * 9
    assert found("tenant", calls) == []


def test_names_of_stages_tell_an_environment_whatever_the_field_is_called():
    calls = [call(missing=("environment",), metadata__where="prod", metadata__x="y")] * 9
    assert found("environment", calls) == [("metadata.where", "1.00", 1)]


def test_only_calls_that_miss_the_dimension_count():
    calls = [call("9", missing=("workflow",), metadata__team="a"), *[call("1", metadata__org_id="o")] * 6]
    assert found("tenant", calls) == [("metadata.org_id", "1.00", 1)]


def test_a_field_for_less_than_a_twentieth_is_not_worth_a_line():
    calls = [call("1", metadata__team="a")] * 3 + [call("1", x="y")] * 60
    assert found("tenant", calls) == []


def test_without_calls_there_is_nothing_to_propose():
    assert found("tenant", []) == []
