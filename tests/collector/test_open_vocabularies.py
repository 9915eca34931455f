"""Vocabularies of open models, held to the packages that ship them."""

from __future__ import annotations

import time

import pytest

from collector import open_vocabularies
from collector.counting import count
from collector.tokenizers import count_text, tokenizer_for
from ledger.types import Api, CountMethod, Message, Part, PartKind, Prompt, Request

TEXTS = ["Hello, world!", "1234567 apples", "def f(x):\n    return x\n", "Größe, 日本語 и мир", "🙂 — it's"]


def test_tekken_counts_as_mistral_common_does() -> None:
    pytest.importorskip("mistral_common")
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    file = open_vocabularies.path("tekken")
    assert file is not None
    own = Tekkenizer.from_file(file)
    assert [count_text("tekken", text) for text in TEXTS] == [
        len(own.encode(text, bos=False, eos=False)) for text in TEXTS
    ]


def test_qwen_counts_each_digit_and_knows_chinese() -> None:
    pytest.importorskip("dashscope")
    # Qwen has a token a digit; 你好 is one of its words.
    assert count_text("qwen", "1234567") == 7
    assert count_text("qwen", "你好") == 1


@pytest.mark.parametrize(("model", "name"), [("open-mistral-nemo", "tekken"), ("qwen3:latest", "qwen")])
def test_a_model_is_counted_in_its_own_vocabulary_where_installed(model: str, name: str) -> None:
    if open_vocabularies.path(name) is None:
        pytest.skip(f"{name} is not installed")
    prompt = Prompt((Message("user", (Part(PartKind.TEXT, "hello"),)),))
    counted = count(Request(api=Api.OPENAI_CHAT, model=model, prompt=prompt))
    assert (counted.tokenizer, counted.method) == (name, CountMethod.CALIBRATED)


@pytest.mark.parametrize(
    ("model", "has_tekken"),
    [
        ("mistral-large-latest", True),
        ("mistral-large-2512", True),
        ("mistral-small-24b-instruct-2501", True),
        ("mistral-large-2407", False),
        ("mistral-large-2411", False),
        ("mistral.mistral-large-2402-v1:0", False),
        ("mistral-small-instruct-2409", False),
    ],
)
def test_mistrals_models_of_before_tekken_are_not_counted_in_it(model: str, has_tekken: bool) -> None:
    if open_vocabularies.path("tekken") is None:
        pytest.skip("tekken is not installed")
    assert (open_vocabularies.vocabulary_of(model) == "tekken") is has_tekken


def test_a_vocabulary_that_is_missing_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_vocabularies, "path", lambda _: None)
    assert open_vocabularies.vocabulary_of("qwen3") is None
    with pytest.raises(ValueError, match=r"tollbook\[qwen\]"):
        open_vocabularies.encoding("qwen")


def test_a_model_without_a_vocabulary_here_gets_openais() -> None:
    assert tokenizer_for("llama-3.3-70b").encoding == "o200k_base"


@pytest.mark.parametrize("name", ["tekken", "qwen"])
@pytest.mark.parametrize("unit", ["a", " ", "7", "="])
def test_hostile_text_does_not_stall(name: str, unit: str) -> None:
    if open_vocabularies.path(name) is None:
        pytest.skip(f"{name} is not installed")
    count_text(name, "warm")
    started = time.perf_counter()
    assert count_text(name, unit * 200_000) > 0
    assert time.perf_counter() - started < 3
