"""One conversation of each workflow: the prompts an application sends and the answers it gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

from examples import texts, tools
from examples.cast import PROMPT_CHANGE
from examples.shapes import Ask, Cell, Reply, ToolCall, Turn

LIBRARY = 80
ARTICLES_BEFORE = 3
ARTICLES_AFTER = 60
SENTENCES_PER_ARTICLE = {"en": 11, "de": 10}
RUNAWAY_MEMORY = 10


@dataclass(frozen=True, slots=True)
class Beat:
    """One call of a conversation; `cached` is the share of its prompt that the call before it also had."""

    ask: Ask
    reply: Reply
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a conversation is played: whose it is, when it starts, and by which dice."""

    rng: Random
    cell: Cell
    start: datetime


Scene = Callable[[Stage], Iterator[Beat]]


def _tool_call(rng: Random, name: str, arguments: dict[str, object]) -> ToolCall:
    return ToolCall(f"call_{rng.getrandbits(96):024x}", name, arguments)


def _library(cell: Cell) -> list[str]:
    """Give a tenant's knowledge base: the same articles on every day, whatever the seed."""
    rng = Random(f"library {cell.tenant}")
    lang = "de" if cell.lang == "de" else "en"
    count = SENTENCES_PER_ARTICLE[lang]
    return [texts.article(rng, cell.workflow, lang, count) for _ in range(LIBRARY)]


_LIBRARIES: dict[str, list[str]] = {}


def _context(rng: Random, cell: Cell, articles: int) -> str:
    library = _LIBRARIES.setdefault(cell.tenant, _library(cell))
    return "<context>\n" + "\n\n".join(rng.sample(library, articles)) + "\n</context>\n\n"


def support_bot(stage: Stage) -> Iterator[Beat]:
    """A question with retrieved articles, an order looked up, the answer, now and then a follow-up."""
    rng, cell = stage.rng, stage.cell
    changed = stage.start >= PROMPT_CHANGE
    articles = ARTICLES_AFTER if changed else ARTICLES_BEFORE
    extra = "Read every article before you answer; compare them when they differ." if changed else ""
    system = texts.system(cell.workflow, cell.tenant, extra)
    asked = _context(rng, cell, articles) + texts.question(rng, cell.workflow, cell.lang)
    opening = Turn("user", asked)
    call = _tool_call(
        rng, "lookup_order", {"order_id": texts.code(rng), "include_history": rng.random() < 0.5}
    )
    found = json.dumps(
        {"order": call.arguments["order_id"], "state": "shipped", "paid": rng.randrange(20, 400)}
    )
    turns = (opening, Turn("assistant", call=call), Turn("tool", found, answers=call))
    answer = texts.sentences(rng, cell.workflow, cell.lang, rng.randrange(5, 9))

    def ask(turns: tuple[Turn, ...]) -> Ask:
        return Ask(system, turns, tools.SUPPORT, max_output=6000)

    yield Beat(ask((opening,)), Reply(call=call, thinking_tokens=_thinking(rng, 1088)))
    yield Beat(ask(turns), Reply(answer, thinking_tokens=_thinking(rng, 2240)), cached=0.93)
    if rng.random() < 0.35:
        further = Turn("user", _context(rng, cell, articles) + texts.question(rng, cell.workflow, cell.lang))
        history = (Turn("user", asked.split("</context>\n\n")[1]), Turn("assistant", answer), further)
        again = texts.sentences(rng, cell.workflow, cell.lang, rng.randrange(4, 7))
        yield Beat(ask(history), Reply(again, thinking_tokens=_thinking(rng, 1600)))


def _thinking(rng: Random, typical: int) -> int:
    # Reasoning models bill their thinking in steps of 64 tokens.
    return 64 * max(1, round(typical * rng.uniform(0.6, 1.4) / 64))


def ticket_triage(stage: Stage) -> Iterator[Beat]:
    """One ticket sorted into a queue by a structured answer; some tickets arrive twice."""
    rng, cell = stage.rng, stage.cell
    ticket_rng = Random(f"ticket {cell.tenant} {rng.randrange(60)}") if rng.random() < 0.3 else rng
    body = texts.sentences(ticket_rng, cell.workflow, cell.lang, 4)
    ticket = texts.question(ticket_rng, cell.workflow, cell.lang) + " " + body
    verdict = {
        "queue": rng.choice(("billing", "delivery", "technical", "other")),
        "urgency": rng.choice(("low", "normal", "normal", "urgent")),
        "language": cell.lang,
        "summary": texts.sentences(rng, cell.workflow, "en", 1),
    }
    thinking = _thinking(rng, 192) if cell.model.startswith("gpt-5") else 0
    schema = tools.TRIAGE_SCHEMA
    ask = Ask(texts.system(cell.workflow, cell.tenant), (Turn("user", ticket),), schema=schema, temperature=0)
    yield Beat(ask, Reply(json.dumps(verdict, ensure_ascii=False), thinking_tokens=thinking))


def contract_review(stage: Stage) -> Iterator[Beat]:
    """A draft clause by clause; the bank's proxy keeps only the numbers of these calls."""
    rng, cell = stage.rng, stage.cell
    count = 8 if cell.redacted else 20
    draft = "\n".join(f"§{i}. " + texts.sentences(rng, cell.workflow, "en", 1) for i in range(1, count))
    ask = Ask(
        texts.system(cell.workflow, cell.tenant),
        (Turn("user", f"Playbook {texts.code(rng)}. Draft:\n{draft}"),),
        max_output=16000,
    )
    answer = texts.sentences(rng, cell.workflow, "en", rng.randrange(12, 20))
    yield Beat(ask, Reply(answer, thinking_tokens=_thinking(rng, 4096)))


def code_assistant(stage: Stage) -> Iterator[Beat]:
    """A file, then two or three changes to it; the prompt so far is read from the cache."""
    rng, cell = stage.rng, stage.cell
    files = "\n\n".join(texts.lines_of_code(rng, rng.randrange(22, 30)) for _ in range(2))
    wish = texts.question(rng, cell.workflow, "en")
    turns: tuple[Turn, ...] = (Turn("user", f"<context>\n{files}\n</context>\n\n{wish}"),)
    for step in range(rng.randrange(2, 4)):
        reply = (
            texts.sentences(rng, cell.workflow, "en", 2)
            + "\n\n"
            + texts.lines_of_code(rng, rng.randrange(24, 44))
        )
        ask = Ask(texts.system(cell.workflow, cell.tenant), turns, max_output=8000, temperature=0.2)
        yield Beat(ask, Reply(reply), cached=0.8 if step else 0.0)
        turns = (*turns, Turn("assistant", reply), Turn("user", texts.question(rng, cell.workflow, "en")))


def _search_step(rng: Random, cell: Cell, thoughts: int, hits: int) -> tuple[Turn, Turn]:
    plan = texts.sentences(rng, cell.workflow, "en", thoughts)
    call = _tool_call(rng, "search_web", {"query": texts.question(rng, cell.workflow, "en"), "region": "de"})
    found = texts.sentences(rng, cell.workflow, "en", hits)
    return Turn("assistant", plan, call=call), Turn("tool", found, answers=call)


def research_agent(stage: Stage) -> Iterator[Beat]:
    """Plan, search three or four times, write the memo; every step reads the steps before from the cache."""
    rng, cell = stage.rng, stage.cell
    task = f"Compare suppliers for {texts.code(rng)}. " + texts.sentences(rng, cell.workflow, "en", 3)
    turns: tuple[Turn, ...] = (Turn("user", task),)
    system = texts.system(cell.workflow, cell.tenant)
    for step in range(rng.randrange(3, 5)):
        said, found = _search_step(rng, cell, 14, 14)
        ask = Ask(system, turns, tools.RESEARCH, max_output=6000)
        yield Beat(ask, Reply(said.text, said.call), cached=0.7 if step > 1 else 0.0)
        turns = (*turns, said, found)
    memo = texts.sentences(rng, cell.workflow, "en", 40)
    yield Beat(Ask(system, turns, tools.RESEARCH, max_output=6000), Reply(memo), cached=0.7)


def runaway(stage: Stage) -> Iterator[Beat]:
    """The same agent in a loop: every search fails, every failure is another search, nothing is cached."""
    rng, cell = stage.rng, stage.cell
    system = texts.system(cell.workflow, cell.tenant)
    task = Turn(
        "user", f"Compare suppliers for {texts.code(rng)}. Do not stop before all prices are confirmed."
    )
    steps: tuple[Turn, ...] = ()
    while True:
        said, found = _search_step(rng, cell, 40, 20)
        failed = Turn("tool", "ERROR 429 partial page, search again.\n" + found.text, answers=found.answers)
        ask = Ask(system, (task, *steps), tools.RESEARCH, max_output=8000)
        yield Beat(ask, Reply(said.text, said.call))
        steps = (*steps, said, failed)[-RUNAWAY_MEMORY:]


def product_copy(stage: Stage) -> Iterator[Beat]:
    """A shop text from a list of facts."""
    rng, cell = stage.rng, stage.cell
    facts = "\n".join("- " + texts.sentences(rng, cell.workflow, "en", 1) for _ in range(12))
    prompt = f"Facts for {texts.code(rng)}:\n{facts}"
    ask = Ask(
        texts.system(cell.workflow, cell.tenant), (Turn("user", prompt),), max_output=8000, temperature=0.8
    )
    answer = texts.sentences(rng, cell.workflow, cell.lang, 9)
    yield Beat(ask, Reply(answer, thinking_tokens=rng.randrange(2600, 5200)))


def meeting_notes(stage: Stage) -> Iterator[Beat]:
    """A transcript turned into minutes."""
    rng, cell = stage.rng, stage.cell
    speakers = ("A", "B", "C")
    said = "\n".join(
        f"{rng.choice(speakers)}: {texts.sentences(rng, cell.workflow, cell.lang, 1)}" for _ in range(24)
    )
    ask = Ask(texts.system(cell.workflow, cell.tenant), (Turn("user", said),), max_output=2000)
    answer = texts.sentences(rng, cell.workflow, cell.lang, 16)
    yield Beat(
        ask, Reply(answer, thinking_tokens=_thinking(rng, 384) if cell.model.startswith("gpt-5") else 0)
    )


def product_search(stage: Stage) -> Iterator[Beat]:
    """A few product lines to embed."""
    rng, cell = stage.rng, stage.cell
    lines = tuple(
        Turn("user", texts.sentences(rng, cell.workflow, "en", 2)) for _ in range(rng.randrange(2, 7))
    )
    yield Beat(Ask("", lines), Reply())


SCENES: dict[str, Scene] = {
    "support-bot": support_bot,
    "ticket-triage": ticket_triage,
    "contract-review": contract_review,
    "code-assistant": code_assistant,
    "research-agent": research_agent,
    "product-copy": product_copy,
    "meeting-notes": meeting_notes,
    "product-search": product_search,
}
