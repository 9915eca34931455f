"""Lines of providers' reports become bills, never calls; the reports are invented, the sums by hand."""

from __future__ import annotations

import json
import os
from datetime import datetime
from decimal import Decimal

import pytest

from collector.formats import FORMATS, NotACallError
from ledger.types import Bill

DAY = datetime(2026, 9, 20), datetime(2026, 9, 21)


@pytest.fixture(scope="module")
def bills(samples):
    def of(name: str, record: int | None = None) -> list[Bill]:
        form = FORMATS[name]
        lines = (samples / "formats" / f"{name}.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        chosen = records if record is None else [records[record]]
        items = [item for each in chosen for item in (form.items(each) if form.items else [each])]
        return [bill for item in items if isinstance(bill := form.read(item), Bill)]

    return of


def amounts(found: list[Bill]) -> dict[str, int]:
    return {bill.meter: int(bill.quantity) for bill in found if bill.quantity is not None}


def costs(found: list[Bill]) -> list[tuple[str | None, str, str]]:
    return [(bill.model, bill.meter, str(bill.cost_usd)) for bill in found if bill.cost_usd is not None]


def refused(name: str, record: dict[str, object]) -> str:
    form = FORMATS[name]
    with pytest.raises(ValueError, match=r".") as caught:
        [form.read(item) for item in (form.items(record) if form.items else [record])]
    return str(caught.value)


def test_openai_usage_is_split_into_disjoint_meters(bills):
    found = bills("openai_bill", 0)
    assert amounts(found) == {
        "input": 60_000,
        "cache_read": 30_000,
        "output": 4_100,
        "audio_input": 0,
        "requests": 41,
    }
    first = found[0]
    assert (first.report, first.model) == ("openai.usage.completions", "gpt-4.1-mini-2025-04-14")
    assert (first.period_start.replace(tzinfo=None), first.period_end.replace(tzinfo=None)) == DAY
    assert first.keys == {"project_id": "proj_harbor", "batch": "false", "service_tier": "default"}
    assert first.grouped_by == ("project_id", "model", "batch", "service_tier")


def test_a_bucket_without_results_is_a_period_in_which_nothing_was_used(bills):
    last = bills("openai_bill", 0)[-1]
    assert (last.meter, last.quantity, last.cost_usd) == ("nothing", None, None)
    assert f"{last.period_start:%Y-%m-%d}" == "2026-09-21"


def test_openai_cache_writes_are_no_part_of_the_input_meter(bills):
    assert amounts(bills("openai_bill", 1)) == {
        "input": 400,
        "cache_read": 200,
        "cache_write": 100,
        "output": 90,
        "requests": 3,
    }


@pytest.mark.parametrize(
    ("record", "report", "found"),
    [
        (3, "openai.usage.embeddings", {"input": 52_000, "requests": 130}),
        (4, "openai.usage.images", {"images": 6, "requests": 4}),
        (5, "openai.usage.audio_transcriptions", {"seconds": 345, "requests": 5}),
        (6, "openai.usage.vector_stores", {"bytes": 73_400_320}),
    ],
)
def test_other_kinds_of_usage_have_reports_of_their_own(bills, record, report, found):
    lines = bills("openai_bill", record)
    assert amounts(lines) == found
    assert {line.report for line in lines} == {report}


def test_openai_costs_name_model_and_meter_in_their_line_item(bills):
    assert costs(bills("openai_bill", 7)) == [
        ("gpt-4.1-mini-2025-04-14", "cache_read", "0.0375"),
        (None, "Credit", "-1.250000000000"),
    ]


def test_rows_of_openais_exports_are_read_like_its_pages(bills):
    assert costs(bills("openai_bill", 8)) == [(None, "cost", "0.89587400000")]
    assert amounts(bills("openai_bill", 9)) == {
        "input": 3_000,
        "cache_read": 400,
        "output": 510,
        "requests": 17,
    }


def test_openai_usage_that_does_not_tie_is_refused():
    def page(**result: object) -> dict[str, object]:
        named = {"object": "organization.usage.completions.result", **result}
        return {"data": [{"start_time": 1789862400, "end_time": 1789948800, "results": [named]}]}

    assert refused("openai_bill", page(input_tokens=5, input_cached_tokens=6)) == (
        "cached tokens are 1 more than the 5 that should include them"
    )
    assert "input_uncached_tokens is 4" in refused(
        "openai_bill", page(input_tokens=5, input_uncached_tokens=4)
    )
    assert "output_tokens is -1" in refused("openai_bill", page(output_tokens=-1))
    assert "output_tokens is text of 3 characters" in refused("openai_bill", page(output_tokens="ten"))


def test_anthropic_usage_excludes_the_cache_from_its_input(bills):
    first = bills("anthropic_bill", 0)[:6]
    assert amounts(first) == {
        "input": 8_000,
        "cache_read": 64_000,
        "cache_write": 1_200,
        "cache_write_1h": 300,
        "output": 2_100,
        "web_search": 2,
    }
    assert first[0].keys == {
        "workspace_id": "wrkspc_Pier",
        "service_tier": "standard",
        "context_window": "0-200k",
    }


def test_anthropic_amounts_are_text_in_cents(bills):
    assert costs(bills("anthropic_bill", 3)) == [
        ("claude-sonnet-4-5-20250929", "input", "24"),
        ("claude-sonnet-4-5-20250929", "cache_write_1h", "0.005"),
        (None, "web_search", "-0.1234"),
    ]
    assert costs(bills("anthropic_bill", 4)) == [(None, "cost", "0.99999999")]


def test_another_currency_is_refused():
    bucket = {"starting_at": "2026-09-20T00:00:00Z", "ending_at": "2026-09-21T00:00:00Z"}
    record = {"data": [bucket | {"results": [{"amount": "5", "currency": "EUR"}]}]}
    assert refused("anthropic_bill", record) == (
        "amount is in another currency than USD, and bills are kept in US dollars"
    )


def test_openrouter_days_are_utc_and_own_keys_cost_nothing_here(bills):
    found = bills("openrouter_activity", 2)
    assert amounts(found) == {"input": 300, "output": 20, "reasoning": 0, "requests": 2, "byok_inference": 0}
    assert [str(bill.quantity) for bill in found if bill.meter == "byok_inference"] == ["0.012"]
    assert costs(found) == [("harbor/quay-large-0901", "cost", "0")]
    assert (found[0].period_end - found[0].period_start).total_seconds() == 86_400


def test_vercel_input_is_what_the_cache_leaves_of_it(bills):
    found = bills("vercel_report", 0)
    assert amounts(found) == {
        "input": 700,
        "cache_read": 200,
        "cache_write": 100,
        "output": 50,
        "reasoning": 10,
        "requests": 42,
    }
    assert [(bill.cost_usd, bill.list_cost_usd) for bill in found if bill.meter == "cost"] == [
        (Decimal("12.5"), Decimal("13.25"))
    ]
    hour = bills("vercel_report", 2)[0]
    assert (hour.period_end - hour.period_start).total_seconds() == 3_600


def test_a_focus_charge_keeps_meter_model_tags_and_both_costs(bills):
    first, out, *_ = bills("focus", 0) + bills("focus", 1)
    assert (first.provider, first.model, first.meter) == ("Harbor AI", "quay-large", "input")
    assert (first.quantity, first.unit) == (Decimal(500_000), "tokens")
    assert (first.cost_usd, first.list_cost_usd) == (Decimal("1.5"), Decimal(2))
    assert first.keys["tag.team"] == "pier"
    assert (out.meter, out.cost_usd) == ("output", Decimal("7.25"))


def test_a_focus_credit_is_below_zero_to_the_last_digit(bills):
    (found,) = bills("focus", 5)
    assert (found.meter, found.cost_usd, found.quantity) == ("cost", Decimal("-3.000000000001"), None)


def test_a_focus_charge_of_another_service_is_set_aside(bills):
    with pytest.raises(NotACallError):
        bills("focus", 6)


def page(day: int, amount: float) -> bytes:
    start = 1789862400 + day * 86_400
    result = {"object": "organization.costs.result", "amount": {"value": amount, "currency": "usd"}}
    bucket = {"start_time": start, "end_time": start + 86_400, "results": [result]}
    return json.dumps({"object": "page", "data": [bucket]}, indent=1).encode()


BILLED = "SELECT strftime(period_start, '%d'), cost_usd::VARCHAR FROM bills ORDER BY ALL"


def test_bills_are_no_calls(books, samples):
    done = books.ingest(samples / "formats" / "anthropic_bill.jsonl")
    assert done.total("bills") == done.total("read") > 0
    assert books.rows("SELECT count(*) FROM requests") == [(0,)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_report_that_was_written_last_stands_in_any_order(books, order):
    files = [books.file("a.json", page(0, 1.25), age_s=60), books.file("b.json", page(0, 1.5), age_s=0)]
    for number in order:
        books.ingest(files[number])
    assert books.rows(BILLED) == [("20", "1.500000000000")]


def test_a_report_read_again_adds_nothing(books):
    file = books.file("a.json", page(0, 1.25))
    assert books.ingest(file).total("bills") == 1
    os.utime(file)
    copy = books.file("b.json", page(0, 1.25))
    done = books.ingest(file, copy)
    assert (done.total("bills"), done.total("duplicate")) == (0, 1)
    assert books.rows(BILLED) == [("20", "1.250000000000")]


FOCUS = (
    "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ProviderName,SkuMeter\n"
    "{},USD,2026-09-20,2026-09-21,Harbor AI,Input Tokens\n"
    "{},USD,2026-09-20,2026-09-21,Harbor AI,Input Tokens\n"
)


def test_equal_charges_of_one_focus_file_add_up_and_a_later_file_replaces_them(books):
    first = books.file("a.csv", FOCUS.format("1.5", "1.5").encode(), age_s=60)
    assert books.ingest(first).total("bills") == 2
    later = books.file("b.csv", FOCUS.format("1.5", "2.25").encode())
    books.ingest(later, first)
    assert books.rows("SELECT sum(cost_usd)::VARCHAR, count(*) FROM bills") == [("3.750000000000", 2)]


def test_a_bad_line_is_a_reject_and_costs_no_other(books):
    record = json.loads(page(0, 1))
    record["data"][0]["results"].append({"object": "x", "amount": {"value": "much", "currency": "usd"}})
    done = books.ingest(books.file("a.jsonl", json.dumps(record).encode() + b"\n"))
    assert (done.total("bills"), done.total("rejected")) == (1, 1)
    assert books.reasons() == [(1, "amount.value is text of 4 characters, expected a number")]


def test_people_in_bills_are_hashed(books, samples):
    books.ingest(samples / "formats" / "vercel_report.jsonl")
    (kept,) = books.rows("SELECT DISTINCT keys['user'] FROM bills WHERE keys['user'] IS NOT NULL")
    assert "lin" not in str(kept[0])
    assert len(str(kept[0])) >= 32


def test_what_a_report_is_made_of_is_listed_apart(books):
    from ledger.bills import reports

    books.ingest(books.file("a.json", page(0, 1.25)), books.file("b.json", page(3, 2)))
    with books.visit() as ledger:
        (found,) = reports(ledger).to_dicts()
    assert (found["report"], found["period_s"], found["lines"]) == ("openai.costs", 86_400, 2)
    assert found["cost_usd"] == Decimal("3.25")
    assert found["gaps"] == [{"from": datetime(2026, 9, 21), "to": datetime(2026, 9, 23)}]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "billed"),
    [
        ("anthropic_cost_report.json", "1.234500000000"),
        ("openai_costs.json", "0.060000000000"),
        ("openrouter_activity.json", "0.015000000000"),
        ("vercel_ai_gateway_report.json", "12.500000000000"),
        ("focus_ai_prompt_caching_a.csv", "33.900000000000"),
    ],
)
def test_the_reference_reports_come_to_what_they_say(books, shared, name, billed):
    done = books.ingest(shared / "formats" / name)
    assert done.total("rejected") == 0
    assert books.rows("SELECT sum(cost_usd)::VARCHAR FROM bills") == [(billed,)]


def test_every_anthropic_amount_of_the_sample_is_cents(bills):
    found = bills("anthropic_bill")
    # 24 + 0.005 - 0.1234 + 0.99999999 + 0.0725 + 1 + 0.01 + 0.02 dollars
    assert sum(bill.cost_usd for bill in found if bill.cost_usd is not None) == Decimal("25.98409999")
    assert [bill.meter for bill in found if bill.cost_usd is not None][-4:] == [
        "code_execution",
        "output",
        "cache_read",
        "cache_write",
    ]
    # 8000 + 10 + 500 + 90 + 1 of the five results of usage
    assert sum(bill.quantity for bill in found if bill.meter == "input" and bill.quantity) == 8_601


def test_the_days_of_the_openrouter_sample_come_to_their_sum(bills):
    found = bills("openrouter_activity")
    # 0.015 + 0.0002 + 1.25 + 0 + 3 + 3.5 + 0.0000001 + 0.1 + 0.2 + 0.3 + 0.4
    assert sum(bill.cost_usd for bill in found if bill.cost_usd is not None) == Decimal("8.7652001")
    # 5 + 1 + 80 + 2 + three of 1 and four of 2
    assert sum(bill.quantity for bill in found if bill.meter == "requests") == 99


def test_the_focus_sample_comes_to_its_sum_without_the_other_service(bills):
    found = [bill for number in (0, 1, 2, 3, 4, 5, 7, 8, 9) for bill in bills("focus", number)]
    # five of 1.5, 7.25, a credit, 0.1 as a number, a correction of -0.5
    assert sum(bill.cost_usd for bill in found if bill.cost_usd is not None) == Decimal("11.349999999999")
    assert (found[6].provider, found[6].model, found[6].keys["tag.team"]) == ("Lantern", "glow-1", "quay")
    assert (found[7].period_end - found[7].period_start).total_seconds() == 3_600
    assert (found[8].keys["SubAccountId"], found[8].keys["ChargeClass"]) == ("tenant-9", "Correction")


def test_a_line_of_a_broken_down_vercel_report_names_what_by(bills):
    small = [bill for bill in bills("vercel_report", 1) if bill.model == "harbor/quay-small"]
    assert {bill.grouped_by for bill in small} == {("model",)}
    assert amounts(small) == {"input": 200, "output": 10, "requests": 12}


def test_a_vercel_row_over_a_whole_range_is_none_of_a_day():
    record = {"results": [{"total_cost": 1, "market_cost": 1, "model": "harbor/quay-small"}]}
    assert not FORMATS["vercel_report"].matches(record)
    assert refused("vercel_report", record) == "the line has no day"
