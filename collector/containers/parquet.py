"""Rows of Parquet files, a stretch at a time, nested columns kept."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl
from polars.exceptions import PanicException, PolarsError

from collector import sources
from collector.containers.container import Opened
from collector.sources import STDIN, Record, SourceError

_ROWS_AT_A_TIME = 5_000


def records(opened: Opened) -> Iterator[Record]:
    """The rows in their order: times as ISO text, decimals as text with every digit, bytes as Base64."""
    if opened.path == STDIN or sources.is_compressed(opened.path):
        raise SourceError(f"{opened.path} is packed Parquet: unpack it to a .parquet file first")
    number = 0
    try:
        for frame in pl.scan_parquet(opened.path, glob=False).collect_batches(chunk_size=_ROWS_AT_A_TIME):
            for row in frame.iter_rows(named=True):
                number += 1
                data = msgspec.json.encode(row)
                yield Record(number, number - 1, data, len(data))
    except (PolarsError, PanicException, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"cannot read {opened.path} as Parquet past row {number}: {said}; is it still being written?"
        ) from error
