"""Post a body to a web address: which answers are final, and no secret in any text."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from http import HTTPStatus

import httpx2

from alerts.channels.contract import SendError

TIMEOUT_S = 5.0
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_LONGEST_WAIT_S = 3600


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Post JSON once, following no redirect; raises SendError unless the answer is a 2xx."""
    try:
        with httpx2.Client(verify=_trust(), timeout=TIMEOUT_S) as client:
            answer = client.post(url, content=body, headers={"Content-Type": "application/json", **headers})
    except httpx2.TransportError as error:
        permanent = isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError)
        raise SendError(f"{type(error).__name__} at {masked(url)}", permanent=permanent) from None
    except (httpx2.InvalidURL, UnicodeError):
        raise SendError("the address is not a URL: check the channel's url", permanent=True) from None
    if not answer.is_success:
        raise SendError(
            f"HTTP {answer.status_code} from {masked(url)}",
            permanent=not is_temporary(answer.status_code),
            retry_after=_retry_after(answer.headers.get("Retry-After", "")),
        )


def is_temporary(status: int) -> bool:
    """Whether the same request may be taken later: overload and server faults, not refusals."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER


def masked(url: str) -> str:
    """Scheme and host only: the path, the query and the user part of a webhook address are its password."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "…"
    return f"{parsed.scheme}://{parsed.host}/…"


@cache
def _trust() -> ssl.SSLContext:
    """The certificates to trust, read once: that takes longer than most posts."""
    return httpx2.create_ssl_context()


def _retry_after(header: str) -> timedelta | None:
    # The other form of the header, a date, is of the server's clock; our own backoff serves as well.
    return (
        timedelta(seconds=min(int(header), _LONGEST_WAIT_S))
        if header.isascii() and header.isdigit()
        else None
    )


def _without_secrets(record: logging.LogRecord) -> bool:
    """Mask addresses in the HTTP client's own log line, which carries the whole URL."""
    if isinstance(record.args, tuple):
        record.args = tuple(masked(str(arg)) if isinstance(arg, httpx2.URL) else arg for arg in record.args)
    return True


logging.getLogger("httpx2").addFilter(_without_secrets)
