"""The tools and the answer schema that the invented applications offer their models."""

from __future__ import annotations

from examples.shapes import Json


def _tool(name: str, description: str, properties: Json, required: list[str]) -> Json:
    schema: Json = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": description, "parameters": schema}


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


SUPPORT = (
    _tool(
        "lookup_order",
        "Read one order with its parcels, payments and open cases.",
        {"order_id": _text("Order code, for example PO-1234"), "include_history": {"type": "boolean"}},
        ["order_id"],
    ),
    _tool(
        "open_case",
        "Open a case for a colleague. Returns the case number.",
        {
            "subject": _text("One line for the queue"),
            "urgency": {"type": "string", "enum": ["low", "normal", "urgent"]},
            "amount": {"type": "number", "description": "Amount in question, in the order's currency"},
        },
        ["subject", "urgency"],
    ),
)
RESEARCH = (
    _tool(
        "search_web",
        "Search supplier pages and data sheets. Returns ten hits.",
        {"query": _text("Search words"), "region": _text("Two-letter country")},
        ["query"],
    ),
    _tool("fetch_page", "Read one page as text.", {"page": _text("Page code from a hit")}, ["page"]),
    _tool(
        "write_memo",
        "File the finished memo.",
        {"title": _text("Headline"), "sources": {"type": "array", "items": {"type": "string"}}},
        ["title", "sources"],
    ),
)
TRIAGE_SCHEMA: Json = {
    "name": "triage",
    "schema": {
        "type": "object",
        "properties": {
            "queue": {"type": "string", "enum": ["billing", "delivery", "technical", "other"]},
            "urgency": {"type": "string", "enum": ["low", "normal", "urgent"]},
            "language": {"type": "string"},
            "summary": {"type": "string"},
        },
        "required": ["queue", "urgency", "language", "summary"],
        "additionalProperties": False,
    },
}
