"""Rows of Parquet files, a stretch at a time, nested columns kept."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl
from polars.exceptions import PanicException, PolarsError

from collector import sources
from collector.containers.container import Opened
from collector.sources import STDIN, Record, SourceError

# What is read at a time, on disk: the memory it takes is a few times that, and a row group beside it.
_STRETCH_BYTES = 8 * 1024 * 1024
_MOST_ROWS = 50_000


def records(opened: Opened) -> Iterator[Record]:
    """The rows in their order: times as ISO text, decimals as text with every digit, bytes as Base64."""
    if opened.path == STDIN or sources.is_compressed(opened.path):
        raise SourceError(f"{opened.path} is packed Parquet: unpack it to a .parquet file first")
    number = 0
    try:
        for frame in _stretches(opened):
            for row in frame.iter_rows(named=True):
                number += 1
                data = msgspec.json.encode(row)
                yield Record(number, number - 1, data, len(data))
    except (PolarsError, PanicException, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"cannot read {opened.path} as Parquet past row {number}: {said}; is it still being written?"
        ) from error


def _stretches(opened: Opened) -> Iterator[pl.DataFrame]:
    """The file in pieces: Polars by itself holds far more than one row group at a time."""
    table = pl.scan_parquet(opened.path, glob=False)
    rows = int(table.select(pl.len()).collect().item())
    at_a_time = min(max(rows * _STRETCH_BYTES // max(opened.size, 1), 1), _MOST_ROWS)
    for start in range(0, rows, at_a_time):
        if not sources.is_still_at(opened.path, opened.handle):
            raise SourceError(
                f"{opened.path} was replaced while it was read: the next ingest reads the new one"
            )
        yield table.slice(start, at_a_time).collect()
