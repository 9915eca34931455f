"""The one Jinja environment of all pages; its filters are how the books write things for people."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path

import jinja2

from ledger import units
from reports import marks, names, palette, words

TEMPLATES = Path(__file__).resolve().parent / "templates"


@cache
def environment() -> jinja2.Environment:
    """The environment: everything is escaped, an unknown name is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "money": units.money,
        "money_exact": units.money_exact,
        "amount": amount,
        "quantity": quantity,
        "tokens": units.tokens,
        "rounded": rounded,
        "share": share,
        "share_of_all": units.share_of_all,
        "instant": units.instant,
        "moment": moment,
        "day": units.day,
        "duration": units.duration,
        "clean": names.clean,
        "prose": prose,
        "cut": names.cut,
        "segment": words.segment,
        "dimension": words.dimension,
        "state": words.state,
        "rule": words.rule,
        "value_of": lambda name, dimension: words.value(dimension, name),
        "bar": marks.bar,
        "sparkline": marks.sparkline,
    }
    env.globals |= {"bullet": marks.bullet, "unknown": units.UNKNOWN, "dark": palette.DARK}
    return env


def amount(usd: Decimal | None, *, signed: bool = False) -> str:
    """Dollars without their sign, for columns whose header names the unit.

    >>> amount(Decimal("1284.2")), amount(Decimal("-3.1"), signed=True)
    ('1,284.20', '−3.10')
    """
    return units.money(usd, signed=signed).replace("$", "")


def quantity(value: Decimal | None, unit: str) -> str:
    """An amount of a budget in its own unit: dollars, or tokens in three digits."""
    if unit == "tokens" and value is not None:
        return f"{units.tokens_short(int(value))} tokens"
    return units.money(value)


def share(fraction: float | None, *, signed: bool = False) -> str:
    """A fraction as per cent that no line break can part from its sign."""
    return prose(units.share(fraction, signed=signed))


def prose(text: str) -> str:
    """A sentence made safe to print, per cent signs kept with their numbers."""
    return names.clean(text).replace(" %", "\u00a0%")


def rounded(value: float | None) -> str:
    """A mean or percentile of tokens, to the token."""
    return units.tokens(None if value is None else round(value))


def moment(ts: datetime | None, zone: tzinfo) -> str:
    """A naive UTC time of a frame in the given zone."""
    return units.instant(None if ts is None else ts.replace(tzinfo=UTC), zone)
