"""What others count for the same prompts: the cookbook formula, the bare encoding, litellm.token_counter."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from benchmarks.counting.corpus import Item
from collector.tokenizers import count_text, tokenizer_for
from ledger.types import Api

LITELLM = "litellm==1.106.2"
HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
_VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings"


def _n(item: Item, text: str) -> int:
    return count_text(tokenizer_for(item.request.model).encoding, text)


def bare(item: Item) -> int:
    """The texts and nothing else."""
    return sum(_n(item, part.text) for message in item.prompt.messages for part in message.parts)


def cookbook(item: Item) -> int:
    """The formula of OpenAI's cookbook for chat messages."""
    named = (_n(item, message.name) + 1 for message in item.prompt.messages if message.name)
    roles = (3 + _n(item, message.role) for message in item.prompt.messages)
    return 3 + sum(roles) + sum(named) + bare(item)


def litellm(found: Sequence[Item], corpus: Path) -> Mapping[str, int] | None:
    """What litellm counts, by response id; counted once in an environment of its own, then read from a file.

    None where that environment cannot be made, as without a network.
    """
    kept = CACHE / f"{LITELLM.replace('==', '-')}-{_digest(corpus)}.json.gz"
    if not kept.exists():
        python = _environment()
        if python is None:
            return None
        asked = "".join(json.dumps(line) + "\n" for line in _asked(found, corpus))
        # It ships one vocabulary and would fetch the other: give it ours.
        environment = {
            **os.environ,
            "CUSTOM_TIKTOKEN_CACHE_DIR": str(_vocabularies()),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        command = [str(python), str(HERE / "litellm_counts.py")]
        done = subprocess.run(
            command, input=asked, env=environment, capture_output=True, text=True, check=True
        )
        kept.write_bytes(gzip.compress(done.stdout.encode(), mtime=0))
    counts: dict[str, int] = json.loads(gzip.decompress(kept.read_bytes()))
    return counts


def _digest(corpus: Path) -> str:
    return hashlib.sha256(corpus.read_bytes()).hexdigest()[:12]


def _environment() -> Path | None:
    folder = CACHE / LITELLM.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {LITELLM} into an environment of its own", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "-q", "install", LITELLM]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"it cannot be installed: {done.stderr[-300:]}", file=sys.stderr)
            return None
        (folder / "ready").touch()
    return python


def _vocabularies() -> Path:
    """A folder as tiktoken's cache has it: files named by the hash of their address."""
    folder = CACHE / "vocabularies"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("o200k_base", "cl100k_base"):
        address = f"{_VOCABULARIES}/{name}.tiktoken"
        shipped = files("collector") / "vocab" / f"{name}.tiktoken"
        copy = folder / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
        copy.write_bytes(shipped.read_bytes())
    return folder


def _asked(found: Sequence[Item], corpus: Path) -> Iterator[dict[str, object]]:
    """What litellm is asked to count: messages and tools in the shape of chat, as it wants them."""
    wanted = {item.request.response_id for item in found if item.request.api in _FRAMED}
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            response_id = _response_id(row["response"])
            if response_id in wanted and isinstance(row["request"], dict):
                yield {
                    "id": response_id,
                    "model": row["response_model"] or row["model"],
                    **_chat(row["request"]),
                }


_FRAMED = frozenset({Api.OPENAI_CHAT, Api.OPENAI_RESPONSES})


def _response_id(response: object) -> str | None:
    chunks = response if isinstance(response, list) else [response]
    objects = [chunk for chunk in chunks if isinstance(chunk, dict)]
    inner = [chunk["response"] for chunk in objects if isinstance(chunk.get("response"), dict)]
    ids = (one.get("id") for one in (*inner, *objects))
    return next((one for one in ids if isinstance(one, str) and one), None)


def _chat(body: Mapping[str, object]) -> dict[str, object]:
    if "messages" in body:
        messages: object = body["messages"]
    else:
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
        told = body.get("instructions")
        system = [{"role": "system", "content": told}] if told else []
        messages = [*system, *(_message(item) for item in items if isinstance(item, dict))]  # type: ignore[union-attr]
    return {"messages": messages, "tools": _tools(body.get("tools")), "tool_choice": body.get("tool_choice")}


def _message(item: Mapping[str, object]) -> dict[str, object]:
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if item.get("type") == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    content = item.get("content")
    if isinstance(content, list):
        content = [{"type": "text", "text": part["text"]} for part in content if "text" in part]
    return {"role": item.get("role", "user"), "content": content}


def _tools(given: object) -> list[dict[str, object]] | None:
    if not isinstance(given, list):
        return None
    functions = [tool for tool in given if isinstance(tool, dict) and tool.get("type") == "function"]
    return [
        tool if "function" in tool else {"type": "function", "function": tool} for tool in functions
    ] or None
