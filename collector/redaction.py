"""Find keys, tokens and what names a person in text, and black it out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

SECRET = "(secret)"
BLACK = "█"

# The shapes in which providers, gateways and hosts write their keys, wherever in a text they stand.
_SECRET = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:
        (?:sk|pk|rk)[-_][A-Za-z0-9][A-Za-z0-9_-]{14,}     # OpenAI, Anthropic, Stripe, LiteLLM, Langfuse
      | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,}
      | xox[abeoprs]-[A-Za-z0-9-]{10,} | (?:AKIA|ASIA)[0-9A-Z]{16}
      | AIza[0-9A-Za-z_-]{30,} | ya29\.[0-9A-Za-z_-]{20,}
      | (?:hf|r8|gsk|npm|lsv2_pt|lsv2_sk)_[A-Za-z0-9_]{20,} | (?:xai|pplx|tvly|fw|nvapi)-[A-Za-z0-9_-]{20,}
      | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
      | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?          # a JSON web token
      )
    | (?i:\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,})
    | (?i:\b(?:(?:api|access|account)[-_ ]?key|secret|passw(?:or)?d|token)\s*[=:]\s*["']?[^\s"',;&]{6,})
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----[\s\S]*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|$)
    | (?<=://)[^\s/@:]+:[^\s/@]+(?=@)                                          # user:password@ of an address
    """,
    re.VERBOSE,
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_DIGITS = re.compile(r"(?<![\w.])\+?\(?[0-9][0-9 ()./-]{6,22}[0-9](?![\w])")
_CARD_DIGITS = range(13, 20)
_PHONE_DIGITS = range(8, 16)


@lru_cache(maxsize=8192)
def holds_secret(text: str) -> bool:
    """Whether a name or value holds what looks like a key, a token or a password."""
    return _SECRET.search(text) is not None


def shown(name: str) -> str:
    """The name, or a word that stands for a secret where one was logged in its place."""
    return SECRET if holds_secret(name) else name


def without_secret(name: str | None) -> str | None:
    """The same for a name that may be unknown."""
    return None if name is None else shown(name)


def redacted(text: str) -> tuple[str, int]:
    """The text with secrets, addresses, accounts, cards and telephone numbers black; how many there were.

    A long number is a card where its check digit says so, else a telephone number by its length.
    """
    count = 0
    for pattern, is_one in ((_SECRET, _always), (_ADDRESS, _always), (_IBAN, is_iban), (_DIGITS, _is_number)):
        text, found = _blackened(text, pattern, is_one)
        count += found
    return text, count


def _blackened(text: str, pattern: re.Pattern[str], is_one: Callable[[str], bool]) -> tuple[str, int]:
    count = 0

    def black(found: re.Match[str]) -> str:
        nonlocal count
        if not is_one(found.group()):
            return found.group()
        count += 1
        return BLACK * 4

    return pattern.sub(black, text), count


def _always(_: str) -> bool:
    return True


def _is_number(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if len(digits) in _CARD_DIGITS:
        return is_card(digits)
    return len(digits) in _PHONE_DIGITS and (text.startswith(("+", "(", "0")) or not text.isdigit())


def is_card(digits: list[int]) -> bool:
    """Whether the digits pass Luhn's check, as every card number does."""
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether an account number leaves 1 of 97, as every IBAN does."""
    packed = text.replace(" ", "")
    moved = packed[4:] + packed[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
