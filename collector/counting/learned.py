"""Counts by calibrations that a ledger learned from its own bills: estimates only, never what is exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter

from ledger.shares import apportion
from ledger.types import SEGMENTS, Calibration, Count, CountMethod, Request, Segments

Key = tuple[str, str, str]
Calibrations = Mapping[Key, Calibration]
_parts = attrgetter(*SEGMENTS)


def by_key(calibrations: Iterable[Calibration]) -> Calibrations:
    """Calibrations by the model, API and category they are for."""
    return {(one.model, one.api, one.category): one for one in calibrations}


def calibrated(counted: Count, request: Request, calibrations: Calibrations) -> Count:
    """Correct an estimate as its model's bills were seen to differ; the version stands in its `rules`."""
    if not calibrations or counted.method is not CountMethod.CALIBRATED or not counted.input_tokens:
        return counted
    known = calibrations.get((request.model or "", request.api.value, counted.category.value))
    if known is None:
        return counted
    tokens = max(0, round(known.factor * counted.input_tokens + known.intercept))
    segments = dict(zip(SEGMENTS, apportion(_parts(counted.segments), tokens), strict=True))
    return replace(
        counted,
        input_tokens=tokens,
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
