"""`tollbook forecast`, `tollbook budgets` and `tollbook explain` on the two days of the sample."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

AS_OF = "2026-10-07T07:00:00Z"


@pytest.fixture
def ask(morning: Path, tmp_path: Path, run_in):
    """A command in a copy of the morning's folder, answered as JSON."""
    import shutil

    run = run_in(Path(shutil.copytree(morning, tmp_path / "copy")))

    def asked(*args: str, as_of: str = AS_OF):
        done = run(*args, "--as-of", as_of, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    return asked


def test_a_forecast_begins_with_what_is_spent(ask) -> None:
    said = ask("forecast", "--by", "tenant")
    assert said["total"]["spent"] == str(sum((Decimal(row["spent"]) for row in said["rows"]), Decimal(0)))
    assert Decimal(said["total"]["forecast"]) > Decimal(said["total"]["spent"])
    assert said["period_end"] == "2026-11-01T00:00:00+00:00"


def test_a_forecast_of_a_day_before_the_books_has_nothing(in_folder) -> None:
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    done = in_folder("forecast", "--as-of", "2026-10-01T00:00:00Z")
    assert "nothing can be forecast" in done.out


def test_a_budget_is_exact_at_any_second(ask) -> None:
    # gpt-4.1: $2 and $8 a million. 500k in, 125k out on the 5th is $2; each of the 6th is $4. The call of
    # 08:10:00 is not in the books a second before, and is at a second after.
    before = ask("budgets", as_of="2026-10-06T08:10:00Z")
    after = ask("budgets", as_of="2026-10-06T08:10:01Z")
    assert Decimal(before["budgets"][0]["spent"]) == 2
    assert Decimal(after["budgets"][0]["spent"]) == 6


def test_a_past_state_is_by_the_configuration_of_then(in_folder, folder: Path) -> None:
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    file = folder / "tollbook.toml"
    file.write_text(file.read_text().replace("hard_usd = 10", "hard_usd = 1000"))
    assert in_folder("ingest", "--as-of", "2026-10-08T00:00:00Z").code == 0
    then, later = (
        json.loads(in_folder("budgets", "--json", "--as-of", at).out)["budgets"][0]["hard"]
        for at in ("2026-10-07T08:00:00Z", "2026-10-08T00:00:00Z")
    )
    assert (Decimal(then), Decimal(later)) == (10, 1000)


def test_old_data_is_said(ask) -> None:
    assert ask("budgets", as_of="2026-10-20T00:00:00Z")["budgets"][0]["stale"] is True


def test_an_explanation_sums_to_the_change_in_every_cut(ask) -> None:
    said = ask("explain", "--by", "tenant", "--top", "99")
    change = Decimal(said["change_usd"])
    assert change == Decimal(said["cost_usd"]) - Decimal(said["previous_cost_usd"])
    assert sum(Decimal(row["change_usd"]) for row in said["factors"]) == change
    assert sum(Decimal(row["change_usd"]) for row in said["movers"]) == change
    (input_usd,) = (row["change_usd"] for row in said["factors"] if row["factor"] == "input_tokens")
    assert sum(Decimal(row["change_usd"]) for row in said["input_by_segment"]) == Decimal(input_usd)


def test_a_where_explains_a_part(ask) -> None:
    whole, part = ask("explain"), ask("explain", "--where", "tenant=acme")
    assert {row["cell"][0] for row in part["movers"]} == {"acme"}
    assert Decimal(part["cost_usd"]) < Decimal(whole["cost_usd"])


def test_a_running_day_is_held_against_the_same_hours(ask) -> None:
    said = ask("explain", "--period", "2026-10-06", as_of="2026-10-06T09:00:00Z")
    assert said["versus"] == {"start": "2026-10-05T00:00:00+00:00", "end": "2026-10-05T09:00:00+00:00"}


def test_spend_is_held_against_plan(ask) -> None:
    said = ask("explain", "--against", "plan")
    assert said["rows"][0]["tenant"] == "acme"
    assert sum(Decimal(row["change_usd"]) for row in said["rows"]) == Decimal(said["change_usd"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--period", "yesterday"), "--period 'yesterday' is no period: write it as 2026-10-30"),
        (("--by", "team"), "--by 'team' is no dimension: there are tenant, workflow"),
        (("--where", "acme"), "--where 'acme' is no condition: write it as tenant=acme"),
        (("--against", "hope"), "--against takes `plan`"),
    ],
)
def test_what_cannot_be_explained_is_said(in_folder, options, sentence) -> None:
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    done = in_folder("explain", *options)
    assert done.code == 2
    assert sentence in done.err


def test_an_increase_must_be_in_the_unit_of_its_budget(in_folder, folder: Path) -> None:
    file = folder / "tollbook.toml"
    text = file.read_text().replace(
        "hard_usd = 10", "hard_usd = 10\nincrease = {tokens = 5, until = 2026-12-01}"
    )
    file.write_text(text)
    done = in_folder("budgets")
    assert done.code == 2
    assert "the increase of a budget in usd needs usd" in done.err


def test_an_increase_is_told_beside_the_limits_it_is_in(in_folder, folder: Path) -> None:
    file = folder / "tollbook.toml"
    text = file.read_text().replace(
        "hard_usd = 10", "hard_usd = 10\nincrease = {usd = 5, until = 2026-12-01}"
    )
    file.write_text(text)
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    done = in_folder("budgets", "--as-of", AS_OF)
    assert "limits with a temporary increase of $5.00" in done.out
    assert "$15.00" in done.out


def test_proposed_envelopes_are_accepted_as_configuration(folder: Path, in_folder) -> None:
    lines = [
        json.dumps(
            {
                "tollbook": 1,
                "ts": f"2026-10-0{1 + n % 6}T10:00:00Z",
                "call_id": f"many-{n}",
                "tenant": "acme",
                "workflow": 'the "many"',
                "model": "gpt-4.1",
                "input_tokens": 1000 + n,
                "output_tokens": 50,
            }
        )
        for n in range(60)
    ]
    (folder / "logs" / "many.jsonl").write_text("\n".join(lines) + "\n")
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    assert in_folder("envelopes", "suggest", "--out", "proposed.toml", "--as-of", AS_OF).code == 0
    proposed = (folder / "proposed.toml").read_text()
    file = folder / "tollbook.toml"
    file.write_text(file.read_text() + "\n" + proposed)
    said = json.loads(in_folder("envelopes", "--period", "2026-10", "--json", "--as-of", AS_OF).out)
    (row,) = (row for row in said["envelopes"] if row["direction"] == "input")
    # 1,000 to 1,059: the p95 lies at 1,056.05, written to three digits.
    assert (row["workflow"], row["expected_p95"], row["state"]) == ('the "many"', 1060.0, "within")
    again = json.loads(in_folder("envelopes", "suggest", "--json", "--as-of", AS_OF).out)
    assert again["suggestions"] == []


def prompt_calls(folder: Path) -> None:
    """A prompt of 1,000 tokens on six days, and one of 9,000 with two tenants since the seventh."""
    lines = []
    for day in range(1, 8):
        for n in range(10):
            is_new = day == 7
            lines.append(
                {
                    "ts": f"2026-10-0{1 + day}T10:00:0{n}Z",
                    "request": {
                        "model": "gpt-4.1",
                        "messages": [
                            {"role": "system", "content": "New rules." if is_new else "Old rules."},
                            {"role": "user", "content": f"question {n}"},
                        ],
                    },
                    "response": {
                        "id": f"chatcmpl-{'abcdefghijklmnopqrstuvwx'}{day}{n}",
                        "model": "gpt-4.1",
                        "choices": [{"message": {"role": "assistant", "content": "yes"}}],
                        "usage": {"prompt_tokens": 9000 if is_new else 1000, "completion_tokens": 1},
                    },
                    "metadata": {"tenant": "xy"[n % 2], "workflow": "faq"},
                }
            )
    (folder / "logs" / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_prompt_version_is_approved_by_name(folder: Path, in_folder) -> None:
    prompt_calls(folder)
    as_of = ("--as-of", "2026-10-09T00:00:00Z")
    assert in_folder("ingest", *as_of).code == 0
    (change,) = json.loads(in_folder("prompts", "--days", "2", "--json", *as_of).out)["changes"]
    assert (change["workflow"], change["review"]) == ("faq", "open")
    version = change["versions"][0]
    done = in_folder("prompts", "approve", version[:10], "--by", "kim", "--note", "worth it", *as_of)
    assert done.code == 0
    assert "approved by kim: worth it" in done.out
    (change,) = json.loads(in_folder("prompts", "--days", "2", "--json", *as_of).out)["changes"]
    assert change["review"] == "approved"
    assert {review["by"] for review in change["reviews"]} == {"kim"}
    assert in_folder("prompts", "reject", version, "--by", "lee", "--note", "no", "--alone", *as_of).code == 0
    assert "rejected" in in_folder("prompts", "--days", "2", *as_of).out


def test_an_unknown_version_is_said(in_folder) -> None:
    assert in_folder("ingest", "--as-of", AS_OF).code == 0
    done = in_folder("prompts", "approve", "zz", "--by", "kim", "--note", "why")
    assert done.code == 2
    assert "no prompt version begins with 'zz'" in done.err
