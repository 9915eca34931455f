from __future__ import annotations

import pytest

from reports import words


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("budget_hard_month", "over its hard limit"),
        ("budget_soft_week_tokens", "over its soft limit"),
        ("budget_burn_day", "budget used too fast"),
        ("envelope", "outside its envelope"),
        ("dollar_excess", "spend above usual"),
        ("something_else", "something else"),
    ],
)
def test_a_rule_is_said_in_words_whatever_period_and_unit_it_names(rule, said):
    assert words.rule(rule) == said
