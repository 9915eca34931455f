"""Segment sizes and tool tokens of a prompt version, counted by hand for two models of two vocabularies."""

from __future__ import annotations

import pytest

from collector import vocabularies

SYSTEM = "You sort letters."
TOOLS = [
    {"type": "function", "function": {"name": "now", "description": "Tell the time."}},
    {
        "type": "function",
        "function": {
            "name": "find",
            "description": "Find a letter.",
            "parameters": {
                "type": "object",
                "properties": {"id": {"type": "string"}},
                "required": ["id"],
            },
        },
    },
]
# How OpenAI writes these two definitions into the system message (see docs/counting.md).
NOW = "// Tell the time.\ntype now = () => any;\n\n"
FIND = "// Find a letter.\ntype find = (_: { id: string}) => any;\n\n"
WRITTEN = f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{NOW}{FIND}}} // namespace functions"


@pytest.mark.parametrize(
    ("model", "encoding", "beside_system"),
    [("gpt-4.1-mini", "o200k_base", -1), ("gpt-4-turbo", "cl100k_base", 0)],
)
def test_a_version_keeps_what_its_parts_and_each_tool_count(
    books, chat_record, as_lines, model, encoding, beside_system
):
    record = chat_record(1)
    record["request"] = {
        "model": model,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Which one?"}],
        "tools": TOOLS,
    }
    record["response"]["model"] = model
    books.ingest(books.file("a.jsonl", as_lines([record])))

    def n(text: str) -> int:
        return len(vocabularies.reference(encoding).encode_ordinary(text))

    system, tools = n(SYSTEM), n(f"{SYSTEM}\n\n{WRITTEN}") - n(SYSTEM) + beside_system
    ((found_system, found_tools, found_schema, each),) = books.rows(
        "SELECT system_tokens, tools_tokens, schema_tokens, map_entries(tool_tokens) FROM prompt_versions"
    )
    assert (found_system, found_tools, found_schema) == (system, tools, 0)
    shares = {entry["key"]: entry["value"] for entry in each}
    # Each tool gets its part of the whole by the size of its own definition.
    assert sum(shares.values()) == tools
    assert shares["find"] / shares["now"] == pytest.approx(n(FIND) / n(NOW), rel=0.1)
