"""What a channel is, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from alerts.messages import Message


class SendError(Exception):
    """A message was not taken; `permanent` where trying again cannot help. Its text holds no secrets."""

    def __init__(self, text: str, *, permanent: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after


class Channel(Protocol):
    """One way to reach people. Only the outbox tries again."""

    def send(self, message: Message) -> None:
        """Hand the message over; raises SendError where it was not taken."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One configured channel; `url` and `secret` are secrets and are never printed."""

    name: str
    type: str
    url: str | None = None
    path: Path | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return f"ChannelSettings(name={self.name!r}, type={self.type!r})"
