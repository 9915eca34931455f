"""Messages as blocks to a Slack incoming webhook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from alerts.channels.contract import ChannelSettings
from alerts.channels.posting import post
from alerts.messages import Message, sign

# Slack refuses a section whose text is longer, and all blocks with it.
_LONGEST_TEXT = 3000


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to the incoming webhook's address, which is its password."""

    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Post once."""
        post(self.url, msgspec.json.encode(payload(message)), {"Idempotency-Key": message.dedup_key})


def payload(message: Message) -> dict[str, object]:
    """What Slack is sent: the title as fallback text, then title, reasons, commands and origin as blocks."""
    return {"text": _escaped(f"{sign(message)} {message.title}"), "blocks": list(_blocks(message))}


def build(settings: ChannelSettings) -> Slack:
    """Make the channel; ValueError without an address."""
    if not settings.url:
        raise ValueError(f"channel {settings.name!r}: a slack channel needs a url (url_env or url_file)")
    return Slack(settings.url)


def _blocks(message: Message) -> Iterator[dict[str, object]]:
    yield _section(f"{sign(message)} *{_bold(message.title)}*")
    if message.lines:
        yield _section("\n".join(_escaped(line) for line in message.lines))
    if message.commands:
        yield _section("```" + "\n".join(_escaped(command) for command in message.commands) + "```")
    yield {"type": "context", "elements": [_mrkdwn(_escaped(_origin(message)))]}


def _origin(message: Message) -> str:
    return f"{message.severity} · {message.rule} · incident {message.incident_id}"


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, object]:
    return {"type": "mrkdwn", "text": _cut(text), "verbatim": True}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _bold(text: str) -> str:
    # An asterisk in a name would end the bold in the middle of it.
    return _escaped(text.replace("*", "\N{ASTERISK OPERATOR}"))


def _escaped(text: str) -> str:
    """Names come from logs: unescaped, `<!channel>` in one would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
