"""`tollbook bills` lists the providers' bills and usage reports that were read."""

from __future__ import annotations

from tollbook.desk import Desk, at_desk


@at_desk
def bills(desk: Desk) -> None:
    """List the bills and usage reports that were read: periods, totals, gaps."""
    from ledger.bills import reports
    from tollbook import bills_screen

    with desk.look() as found:
        listed = reports(found)
    desk.say(bills_screen.listed(listed), reports=[_fields(row) for row in listed.to_dicts()])


def _fields(row: dict[str, object]) -> dict[str, object]:
    grouped_by = [name for name in str(row["grouped_by"]).split(",") if name]
    return {**row, "grouped_by": grouped_by, "gaps": row["gaps"] or []}
