"""Counts by calibrations that a ledger learned from its own bills: estimates only, never what is exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter

from ledger.shares import apportion
from ledger.types import SEGMENTS, Calibration, Count, CountMethod, Request, Segments

Key = tuple[str, str, str, str, str]
Calibrations = Mapping[Key, Calibration]
_parts = attrgetter(*SEGMENTS)


def by_key(calibrations: Iterable[Calibration]) -> Calibrations:
    """Calibrations by the counts they are for."""
    return {one.key: one for one in calibrations}


def calibrated(counted: Count, request: Request, calibrations: Calibrations) -> Count:
    """Correct an estimate as its model's bills were seen to differ; the version stands in its `rules`.

    A count smaller or larger than those learned from stays as it is. The factor is the vocabulary's and goes
    over all that is visible; what each call costs besides is text that no log shows.
    """
    if not calibrations or counted.method is not CountMethod.CALIBRATED or not counted.input_tokens:
        return counted
    key = (request.model or "", request.api.value, counted.category.value, counted.tokenizer, counted.rules)
    known = calibrations.get(key)
    if known is None or not known.least <= counted.input_tokens <= known.greatest:
        return counted
    visible, unseen = round(known.factor * counted.input_tokens), max(0, round(known.intercept))
    segments = dict(zip(SEGMENTS, apportion(_parts(counted.segments), visible), strict=True))
    segments["unexplained"] += unseen
    return replace(
        counted,
        input_tokens=visible + unseen,
        segments=Segments(**segments),
        tool_tokens=_shared(counted.tool_tokens, segments["tools"]),
        error=known.error,
        rules=f"{counted.rules}+cal{known.version}",
    )


def _shared(tools: tuple[tuple[str, int], ...], tokens: int) -> tuple[tuple[str, int], ...]:
    if not tools:
        return ()
    shares = apportion([share for _, share in tools], tokens)
    return tuple((name, share) for (name, _), share in zip(tools, shares, strict=True))
