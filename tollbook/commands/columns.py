"""`tollbook columns` proposes how to read a table of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk


@at_desk
def columns(
    desk: Desk, file: Annotated[Path, typer.Argument(help="A CSV, TSV, Parquet or JSON file.")]
) -> None:
    """Propose a column map for a table of calls, as a source to look over and paste."""
    from collector.columns import names_in, proposed
    from collector.contents import first_objects
    from collector.sources import SourceError
    from tollbook import column_maps

    try:
        rows = first_objects(str(file))
    except SourceError as error:
        raise UsageError(str(error)) from error
    if not rows:
        raise UsageError(f"{file} has no row to tell its columns by")
    found = proposed(rows)
    names = dict.fromkeys(name for row in rows for name, value in row.items() if not isinstance(value, dict))
    every = list(names | dict.fromkeys(name for row in rows for name in names_in(row) if "." in name))
    unmapped = [name for name in every if name not in found.values()]
    desk.say(column_maps.as_toml(str(file), found, unmapped), columns=found, unmapped=unmapped)
