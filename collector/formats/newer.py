"""Tell records that are newer than their format's reader: of a later version, or with unknown fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from collector.apis.json_shapes import Json
from collector.formats import FORMATS
from collector.redaction import holds_secret
from ledger.types import Newer

_MOST_FIELDS = 12
_MOST_LOOKED_AT = 100
# A key that is no plain name may be a person's words, or a secret.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,59}")
_LONG_WORD = re.compile(r"[A-Za-z0-9]{25}")
_NUMBERS = re.compile(r"\d+")


def newer(form: str, record: Json) -> Newer | None:
    """What of a record that was accepted is newer than the reader; None for nearly all."""
    known = FORMATS[form].understands
    if known is None:
        return None
    strange = list(
        islice((name for name in known.names(record) if name not in known.fields), _MOST_LOOKED_AT)
    )
    version = known.version(record)
    is_newer = version is not None and _is_after(version, known.latest)
    if not strange and not is_newer:
        return None
    return Newer(form, _shown(version) if is_newer else None, _plain(strange))


def _is_after(version: str, latest: str) -> bool:
    """Whether it is later, as far as the latest that is known goes into detail."""
    known = _order(latest)
    return _order(version)[: len(known)] > known


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(version)[:6])


def _shown(version: str | None) -> str:
    """The version's numbers; what stands around them is the record's own text."""
    return ".".join(_NUMBERS.findall(version or "")[:6])[:40]


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    fine = {name if _is_plain(name) else "…" for name in names}
    return tuple(sorted(fine)[:_MOST_FIELDS])


def _is_plain(name: str) -> bool:
    is_word = _PLAIN_NAME.fullmatch(name) is not None and _LONG_WORD.search(name) is None
    return is_word and not holds_secret(name)
