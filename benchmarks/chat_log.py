"""Make a log of multi-turn chats in which every text stands a known number of times."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODEL = "gpt-4.1-mini"
FIRST_CALL = 1_790_000_000
LANGUAGES = ("prose", "code", "json", "chinese", "japanese")

_ENGLISH_WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an "
    "they which one you were all her she there would their we him been has when who will no more if out so "
    "up said what its about than into them can only other time new some could these two may first then do "
    "any like my now over such our man me even most made after also did many off before must well back "
    "through years where much your way down should because long each just state those people too mister how "
    "little good world make very year still see own work men day get here old life both between being under "
    "three never know same last another while us might great go come since against right came take used "
    "himself few house american use place during high without again home around small however found part "
    "account invoice delivery refund customer shipping contract meeting schedule report password update"
)
_CHINESE_WORDS = (
    "我们 你们 他们 今天 明天 问题 时间 可以 没有 什么 怎么 工作 公司 客户 订单 价格 数据 系统 使用 "
    "需要 知道 因为 所以 但是 如果 已经 现在 开始 以后 非常 重要 服务 产品 信息 联系 发送 文件 请问 谢谢 请 "
    "的 是 在 了 和 有 不 这 那 也 都 就 很 会 要 把 给 到 说 看"
)
_JAPANESE_WORDS = (
    "です ます こと これ それ この その ため よう から まで では には とは ください ありがとう お願い します "
    "しました 時間 問題 会社 顧客 注文 価格 情報 必要 確認 連絡 返品 配送 商品 資料 今日 明日 場合 方法 "
    "の は が を に で と も や ので けれど また もし とても 使う 送る 見る"
)
_ENGLISH, _CHINESE, _JAPANESE = (words.split() for words in (_ENGLISH_WORDS, _CHINESE_WORDS, _JAPANESE_WORDS))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a log is made of: its bytes, how often each text stands in it, the mean bytes of a message."""

    size: int
    repeat: int
    message_bytes: int = 1_110
    languages: tuple[str, ...] = LANGUAGES
    seed: int = 1


def write_log(path: Path, shape: Shape) -> int:
    """Write the log, UTF-8 unescaped, and return how many calls it holds."""
    dice = random.Random(shape.seed)
    written = calls = 0
    with path.open("wb") as log:
        while written < shape.size:
            for call in _chat(dice, shape, calls):
                written += log.write(json.dumps(call, ensure_ascii=False).encode() + b"\n")
                calls += 1
    return calls


def _chat(dice: random.Random, shape: Shape, first: int) -> Iterator[dict[str, object]]:
    """The calls of one chat: each sends again all that was said before."""
    if shape.repeat == 1:
        said = [_message(dice, shape, role) for role in ("system", *("user", "assistant") * 8, "user")]
        yield _call(first, said, _message(dice, shape, "assistant"))
        return
    said = [_message(dice, shape, "system")]
    for turn in range(2 * shape.repeat - 1):
        said.append(_message(dice, shape, "user"))
        answer = _message(dice, shape, "assistant")
        yield _call(first + turn, said, answer)
        said.append(answer)


def _message(dice: random.Random, shape: Shape, role: str) -> dict[str, str]:
    return {"role": role, "content": _text(dice, shape)}


def _call(number: int, said: list[dict[str, str]], answer: dict[str, str]) -> dict[str, object]:
    return {
        "url_path": "/v1/chat/completions",
        "status": 200,
        "latency_ms": 900 + number % 700,
        "metadata": {"tenant": f"tenant-{number % 7}", "workflow": "chat", "environment": "prod"},
        "request": {"model": MODEL, "temperature": 0.2, "messages": list(said)},
        "response": {
            "id": f"chatcmpl-{number:024d}",
            "object": "chat.completion",
            "created": FIRST_CALL + number,
            "model": MODEL,
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
        },
    }


def _text(dice: random.Random, shape: Shape) -> str:
    write = _WRITERS[dice.choice(shape.languages)]
    wanted = dice.randint(shape.message_bytes // 4, shape.message_bytes * 7 // 4)
    pieces: list[str] = []
    while wanted > 0:
        pieces.append(write(dice))
        wanted -= len(pieces[-1].encode())
    return "".join(pieces)


def _prose(dice: random.Random) -> str:
    words = " ".join(dice.choices(_ENGLISH, k=dice.randint(6, 20)))
    return f"{words.capitalize()}{dice.choice('.?!')}{dice.choice((' ', ' ', chr(10) * 2))}"


def _code(dice: random.Random) -> str:
    name, other, field = dice.choices(_ENGLISH, k=3)
    return (
        f"def {name}_{other}({field}: int) -> str:\n    if {field} > {dice.randint(0, 999)}:\n"
        f'        return "{name}"\n    return {other}({field}, limit={dice.random():.3f})\n\n'
    )


def _json(dice: random.Random) -> str:
    entry = {
        name: dice.choice((dice.randint(0, 10**6), dice.choice(_ENGLISH)))
        for name in dice.sample(_ENGLISH, 4)
    }
    return json.dumps(entry) + "\n"


def _chinese(dice: random.Random) -> str:
    return "".join(dice.choices(_CHINESE, k=dice.randint(6, 14))) + dice.choice("，。？")


def _japanese(dice: random.Random) -> str:
    return "".join(dice.choices(_JAPANESE, k=dice.randint(6, 14))) + dice.choice("、。")


_WRITERS: dict[str, Callable[[random.Random], str]] = {
    "prose": _prose,
    "code": _code,
    "json": _json,
    "chinese": _chinese,
    "japanese": _japanese,
}
