"""The log formats: one file each, one line each in FORMATS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from collector.formats import (
    anthropic_bill,
    azure_apim,
    bedrock,
    claude_code,
    codex,
    focus,
    generations,
    helicone,
    langchain_events,
    langfuse,
    langsmith,
    litellm,
    llamaindex_events,
    llamaindex_tokens,
    openai,
    openai_batch,
    openai_bill,
    openinference,
    openrouter,
    openrouter_activity,
    otlp,
    pair,
    portkey,
    table,
    tollbook,
    vercel,
    vercel_report,
    vertex,
)
from collector.formats.format import Facts, Follow, Format, NotACallError
from ledger.types import Bill, Request, Span

Read = Callable[[Mapping[str, object]], Request | Span | Bill]


def _guarded(read: Read, keys: Sequence[str]) -> Read:
    """Refuse a stranger's record, and turn nesting past Python's stack into a ValueError as well."""

    def guarded(record: Mapping[str, object]) -> Request | Span | Bill:
        missing = [key for key in keys if key not in record]
        if missing:
            raise ValueError(f"the record has no {', '.join(missing)}: it is of another format")
        try:
            return read(record)
        except RecursionError:
            raise ValueError("the record is nested too deeply to be read") from None

    return guarded


# The order is that of sniffing: the most particular first.
FORMATS: dict[str, Format] = {
    "tollbook": Format(
        "tollbook",
        "tollbook's own flat record, for programs that write their own",
        tollbook.matches,
        _guarded(tollbook.read, tollbook.KEYS),
        facts=tollbook.FACTS,
    ),
    "table": Format(
        "table",
        "rows of CSV, TSV, Parquet or JSON under names of your own, by a column map",
        table.matches,
        _guarded(table.read, table.KEYS),
        facts=table.FACTS,
    ),
    "litellm": Format(
        "litellm",
        "LiteLLM's StandardLoggingPayload, of its S3, GCS or file logger, and rows of its spend logs",
        litellm.matches,
        _guarded(litellm.read, litellm.KEYS),
        facts=litellm.FACTS,
        understands=litellm.UNDERSTANDS,
    ),
    "otlp": Format(
        "otlp",
        "OpenTelemetry traces and logs with GenAI attributes, OTLP's JSON, one export request a record",
        otlp.matches,
        _guarded(otlp.read, otlp.KEYS),
        otlp.items,
        facts=otlp.FACTS,
        understands=otlp.UNDERSTANDS,
    ),
    "openinference": Format(
        "openinference",
        "OpenInference spans as Phoenix exports them, one a record",
        openinference.matches,
        _guarded(openinference.read, openinference.KEYS),
        facts=openinference.FACTS,
        understands=openinference.UNDERSTANDS,
    ),
    "langfuse": Format(
        "langfuse",
        "Langfuse's observations: pages of its API (v1, v2) or its blob storage export",
        langfuse.matches,
        _guarded(langfuse.read, langfuse.KEYS),
        langfuse.items,
        facts=langfuse.FACTS,
        understands=langfuse.UNDERSTANDS,
    ),
    "langsmith": Format(
        "langsmith",
        "LangSmith's runs: of its API, its SDK or its bulk export",
        langsmith.matches,
        _guarded(langsmith.read, langsmith.KEYS),
        langsmith.items,
        facts=langsmith.FACTS,
        understands=langsmith.UNDERSTANDS,
    ),
    "langchain": Format(
        "langchain",
        "LangChain's callback events, one a record: starts, ends and errors of runs",
        langchain_events.matches,
        _guarded(langchain_events.read, langchain_events.KEYS),
        facts=langchain_events.FACTS,
        understands=langchain_events.UNDERSTANDS,
    ),
    "llamaindex": Format(
        "llamaindex",
        "LlamaIndex's instrumentation events, one a record: starts and ends of calls",
        llamaindex_events.matches,
        _guarded(llamaindex_events.read, llamaindex_events.KEYS),
        facts=llamaindex_events.FACTS,
        understands=llamaindex_events.UNDERSTANDS,
    ),
    "claude_code": Format(
        "claude_code",
        "Claude Code's session files, one line a message or a piece of one",
        claude_code.matches,
        _guarded(claude_code.read, claude_code.KEYS),
        follow=claude_code.follow,
        facts=claude_code.FACTS,
        understands=claude_code.UNDERSTANDS,
    ),
    "codex": Format(
        "codex",
        "Codex's session files (rollouts), and what `codex exec --json` prints",
        codex.matches,
        _guarded(codex.read, codex.KEYS),
        follow=codex.follow,
        facts=codex.FACTS,
        understands=codex.UNDERSTANDS,
    ),
    "llamaindex_tokens": Format(
        "llamaindex_tokens",
        "LlamaIndex's token counting events: counts, without time and model",
        llamaindex_tokens.matches,
        _guarded(llamaindex_tokens.read, llamaindex_tokens.KEYS),
        facts=llamaindex_tokens.FACTS,
        understands=llamaindex_tokens.UNDERSTANDS,
    ),
    "helicone": Format(
        "helicone",
        "Helicone's request rows, as its query API and exports give them",
        helicone.matches,
        _guarded(helicone.read, helicone.KEYS),
        facts=helicone.FACTS,
        understands=helicone.UNDERSTANDS,
    ),
    "openrouter": Format(
        "openrouter",
        "OpenRouter's generation objects, alone, in their envelope or a list",
        openrouter.matches,
        _guarded(openrouter.read, openrouter.KEYS),
        generations.items,
        facts=openrouter.FACTS,
        understands=openrouter.UNDERSTANDS,
    ),
    "vercel": Format(
        "vercel",
        "Vercel AI Gateway's generation objects, alone, in their envelope or a list",
        vercel.matches,
        _guarded(vercel.read, vercel.KEYS),
        generations.items,
        facts=vercel.FACTS,
        understands=vercel.UNDERSTANDS,
    ),
    "vertex": Format(
        "vertex",
        "Vertex AI's request-response log, a row of its BigQuery table a record",
        vertex.matches,
        _guarded(vertex.read, vertex.KEYS),
        facts=vertex.FACTS,
        understands=vertex.UNDERSTANDS,
    ),
    "azure_apim": Format(
        "azure_apim",
        "Azure API Management's logs of language models, of Log Analytics or diagnostic settings",
        azure_apim.matches,
        _guarded(azure_apim.read, azure_apim.KEYS),
        follow=azure_apim.follow,
        facts=azure_apim.FACTS,
        understands=azure_apim.UNDERSTANDS,
    ),
    "bedrock": Format(
        "bedrock",
        "Amazon Bedrock's model invocation logs, of S3 or CloudWatch",
        bedrock.matches,
        _guarded(bedrock.read, bedrock.KEYS),
        bedrock.items,
        facts=bedrock.FACTS,
        understands=bedrock.UNDERSTANDS,
    ),
    "portkey": Format(
        "portkey",
        "Portkey's metric export: counts and costs, no text",
        portkey.matches,
        _guarded(portkey.read, portkey.KEYS),
        facts=portkey.FACTS,
        understands=portkey.UNDERSTANDS,
    ),
    "openai_batch": Format(
        "openai_batch",
        "OpenAI's Batch API files: requests, answers and errors, one a line",
        openai_batch.matches,
        _guarded(openai_batch.read, openai_batch.KEYS),
        facts=openai_batch.FACTS,
        understands=openai_batch.UNDERSTANDS,
        scope=openai_batch.scope,
    ),
    "openai": Format(
        "openai",
        "OpenAI's response objects: stored completions, or the SDK's model_dump_json()",
        openai.matches,
        _guarded(openai.read, openai.KEYS),
        openai.items,
        facts=openai.FACTS,
        understands=openai.UNDERSTANDS,
    ),
    "openai_bill": Format(
        "openai_bill",
        "OpenAI's usage and costs reports, pages of the admin API or rows of an export",
        openai_bill.matches,
        _guarded(openai_bill.read, openai_bill.KEYS),
        openai_bill.items,
        facts=openai_bill.FACTS,
        understands=openai_bill.UNDERSTANDS,
    ),
    "anthropic_bill": Format(
        "anthropic_bill",
        "Anthropic's usage and cost reports, pages of the admin API",
        anthropic_bill.matches,
        _guarded(anthropic_bill.read, anthropic_bill.KEYS),
        anthropic_bill.items,
        facts=anthropic_bill.FACTS,
        understands=anthropic_bill.UNDERSTANDS,
    ),
    "openrouter_activity": Format(
        "openrouter_activity",
        "OpenRouter's activity by endpoint and UTC day",
        openrouter_activity.matches,
        _guarded(openrouter_activity.read, openrouter_activity.KEYS),
        openrouter_activity.items,
        facts=openrouter_activity.FACTS,
        understands=openrouter_activity.UNDERSTANDS,
    ),
    "vercel_report": Format(
        "vercel_report",
        "Vercel AI Gateway's spend report by day or hour",
        vercel_report.matches,
        _guarded(vercel_report.read, vercel_report.KEYS),
        vercel_report.items,
        facts=vercel_report.FACTS,
        understands=vercel_report.UNDERSTANDS,
    ),
    "focus": Format(
        "focus",
        "FOCUS cost and usage files, a charge a row",
        focus.matches,
        _guarded(focus.read, focus.KEYS),
        facts=focus.FACTS,
        understands=focus.UNDERSTANDS,
    ),
    "pair": Format(
        "pair",
        "one request and its response body a record, as a gateway logs them",
        pair.matches,
        _guarded(pair.read, pair.KEYS),
        facts=pair.FACTS,
    ),
}


def follow(form: str) -> Follow | None:
    """Begin to read a file of a format whose records need what went before them; None for others."""
    begin = FORMATS[form].follow if form else None
    return None if begin is None else begin()


def scope(form: str, path: str, beside: Sequence[str] | None) -> str | None:
    """What the names of calls in a file hold among; None where they hold everywhere."""
    found = FORMATS[form].scope if form else None
    return None if found is None else found(path, beside)


def sniff(records: Sequence[Mapping[str, object]]) -> str | None:
    """Name the format that most records match; a record goes to the first that knows it."""
    votes = Counter(name for record in records if (name := _first_match(record)) is not None)
    return max(FORMATS, key=lambda name: votes[name]) if votes else None


def _first_match(record: Mapping[str, object]) -> str | None:
    return next((name for name, form in FORMATS.items() if form.matches(record)), None)


__all__ = ["FORMATS", "Facts", "Format", "NotACallError", "follow", "scope", "sniff"]
