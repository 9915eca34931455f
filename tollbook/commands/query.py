"""`tollbook sql` answers a question about the ledger, reading only."""

from __future__ import annotations

from typing import Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk


@at_desk
def sql(desk: Desk, query: Annotated[str, typer.Argument(help="A query on the ledger's tables.")]) -> None:
    """Answer a read-only query on the ledger."""
    from tollbook import screen

    with desk.look() as ledger:
        answer = ledger.frame(query)
        if len(ledger.connection.extract_statements(query)) > 1:
            raise UsageError("one query at a time: only the last of several would be answered")
    desk.say(screen.answer(answer), columns=answer.columns, rows=[list(row) for row in answer.iter_rows()])
