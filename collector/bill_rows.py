"""Make the ledger's rows of a bill's lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec
import polars as pl

from collector.identity import digest
from collector.redaction import shown, without_secret
from collector.rows import Reading
from ledger.frames import BILLS
from ledger.keys import keyed
from ledger.types import Bill

BillRow = tuple[object, ...]
# The columns hold 38 digits, 12 of them behind the point.
_MOST = Decimal(10) ** 26
_SMALLEST = Decimal("1e-12")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_LONGEST = 2_000
_PEOPLE = frozenset({"user", "user_id"})


def bill_row(bill: Bill, record_digest: bytes, line: int, reading: Reading) -> BillRow:
    """One BILLS row. Raises ValueError for what no bill can say.

    A report says nowhere when it was made, so the file's own time stands for that.
    """
    if bill.period_end <= bill.period_start:
        raise ValueError(
            f"the period ends at {bill.period_end:%Y-%m-%d %H:%M}, before it begins or as it does"
        )
    keys = {shown(name): _kept(name, value, reading) for name, value in sorted(bill.keys.items()) if value}
    long = next((name for name, value in keys.items() if len(value) > _LONGEST), None)
    if long is not None:
        raise ValueError(f"{long} has {len(keys[long])} characters, expected at most {_LONGEST}")
    grouped_by = ",".join(bill.grouped_by)
    return (
        _named(bill, keys, grouped_by),
        shown(bill.provider),
        bill.report,
        _naive(bill.period_start),
        _naive(bill.period_end),
        grouped_by,
        without_secret(bill.model),
        shown(bill.meter),
        [{"key": name, "value": value} for name, value in keys.items()],
        _fitted(bill.quantity, "the quantity"),
        without_secret(bill.unit),
        _fitted(bill.cost_usd, "the cost"),
        _fitted(bill.list_cost_usd, "the list cost"),
        bill.adds,
        _naive(reading.fallback_ts or reading.ingested_at),
        record_digest,
        reading.source,
        reading.source_file,
        line,
        _naive(reading.ingested_at),
    )


def _kept(name: str, value: str, reading: Reading) -> str:
    """People go into the ledger as a keyed hash only."""
    return keyed(reading.key, value.encode("utf-8", "replace")).hex() if name in _PEOPLE else shown(value)


def _named(bill: Bill, keys: dict[str, str], grouped_by: str) -> bytes:
    period = bill.period_start, bill.period_end
    name = (bill.provider, bill.report, *period, grouped_by, bill.model, bill.meter, keys)
    return digest(msgspec.json.encode(name))


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)


def _fitted(value: Decimal | None, what: str) -> Decimal | None:
    """To 12 digits behind the point, as the columns hold."""
    if value is None:
        return None
    if not value.is_finite() or abs(value) >= _MOST:
        raise ValueError(f"{what} is {value:.3g}, expected a number of at most 26 digits")
    return value.quantize(_SMALLEST, context=_EXACT)


def bills_frame(rows: Sequence[BillRow]) -> pl.DataFrame:
    """The rows as a BILLS frame."""
    return pl.DataFrame(rows, schema=BILLS, orient="row")
