"""Messages as plain text on the terminal: the channel that needs no setting."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TextIO

from alerts.channels.contract import ChannelSettings, SendError
from alerts.messages import Message, text


@dataclass(frozen=True, slots=True)
class Stdout:
    """Prints; `stream` None is standard output as it is at the moment of sending."""

    stream: TextIO | None = None

    def send(self, message: Message) -> None:
        """Print the message and an empty line."""
        try:
            print(text(message), end="\n\n", file=self.stream or sys.stdout, flush=True)
        except (OSError, UnicodeEncodeError) as error:
            raise SendError(f"cannot print: {error}", permanent=False) from error


def build(_settings: ChannelSettings) -> Stdout:
    """Make the channel; it has no settings."""
    return Stdout()
