"""Propose what can be done about a finding: pure policy, nothing is switched here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from ledger.figures import Action, ControlKind, Finding, Scope
from ledger.units import duration, money

_MICRO = Decimal("0.000001")
_DAY_S = 86_400
_NO_TIME = timedelta(0)
_LIMITS = ("budget_hard", "budget_soft")
# Less than an hour says nothing of a day.
_SHORTEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Control:
    kind: ControlKind
    advice: str
    setting: Callable[[Scope], str]


def _cap(scope: Scope) -> str:
    return f"at the gateway, for {_caller(scope)}: set max_tokens (or max_output_tokens) to the usual p95"


def _compress(scope: Scope) -> str:
    return f"in {scope.workflow or 'the workflow'}: retrieve fewer chunks, drop old turns from the history"


def _cheaper(scope: Scope) -> str:
    return f"at the gateway, for {_caller(scope)}: route to a cheaper model tier"


def _approve(scope: Scope) -> str:
    return f"at the gateway, for {_caller(scope)}: lower max_budget, raise it only on approval"


_CAP = _Control(ControlKind.CAP_OUTPUT, "Cap the output length", _cap)
_COMPRESS = _Control(ControlKind.COMPRESS_CONTEXT, "Compress the context", _compress)
_CHEAPER = _Control(ControlKind.CHEAPER_TIER, "Move to a cheaper model tier", _cheaper)
_APPROVE = _Control(ControlKind.REQUIRE_APPROVAL, "Require approval for further spend", _approve)

# By the beginning of the rule's name, the longest that fits first. A rule that is about the state of the
# data (stale, unpriced, unattributed) has no control: switching traffic off does not mend books.
_POLICY: dict[str, _Control] = {
    "budget_hard": _APPROVE,
    "budget_burn": _APPROVE,
    "budget_soft": _CHEAPER,
    "dollar_excess": _APPROVE,
    "envelope": _COMPRESS,
    "prompt_change": _COMPRESS,
    "prompt_review": _COMPRESS,
}
_BY_KIND = {control.kind: control for control in (_CAP, _COMPRESS, _CHEAPER, _APPROVE)}


def propose(finding: Finding) -> Action | None:
    """Propose the control that fits the finding's rule; None where stopping traffic would not help.

    The saving is the window's excess at the same pace for a day; unknown where the excess is.
    """
    control = _control(finding)
    if control is None:
        return None
    text = f"{control.advice} of {finding.scope.title()}{_would_have_saved(finding)}"
    return Action(control.kind, text, control.setting(finding.scope), _saving_per_day(finding))


def _control(finding: Finding) -> _Control | None:
    if finding.control is not None:
        return _BY_KIND[finding.control]
    fitting = [name for name in _POLICY if finding.rule.startswith(name)]
    return _POLICY[max(fitting, key=len)] if fitting else None


def _saving_per_day(finding: Finding) -> Decimal | None:
    span = _span(finding)
    if not _has_excess(finding) or finding.excess_usd is None or span <= _NO_TIME:
        return None
    seconds = Decimal(int(span.total_seconds()))
    return (finding.excess_usd * _DAY_S / seconds).quantize(_MICRO, ROUND_HALF_EVEN)


def _would_have_saved(finding: Finding) -> str:
    if not _has_excess(finding):
        return ""
    last = duration(_span(finding)).replace(" 00 min", "").replace(" 0 h", "")
    period = {"1 h": "hour", "1 d": "day"}.get(last, last)
    return f": would have saved up to {money(finding.excess_usd)} in the last {period}"


def _span(finding: Finding) -> timedelta:
    """How long the excess took: what is beyond a limit was all spent after the limit was crossed."""
    if finding.rule.startswith(_LIMITS):
        crossed = max(finding.window_start, finding.since)
        return max(finding.window_end - crossed, _SHORTEST)
    return finding.window_end - finding.window_start


def _has_excess(finding: Finding) -> bool:
    return finding.excess_usd is not None and finding.excess_usd > 0


def _caller(scope: Scope) -> str:
    return scope.title() if scope.parts() else "all callers"
