"""Messages as signed JSON to any web address."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from alerts.channels.contract import ChannelSettings
from alerts.channels.posting import post
from alerts.messages import Message, encode

SIGNATURE = "X-Tollbook-Signature"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts the message as the ledger keeps it."""

    url: str = field(repr=False)
    secret: str | None = field(repr=False, default=None)

    def send(self, message: Message) -> None:
        """Post once; the same message carries the same Idempotency-Key on every attempt."""
        body = encode(message).encode()
        signed = {SIGNATURE: signature(self.secret, body)} if self.secret else {}
        post(self.url, body, {"Idempotency-Key": message.dedup_key, **signed})


def signature(secret: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of the body in hex, for the receiver to compare."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def build(settings: ChannelSettings) -> Webhook:
    """Make the channel; ValueError without an address."""
    if not settings.url:
        raise ValueError(f"channel {settings.name!r}: a webhook channel needs a url (url_env or url_file)")
    return Webhook(settings.url, settings.secret)
