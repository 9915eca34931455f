"""How money, tokens, shares, times and durations are written for people."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from math import floor

UNKNOWN = "–"
MINUS = "−"
_CENT = Decimal("0.01")
_MILLIONTH = Decimal("0.000001")


def money(usd: Decimal | None, *, signed: bool = False) -> str:
    """US dollars to the cent, `< $0.01` for small amounts, `–` for unknown.

    >>> money(Decimal("1284.2")), money(Decimal("0.004")), money(Decimal("-0.004")), money(None)
    ('$1,284.20', '< $0.01', '> −$0.01', '–')
    """
    if usd is None:
        return UNKNOWN
    size = abs(usd)
    if size == 0:
        return "$0"
    sign = MINUS if usd < 0 else ("+" if signed else "")
    if size < _CENT:
        return f"{'>' if usd < 0 else '<'} {sign}$0.01"
    return f"{sign}${size.quantize(_CENT, ROUND_HALF_EVEN):,}"


def money_fine(usd: Decimal | None) -> str:
    """US dollars of a single call: to the cent from a dollar on, below that to the millionth.

    >>> money_fine(Decimal("12.3456")), money_fine(Decimal("0.00112")), money_fine(Decimal("0.0000001"))
    ('$12.35', '$0.001120', '< $0.000001')
    """
    if usd is None or usd == 0 or abs(usd) >= 1:
        return money(usd)
    if abs(usd) < _MILLIONTH:
        return f"{'>' if usd < 0 else '<'} {MINUS if usd < 0 else ''}$0.000001"
    return f"{MINUS if usd < 0 else ''}${abs(usd).quantize(_MILLIONTH, ROUND_HALF_EVEN):f}"


def money_exact(usd: Decimal | None) -> str:
    """US dollars with every booked digit, for titles and exports."""
    return UNKNOWN if usd is None else f"{usd.normalize():f}"


def tokens(count: int | None) -> str:
    """A token count with thousands separators.

    >>> tokens(4100)
    '4,100'
    """
    return UNKNOWN if count is None else f"{count:,}".replace("-", MINUS)


def tokens_short(count: int | float | None) -> str:
    """A token count in three digits: `950`, `4.1k`, `12.3M`."""
    if count is None:
        return UNKNOWN
    for size, suffix in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if abs(count) >= size:
            return f"{count / size:.1f}{suffix}".replace("-", MINUS)
    return f"{count:.0f}".replace("-", MINUS)


def share(fraction: float | None, *, signed: bool = False) -> str:
    """A fraction as per cent: one decimal under 10 %, none above.

    >>> share(0.1234), share(0.004), share(None)
    ('12 %', '0.4 %', '–')
    """
    if fraction is None:
        return UNKNOWN
    percent = abs(fraction) * 100
    sign = MINUS if fraction < 0 and percent >= 0.05 else ("+" if signed and percent >= 0.05 else "")
    if 0 < percent < 0.05:
        return "< 0.1 %"
    digits = f"{percent:.1f}" if percent < 9.95 else f"{percent:,.0f}"
    return f"{sign}{digits.removesuffix('.0')} %"


def share_of_all(fraction: float | None) -> str:
    """A share to be held against all: cut and not rounded, so that only all of it is 100 %.

    >>> share_of_all(0.9998), share_of_all(1.0), share_of_all(None)
    ('99.9 %', '100 %', '–')
    """
    if fraction is None:
        return UNKNOWN
    return f"{floor(fraction * 1000) / 10:.1f}".removesuffix(".0") + " %"


def instant(ts: datetime | None, zone: tzinfo) -> str:
    """A moment in the given zone, to the minute: `2026-10-30 14:05`."""
    return UNKNOWN if ts is None else ts.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def day(value: date | None) -> str:
    """A calendar day as people read it: `Fri 30 Oct 2026`."""
    return UNKNOWN if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def duration(span: timedelta | None) -> str:
    """A span in its two largest units: `2 h 05 min`, `45 s`, `3 d 4 h`."""
    if span is None:
        return UNKNOWN
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def size(count: int) -> str:
    """A number of bytes in decimal units: `12.4 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"
