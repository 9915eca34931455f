"""The table of the benchmark: how close each way of counting comes to the bill, by API and category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.counting.baselines import cookbook
from benchmarks.counting.corpus import OPENAI, Item
from ledger.types import Api, Category

TITLES: Mapping[Category, str] = {
    Category.TEXT: "text only",
    Category.TOOLS: "tools, first turn",
    Category.TOOL_CALLS: "tool-call turns",
    Category.JSON_SCHEMA: "json_schema",
    Category.JSON_SCHEMA_TOOLS: "json_schema + tools",
    Category.IMAGES: "images",
    Category.HOSTED: "hosted, files, audio",
    Category.OTHER: "other",
}
Counter = Callable[[Item], int | None]
# Whose error is compared with no formula for chat: it would say nothing.
_FRAMED = (Api.OPENAI_CHAT, Api.OPENAI_RESPONSES)


@dataclass(frozen=True, slots=True)
class Score:
    """How one way of counting met the bills of the `items` it could count; all else are fractions."""

    items: int
    exact: float
    within_two: float
    mean_error: float
    median_error: float
    ninth_error: float
    sum_error: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: ours, and the others' where they count such calls."""

    api: str
    category: str
    items: int
    ours: Score
    held_out: Score | None
    others: Mapping[str, Score]


def score(of: Sequence[Item], count: Counter) -> Score | None:
    """Compare one way of counting with the bills; None where it counts nothing of the group."""
    return _score([(tokens, item.billed) for item in of if (tokens := count(item)) is not None])


def _score(pairs: Sequence[tuple[int, int]]) -> Score | None:
    if not pairs:
        return None
    off = [tokens - billed for tokens, billed in pairs]
    errors = sorted(abs(tokens - billed) / max(1, billed) for tokens, billed in pairs)
    return Score(
        items=len(pairs),
        exact=sum(one == 0 for one in off) / len(off),
        within_two=sum(abs(one) <= 2 for one in off) / len(off),
        mean_error=sum(errors) / len(errors),
        median_error=median(errors),
        ninth_error=errors[min(len(errors) - 1, int(0.9 * len(errors)))],
        sum_error=sum(off) / max(1, sum(billed for _, billed in pairs)),
    )


def ours(item: Item) -> int | None:
    """Our count."""
    return item.counted.input_tokens


def groups(found: Sequence[Item]) -> Iterator[tuple[Api, str, list[Item]]]:
    """The items of each API by category, images of unknown size apart, and all of them."""
    by_api: defaultdict[Api, defaultdict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in found:
        title = TITLES[item.category]
        if item.category is Category.IMAGES and item.partial:
            title = "images of unknown size"
        by_api[item.request.api][title].append(item)
    order = [*TITLES.values()]
    order.insert(order.index("images") + 1, "images of unknown size")
    for api in sorted(by_api):
        yield from ((api, title, by_api[api][title]) for title in order if by_api[api][title])
        everything = [item for of in by_api[api].values() for item in of]
        if len(by_api[api]) > 1:
            yield api, "all", everything


def lines(
    found: Sequence[Item], litellm: Mapping[str, int] | None, outside: Mapping[int, int]
) -> Iterator[Line]:
    """Make the table; `outside` is what constants fitted on other repositories leave of an item's bill."""
    for api, title, of in groups(found):
        mine = score(of, ours)
        if mine is None:
            continue
        others = {"cookbook": score(of, cookbook)} if api in OPENAI else {}
        if litellm is not None and api in _FRAMED:
            others["litellm"] = score(of, lambda item: litellm.get(item.request.response_id or ""))
        held_out = _score(
            [(item.billed - outside[id(item)], item.billed) for item in of if id(item) in outside]
        )
        kept = {name: found_score for name, found_score in others.items() if found_score is not None}
        yield Line(api.value, title, len(of), mine, held_out, kept)


def percent(share: float | None, digits: int = 1) -> str:
    """A share for people."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


HEAD = (
    "| API | what | calls | exact | held out | within ±2 | mean error | sum error "
    "| cookbook exact | mean error | litellm exact | mean error |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)
CALIBRATED_HEAD = (
    "| API | what | calls | exact | within ±2 | median error | 90th percentile | mean error | sum error "
    "| held out: exact | median error | 90th percentile |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)
_OPENAI = frozenset(api.value for api in OPENAI)


def markdown(table: Sequence[Line]) -> str:
    """The tables for docs/counting.md: where counts can be exact, and where they are fitted."""
    exact = [_row(line) for line in table if line.api in _OPENAI]
    fitted = [_fitted_row(line) for line in table if line.api not in _OPENAI]
    return "\n".join([HEAD, *exact, "", CALIBRATED_HEAD, *fitted])


def _row(line: Line) -> str:
    mine = line.ours
    others = [
        percent(getattr(line.others.get(name), what, None))
        for name in ("cookbook", "litellm")
        for what in ("exact", "mean_error")
    ]
    unseen = line.held_out and line.held_out.exact * line.held_out.items / line.items
    exact = (percent(mine.exact), percent(unseen), percent(mine.within_two))
    return _cells(line, *exact, percent(mine.mean_error, 2), percent(mine.sum_error, 2), *others)


def _fitted_row(line: Line) -> str:
    mine = line.ours
    shares = (
        mine.exact,
        mine.within_two,
        mine.median_error,
        mine.ninth_error,
        mine.mean_error,
        mine.sum_error,
    )
    unseen = line.held_out
    held_out = (unseen.exact, unseen.median_error, unseen.ninth_error) if unseen else (None, None, None)
    return _cells(line, *(percent(share) for share in (*shares, *held_out)))


def _cells(line: Line, *cells: str) -> str:
    return "| " + " | ".join([line.api, line.category, f"{line.items:,}", *cells]) + " |"
