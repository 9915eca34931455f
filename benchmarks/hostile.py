"""Print how long text made to choke a tokenizer takes, beside tiktoken where that answers.

python -m benchmarks.hostile --size-mb 1 10

tiktoken is asked in a process of its own, as its pattern engine may end in a panic. Where it answers, the
counts must be equal, or the run fails. Claude's vocabularies have no such reference, and samples may stand
for what no language writes. Times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from unicodedata import category

from benchmarks.figures import Figure, at_most, fail, report
from collector import claude_text, counter, pretokens, tokenizers
from collector.vocabularies import CL100K, O200K, reference

LIMIT_S = 60
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_HAN = "".join(map(chr, range(0x4E00, 0x9FA5)))
_EMOJI = "".join(map(chr, range(0x1F300, 0x1F600)))
_ANY = "".join(sign for sign in map(chr, range(0xA1, 0x30000)) if category(sign) not in {"Cn", "Co", "Cs"})
CLAUDE = claude_text.CLAUDE_3
ENCODINGS = [O200K, CL100K, CLAUDE]


def _drawn(alphabet: str, width: int = 1) -> Callable[[int], str]:
    return lambda size: "".join(random.Random(1).choices(alphabet, k=size // width))


def _words(size: int) -> str:
    draw = random.Random(1)
    return " ".join("".join(draw.choices(_LOWER, k=draw.randint(2, 12))) for _ in range(size // 8))


def _repeated(text: str) -> Callable[[int], str]:
    return lambda size: text * (size // len(text.encode("utf-8", "surrogatepass")))


CASES: dict[str, Callable[[int], str]] = {
    "spaces": _repeated(" "),
    "spaces, then a word": lambda size: " " * (size - 1) + "x",
    "spaces between newlines": lambda size: "\n" + " " * (size - 2) + "\n",
    "tabs, then signs": lambda size: "\t" * (size // 2) + "!" * (size // 2),
    "newlines": _repeated("\n"),
    "line ends of Windows": _repeated("\r\n"),
    "one letter": _repeated("a"),
    "one capital": _repeated("A"),
    "random letters": _drawn(_LOWER),
    "random words": _words,
    "random capitals": _drawn(_LOWER.upper()),
    "random letters of both cases": _drawn(_LOWER + _LOWER.upper()),
    "alternating case": _repeated("aB"),
    "digits": _repeated("7"),
    "random signs": _drawn("!#$%&*()-=+[]{};:,.<>?/"),
    "apostrophes": _repeated("'s"),
    "zero-width spaces": _repeated("\u200b"),
    "combining marks": _repeated("\u0301"),
    "letters with marks": _repeated("a\u0301"),
    "one ideograph": _repeated("中"),
    "random ideographs": _drawn(_HAN, width=3),
    "random emoji": _drawn(_EMOJI, width=4),
    "random characters": _drawn(_ANY, width=3),
    "mathematical letters": _repeated("𝒜"),
    "lone surrogates": _repeated("\ud800"),
    "special-token strings": _repeated("<|endoftext|>"),
    "a mix": _drawn(" \n\ta1!\u0301\u200b中é", width=2),
}


def ours(encoding: str, text: str) -> tuple[int, float]:
    started = time.process_time()
    counted = counter.count(encoding, text)
    seconds = time.process_time() - started
    if not counted.exact and encoding != CLAUDE:
        fail("a count that should be exact is not")
    return counted.tokens, seconds


def tiktoken_here(encoding: str, text: str) -> None:
    """Print tiktoken's count and time, if it comes to that."""
    encode = reference(encoding).encode_ordinary
    encode("The first text pays for loading.")
    started = time.process_time()
    tokens = len(encode(text))
    print(json.dumps([tokens, time.process_time() - started]))


def tiktoken_apart(encoding: str, case: str, size: int) -> tuple[int, float] | None:
    """tiktoken's count and time; None where it panics or is not done in time."""
    command = [sys.executable, "-m", "benchmarks.hostile", "--only", case, "--encoding", encoding]
    try:
        done = subprocess.run(
            [*command, "--bytes", str(size)], capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    tokens, seconds = json.loads(done.stdout)
    return tokens, seconds


def figure(encoding: str, case: str, megabytes: float) -> Figure:
    size = round(megabytes * 1e6)
    text = CASES[case](size)
    tokens, seconds = ours(encoding, text)
    theirs = None if encoding == CLAUDE else tiktoken_apart(encoding, case, size)
    if theirs is not None and theirs[0] != tokens:
        fail(f"{case} in {encoding}: {tokens:,} tokens, {theirs[0]:,} by tiktoken")
    speed = seconds / megabytes
    words, met = at_most(speed, 1, "s/MB")
    label = f"{megabytes:g} MB of {case}, {encoding.removesuffix('_base')}"
    if theirs is None:
        none = "" if encoding == CLAUDE else " (tiktoken: no answer)"
        return Figure(f"{label}{none}", speed, "s/MB", aim=words, met=met)
    return Figure(label, speed, "s/MB", theirs[1] / megabytes, "tiktoken", theirs[1] / seconds, words, met)


def warm_up(encodings: list[str]) -> None:
    """Load the vocabularies and Unicode's classes, which a process pays once."""
    tokenizers.warm(encodings)
    for encoding in encodings:
        counter.count(encoding, "\n" * 4 * pretokens.WINDOW + "🙂" * 4 * pretokens.WINDOW)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, nargs="+", default=[1], help="sizes of each text")
    parser.add_argument("--encoding", nargs="+", default=ENCODINGS, choices=ENCODINGS)
    parser.add_argument("--quick", action="store_true", help="0.1 MB in a vocabulary of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=CASES, help="ask tiktoken about one case in this process")
    parser.add_argument("--bytes", type=int, default=1_000_000, help="the size of that text")
    return parser.parse_args()


def main() -> None:
    wanted = options()
    if wanted.only:
        tiktoken_here(wanted.encoding[0], CASES[wanted.only](wanted.bytes))
        return
    sizes, encodings = ([0.1], [O200K, CLAUDE]) if wanted.quick else (wanted.size_mb, wanted.encoding)
    warm_up(encodings)
    told = [figure(encoding, case, size) for size in sizes for encoding in encodings for case in CASES]
    report("hostile", told, as_json=wanted.json)


if __name__ == "__main__":
    main()
