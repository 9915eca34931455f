"""Print how fast texts are counted beside tiktoken, with all counts compared, and what remembering costs.

python -m benchmarks.counter --size-mb 2 --fuzz 100000

Texts are drawn from words of the vocabulary itself, frequent ones more often. Times are of the processor, on
texts not seen before; figures are medians. One text counted otherwise than tiktoken does fails the run.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from statistics import median

from benchmarks.figures import Figure, at_least, fail, report
from collector import counter, fast, memory
from collector.vocabularies import CL100K, O200K, reference

_SCRIPTS = {
    "prose": re.compile(r" [A-Za-z][a-z]+"),
    "chinese": re.compile(r"[一-鿋]+"),
    "japanese": re.compile(r"[ぁ-んァ-ヶ一-鿋]+"),
    "cyrillic": re.compile(r" [А-Яа-яё]+"),
}
_TEXT_CHARS = 2_000
_FUZZ = (
    "abcABC xyz'sStTdDmMlLvVrReE",
    "0123456789 abc",
    "  \t\n\r\x0b\x0c\x85\xa0\u2028\u3000",
    "!/\\.,;:'\"-_()[]{}<>\r\n /",
    "éàüßñÇŒæø ÀÉ",
    "中文字符汉语日本語ひらがなカタカナ、。「」 ",
    "абвгд АБВ ",
    "\u0301\u0308\u200d\u200b\ufe0f👨👩👧🏽❤🎉 a",
    "हिन्दी ไทยภาษา العربية עברית ",
    "ǅǈʰˢªº²³½ⅧⅣⅷ٣०",
    "\x00\x01\x1c\x1d\x1e\x1f\x7f\ufffd\u00ad\ufeff a1",
    "it'ſ He'S ſ",
)


@cache
def _words(script: str) -> tuple[list[str], list[float]]:
    """Words of the vocabulary in a script, the n-th drawn 1/n as often as the first; some are two in one."""
    readable = (token.decode("utf-8", "replace") for token in reference(O200K).token_byte_values())
    found = [word for word in readable if _SCRIPTS[script].fullmatch(word)]
    dice = random.Random(script)
    dice.shuffle(found)
    rare = [dice.choice(found) + dice.choice(found).strip() for _ in range(len(found) // 2)]
    words = [word for pair in zip(found, rare + found, strict=False) for word in pair]
    return words, list(accumulate(1 / rank for rank in range(1, len(words) + 1)))


def _drawn(dice: random.Random, script: str, count: int) -> list[str]:
    words, weights = _words(script)
    return dice.choices(words, cum_weights=weights, k=count)


def _sentence(dice: random.Random, script: str, ends: str) -> str:
    return "".join(_drawn(dice, script, dice.randint(5, 20))).strip() + dice.choice(ends)


def _code(dice: random.Random) -> str:
    name, other, field = (word.strip().lower() for word in _drawn(dice, "prose", 3))
    return (
        f"    def {name}_{other}(self, {field}: int = {dice.randint(0, 9999)}) -> str:\n"
        f"        if self.{other}[{field!r}] >= {dice.random():.3f}:  # {name}\n"
        f'            return "{other}"\n\n'
    )


def _json(dice: random.Random) -> str:
    first, second, third = (word.strip() for word in _drawn(dice, "prose", 3))
    return f'{{"{first}": {dice.randint(0, 10**9)}, "{second}": ["{third}", {dice.random()}, null]}},\n'


def _emoji(dice: random.Random) -> str:
    drawn = "".join(chr(dice.randint(0x1F300, 0x1F64F)) for _ in range(dice.randint(1, 3)))
    return _sentence(dice, "prose", "!?") + f" {drawn}\u200d\ufe0f "


WRITERS: dict[str, Callable[[random.Random], str]] = {
    "prose": lambda dice: _sentence(dice, "prose", ".!?,") + dice.choice((" ", " ", "\n\n")),
    "code": _code,
    "json": _json,
    "chinese": lambda dice: _sentence(dice, "chinese", "，。？"),
    "japanese": lambda dice: _sentence(dice, "japanese", "、。"),
    "cyrillic": lambda dice: _sentence(dice, "cyrillic", ".,!") + " ",
    "emoji": _emoji,
}


def texts(kind: str, size: int, seed: int) -> list[str]:
    """Texts of about 2,000 characters each."""
    dice = random.Random(f"{kind} {seed}")
    made: list[str] = []
    while size > 0:
        text = ""
        while len(text) < _TEXT_CHARS:
            text += WRITERS[kind](dice)
        made.append(text)
        size -= len(text.encode())
    return made


def fuzz(count: int, seed: int) -> Iterator[str]:
    """Short strings of the characters that a pattern treats in their own way, and of any character."""
    dice = random.Random(seed)
    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    for _ in range(count):
        pools = dice.sample(_FUZZ, dice.randint(1, 3))
        alphabet = "".join(pools) if dice.random() < 0.8 else "".join(dice.choices(every, k=20)) + "ab 's1\n"
        yield "".join(dice.choices(alphabet, k=dice.randint(1, 60)))


def seconds(work: Callable[[str], object], some: Sequence[str]) -> float:
    started = time.process_time()
    for text in some:
        work(text)
    return time.process_time() - started


def _bytes(some: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in some)


def compare(encoding: str, some: Sequence[str]) -> None:
    """Fail where the product counts a text otherwise than tiktoken."""
    encode = reference(encoding).encode_ordinary
    for text in some:
        if counter.count(encoding, text) != counter.TextCount(len(encode(text)), exact=True):
            fail(f"{text[:80]!r} is counted otherwise than by tiktoken ({encoding})")
    if fast.doubt():
        fail(fast.doubt() or "")


def speed(encoding: str, kind: str, size: int, rounds: int) -> Figure:
    """The fast counter beside tiktoken on one kind of text, each on texts it has not seen."""
    ours, theirs, encode = [], [], reference(encoding).encode_ordinary
    for number in range(rounds):
        some = texts(kind, size, number)
        megabytes = _bytes(some) / 1e6
        ours.append(megabytes / seconds(lambda text: counter.count(encoding, text), some))
        theirs.append(megabytes / seconds(lambda text: len(encode(text)), some))
        compare(encoding, some)
    ratio = median(ours) / median(theirs)
    label = f"{kind}, {encoding.removesuffix('_base')}"
    return Figure(label, median(ours), "MB/s", median(theirs), "tiktoken", ratio)


def overall(figures: Sequence[Figure]) -> Figure:
    """All kinds of text in equal parts."""
    ours = len(figures) / sum(1 / figure.value for figure in figures)
    theirs = len(figures) / sum(1 / figure.baseline for figure in figures if figure.baseline)
    words, met = at_least(ours / theirs, 6)
    return Figure("all of these in equal parts", ours, "MB/s", theirs, "tiktoken", ours / theirs, words, met)


def remembering(size: int, rounds: int) -> Figure:
    """What the memory costs where no text comes twice."""
    plain, remembered = [], []
    for number in range(rounds):
        some, others = (
            [text for kind in WRITERS for text in texts(kind, size, 1_000 + 2 * number + side)]
            for side in (0, 1)
        )
        plain.append(_bytes(some) / 1e6 / seconds(lambda text: counter.count(O200K, text), some))
        remembered.append(_bytes(others) / 1e6 / seconds(memory.counts(O200K).__getitem__, others))
    ratio = median(remembered) / median(plain)
    words, met = at_least(ratio, 0.9)
    name = "remembered, no text twice"
    return Figure(name, median(remembered), "MB/s", median(plain), "not remembered", ratio, words, met)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=2, help="of each kind of text, each round")
    parser.add_argument("--rounds", type=int, default=5, help="figures are medians of this many")
    parser.add_argument("--fuzz", type=int, default=100_000, help="how many short strings are compared")
    parser.add_argument("--encoding", nargs="+", default=[O200K, CL100K], choices=[O200K, CL100K])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> None:
    wanted = options()
    size, rounds, strings = round(wanted.size_mb * 1e6), wanted.rounds, wanted.fuzz
    if wanted.quick:
        size, rounds, strings = 100_000, 1, 2_000
    if not all(map(fast.load, wanted.encoding)):
        fail("fastokens is not installed: pip install 'tollbook[fast]'")
    for encoding in wanted.encoding:
        compare(encoding, list(fuzz(strings, seed=1)))
    told = [speed(encoding, kind, size, rounds) for encoding in wanted.encoding for kind in WRITERS]
    equal = Figure("strings of the fuzz counted as by tiktoken", strings * len(wanted.encoding), "strings")
    figures = [*told, overall(told), remembering(size // 2, rounds), equal]
    report("counter", figures, as_json=wanted.json)


if __name__ == "__main__":
    main()
