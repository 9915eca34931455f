"""The dated tables of OpenAI's constants and of the evidence for them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.counting.evidence import Evidence, judge
from collector.counting.openai_constants import NAMES, ROWS, constants_for, era, read, rows_for
from collector.counting.openai_evidence import EVIDENCE, FORMS, generation
from ledger.types import Api, Category, Request

HEAD = "api,model,provider,since,until,constant,value,recordings,repositories"


def test_every_constant_has_a_row_and_only_one_for_the_same_calls() -> None:
    assert {row.constant for row in ROWS} == set(NAMES)
    keys = [(row.api, row.model, row.provider, row.since, row.constant) for row in ROWS]
    assert len(keys) == len(set(keys))


def test_a_narrower_row_stands_before_the_wider_one_it_excepts() -> None:
    for index, row in enumerate(ROWS):
        if row.model == "*" and not row.provider and row.since is None:
            after = ROWS[index + 1 :]
            assert not [one for one in after if (one.api, one.constant) == (row.api, row.constant)]


def test_a_row_with_an_unknown_constant_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no constant 'mesage'"):
        read([HEAD, "openai.chat,*,,,,mesage,3,1,1"])


def test_a_new_generation_is_a_row_more() -> None:
    (row,) = read([HEAD, "openai.chat,gpt-7*,azure,2027-01-01,,base,5,10,2"])
    assert (row.api, row.model, row.provider) == (Api.OPENAI_CHAT, "gpt-7*", "azure")
    assert (row.since, row.until) == (datetime(2027, 1, 1, tzinfo=UTC), None)
    assert (row.constant, row.value, row.recordings, row.repositories) == ("base", 5, 10, 2)


def test_dated_rows_hold_from_their_first_day_to_the_day_before_their_last() -> None:
    def hidden(ts: datetime | None) -> int:
        return constants_for(Request(api=Api.OPENAI_RESPONSES, model="gpt-4o", ts=ts)).hidden

    assert [hidden(datetime(2025, 3, day, tzinfo=UTC)) for day in (9, 10, 27, 28)] == [0, 18, 18, 0]
    assert hidden(None) == 0


def test_a_host_has_rows_of_its_own() -> None:
    assert "answer_more" in rows_for(Api.OPENAI_CHAT, "gpt-4o", "azure", None)
    assert "answer_more" not in rows_for(Api.OPENAI_CHAT, "gpt-4o", "openai", None)


def test_a_moment_before_all_dates_is_an_era_of_its_own() -> None:
    assert era(None) is None
    assert era(datetime(2020, 1, 1, tzinfo=UTC)) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o"),
        ("gpt-4.1-nano", "gpt-4.1"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-35-turbo", "gpt-3.5"),
        ("gpt-5-mini", "gpt-5"),
        ("gpt-5.2-chat-latest", "gpt-5.2"),
        ("o4-mini", "o4"),
        ("text-embedding-3-small", "text-embedding-3"),
        ("whatever-9", "whatever-9"),
    ],
)
def test_a_generation_is_the_name_without_size_and_date(model: str, expected: str) -> None:
    assert generation(model) == expected


@pytest.mark.parametrize(
    ("recordings", "repositories", "exact", "held_out", "trusted"),
    [
        (20, 2, 0.98, 0.98, True),
        (19, 2, 1.0, 1.0, False),
        (90, 1, 1.0, 1.0, False),
        (90, 9, 0.97, 1.0, False),
        (90, 9, 1.0, 0.97, False),
    ],
)
def test_the_label_exact_asks_for_many_recordings_of_several_repositories_held_out(
    recordings: int, repositories: int, exact: float, held_out: float, trusted: bool
) -> None:
    found = Evidence(
        Api.OPENAI_CHAT, "gpt-9", Category.TEXT, recordings, repositories, exact, held_out, error=0.01
    )
    assert judge(found).exact is trusted


def evidence(recordings: int, repositories: int, error: float) -> Evidence:
    return Evidence(Api.OPENAI_CHAT, "gpt-9", Category.TEXT, recordings, repositories, 0.9, 0.9, error)


def test_an_error_is_told_only_where_enough_recordings_show_one() -> None:
    assert judge(evidence(20, 2, 0.01)).error == 0.01
    assert judge(evidence(19, 2, 0.01)).error is None
    assert judge(evidence(20, 1, 0.01)).error is None
    assert judge(evidence(20, 2, 0.0)).error is None


def test_no_form_is_confirmed_by_few_recordings_or_by_one_repository() -> None:
    assert FORMS
    confirmed = [row for row in FORMS if row.confirmed and not row.form.startswith("model ")]
    assert min(row.recordings for row in confirmed) >= 20
    assert min(row.repositories for row in confirmed) >= 2
    assert min(row.exact for row in confirmed) >= 0.98
    assert min(row.recordings for row in FORMS if row.confirmed) >= 5


def test_the_shipped_evidence_lets_no_category_of_one_repository_be_exact() -> None:
    assert EVIDENCE
    assert all(row.repositories >= 2 for row in EVIDENCE if judge(row).exact)
