"""Invented findings and incidents, and a real ledger file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ledger import store
from ledger.figures import Finding, Incident, IncidentState, Scope, Severity

NOON = datetime(2026, 10, 30, 12, 0, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def finding() -> Callable[..., Finding]:
    def build(**changes: object) -> Finding:
        fields: dict[str, object] = {
            "rule": "dollar_excess",
            "scope": Scope(tenant="acme", workflow="support-bot"),
            "severity": Severity.PAGE,
            "found_at": NOON,
            "since": NOON - timedelta(hours=2),
            "window_start": NOON - timedelta(hours=1),
            "window_end": NOON,
            "observed_usd": Decimal("52"),
            "expected_usd": Decimal("10"),
            "excess_usd": Decimal("42"),
            "summary": "$42 above usual in the last hour",
            "why": ("requests 3.1× the usual",),
        }
        return Finding(**(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture
def incident() -> Callable[..., Incident]:
    def build(**changes: object) -> Incident:
        fields: dict[str, object] = {
            "incident_id": "0a1b2c3d4e5f",
            "fingerprint": "feedfacecafebeef",
            "rule": "dollar_excess",
            "scope": Scope(tenant="acme", workflow="support-bot"),
            "severity": Severity.PAGE,
            "state": IncidentState.FIRING,
            "opened_at": NOON - timedelta(hours=1),
            "since": NOON - timedelta(hours=2),
            "updated_at": NOON,
            "resolved_at": None,
            "until": None,
            "observed_usd": Decimal("52"),
            "expected_usd": Decimal("10"),
            "excess_usd": Decimal("42"),
            "summary": "$42 above usual in the last hour",
            "why": ("requests 3.1× the usual",),
            "action": None,
        }
        return Incident(**(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture
def visit(tmp_path: Path) -> Callable[[], AbstractContextManager[store.Ledger]]:
    def opened() -> AbstractContextManager[store.Ledger]:
        return store.open(tmp_path / "books.duckdb")

    return opened


@pytest.fixture
def ledger(visit: Callable[[], AbstractContextManager[store.Ledger]]) -> Iterator[store.Ledger]:
    with visit() as opened:
        yield opened


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sink:
    """A loopback server that answers `status` to everything and keeps what it was sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        self.requests.append(Received(handler.path, dict(handler.headers), handler.rfile.read(length)))
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@pytest.fixture
def sink() -> Iterator[Sink]:
    received = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.answer(self)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Keep the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()
