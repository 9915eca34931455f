"""Write the example log set: `python -m examples.generate`."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from examples import flat, gateway, proxy
from examples.billing import bill
from examples.cast import LAST_DAY
from examples.days import calls_of
from examples.flaws import broken_lines
from examples.shapes import Call, Fate, Json, Route

ANSWERED = {Fate.OK, Fate.CANCELLED}
# One hour of the day before the last is delivered twice, as by a log shipper that lost its place.
RESHIPPED_DAY = LAST_DAY - timedelta(days=1)
RESHIPPED_HOUR = 13


def main(arguments: Sequence[str] | None = None) -> int:
    """Write every file and say how much there is; progress goes to stderr."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    records, megabytes = 0, 0.0
    for day in _days(options.days):
        written = _write_day(options.out, day, options.seed, options.scale)
        records, megabytes = records + written[0], megabytes + written[1] / 1e6
        if not options.quiet:
            print(f"\r{day}: {records:,} records, {megabytes:.1f} MB", end="", file=sys.stderr)
    nights = [_encode(flat.record(day, options.seed)) for day in _days(options.days)]
    _write(options.out / "tollbook-catalogue.jsonl", nights)
    if not options.quiet:
        print(f"\nwritten to {options.out}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.generate", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("examples/logs"), help="folder to write to")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=30, help=f"days up to {LAST_DAY}")
    parser.add_argument("--scale", type=float, default=1.0, help="calls per day, times this")
    parser.add_argument("--quiet", action="store_true")
    return parser


def _days(count: int) -> list[date]:
    return [LAST_DAY - timedelta(days=back) for back in reversed(range(count))]


def _write_day(out: Path, day: date, seed: int, scale: float) -> tuple[int, int]:
    calls = calls_of(day, seed, scale)
    rng = Random(f"{seed} wire {day}")
    lines = [(call, _encode(_record(call, rng))) for call in calls]
    gateway_lines = [(call.ts, line) for call, line in lines if call.cell.route is Route.GATEWAY]
    proxy_lines = [line for call, line in lines if call.cell.route is Route.LITELLM]
    flawed = broken_lines() if day == LAST_DAY else []
    # A crash in mid-line leaves no newline at the end.
    end = b"" if flawed else b"\n"
    _write_gz(out / f"gateway-{day}.jsonl.gz", [line for _, line in gateway_lines] + flawed, end)
    _write(out / f"litellm-{day}.jsonl", proxy_lines)
    if day == RESHIPPED_DAY:
        _write_gz(out / f"gateway-{day}-reshipped.jsonl.gz", _of_hour(gateway_lines, RESHIPPED_HOUR))
    return len(lines), sum(len(line) for _, line in lines)


def _record(call: Call, rng: Random) -> Json:
    billed = bill(call, rng) if call.fate in ANSWERED else None
    if call.cell.route is Route.GATEWAY:
        return gateway.record(call, billed, rng)
    return proxy.record(call, billed, rng)


def _of_hour(lines: Iterable[tuple[datetime, bytes]], hour: int) -> list[bytes]:
    return [line for ts, line in lines if ts.hour == hour]


def _encode(record: Json) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _write(path: Path, lines: Iterable[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def _write_gz(path: Path, lines: Sequence[bytes], end: bytes = b"\n") -> None:
    # No name and no time in the header: the same lines give the same file.
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        packed.write(b"\n".join(lines) + end)


if __name__ == "__main__":
    sys.exit(main())
