"""Fit OpenAI's framing constants on some repositories and report on the others.

python -m benchmarks.counting.fit --corpus recorded_calls.jsonl.gz            held-out shares
python -m benchmarks.counting.fit --corpus recorded_calls.jsonl.gz --update   and write the evidence tables

The rules themselves are given. A count is linear in its constants, so each call is counted once with none of
them and once with each alone; what is left of the bill then says what a constant must have been, and the
value that most calls agree on is taken. No value of openai_constants.csv is looked at.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path

from benchmarks.counting import forms
from benchmarks.counting.corpus import Item, items
from collector.counting import openai_answer, openai_chat, openai_constants, openai_responses
from collector.counting.evidence import Evidence, judge
from collector.counting.openai_constants import ROWS, Constants, Row
from collector.counting.openai_evidence import Form, generation
from collector.counting.tally import Tally
from collector.segments import label
from collector.tokenizers import bare_model, tokenizer_for
from ledger.types import Answer, Api, Category, Prompt, Request

TABLES = Path(openai_constants.__file__).parent
FILL = {Api.OPENAI_CHAT: openai_chat.fill_with, Api.OPENAI_RESPONSES: openai_responses.fill_with}
# Structural switches are part of the rules.
GIVEN = frozenset({"escaped_results"})
# Constants are fitted in this order, each on calls that need only those before it.
ORDER = tuple(name for name in openai_constants.NAMES if name not in GIVEN)
Key = tuple[str, str, str, str, str]
Values = Mapping[Key, int]


@dataclass(frozen=True, slots=True)
class Equation:
    """One bill: what the constants must add up to, and how often each row's constant is in it."""

    repository: str
    item: Item
    rest: int
    times: tuple[tuple[Row, int], ...]


def key(row: Row) -> Key:
    """What names a row, its value and evidence aside."""
    return (row.api, row.model, row.provider, str(row.since), row.constant)


def _rows(request: Request) -> dict[str, Row]:
    era = openai_constants.era(request.ts)
    return openai_constants.rows_for(request.api, bare_model(request.model or ""), request.provider, era)


def _prompt_tokens(item: Item, constants: Constants) -> Tally:
    request = item.request
    tally = Tally(tokenizer_for(request.model).encoding)
    FILL[request.api](constants, request, item.prompt, label(item.prompt), tally)
    return tally


def _answer_tokens(item: Item, constants: Constants) -> int:
    tally = Tally(tokenizer_for(item.request.model).encoding)
    answer = item.request.answer or Answer()
    return sum(openai_answer.tokens(constants, item.request.prompt or Prompt(), answer, tally))


def _given(rows: Mapping[str, Row]) -> Constants:
    return replace(Constants(), **{name: rows[name].value for name in GIVEN if name in rows})


def prompt_equation(item: Item) -> Equation | None:
    """What a bill says about the prompt's constants; None where the prompt is not all visible."""
    rows = _rows(item.request)
    none = _given(rows)
    bare = _prompt_tokens(item, none)
    if bare.partial:
        return None
    total = sum(bare.by_segment.values())
    times = []
    for name, row in rows.items():
        if name not in GIVEN and name not in openai_constants.ANSWER:
            more = sum(_prompt_tokens(item, replace(none, **{name: 1})).by_segment.values()) - total
            times.append((row, more))
    used = tuple((row, more) for row, more in times if more)
    return Equation(item.repository, item, item.billed - total, used)


def answer_equation(item: Item) -> Equation | None:
    """What a bill says about the answer's constants; None where some of the answer was not shown."""
    if item.billed_answer is None or (item.request.answer and item.request.answer.hidden):
        return None
    total = _answer_tokens(item, Constants())
    times = []
    for name, row in _rows(item.request).items():
        if name in openai_constants.ANSWER:
            more = _answer_tokens(item, replace(Constants(), **{name: 1})) - total
            times.append((row, more))
    used = tuple((row, more) for row, more in times if more)
    return Equation(item.repository, item, item.billed_answer - total, used)


def _fallback(row: Row, fitted: Values) -> int:
    """Of a row nothing was learned about: the value of the next wider row, else nothing."""
    wider = (other for other in ROWS if (other.api, other.constant) == (row.api, row.constant))
    return next((fitted[key(other)] for other in wider if other.model == "*" and key(other) in fitted), 0)


def predicted(equation: Equation, fitted: Values) -> int:
    """What the fitted constants add to a call's visible tokens."""
    return sum(
        more * (fitted[key(row)] if key(row) in fitted else _fallback(row, fitted))
        for row, more in equation.times
    )


def _implied(row: Row, equations: Iterable[Equation], fitted: Values) -> Counter[int]:
    votes: Counter[int] = Counter()
    for equation in equations:
        times = {key(one): more for one, more in equation.times}
        others = [one for one in times if one != key(row)]
        if key(row) in times and all(one in fitted for one in others):
            left = equation.rest - sum(times[one] * fitted[one] for one in others)
            if left % times[key(row)] == 0:
                votes[left // times[key(row)]] += 1
    return votes


def _bases(rows: Sequence[Row], equations: Sequence[Equation]) -> dict[Key, int]:
    """`base` and `message` stand in every prompt together: take the pair that meets most bills."""
    fitted: dict[Key, int] = {}
    by_rows: defaultdict[tuple[Key, Key], Counter[tuple[int, int]]] = defaultdict(Counter)
    for equation in equations:
        used = {row.constant: (key(row), more) for row, more in equation.times}
        if used.keys() == {"base", "message"}:
            (base, _), (message, times) = used["base"], used["message"]
            by_rows[base, message][times, equation.rest] += 1
    for (base, message), seen in sorted(by_rows.items(), key=lambda pair: -pair[1].total()):
        bases = [fitted[base]] if base in fitted else range(8)
        messages = [fitted[message]] if message in fitted else range(8)

        def met(pair: tuple[int, int], seen: Counter[tuple[int, int]] = seen) -> tuple[int, int]:
            hits = sum(n for (times, rest), n in seen.items() if pair[0] + pair[1] * times == rest)
            return hits, pair[1]

        fitted[base], fitted[message] = max(product(bases, messages), key=met)
    wanted = {key(row) for row in rows}
    return {one: value for one, value in fitted.items() if one in wanted}


def fit(equations: Sequence[Equation]) -> dict[Key, int]:
    """Fit every constant that the equations say something about."""
    fitted = _bases(ROWS, equations)
    for name in ORDER:
        for row in (row for row in ROWS if row.constant == name and key(row) not in fitted):
            votes = _implied(row, equations, fitted)
            if votes:
                fitted[key(row)] = votes.most_common(1)[0][0]
    # Calls in a row always come with a first call: what needed a pair of unknowns is left to a second look.
    for name in ("calls_end", "calls_each", "further_call", "further_unheld", "text_end_schema"):
        for row in (row for row in ROWS if row.constant == name and key(row) not in fitted):
            votes = _implied(row, equations, {**fitted, **_twin(row)})
            if votes:
                fitted.update(_twin(row))
                fitted[key(row)] = votes.most_common(1)[0][0]
    return fitted


def _twin(row: Row) -> dict[Key, int]:
    """`calls_end` and `calls_each` are only met together: all goes to the one, none to the other."""
    twin = {"calls_end": "calls_each", "calls_each": "calls_end"}.get(row.constant)
    return {} if twin is None else {key(replace(row, constant=twin)): 0}


def held_out(equations: Sequence[Equation]) -> list[tuple[Equation, int]]:
    """Each call with what constants fitted on all other repositories leave of its bill."""
    left = []
    for repository in sorted({equation.repository for equation in equations}):
        fitted = fit([equation for equation in equations if equation.repository != repository])
        tested = (equation for equation in equations if equation.repository == repository)
        left.extend((equation, equation.rest - predicted(equation, fitted)) for equation in tested)
    return left


def shipped() -> dict[Key, int]:
    """The values of openai_constants.csv."""
    return {key(row): row.value for row in ROWS}


def equations(found: Sequence[Item]) -> tuple[list[Equation], list[Equation]]:
    """The equations of all prompts and of all answers."""
    framed = [item for item in found if item.request.api in FILL]
    prompts = [one for item in framed if (one := prompt_equation(item))]
    return prompts, [one for item in framed if (one := answer_equation(item))]


def evidence(
    found: Sequence[Item], left: Sequence[tuple[Equation, int]]
) -> tuple[list[Evidence], list[Form]]:
    """How each API, generation and category was met, in sample and held out; and each form."""
    outside = {id(equation.item): rest for equation, rest in left}
    calls = forms.countable(found)
    known = forms.by_support(calls)
    first = {
        (one.api, one.generation, one.category): judge(one).exact for one in _scored(calls, known, outside)
    }
    known = forms.judged(calls, known, lambda item: first.get(_group(item), False))
    return _scored(calls, known, outside), list(known.values())


def _group(item: Item) -> tuple[Api, str, Category]:
    return item.request.api, generation(bare_model(item.request.model or "")), item.category


def _scored(
    calls: Sequence[tuple[Item, frozenset[forms.Key]]], known: forms.Forms, outside: Mapping[int, int]
) -> list[Evidence]:
    groups: defaultdict[tuple[Api, str, Category], list[Item]] = defaultdict(list)
    for item, _ in calls:
        groups[_group(item)].append(item)
    plain = {id(item) for item, of in calls if not forms.doubtful(of, known)}
    return [_evidence(*group, of, outside, plain) for group, of in sorted(groups.items())]


def _off(item: Item) -> float:
    return abs((item.counted.input_tokens or 0) - item.billed) / max(1, item.billed)


def _evidence(
    api: Api,
    model: str,
    category: Category,
    of: Sequence[Item],
    outside: Mapping[int, int],
    without_doubt: set[int],
) -> Evidence:
    plain = [item for item in of if id(item) in without_doubt]
    count = max(1, len(plain))
    errors = sorted(map(_off, of))
    met_outside = sum(
        outside.get(id(item), (item.counted.input_tokens or 0) - item.billed) == 0 for item in plain
    )
    return Evidence(
        api,
        model,
        category,
        recordings=len(plain),
        repositories=len({item.repository for item in plain}),
        exact=round(sum(map(forms.is_met, plain)) / count, 4),
        held_out=round(met_outside / count, 4),
        # Four of five are nearer; where those are all met, the mean says how far the fifth is off.
        error=round(errors[int(0.8 * (len(errors) - 1) + 0.5)] or sum(errors) / len(errors), 4),
    )


def _write(name: str, lines: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    with (TABLES / name).open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _day(row: Row, side: str) -> str:
    day = row.since if side == "since" else row.until
    return f"{day:%Y-%m-%d}" if day else ""


def constants_table(all_equations: Sequence[Equation]) -> list[dict[str, object]]:
    """The constants as they are shipped, beside what each rests on."""
    values = shipped()
    supporting: defaultdict[Key, list[str]] = defaultdict(list)
    for equation in all_equations:
        if equation.rest == predicted(equation, values):
            for row, _ in equation.times:
                supporting[key(row)].append(equation.repository)
    return [
        {
            "api": row.api.value,
            "model": row.model,
            "provider": row.provider,
            "since": _day(row, "since"),
            "until": _day(row, "until"),
            "constant": row.constant,
            "value": row.value,
            "recordings": len(supporting[key(row)]),
            "repositories": len(set(supporting[key(row)])),
        }
        for row in ROWS
    ]


def update(found: Sequence[Item], prompts: Sequence[Equation], answers: Sequence[Equation]) -> None:
    """Write the evidence tables of the package."""
    rows = constants_table([*prompts, *answers])
    _write("openai_constants.csv", rows, list(rows[0]))
    categories, all_forms = evidence(found, held_out(prompts))
    for name, lines in (("openai_evidence.csv", categories), ("openai_forms.csv", all_forms)):
        _write(name, [asdict(line) for line in lines], [field.name for field in fields(lines[0])])


def _share(left: Sequence[tuple[Equation, int]]) -> str:
    return f"{sum(rest == 0 for _, rest in left):5} of {len(left):5}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--update", action="store_true", help="write the evidence beside the rules")
    wanted = parser.parse_args()
    found, _ = items(wanted.corpus)
    prompts, answers = equations(found)
    for title, of in (("prompts", prompts), ("answers", answers)):
        values, fitted = shipped(), fit(of)
        inside = [(equation, equation.rest - predicted(equation, values)) for equation in of]
        print(
            f"{title}: shipped constants meet {_share(inside)}, held-out repositories {_share(held_out(of))}"
        )
        for row in ROWS:
            if key(row) in fitted and fitted[key(row)] != row.value:
                print(f"  {'/'.join(key(row))}: shipped {row.value}, fitted on all {fitted[key(row)]}")
    if wanted.update:
        update(found, prompts, answers)


if __name__ == "__main__":
    main()
