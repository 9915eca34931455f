"""The words readers see for the closed sets of the books: segments, dimensions, states."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as sign, word and tone; the tone (calm, near, over) is never the only thing that says it."""

    sign: str
    word: str
    tone: str

    def text(self) -> str:
        """Sign and word together: `▲ over hard limit`."""
        return f"{self.sign} {self.word}".strip()


SEGMENTS = {
    "tools": "Tool definitions",
    "system": "System prompt",
    "schema": "Output schema",
    "history": "Conversation history",
    "context": "Retrieved context",
    "tool_results": "Tool results",
    "user": "User’s question",
    "media": "Images, audio, files",
    "framing": "Message framing",
    "unexplained": "Not visible in the log",
    "answer": "Answer",
    "tool_calls": "Tool calls",
    "reasoning": "Reasoning",
}

DIMENSIONS = {
    "tenant": "Tenant",
    "workflow": "Workflow",
    "model_tier": "Model tier",
    "environment": "Environment",
    "model": "Model",
    "provider": "Provider",
    "service_tier": "Service tier",
    "status": "Outcome",
}

OUTCOMES = {"ok": "Answered", "error": "Failed", "cancelled": "Cancelled"}

# A rule of a counter is named by its beginning; the period and the unit that follow are in the summary.
_COUNTER_RULES = {
    "budget_hard": "over its hard limit",
    "budget_soft": "over its soft limit",
    "budget_burn": "budget used too fast",
}

RULES = {
    "dollar_excess": "spend above usual",
    "envelope": "outside its envelope",
    "prompt_change": "new prompt",
    "prompt_review": "prompt to review",
    "collector_stale": "no new data",
    "unattributed": "spend without a tenant",
    "unpriced": "requests without a price",
    "count_drift": "counts that left the bill",
}

STATES = {
    "ok": Mark("", "within", "calm"),
    "within": Mark("", "within", "calm"),
    "warn": Mark("△", "near soft limit", "near"),
    "soft": Mark("▲", "over soft limit", "over"),
    "hard": Mark("▲", "over hard limit", "over"),
    "projected": Mark("△", "forecast over hard limit", "near"),
    "over": Mark("▲", "over", "over"),
    "unknown": Mark("△", "not known", "near"),
    "page": Mark("●", "page", "over"),
    "ticket": Mark("▲", "ticket", "near"),
    "info": Mark("", "info", "calm"),
}


def segment(name: str) -> str:
    """The reader's word for a prompt segment."""
    return SEGMENTS.get(name, name)


def dimension(name: str) -> str:
    """The reader's word for a dimension."""
    return DIMENSIONS.get(name, name.replace("_", " ").capitalize())


def value(dimension: str, name: str | None) -> str | None:
    """A value of a dimension as readers see it: names stay as they are, outcomes are words."""
    return OUTCOMES.get(name, name) if name is not None and dimension == "status" else name


def rule(name: str) -> str:
    """What a rule of the checks looks for, in a few words."""
    of_counter = (words for beginning, words in _COUNTER_RULES.items() if name.startswith(beginning))
    return RULES.get(name) or next(of_counter, name.replace("_", " "))


def state(name: str) -> Mark:
    """Sign, word and tone of a state; a state unknown here keeps its own name."""
    return STATES.get(name, Mark("", name.replace("_", " "), "calm"))
