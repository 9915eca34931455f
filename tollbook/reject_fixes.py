"""What mends each kind of reject, in a sentence."""

from __future__ import annotations

import re

# The first pattern that is found in the reason says what to do.
FIXES: tuple[tuple[str, str], ...] = (
    ("is in the future", "the clock of that machine is ahead: the record is booked when its time has come"),
    ("no time in the record", "say what time stands in: `tollbook ingest --assume-time TIME`"),
    ("before 2015|expected an ISO time|expected a time", "its writer logs the time wrongly: mend it there"),
    ("unfinished last line", "it is still being written: the next ingest reads its end"),
    (
        "compressed data ends early",
        "copy or compress the file again: the next ingest reads it whole",
    ),
    (
        "its day was dropped",
        "nothing to do: the sums of that day stand; `keep_raw_days` says how long rows stay",
    ),
    (
        "it is of another format",
        "one file holds one format: split it, or name its format: `tollbook rejects retry --format NAME`",
    ),
    (
        "where an object is expected",
        "the line is JSON but no record: name the format with --format, or keep such lines out of the log",
    ),
    ("invalid UTF-8", "its writer uses another encoding: convert the file, then ingest it again"),
    (
        "invalid JSON|nested too deeply|cannot be read|can be read",
        "the line is cut or mixed with other output: let one process write the file, whole lines at a time",
    ),
    (r"MiB limit", "its writer should keep images and files out of the log: records end at 32 MiB"),
    (
        "on top of the input|must include|less than its parts|cannot exceed its whole",
        "its counts contradict each other: mend the gateway's usage, or name the right format",
    ),
    (
        r"^usage\.|usage\.[\w.…]+ is |tokens",
        "usage is not what the provider sends: mend what writes it",
    ),
    (", expected", "mend the field where the log is written, then `tollbook rejects retry`"),
)
_OTHERWISE = "look at the record at its place, mend it there, then `tollbook rejects retry`"


def fix(reason: str) -> str:
    """What to do about records refused for a reason."""
    return next((said for pattern, said in FIXES if re.search(pattern, reason)), _OTHERWISE)
