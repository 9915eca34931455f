"""Print how often our count equals the bill, beside the bare encoding and the well-known cookbook formula.

python benchmarks/counting_accuracy.py --corpus recorded_calls.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.counting import FAMILIES, count
from collector.formats import FORMATS
from collector.tokenizers import count_text, tokenizer_for
from ledger.types import Api, Count, PartKind, Prompt, Request, Usage

# A test server answers with short or speaking ids and invented usage that no formula could give.
REAL_ID = {
    Api.OPENAI_CHAT: re.compile(r"chatcmpl-[A-Za-z0-9]{20,}|gen-\d{10}-[A-Za-z0-9]{20}"),
    Api.OPENAI_RESPONSES: re.compile(r"resp_[0-9a-f]{32,}|gen-\d{10}-[A-Za-z0-9]{20}"),
    Api.ANTHROPIC_MESSAGES: re.compile(r"msg_[A-Za-z0-9]{20,}"),
}
MEDIA = {PartKind.IMAGE, PartKind.AUDIO, PartKind.FILE, PartKind.OPAQUE}
OPENAI = {Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.OPENAI_EMBEDDINGS, Api.OPENAI_COMPLETIONS}


@dataclass(frozen=True, slots=True)
class Item:
    request: Request
    prompt: Prompt
    billed: int
    counted: Count

    @property
    def error(self) -> float:
        return abs((self.counted.input_tokens or 0) - self.billed) / max(self.billed, 1)


def billed_input(usage: Usage) -> int | None:
    if usage.input_tokens is None:
        return None
    caches = (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
    return usage.input_tokens + sum(tokens or 0 for tokens in caches)


def is_mock(request: Request) -> bool:
    shape = REAL_ID.get(request.api)
    return shape is not None and shape.fullmatch(request.response_id or "") is None


def is_comparable(request: Request) -> bool:
    own_vocabulary = request.api not in OPENAI or tokenizer_for(request.model).exact
    return request.api in FAMILIES and own_vocabulary


def category(prompt: Prompt) -> str:
    kinds = {part.kind for message in prompt.messages for part in message.parts}
    if kinds & MEDIA:
        return "media"
    if prompt.hidden or PartKind.REASONING in kinds or any(tool.hosted for tool in prompt.tools):
        return "hosted tools, server-side state"
    if prompt.output_schema:
        return "json_schema"
    if kinds & {PartKind.TOOL_CALL, PartKind.TOOL_RESULT}:
        return "tool-call turns"
    return "tools, first turn" if prompt.tools else "text-only"


def requests(corpus: Path) -> Iterator[Request]:
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if 200 <= (row["status"] or 200) < 300:
                yield FORMATS["pair"].read(
                    {key: row[key] for key in ("request", "response", "status", "url_path")}
                )


def items(corpus: Path) -> tuple[list[Item], Counter[Api]]:
    found: list[Item] = []
    mocks: Counter[Api] = Counter()
    for request in requests(corpus):
        billed = billed_input(request.usage) if request.usage else None
        if billed is None or request.prompt is None or not is_comparable(request):
            continue
        if is_mock(request):
            mocks[request.api] += 1
        else:
            found.append(Item(request, request.prompt, billed, count(request)))
    return found, mocks


def bare(item: Item) -> int:
    encoding = item.counted.tokenizer
    return sum(count_text(encoding, part.text) for message in item.prompt.messages for part in message.parts)


def cookbook(item: Item) -> int:
    encoding = item.counted.tokenizer
    named = (count_text(encoding, message.name) + 1 for message in item.prompt.messages if message.name)
    roles = (3 + count_text(encoding, message.role) for message in item.prompt.messages)
    return 3 + sum(roles) + sum(named) + bare(item)


def share(hits: int, of: int) -> str:
    return f"{100 * hits / of:5.1f} %" if of else "    –  "


def print_exactness(api: Api, of_api: list[Item]) -> None:
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in of_api:
        groups[category(item.prompt)].append(item)
    for name, group in [*sorted(groups.items()), ("all", of_api)]:
        ours = sum(item.counted.input_tokens == item.billed for item in group)
        by_bare = sum(bare(item) == item.billed for item in group)
        by_cookbook = sum(cookbook(item) == item.billed for item in group)
        print(
            f"{api:22} {name:32} {len(group):6} {share(ours, len(group))} "
            f"{share(by_cookbook, len(group))} {share(by_bare, len(group))}"
        )


def print_trust(found: list[Item]) -> None:
    """How often a count that calls itself exact is exact."""
    for api in sorted(OPENAI):
        claimed = [item for item in found if item.request.api is api and item.counted.method == "exact"]
        right = sum(item.counted.input_tokens == item.billed for item in claimed)
        print(f"{api:22} {'called exact':32} {len(claimed):6} {share(right, len(claimed))}")


def print_errors(api: Api, of_api: list[Item]) -> None:
    for tools in (False, True):
        group = [
            item for item in of_api if bool(item.prompt.tools) is tools and category(item.prompt) != "media"
        ]
        if len(group) < 2:
            continue
        errors = sorted(item.error for item in group)
        tenth = errors[min(len(errors) - 1, int(0.9 * len(errors)))]
        label = "with tools" if tools else "without tools"
        print(f"{api:22} {label:32} {len(group):6} median {statistics.median(errors):.1%}, 90th {tenth:.1%}")


def print_outputs(found: list[Item]) -> None:
    for api in sorted(OPENAI):
        group = [
            (
                item.counted.output_tokens,
                item.request.usage.output_tokens - (item.request.usage.reasoning_tokens or 0),
            )
            for item in found
            if item.request.api is api and item.request.usage and item.request.usage.output_tokens
        ]
        right = sum(ours == billed for ours, billed in group)
        print(f"{api:22} {'visible output':32} {len(group):6} {share(right, len(group))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    found, mocks = items(parser.parse_args().corpus)
    print(f"{'api':22} {'share equal to the bill':32} {'items':>6} {'ours':>7} {'cookbook':>8} {'bare':>6}")
    for api in FAMILIES:
        of_api = [item for item in found if item.request.api is api]
        if api in OPENAI:
            print_exactness(api, of_api)
        else:
            print_errors(api, of_api)
    print_trust(found)
    print_outputs(found)
    by_api = ", ".join(f"{api} {number}" for api, number in sorted(mocks.items()))
    print(f"left out as mocks, by the shape of their id: {sum(mocks.values())} ({by_api})")


if __name__ == "__main__":
    main()
