"""`tollbook ingest --on` makes parts of logs on a cluster; `tollbook load-parts` books them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import USER, Desk, UsageError, at_desk

if TYPE_CHECKING:
    from collector.ingest import Intake
    from collector.part_loading import Loaded
    from collector.parts import Made, Order
    from collector.rollups import Each
    from ledger.prices import Contract
    from ledger.types import Calibration

TOTALS = ("read", "added", "updated", "duplicate", "rejected", "merged_identical", "set_aside", "bills")


def make_parts(desk: Desk, paths: Sequence[str], intake: Intake, on: str | None, parts: str | None) -> None:
    """Make parts of paths, or of every [[source]] where there are none, on a cluster."""
    if on is None or parts is None:
        raise UsageError("--on and --parts go together: where to run, and where to keep the parts")
    _check_extra()
    from collector import cluster, places
    from ledger import calibrations, trust
    from tollbook import progress
    from tollbook.stopping import between_commits

    where = cluster.target(on)
    with desk.visit() as ledger:
        key, learned = ledger.key, calibrations.in_force(ledger)
        distrusted = trust.distrusted(ledger)
    planned = _orders(desk, _intakes(desk, paths, intake), learned, _absolute(parts), key)
    orders = [replace(order, distrusted=distrusted) for order in planned]
    places.check_writable(_absolute(parts))
    started = time.perf_counter()
    files = [order.source for order in orders]
    with between_commits(), progress.bar(files, shown=not desk.quiet) as advance:
        done = cluster.make_all(orders, where, key, _teller(advance))
    _keep_doubts(desk, done)
    _say_made(desk, done, parts, time.perf_counter() - started)


def _keep_doubts(desk: Desk, done: Sequence[Made]) -> None:
    """Have the ledger know what was found of the fast counter, so that it is not used again."""
    from ledger import trust

    found = sorted({made.manifest.doubt for made in done if made.manifest and made.manifest.doubt})
    if not found:
        return
    with desk.visit() as ledger:
        for doubt in found:
            trust.distrust(ledger, doubt, desk.now)
    _tell_doubts(desk, found)


def _tell_doubts(desk: Desk, doubts: Sequence[str]) -> None:
    for doubt in doubts:
        desk.warn(
            f"{doubt}; tiktoken counts in its place, and parts that were counted by it are made anew when "
            f"`tollbook ingest --on` is run again"
        )


def _check_extra() -> None:
    if find_spec("distributed") is None:
        raise UsageError("--on needs the extra: pip install 'tollbook[distributed]'")


def _teller(advance: Callable[[int], None]) -> Callable[[Made], None]:
    def tell(made: Made) -> None:
        advance(made.manifest.stamp.size if made.manifest else 0)

    return tell


def _absolute(parts: str) -> str:
    """The same place for a worker in another folder."""
    return parts if "://" in parts else str(Path(parts).expanduser().resolve())


def _intakes(desk: Desk, paths: Sequence[str], intake: Intake) -> list[tuple[str, Intake]]:
    """Every source with how it is read."""
    from collector import places
    from collector.sources import STDIN
    from tollbook import parts

    if STDIN in paths:
        raise UsageError("a cluster cannot read standard input: leave out --on, or give files")
    if paths:
        return [(path, intake) for path in places.find(paths, Path.cwd())]
    return [
        (path, parts.intake(desk.config, source.format))
        for source in desk.config.settings.source
        for path in places.find([source.path], desk.config.base)
    ]


def _orders(
    desk: Desk,
    sources: Sequence[tuple[str, Intake]],
    learned: tuple[Calibration, ...],
    place: str,
    key: bytes,
) -> list[Order]:
    """What the cluster is to do; calls are priced where the parts are booked."""
    from collector.parts import Order
    from ledger.keys import key_id

    found = [(path, replace(each, contracts=(), calibrations=learned)) for path, each in sources]
    return [Order(path, place, each, desk.now, key_id(key)) for path, each in found]


def _say_made(desk: Desk, done: Sequence[Made], place: str, seconds: float) -> None:
    from tollbook import screen

    problems = [made.problem for made in done if made.problem]
    desk.say(screen.parts_made(done, place, seconds), **_made_fields(done, seconds), problems=problems)
    _tell(desk, problems)


def _made_fields(done: Sequence[Made], seconds: float) -> dict[str, object]:
    whole = [made.manifest for made in done if made.manifest]
    return {
        "sources": len(done),
        "made": sum(made.manifest is not None and not made.kept for made in done),
        "kept": sum(made.kept for made in done),
        "rows": sum(manifest.rows for manifest in whole),
        "rejected": sum(manifest.rejected for manifest in whole),
        "bytes": sum(manifest.stamp.size for manifest in whole),
        "parts": sum(len(manifest.parts) for manifest in whole),
        "parts_bytes": sum(part.size for manifest in whole for part in manifest.files),
        "seconds": round(seconds, 3),
    }


@at_desk
def load_parts(
    desk: Desk,
    place: Annotated[str, typer.Argument(help="The folder or URL that `ingest --on` was given as --parts.")],
    rollup_only: Annotated[
        bool,
        typer.Option("--rollup-only", help="Book the sums of whole days only, not their calls."),
    ] = False,
    on: Annotated[
        str | None, typer.Option("--on", help="With --rollup-only: the cluster that sums up.")
    ] = None,
) -> None:
    """Book parts that a cluster made."""
    from collector import part_loading
    from tollbook import jobs, parts, screen

    if on is not None and not rollup_only:
        raise UsageError("--on is for --rollup-only: one process books calls, whatever machine made them")
    jobs.record_configuration(desk.config, desk.visit, desk.now)
    contracts = parts.contracts(desk.config.settings)
    if rollup_only:
        _load_sums(desk, place, contracts, on)
        return
    loaded = part_loading.load_parts(place, desk.visit, contracts, desk.now)
    desk.say(screen.parts_loaded(loaded), **_loaded_fields(loaded))
    _tell_doubts(desk, loaded.doubts)
    _tell(desk, loaded.problems)


def _load_sums(desk: Desk, place: str, contracts: Sequence[Contract], on: str | None) -> None:
    from collector.rollup_loading import load_sums
    from collector.rollups import here
    from tollbook import parts, screen
    from tollbook.stopping import between_commits

    each = here if on is None else _each(desk, on)
    bounds = parts.resources(desk.config)
    with between_commits():
        done = load_sums(_absolute(place), desk.visit, contracts, desk.now, each, bounds)
    desk.say(
        screen.sums_loaded(done),
        days=list(done.days),
        waiting=list(done.waiting),
        calls=done.calls,
        apart=list(done.apart),
        late=done.late,
        late_sources=list(done.late_sources),
        told_before=done.told_before,
        rejected=done.rest.outcome.rejected,
        seconds=round(done.seconds, 3),
        problems=list(done.problems),
    )
    _tell_doubts(desk, done.rest.doubts)
    _tell(desk, done.problems)


def _each(desk: Desk, on: str) -> Each:
    _check_extra()
    from collector import cluster

    with desk.visit() as ledger:
        return cluster.on_cluster(cluster.target(on), ledger.key)


def _tell(desk: Desk, problems: Sequence[str]) -> None:
    for problem in problems:
        desk.warn(problem)
    if problems:
        raise typer.Exit(USER)


def _loaded_fields(loaded: Loaded) -> dict[str, object]:
    return {
        **{name: getattr(loaded.outcome, name) for name in TOTALS},
        "sources": loaded.sources,
        "known": loaded.known,
        "parts": loaded.parts,
        "bytes": loaded.size,
        "seconds": round(loaded.seconds, 3),
        "problems": list(loaded.problems),
    }
