"""Sentences assembled from a small vocabulary: reads like work, says nothing about anyone."""

from __future__ import annotations

from random import Random

_CODES = ("KB", "REF", "PO", "SKU", "LOT", "RMA")

_PLAIN = {
    "en": (
        "Item {code} left depot {n} on {date} and was scanned {n} times.",
        "The {noun} {code} costs EUR {money}, valid until {date}.",
        "If the {noun} is late by more than {n} days, rule {n}.{n} applies.",
        "Customers on plan {code} may change the {noun} {n} times a year.",
        "Step {n}: open the {noun}, enter {code}, confirm with {n}{n}.",
        "Limit: {n} per {noun}, {money} per order, reset on {date}.",
        "See {code} and {code}; both replace the {noun} of {date}.",
        "A {noun} without {code} is refused with notice E{n}{n}.",
    ),
    "de": (
        "Sendung {code} verließ Lager {n} am {date} und wurde {n}-mal gescannt.",
        "Die {noun} {code} kostet {money} EUR, gültig bis {date}.",
        "Bei mehr als {n} Tagen Verzug gilt Regel {n}.{n}.",
        "Schritt {n}: {noun} öffnen, {code} eingeben, mit {n}{n} bestätigen.",
        "Grenze: {n} je {noun}, {money} EUR je Auftrag, neu ab {date}.",
        "Siehe {code} und {code}; beide ersetzen die {noun} vom {date}.",
    ),
    "ja": (
        "商品{code}は{date}に倉庫{n}を出荷しました。",
        "{noun}{code}の価格は{money}円です。",
        "{n}日以内であれば返品できます。",
        "手順{n}：{noun}を開き、{code}を入力してください。",
        "詳細は{code}をご覧ください。",
    ),
}

_NOUNS = {
    "support-bot": ("order", "parcel", "refund", "booking", "invoice", "warranty", "delivery slot"),
    "ticket-triage": ("ticket", "request", "complaint", "login", "invoice"),
    "contract-review": ("clause", "annex", "term sheet", "guarantee", "notice period"),
    "code-assistant": ("queue", "driver", "gripper config", "retry loop", "sensor frame", "parser"),
    "research-agent": ("supplier", "patent", "data sheet", "bearing", "actuator", "tender"),
    "product-search": ("rain jacket", "desk lamp", "city tour", "tea set", "trail shoe"),
    "product-copy": ("lamp", "kettle", "scarf", "notebook", "bento box", "umbrella"),
    "meeting-notes": ("agenda item", "rota", "audit", "handover", "budget line", "route plan"),
}
_NOUNS_DE = ("Rechnung", "Lieferung", "Palette", "Route", "Rückgabe", "Buchung")
_NOUNS_JA = ("注文", "返品", "在庫", "配送", "割引", "会員証")

QUESTIONS = {
    "en": (
        "Where is my {noun} {code}?",
        "Can I still change {noun} {code} before {date}?",
        "I was charged {money} twice for {code}, please check the {noun}.",
        "How many days do I have for the {noun} of {date}?",
        "The {noun} {code} shows error E{n}{n}. What now?",
    ),
    "de": (
        "Wo ist meine {noun} {code}?",
        "Kann ich die {noun} {code} vor dem {date} noch ändern?",
        "Mir wurden {money} EUR doppelt berechnet, {code}. Bitte die {noun} prüfen.",
    ),
    "ja": (
        "{noun}{code}はいつ届きますか。",
        "{date}までに{noun}を変更できますか。",
        "{code}の{noun}について教えてください。",
    ),
}

SYSTEMS = {
    "support-bot": (
        "You answer customers of {tenant}. Use only the articles in the context block.",
        "Name the article code behind each statement. If no article fits, say so and offer a colleague.",
        "Look an order up before you speak about its state. Never promise a date that no article gives.",
        "Answer in the language of the question, in at most six sentences, without greetings.",
        "Amounts are in the currency of the order. Dates are written as year-month-day.",
        "Refunds above 200 need a colleague: open a case and give its number.",
    ),
    "ticket-triage": (
        "You sort incoming tickets of {tenant}: pick queue, urgency and language.",
        "Urgent means that somebody cannot work or pay. Everything else is normal or low.",
    ),
    "contract-review": (
        "You compare a draft contract of {tenant} with its playbook and list deviations by clause.",
        "Quote the clause number, the deviation, the risk in one sentence and the fallback wording.",
    ),
    "code-assistant": (
        "You are a pair programmer for the engineers of {tenant}. Small changes, tests first.",
        "Keep public names. Explain a change in two sentences, then give the whole changed function.",
        "Never touch generated files. Ask when a requirement is missing.",
    ),
    "research-agent": (
        "You research suppliers and parts for {tenant}. Plan, search, read, then write a short memo.",
        "Cite every page you used. Stop after eight searches or when two sources agree.",
    ),
    "product-copy": (
        "You write shop texts for {tenant}: one headline, three sentences, five bullet points.",
        "No superlatives, no claims about health or safety. Keep units and sizes exactly as given.",
    ),
    "meeting-notes": (
        "You turn a transcript of {tenant} into minutes: decisions, open points, owners, dates.",
        "Leave out small talk. Mark everything that was unclear with a question mark.",
    ),
    "product-search": (),
}


def code(rng: Random) -> str:
    return f"{rng.choice(_CODES)}-{rng.randrange(1000, 9999)}"


def _fill(rng: Random, template: str, workflow: str, lang: str) -> str:
    nouns = {"de": _NOUNS_DE, "ja": _NOUNS_JA}.get(lang, _NOUNS[workflow])
    pieces = template.split("{code}")
    text = pieces[0] + "".join(code(rng) + piece for piece in pieces[1:])
    return text.format(
        n=rng.randrange(2, 60),
        noun=rng.choice(nouns),
        date=f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        money=f"{rng.randrange(5, 900)}.{rng.randrange(100):02}",
    )


def sentences(rng: Random, workflow: str, lang: str, count: int) -> str:
    """Give `count` statements, joined as one paragraph."""
    joiner = "" if lang == "ja" else " "
    return joiner.join(_fill(rng, rng.choice(_PLAIN[lang]), workflow, lang) for _ in range(count))


def question(rng: Random, workflow: str, lang: str) -> str:
    return _fill(rng, rng.choice(QUESTIONS[lang]), workflow, lang)


def system(workflow: str, tenant: str, extra: str = "") -> str:
    return " ".join((*SYSTEMS[workflow], extra)).strip().replace("{tenant}", tenant)


def article(rng: Random, workflow: str, lang: str, count: int) -> str:
    """Give one knowledge-base article: a code, a title line and its rules."""
    title = _fill(rng, "Rules for the {noun}" if lang != "de" else "Regeln: {noun}", workflow, lang)
    return f"[{code(rng)}] {title}\n{sentences(rng, workflow, lang, count)}"


def lines_of_code(rng: Random, count: int) -> str:
    """Give a plausible function of `count` lines."""
    names = ("frame", "torque", "axis", "limit", "retry", "queue", "speed", "offset")
    body = [
        f"    {rng.choice(names)}_{rng.randrange(9)} = {rng.choice(names)}.{rng.choice(names)}"
        f"({rng.randrange(500)}, limit={rng.randrange(90)})"
        for _ in range(count)
    ]
    head = f"def {rng.choice(names)}_{rng.choice(names)}({rng.choice(names)}, {rng.choice(names)}):"
    return "\n".join((head, *body, f"    return {rng.choice(names)}_{rng.randrange(9)}"))
