"""Fit the constants of Claude's and Gemini's frames on some repositories and report on the others.

python -m benchmarks.counting.fit_others --corpus recorded_calls.jsonl.gz            errors, held out too
python -m benchmarks.counting.fit_others --corpus recorded_calls.jsonl.gz --update   and write both tables

The rules and the vocabularies are given. A count is linear in its constants, so each call is counted once
with none of them and once with each alone. Claude's are whole tokens: the value that most calls agree on
is taken, for output schemas the line that most are near to. Gemini's vocabulary is only approached: there
the least sum of relative errors decides. No value of framing.csv is looked at.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.counting.corpus import Item, items
from collector import claude_text
from collector.counting import anthropic_messages, framing, gemini_generate
from collector.counting.framed_evidence import EVERY, generation
from collector.counting.framing import Row
from collector.counting.tally import Tally
from collector.segments import label
from collector.tokenizers import tokenizer_for
from ledger.types import Answer, Api, Category

TABLES = Path(framing.__file__).parent
CLAUDE = frozenset({Api.ANTHROPIC_MESSAGES, Api.BEDROCK_CONVERSE})
FILL = {Api.ANTHROPIC_MESSAGES: anthropic_messages.fill_with, Api.GEMINI_GENERATE: gemini_generate.fill_with}
OUTPUT = {
    Api.ANTHROPIC_MESSAGES: anthropic_messages.output_with,
    Api.GEMINI_GENERATE: gemini_generate.output_with,
}
# What a row's error says: so many of the held-out calls were off by no more.
QUANTILE = 0.8
# A constant that is a factor is tried at a value at which rounding does not matter.
_HUNDREDTHS = "_per_100"
_FACTOR = 10_000
_LOOKS = 3
# A factor is looked for up to this many hundredths, and a call is near a line that is so many tokens off.
_FACTORS = 300
_NEAR = 2
Key = tuple[str, str, str, str]
Values = Mapping[Key, int]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """One bill: what the constants must add up to, and how often each row's constant is in it."""

    item: Item
    rest: int
    times: tuple[tuple[Row, float], ...]
    sure: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A constant by its rows, or several that are only met together."""

    rows: tuple[Row, ...]
    known_times: tuple[tuple[float, ...], ...]
    rests: tuple[int, ...]
    billed: tuple[int, ...]
    repositories: tuple[str, ...]


def key(row: Row) -> Key:
    """What names a row, its value and evidence aside."""
    return (row.api, row.model, str(row.since), row.constant)


def family(api: Api) -> Api:
    """The API whose constants stand for a call's."""
    return Api.ANTHROPIC_MESSAGES if api in CLAUDE else api


def is_framed(item: Item) -> bool:
    """Whether a call is one of the families fitted here, and no other maker's model."""
    encoding = tokenizer_for(item.request.model).encoding
    own = encoding in claude_text.ENCODINGS if item.request.api in CLAUDE else True
    return family(item.request.api) in FILL and own


def rows_of(item: Item) -> Mapping[str, Row]:
    """The row of each constant."""
    day = None if item.request.ts is None else item.request.ts.date()
    return framing.rows_for(family(item.request.api), (item.request.model or "").lower(), day)


def prompt_tally(item: Item, frame: Mapping[str, int]) -> Tally:
    """Count a prompt with given constants."""
    tally = Tally(tokenizer_for(item.request.model).encoding)
    FILL[family(item.request.api)](frame, item.request, item.prompt, label(item.prompt), tally)
    return tally


def prompt_tokens(item: Item, frame: Mapping[str, int]) -> int:
    """The prompt's tokens with given constants."""
    return sum(prompt_tally(item, frame).by_segment.values())


def answer_tokens(item: Item, frame: Mapping[str, int]) -> int:
    """The answer's tokens with given constants."""
    tally = Tally(tokenizer_for(item.request.model).encoding)
    return sum(OUTPUT[family(item.request.api)](frame, item.request.answer or Answer(), tally))


def _times(
    item: Item, count: Callable[[Item, Mapping[str, int]], int]
) -> tuple[int, tuple[tuple[Row, float], ...]]:
    """The tokens without any constant, and how often each is in them."""
    rows = rows_of(item)
    none = dict.fromkeys(rows, 0)
    bare = count(item, none)
    times = []
    for name, row in rows.items():
        step = _FACTOR if name.endswith(_HUNDREDTHS) else 1
        more = (count(item, {**none, name: step}) - bare) / step
        if more:
            times.append((row, more))
    return bare, tuple(times)


def prompt_equation(item: Item) -> Equation | None:
    """What a bill says about the prompt's constants; None where the prompt is not all visible."""
    tally = prompt_tally(item, dict.fromkeys(rows_of(item), 0))
    if tally.partial or item.partial:
        return None
    bare, times = _times(item, prompt_tokens)
    return Equation(item, item.billed - bare, times, not tally.estimated)


def answer_equation(item: Item) -> Equation | None:
    """What a bill says about the answer's constants; None where some of it was not shown; Claude only."""
    answer = item.request.answer
    if item.billed_answer is None or answer is None or answer.hidden or answer.reasoning:
        return None
    if item.request.api not in CLAUDE:
        return None
    bare, times = _times(item, answer_tokens)
    return Equation(item, item.billed_answer - bare, times, sure=True)


# Fitted in this order, each on calls that need only those before it; what is met together is fitted together.
ORDER: tuple[tuple[Api, Names], ...] = (
    *(
        (Api.ANTHROPIC_MESSAGES, names)
        for names in (
            ("turn", "base"),
            ("system",),
            ("thinking",),
            ("thinking_adaptive",),
            ("tools",),
            ("tools_system",),
            ("tool",),
            ("forced_any",),
            ("forced",),
            ("round", "round_first"),
            ("round_parallel",),
            ("image",),
            ("schema_per_100", "schema"),
            ("schema_beside_tools",),
            ("answer_end",),
            ("answer_call",),
            ("answer_calls",),
        )
    ),
    *(
        (Api.GEMINI_GENERATE, names)
        for names in (
            ("text_per_100", "digit_per_100", "line_end_per_100", "message"),
            ("tool", "property"),
            ("call", "result"),
            ("image",),
        )
    ),
)


def resolved(row: Row, fitted: Values) -> int | None:
    """A row's value, or that of the next wider row; None where neither is known."""
    if key(row) in fitted:
        return fitted[key(row)]
    wider = (other for other in framing.rows() if (other.api, other.constant) == (row.api, row.constant))
    return next((fitted[key(other)] for other in wider if other.model == "*" and key(other) in fitted), None)


def _left(equation: Equation, unknown: Sequence[str], fitted: Values) -> int | None:
    """What known constants leave of a bill; None where one that is not asked for is unknown."""
    left: float = equation.rest
    for row, times in equation.times:
        if row.constant not in unknown:
            value = resolved(row, fitted)
            if value is None:
                return None
            left -= times * value
    return round(left)


def _groups(api: Api, names: Names, equations: Sequence[Equation], fitted: Values) -> list[Unknown]:
    """The calls that tell of some constants, by the rows that hold for them, those of most calls first."""
    found: defaultdict[tuple[Row, ...], list[tuple[Equation, int]]] = defaultdict(list)
    for equation in equations:
        rows = rows_of(equation.item)
        if family(equation.item.request.api) is not api or not _names(equation) & set(names):
            continue
        left = _left(equation, names, fitted)
        if left is not None:
            found[tuple(rows[name] for name in names)].append((equation, left))
    by_size = sorted(found.items(), key=lambda pair: (-len(pair[1]), [key(row) for row in pair[0]]))
    return [_unknown(rows, of) for rows, of in by_size]


def _names(equation: Equation) -> set[str]:
    return {row.constant for row, _ in equation.times}


def _unknown(rows: tuple[Row, ...], of: Sequence[tuple[Equation, int]]) -> Unknown:
    used = [{key(row): times for row, times in equation.times} for equation, _ in of]
    return Unknown(
        rows,
        tuple(tuple(times.get(key(row), 0.0) for row in rows) for times in used),
        tuple(left for _, left in of),
        tuple(max(1, equation.item.billed) for equation, _ in of),
        tuple(equation.item.repository for equation, _ in of),
    )


def _elected(votes: Counter[tuple[str, int]]) -> tuple[float, int]:
    """The votes and the value that wins: a repository has the root of its calls, or one decides alone."""
    found: defaultdict[int, float] = defaultdict(float)
    for (_, value), calls in votes.items():
        found[value] += sqrt(calls)
    return max((weight, value) for value, weight in found.items())


def _whole(of: Unknown, settled: Values) -> dict[Key, int]:
    """One constant: the value that most calls agree on."""
    del settled
    votes: Counter[tuple[str, int]] = Counter()
    for (times,), left, repository in zip(of.known_times, of.rests, of.repositories, strict=True):
        if left % times == 0:
            votes[repository, int(left // times)] += 1
    return {key(of.rows[0]): _elected(votes)[1]} if votes else {}


def _pair(of: Unknown, settled: Values) -> dict[Key, int]:
    """Two constants met together: the pair that meets most calls; where many do, that of the wider row."""
    first, second = of.rows
    usual, known = resolved(first, settled), settled.get(key(second))
    best, met = (0, 0), (-1.0, False)
    for value in range(100):
        votes: Counter[tuple[str, int]] = Counter()
        for (times, other), left, repository in zip(of.known_times, of.rests, of.repositories, strict=True):
            rest = left - times * value
            if other and rest % other == 0 and known in (None, rest // other):
                votes[repository, int(rest // other)] += 1
        if votes and ((elected := _elected(votes))[0], value == usual) > met:
            best, met = (value, elected[1]), (elected[0], value == usual)
    return {key(first): best[0], key(second): best[1]}


def _line(of: Unknown, settled: Values) -> dict[Key, int]:
    """A factor and what comes with it: the line that most calls are near to, each repository by its root."""
    del settled
    points = [
        (times[0], left, one)
        for times, left, one in zip(of.known_times, of.rests, of.repositories, strict=True)
    ]
    found: list[tuple[float, int, int]] = []
    for slope in range(_FACTORS):
        votes: Counter[tuple[str, int]] = Counter()
        for often, left, repository in points:
            rest = round(left - slope * often)
            votes.update((repository, rest + off) for off in range(-_NEAR, _NEAR + 1))
        weight, rest = _elected(votes)
        found.append((weight, slope, rest))
    best = max(weight for weight, _, _ in found)
    among = sorted((slope, rest) for weight, slope, rest in found if weight == best)
    slope, rest = among[len(among) // 2]
    return {key(of.rows[0]): slope, key(of.rows[1]): rest}


def _least(of: Unknown, settled: Values) -> dict[Key, int]:
    """The least sum of relative errors, by weights that are found again and again."""
    del settled
    times, rests = np.array(of.known_times), np.array(of.rests)
    scale = 1 / np.array(of.billed, dtype=float)
    weights, values = scale, np.zeros(times.shape[1])
    for _ in range(60):
        root = np.sqrt(weights * scale)[:, None]
        values = np.linalg.lstsq(times * root, rests * root[:, 0], rcond=None)[0]
        weights = 1 / np.maximum(np.abs(rests - times @ values), 0.05)
    met = times.any(axis=0)
    return {key(row): round(float(values[at])) for at, row in enumerate(of.rows) if met[at]}


def _fitted_by(api: Api, names: Names) -> Callable[[Unknown, Values], dict[Key, int]]:
    if api is Api.GEMINI_GENERATE and names != ("image",):
        return _least
    if names[0] == "schema_per_100":
        return _line
    return _pair if len(names) == 2 else _whole


def fit(equations: Sequence[Equation]) -> dict[Key, int]:
    """Fit every constant that the equations say something about.

    A first look takes the calls that need nothing unknown, the next ones all of Claude's calls: they settle
    what the first could only read from a few. Gemini's tools are too uncertain to tell of its text.
    """
    fitted: dict[Key, int] = {}
    for look in range(_LOOKS):
        for api, names in ORDER:
            if look and api is Api.GEMINI_GENERATE:
                continue
            settled: dict[Key, int] = {}
            for of in _groups(api, names, equations, fitted):
                found = _fitted_by(api, names)(of, settled)
                settled |= {one: value for one, value in found.items() if one not in settled}
            fitted |= settled
    return fitted


def frame(item: Item, fitted: Values) -> dict[str, int]:
    """A call's constants as they were fitted; of what nothing was learned about, nothing."""
    return {name: resolved(row, fitted) or 0 for name, row in rows_of(item).items()}


def held_out(equations: Sequence[Equation]) -> list[tuple[Equation, int]]:
    """Each prompt with what constants fitted on all other repositories leave of its bill."""
    left = []
    for repository in sorted({equation.item.repository for equation in equations}):
        fitted = fit([equation for equation in equations if equation.item.repository != repository])
        for equation in equations:
            if equation.item.repository == repository:
                counted = prompt_tokens(equation.item, frame(equation.item, fitted))
                left.append((equation, equation.item.billed - counted))
    return left


def equations(found: Sequence[Item]) -> tuple[list[Equation], list[Equation]]:
    """The equations of all prompts and of all answers."""
    framed = [item for item in found if is_framed(item)]
    prompts = [one for item in framed if (one := prompt_equation(item))]
    return prompts, [one for item in framed if (one := answer_equation(item))]


def shipped() -> dict[Key, int]:
    """The values of framing.csv."""
    return {key(row): row.value for row in framing.rows()}


def _met(equation: Equation, answer: bool, values: Values) -> bool:
    """Whether constants meet a bill: to the token, or within 2 % where they are only near."""
    counted = (answer_tokens if answer else prompt_tokens)(equation.item, frame(equation.item, values))
    billed = (equation.item.billed_answer or 0) if answer else equation.item.billed
    near = 0.0 if equation.item.request.api in CLAUDE and "schema" not in _names(equation) else 0.02
    return abs(counted - billed) <= near * billed


def constants_table(
    prompts: Sequence[Equation], answers: Sequence[Equation], values: Values
) -> list[dict[str, object]]:
    """The constants, beside what each rests on."""
    supporting: defaultdict[Key, list[str]] = defaultdict(list)
    for of, is_answer in ((prompts, False), (answers, True)):
        for equation in of:
            if _met(equation, is_answer, values):
                for row, _ in equation.times:
                    supporting[key(row)].append(equation.item.repository)
    return [
        {
            "api": row.api.value,
            "model": row.model,
            "since": row.since or "",
            "until": row.until or "",
            "constant": row.constant,
            "value": values[key(row)],
            "recordings": len(supporting[key(row)]),
            "repositories": len(set(supporting[key(row)])),
        }
        for row in framing.rows()
    ]


def evidence(left: Sequence[tuple[Equation, int]], values: Values) -> list[dict[str, object]]:
    """How each API, generation and category was met, and all generations of an API together."""
    groups: defaultdict[tuple[str, str, Category], list[tuple[Equation, int]]] = defaultdict(list)
    for equation, rest in left:
        item = equation.item
        for name in (generation(item.request.model or ""), EVERY):
            groups[item.request.api.value, name, item.category].append((equation, rest))
    return [_evidence(*group, of, values) for group, of in sorted(groups.items())]


def _evidence(
    api: str, name: str, category: Category, of: Sequence[tuple[Equation, int]], values: Values
) -> dict[str, object]:
    plain = [(equation.item, rest) for equation, rest in of if equation.sure]
    count = max(1, len(plain))
    errors = sorted(abs(rest) / max(1, equation.item.billed) for equation, rest in of)
    met = sum(prompt_tokens(item, frame(item, values)) == item.billed for item, _ in plain)
    return {
        "api": api,
        "generation": name,
        "category": category.value,
        "recordings": len(plain),
        "repositories": len({item.repository for item, _ in plain}),
        "exact": f"{met / count:.4f}",
        "held_out": f"{sum(rest == 0 for _, rest in plain) / count:.4f}",
        "error": f"{errors[min(len(errors) - 1, int(QUANTILE * len(errors)))]:.4f}",
    }


def _write(name: str, lines: Sequence[Mapping[str, object]]) -> None:
    with (TABLES / name).open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def errors_of(equations: Sequence[Equation], values: Values) -> list[tuple[Equation, int]]:
    """Each prompt with what given constants leave of its bill."""
    return [(one, one.item.billed - prompt_tokens(one.item, frame(one.item, values))) for one in equations]


def told(left: Sequence[tuple[Equation, int]]) -> Iterator[str]:
    """Errors by API and category, and of long texts."""
    groups: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for equation, rest in left:
        item = equation.item
        error = abs(rest) / max(1, item.billed)
        groups[item.request.api.value, item.category.value].append(error)
        if item.category is Category.TEXT and item.billed >= 500:
            groups[item.request.api.value, "text of 500 or more"].append(error)
        if item.category in {Category.TOOLS, Category.TOOL_CALLS}:
            groups[item.request.api.value, "all with tools"].append(error)
    for (api, what), errors in sorted(groups.items()):
        ninth = sorted(errors)[min(len(errors) - 1, int(0.9 * len(errors)))]
        equal = sum(error == 0 for error in errors) / len(errors)
        yield (
            f"{api:18} {what:20} {len(errors):4}: median {median(errors):.2%}, "
            f"90 % within {ninth:.2%}, equal {equal:.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--update", action="store_true", help="write constants and evidence beside the rules")
    wanted = parser.parse_args()
    found, _ = items(wanted.corpus)
    prompts, answers = equations(found)
    fitted, left = fit([*prompts, *answers]), held_out(prompts)
    print("shipped constants:", *told(errors_of(prompts, shipped())), sep="\n  ")
    print("fitted on all:", *told(errors_of(prompts, {**shipped(), **fitted})), sep="\n  ")
    print("held out:", *told(left), sep="\n  ")
    for row in framing.rows():
        if key(row) in fitted and fitted[key(row)] != row.value:
            print(f"{'/'.join(key(row))}: shipped {row.value}, fitted on all {fitted[key(row)]}")
    if wanted.update:
        values = {**shipped(), **fitted}
        _write("framing.csv", constants_table(prompts, answers, values))
        _write("framed_evidence.csv", evidence(left, values))


if __name__ == "__main__":
    main()
