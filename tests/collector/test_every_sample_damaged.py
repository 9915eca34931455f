"""Ten thousand damaged copies of other tools' logs end in rows, rejects or a sentence, never a traceback."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.ingest import Intake, batches
from collector.sources import SourceError

pytestmark = pytest.mark.shared

CASES = 10_000
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "formats"
FILES = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".md"
)
KEY = bytes(32)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
WRONG = [None, True, -1, 2**70, 1e308, 0.5, "", "x" * 300, "12", "\ud800", [], [[]], {}, {"a": [None]}, "{"]
BYTES = [b"\0", b"\xff\xfe", b"{", b"}", b"[", b'"', b"\\", b"\n", b",", b"1e999", b"NaN", b"null"]


def _places(value: object) -> list[tuple[dict | list, object]]:
    """Every container below a value with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def _damaged(data: bytes, chance: Random) -> bytes:
    """A copy with one to three places cut, doubled, overwritten or filled with strange bytes."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 8, 200)))
        filling = (b"", chance.choice(BYTES), chance.randbytes(4), data[start:end] * 2)
        data = data[:start] + chance.choice(filling) + data[end:]
    return data[: chance.randrange(len(data) + 1)] if chance.random() < 0.2 else data


def _altered(document: object, chance: Random) -> object:
    """A copy with one to three values of another type, gone, or under another name."""
    altered = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        places = _places(altered)
        if not places:
            break
        container, key = chance.choice(places)
        if isinstance(container, dict) and chance.random() < 0.3:
            value = container.pop(key)
            if chance.random() < 0.5:
                container[f"{key}_"] = value
        else:
            container[key] = copy.deepcopy(chance.choice(WRONG))
    return altered


def _mutation(data: bytes, name: str, chance: Random) -> bytes:
    if chance.random() < 0.4 or not name.endswith((".json", ".jsonl")):
        return _damaged(data, chance)
    if name.endswith(".json"):
        return json.dumps(_altered(json.loads(data), chance)).encode()
    lines = [json.dumps(_altered(json.loads(line), chance)) for line in data.splitlines() if line.strip()]
    chance.shuffle(lines)
    return "\n".join(lines).encode()


def _reasons(path: Path) -> list[str]:
    """Why records of a file, or all of it, were refused."""
    try:
        return [
            reason for batch in batches(str(path), Intake(), NOW, KEY) for reason in batch.rejects["reason"]
        ]
    except SourceError as refusal:
        return [str(refusal)]


@pytest.mark.skipif(not FILES, reason="the shared reference data is not beside this checkout")
@pytest.mark.parametrize("name", FILES or ["none"])
def test_a_damaged_sample_gives_rows_rejects_or_a_sentence(name, tmp_path):
    data = (FOLDER / name).read_bytes()
    target = tmp_path / Path(name).name

    @settings(
        max_examples=CASES // len(FILES) + 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def ends_well(seed: int) -> None:
        target.write_bytes(_mutation(data, name, Random(seed)))
        for reason in _reasons(target):
            assert reason

    ends_well()
