"""One channel a file, and the literal registry of their builders."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from alerts.channels import file, slack, stdout, webhook
from alerts.channels.contract import Channel, ChannelSettings, SendError

CHANNELS: dict[str, Callable[[ChannelSettings], Channel]] = {
    "stdout": stdout.build,
    "file": file.build,
    "webhook": webhook.build,
    "slack": slack.build,
}

DEFAULT = (ChannelSettings(name="stdout", type="stdout"),)

__all__ = ["CHANNELS", "DEFAULT", "Channel", "ChannelSettings", "SendError", "build"]


def build(settings: Iterable[ChannelSettings] = DEFAULT) -> dict[str, Channel]:
    """Make every configured channel, by name; ValueError for an unknown type or a missing setting."""
    return {each.name: _builder(each)(each) for each in settings}


def _builder(settings: ChannelSettings) -> Callable[[ChannelSettings], Channel]:
    if settings.type not in CHANNELS:
        raise ValueError(
            f"channel {settings.name!r}: there is no type {settings.type!r}; there are {', '.join(CHANNELS)}"
        )
    return CHANNELS[settings.type]
