"""The example logs hold the stories that the demo's report tells, and only the flaws put in on purpose."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
BROKEN_LINES = 6
# Of the broken lines, those that are JSON objects: their fault is in the numbers.
BROKEN_NUMBERS = {"gw-negative", "gw-overcached"}

pytestmark = pytest.mark.skipif(not (ROOT / "examples").is_dir(), reason="a wheel carries no examples")


def _generate(out: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "examples.generate", "--quiet", "--out", str(out), *options]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)
    return out


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _generate(tmp_path_factory.mktemp("logs"), "--days", "5", "--scale", "0.5")


@pytest.fixture(scope="module")
def last_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day that the demo reports, at its full size."""
    return _generate(tmp_path_factory.mktemp("last"), "--days", "1")


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _lines(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()


def _objects(folder: Path, pattern: str) -> Iterator[dict]:
    for path in sorted(folder.glob(pattern)):
        for line in _lines(path):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _calls(folder: Path, **wanted: str) -> list[dict]:
    gateway = [r for r in _objects(folder, "gateway-*.jsonl.gz") if r["id"] not in BROKEN_NUMBERS]
    return [r for r in gateway if wanted.items() <= r["metadata"].items()]


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    first = _generate(tmp_path / "a", "--days", "2", "--scale", "0.1")
    second = _generate(tmp_path / "b", "--days", "2", "--scale", "0.1")
    assert _digest(first) == _digest(second)


def test_another_seed_writes_other_bytes(tmp_path):
    first = _generate(tmp_path / "a", "--days", "1", "--scale", "0.1")
    second = _generate(tmp_path / "b", "--days", "1", "--scale", "0.1", "--seed", "8")
    assert _digest(first) != _digest(second)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("gateway-*.jsonl.gz", "pair"), ("litellm-*.jsonl", "litellm"), ("tollbook-*.jsonl", "tollbook")],
)
def test_every_record_but_the_broken_ones_is_read(logs, pattern, name):
    unread = set()
    for record in _objects(logs, pattern):
        try:
            FORMATS[name].read(record)
        except ValueError:
            unread.add(record["id"])
    assert unread == (BROKEN_NUMBERS if name == "pair" else set())


def test_the_last_day_ends_in_lines_that_no_reader_books(logs):
    broken = _lines(logs / "gateway-2026-10-30.jsonl.gz")[-BROKEN_LINES:]
    booked = 0
    for line in broken:
        try:
            record = json.loads(line)
            booked += isinstance(record, dict) and bool(FORMATS["pair"].read(record))
        except ValueError:
            continue
    assert booked == 0


def test_seven_tenants_eight_workflows_and_three_environments_appear(logs):
    gateway = [r["metadata"] for r in _calls(logs)]
    proxy = list(_objects(logs, "litellm-*.jsonl"))
    tenants = {m.get("tenant") for m in gateway} | {r["metadata"]["user_api_key_team_alias"] for r in proxy}
    workflows = {m.get("workflow") for m in gateway} | {r["request_tags"][0].split(":")[1] for r in proxy}
    assert len(tenants - {None}) == 7
    assert len(workflows - {None}) == 8
    assert {m["env"] for m in gateway} == {"prod", "staging", "dev"}


def test_five_models_of_three_providers_appear(logs):
    models = Counter(r["model"].split("-")[0] for r in _objects(logs, "litellm-*.jsonl"))
    assert set(models) == {"gpt", "claude", "gemini"}
    asked = {r["request"].get("model") for r in _calls(logs)}
    assert len(asked) >= 5


def test_the_prompt_change_of_the_last_morning_multiplies_the_retrieved_context(logs):
    sizes: dict[bool, list[int]] = {False: [], True: []}
    for record in _calls(logs, tenant="lumen-travel", workflow="support-bot"):
        text = record["request"]["messages"][1]["content"]
        sizes[record["ts"] >= "2026-10-30T08"].append(text.count("[") if "<context>" in text else 0)
    assert statistics.median(sizes[False]) == 3
    assert statistics.median(sizes[True]) == 60


def test_the_runaway_makes_more_agent_calls_in_six_hours_than_a_normal_day(logs):
    calls = _calls(logs, tenant="acme-robotics", workflow="research-agent", env="prod")
    by_day = Counter(r["ts"][:10] for r in calls)
    loop = [r for r in calls if "2026-10-30T14" <= r["ts"] < "2026-10-30T20:10"]
    assert len(loop) > 3 * by_day["2026-10-29"]
    assert sum("ERROR 429" in json.dumps(r["request"]) for r in loop) > 40


def test_some_calls_name_no_tenant(logs):
    calls = _calls(logs)
    nameless = sum("tenant" not in r["metadata"] for r in calls)
    assert 0.003 < nameless / len(calls) < 0.05


def test_some_streams_end_without_usage(logs):
    streams = [r for r in _calls(logs) if isinstance(r["response"], list) and "openai" in r["url"]]
    silent = [r for r in streams if "stream_options" not in r["request"] and r["request"].get("messages")]
    assert silent
    assert not any("usage" in chunk for r in silent for chunk in r["response"])


def test_claude_and_gemini_streams_end_without_usage_too(logs):
    streams = [r for r in _calls(logs) if isinstance(r["response"], list) and r["status"] == 200]
    silent = [
        r
        for r in streams
        if not any("usage" in key for key in re.findall(r'"(\w+)":', json.dumps(r["response"])))
    ]
    assert {"anthropic", "googleapis"} <= {
        host for r in silent for host in ("anthropic", "googleapis") if host in r["url"]
    }


def test_the_reshipped_hour_repeats_lines_of_the_day_byte_for_byte(logs):
    again = _lines(logs / "gateway-2026-10-29-reshipped.jsonl.gz")
    assert again
    assert set(again) <= set(_lines(logs / "gateway-2026-10-29.jsonl.gz"))


def test_some_calls_fail_and_some_are_tried_again(logs):
    calls = _calls(logs)
    assert any(r["status"] >= 400 for r in calls)
    assert any(r.get("attempt") == 2 for r in calls)


def test_cached_and_reasoning_tokens_are_reported(logs):
    usages = [
        r["metadata"]["usage_object"] for r in _objects(logs, "litellm-*.jsonl") if r["status"] == "success"
    ]
    assert any(u["prompt_tokens_details"]["cached_tokens"] for u in usages)
    assert any(u["completion_tokens_details"]["reasoning_tokens"] for u in usages)


def test_a_model_without_a_list_price_appears(last_day):
    calls = _calls(last_day, tenant="pinecrest-clinic")
    assert sum(r["request"].get("model") == "house-llama-70b" for r in calls) >= 2


def test_calls_of_the_last_day_fail_in_several_ways(last_day):
    calls = _calls(last_day)
    assert len({r["status"] for r in calls if r["status"] >= 400}) >= 2
    assert sum(r.get("cancelled", False) for r in calls) >= 2


def test_every_workflow_of_the_month_has_an_envelope(logs):
    settings = tomllib.loads((ROOT / "examples" / "tollbook.toml").read_text(encoding="utf-8"))
    used = {r["metadata"]["workflow"] for r in _calls(logs) if "workflow" in r["metadata"]}
    used |= {r["request_tags"][0].split(":")[1] for r in _objects(logs, "litellm-*.jsonl")}
    assert {envelope["workflow"] for envelope in settings["envelope"]} == used


def test_every_tenant_of_the_month_has_a_budget(logs):
    settings = tomllib.loads((ROOT / "examples" / "tollbook.toml").read_text(encoding="utf-8"))
    used = {r["metadata"]["tenant"] for r in _calls(logs) if "tenant" in r["metadata"]}
    used |= {r["metadata"]["user_api_key_team_alias"] for r in _objects(logs, "litellm-*.jsonl")}
    assert {budget["tenant"] for budget in settings["budget"]} - {"*"} == used
