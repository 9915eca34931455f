"""The kinds of files that are not lines of JSON: one file each, one line each in CONTAINERS."""

from __future__ import annotations

import os
from typing import IO

from collector.containers import delimited, otlp_protobuf, parquet
from collector.containers.container import Container, Opened

CONTAINERS: dict[str, Container] = {
    "delimited": Container("delimited", (".csv", ".tsv"), delimited.records, grows=True),
    "parquet": Container("parquet", (".parquet",), parquet.records, magic=b"PAR1"),
    "otlp_protobuf": Container(
        "otlp_protobuf", (".pb", ".binpb", ".bin", ".proto"), otlp_protobuf.records, grows=True
    ),
}
_PACKED = (".gz", ".zst")
SUFFIXES = tuple(suffix for each in CONTAINERS.values() for suffix in each.suffixes)


def of(path: str, handle: IO[bytes] | None = None) -> Container | None:
    """The container that a path names, or that an open file's first bytes do; None for lines of JSON."""
    name = path.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    found = next((each for each in CONTAINERS.values() if name.endswith(each.suffixes)), None)
    return found if found or handle is None else _by_magic(handle)


def _by_magic(handle: IO[bytes]) -> Container | None:
    try:
        head = os.pread(handle.fileno(), 16, 0)
    except OSError:
        return None
    return next((each for each in CONTAINERS.values() if each.magic and head.startswith(each.magic)), None)


__all__ = ["CONTAINERS", "SUFFIXES", "Container", "Opened", "of"]
