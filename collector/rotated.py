"""Find the files that a log of a name may have become since, when it was rotated."""

from __future__ import annotations

import re
from pathlib import Path

from collector import sources

# A number or a day, and what compresses: app.log.1, app.log-20261101.gz.
_ROTATED = re.compile(r"(?P<log>.+?\..+?)(?:[.-]\d+)?(?:\.gz|\.zst)?")


def rotated(path: str) -> list[str]:
    """The files beside a log that it may have become: app.log.1, app.log-20261101.gz, app.log.gz.

    One that was rotated when it was read, as app.log.1, may have become app.log.2.
    """
    folder, name = Path(path).parent, Path(path).name
    known = _ROTATED.fullmatch(name)
    log = known["log"] if known else name
    return [
        str(folder / each)
        for each in sorted(sources.beside(path) or [])
        if each != name and each.startswith((f"{log}.", f"{log}-")) and (folder / each).is_file()
    ]
