"""Compare our counts with the bills of recorded calls, beside the cookbook formula and litellm.token_counter.

python -m benchmarks.counting --corpus recorded_calls.jsonl.gz              the table
python -m benchmarks.counting --corpus recorded_calls.jsonl.gz --json       one JSON object
python -m benchmarks.counting --corpus recorded_calls.jsonl.gz --markdown   and put it into docs/counting.md
python -m benchmarks.counting --corpus recorded_calls.jsonl.gz --quick      of a tenth, no litellm
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.counting import baselines, fit_others
from benchmarks.counting.corpus import MOCK_RULE, OPENAI, Item, items
from benchmarks.counting.fit import Equation, equations, held_out, predicted, shipped
from benchmarks.counting.table import Line, lines, markdown, percent
from ledger.types import CountMethod

PAGE = Path(__file__).resolve().parents[2] / "docs" / "counting.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Label:
    """How far the label `exact` deserves its name, over all countable OpenAI calls."""

    countable: int
    labelled: int
    exact: int

    @property
    def share(self) -> float:
        return self.exact / max(1, self.labelled)

    @property
    def cover(self) -> float:
        return self.labelled / max(1, self.countable)


@dataclass(frozen=True, slots=True)
class Answers:
    """Visible output that equals the bill, with the shipped constants and on held-out repositories."""

    api: str
    what: str
    calls: int
    exact: float
    held_out: float


def label(found: Sequence[Item]) -> Label:
    """Judge the label."""
    countable = [item for item in found if item.request.api in OPENAI and not item.partial]
    labelled = [item for item in countable if item.counted.method is CountMethod.EXACT]
    met = sum(item.counted.input_tokens == item.billed for item in labelled)
    return Label(len(countable), len(labelled), met)


def _what(equation: Equation) -> str:
    answer = equation.item.request.answer
    return "tool calls" if answer is not None and answer.tool_calls else "text"


def answers(of: Sequence[Equation], left: Sequence[tuple[Equation, int]]) -> list[Answers]:
    """Score the answers by API and kind."""
    values, outside = shipped(), {id(equation): rest for equation, rest in left}
    found = []
    for api, what in sorted({(equation.item.request.api, _what(equation)) for equation in of}):
        group = [one for one in of if (one.item.request.api, _what(one)) == (api, what)]
        exact = sum(one.rest == predicted(one, values) for one in group) / len(group)
        unseen = sum(outside[id(one)] == 0 for one in group) / len(group)
        found.append(Answers(api.value, what, len(group), exact, unseen))
    return found


def told(table: Sequence[Line], judged: Label, scored: Sequence[Answers], mocks: Mapping[str, int]) -> str:
    """The measured part of the page."""
    output = "\n".join(
        f"| {one.api} | {one.what} | {one.calls:,} | {percent(one.exact)} | {percent(one.held_out)} |"
        for one in scored
    )
    return (
        f"{markdown(table)}\n\n"
        f"Of {judged.countable:,} countable OpenAI calls {judged.labelled:,} ({percent(judged.cover)}) are"
        f" called `exact`, and {percent(judged.share)} of those are.\n\n"
        "| API | visible answer | calls | exact | held out |\n|---|---|---:|---:|---:|\n"
        f"{output}\n\n{_left_out(mocks)}"
    )


def _left_out(mocks: Mapping[str, int]) -> str:
    return f"{sum(mocks.values())} calls were {MOCK_RULE}."


def write_page(text: str) -> None:
    """Put the tables between the marks of docs/counting.md; what stands around them stays."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="rewrite the tables in docs/counting.md")
    parser.add_argument("--without-litellm", action="store_true", help="make no environment for it")
    parser.add_argument("--quick", action="store_true", help="every tenth call, no litellm; writes nothing")
    wanted = parser.parse_args()
    if wanted.quick and wanted.markdown:
        parser.error("--quick writes nothing: leave out --markdown")
    found, mocks = items(wanted.corpus)
    if wanted.quick:
        found = found[::10]
    prompts, outputs = equations(found)
    outside = {id(equation.item): rest for equation, rest in held_out(prompts)}
    framed, _ = fit_others.equations(found)
    outside |= {id(equation.item): rest for equation, rest in fit_others.held_out(framed)}
    litellm = None if wanted.without_litellm or wanted.quick else baselines.litellm(found, wanted.corpus)
    table = list(lines(found, litellm, outside))
    judged, scored = label(found), answers(outputs, held_out(outputs))
    if wanted.json:
        said = {"table": table, "label": judged, "answers": scored, "mocks": mocks}
        print(json.dumps(said, default=asdict))
        return
    text = told(table, judged, scored, {api.value: n for api, n in mocks.items()})
    print(text if litellm is not None else f"{text}\n\nlitellm is not here: its columns are empty.")
    if wanted.markdown:
        write_page(text)


if __name__ == "__main__":
    main()
