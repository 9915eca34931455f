"""Who calls what, how often and when: the invented companies of the example month."""

from __future__ import annotations

from datetime import UTC, date, datetime

from examples.shapes import Cell, Route, Wire

LAST_DAY = date(2026, 10, 30)
PROMPT_CHANGE = datetime(2026, 10, 30, 8, tzinfo=UTC)
RUNAWAY_TENANT = "acme-robotics"
RUNAWAY_WORKFLOW = "research-agent"
HOUSE_MODEL = "house-llama-70b"

SONNET = "claude-sonnet-4-5-20250929"
GRAND = "claude-opus-4-1-20250805"
HAIKU = "claude-haiku-4-5-20251001"
OPUS = "claude-opus-4-5-20251101"

_G, _L = Route.GATEWAY, Route.LITELLM

CELLS = (
    Cell("acme-robotics", "support-bot", "gpt-5.5", Wire.CHAT, _G, 18, "office"),
    Cell("acme-robotics", "code-assistant", GRAND, Wire.MESSAGES, _G, 18, "office"),
    Cell("acme-robotics", "research-agent", GRAND, Wire.MESSAGES, _G, 15, "office"),
    Cell("blue-heron-bank", "contract-review", "gpt-5.5", Wire.CHAT, _L, 62, "office", redacted=True),
    Cell("blue-heron-bank", "ticket-triage", "gpt-4.1-mini", Wire.CHAT, _L, 12, "office"),
    Cell("blue-heron-bank", "research-agent", SONNET, Wire.CHAT, _L, 6, "office"),
    Cell("lumen-travel", "support-bot", "gpt-5.5", Wire.CHAT, _G, 22, "evening"),
    Cell("lumen-travel", "ticket-triage", "gpt-4.1-mini", Wire.CHAT, _G, 16, "evening"),
    Cell("lumen-travel", "product-search", "text-embedding-3-small", Wire.EMBEDDINGS, _G, 18, "evening"),
    Cell("nordwind-logistik", "support-bot", "gpt-5.5", Wire.CHAT, _G, 12, "office", lang="de"),
    Cell("nordwind-logistik", "ticket-triage", "gpt-5-mini", Wire.CHAT, _G, 18, "office", lang="de"),
    Cell("nordwind-logistik", "meeting-notes", "gpt-5-mini", Wire.RESPONSES, _G, 8, "office", lang="de"),
    Cell("pinecrest-clinic", "support-bot", "gpt-5.5", Wire.CHAT, _G, 12, "office"),
    Cell("pinecrest-clinic", "meeting-notes", HAIKU, Wire.MESSAGES, _G, 12, "office"),
    Cell("pinecrest-clinic", "ticket-triage", "gpt-4.1-mini", Wire.CHAT, _G, 12, "office"),
    Cell("pinecrest-clinic", "ticket-triage", HOUSE_MODEL, Wire.CHAT, _G, 4, "office"),
    Cell("quill-press", "product-copy", "gemini-2.5-flash", Wire.CHAT, _L, 14, "office"),
    Cell("quill-press", "code-assistant", OPUS, Wire.CHAT, _L, 10, "office"),
    Cell("quill-press", "contract-review", "gpt-5", Wire.CHAT, _L, 14, "office"),
    Cell("sakura-retail", "support-bot", "gpt-5.5", Wire.CHAT, _G, 12, "tokyo", lang="ja"),
    Cell("sakura-retail", "product-search", "text-embedding-3-small", Wire.EMBEDDINGS, _G, 20, "tokyo"),
    Cell("sakura-retail", "product-copy", "gemini-2.5-pro", Wire.GEMINI, _G, 28, "tokyo", lang="ja"),
)

# Share of a day's calls by hour (UTC) and of a plain weekday's volume by day of week, Monday first.
HOURS = {
    "office": (1, 1, 1, 1, 1, 2, 6, 12, 16, 18, 17, 14, 15, 18, 17, 14, 10, 6, 4, 3, 2, 2, 1, 1),
    "evening": (3, 2, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 8, 9, 11, 14, 17, 18, 16, 12, 8, 5),
    "tokyo": (14, 15, 14, 12, 13, 14, 13, 12, 11, 13, 15, 14, 11, 8, 5, 3, 2, 1, 1, 1, 2, 3, 6, 10),
}
WEEKDAYS = {
    "office": (1.0, 1.04, 1.03, 1.0, 0.94, 0.34, 0.30),
    "evening": (0.92, 0.90, 0.93, 0.97, 1.06, 1.18, 1.15),
    "tokyo": (0.95, 0.94, 0.96, 0.98, 1.04, 1.10, 1.08),
}

# List prices in dollars per million (input, output): only for the cost a proxy writes into its own log.
PROXY_PRICES = {
    "gpt-5.5": ("5", "30"),
    "gpt-5": ("1.25", "10"),
    "gpt-4.1-mini": ("0.4", "1.6"),
    SONNET: ("3", "15"),
    OPUS: ("5", "25"),
    "gemini-2.5-flash": ("0.3", "2.5"),
}
