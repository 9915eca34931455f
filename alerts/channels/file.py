"""Messages as lines of JSON in a file, for programs that follow it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alerts.channels.contract import ChannelSettings, SendError
from alerts.messages import Message, encode


@dataclass(frozen=True, slots=True)
class File:
    """Appends to `path`, made with its folders on first use."""

    path: Path

    def send(self, message: Message) -> None:
        """Append one line and wait until the disk has it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as lines:
                lines.write(_ending(self.path) + encode(message).encode() + b"\n")
                lines.flush()
                os.fsync(lines.fileno())
        except OSError as error:
            raise SendError(f"cannot append to {self.path}: {error.strerror}", permanent=False) from error


def build(settings: ChannelSettings) -> File:
    """Make the channel; ValueError without a path."""
    if settings.path is None:
        raise ValueError(f"channel {settings.name!r}: a file channel needs path")
    return File(settings.path)


def _ending(path: Path) -> bytes:
    """A line break where a killed writer left half a line, so that the next message is whole."""
    with path.open("rb") as lines:
        if lines.seek(0, os.SEEK_END) == 0:
            return b""
        lines.seek(-1, os.SEEK_END)
        return b"" if lines.read(1) == b"\n" else b"\n"
