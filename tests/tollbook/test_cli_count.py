"""`tollbook count`: a text or a request body, counted and priced as the books would."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import store

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")
CHAT = {
    "model": "gpt-4.1-mini",
    "max_tokens": 40,
    "messages": [
        {"role": "system", "content": "You sort letters."},
        {"role": "user", "content": "Where does this one go?"},
    ],
}


def counted(tollbook, *args: str, stdin: str = "") -> dict:
    done = tollbook("count", *args, "--json", *AS_OF, stdin=stdin)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_text_is_counted_as_one_message_and_priced_with_its_answer(in_folder):
    found = counted(
        in_folder, "-", "--model", "gpt-4.1-mini", "--response-budget", "100", stdin=" the" * 1000
    )
    # A thousand words of one token; 3 for the answer's start, 3 and one for the user's message.
    assert found["segments"]["user"] == 1000
    assert found["input_tokens"] == 1007
    # $0.40 and $1.60 for a million.
    assert (found["input_usd"], found["output_usd"]) == ("0.000402800000", "0.000160000000")
    assert found["total_usd"] == "0.000562800000"
    assert found["method"] == "exact"


def test_the_room_is_what_the_window_leaves_after_prompt_and_answer(in_folder):
    found = counted(in_folder, "-", "--model", "gpt-4o", "--response-budget", "28000", stdin=" the" * 999)
    assert (found["context_window"], found["room"]) == (128_000, 128_000 - 1006 - 28_000)
    text = in_folder(
        "count", "-", "--model", "gpt-4", "--response-budget", "8000", *AS_OF, stdin=" the" * 999
    ).out
    assert "does not fit: 814 over the window of 8,192" in text


def test_a_request_body_is_counted_by_segment_with_the_model_it_names(in_folder):
    found = counted(in_folder, "-", stdin=json.dumps(CHAT))
    assert (found["kind"], found["api"], found["model"]) == ("body", "openai.chat", "gpt-4.1-mini")
    # "You sort letters." is 4 tokens, "Where does this one go?" is 6, then 3 + 2 × (3 + 1).
    assert {k: v for k, v in found["segments"].items() if v} == {"system": 4, "user": 6, "framing": 11}


@pytest.mark.parametrize(
    ("body", "api"),
    [
        ({"model": "gpt-5", "input": "Say when."}, "openai.responses"),
        (
            {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hm."}]},
            "anthropic.messages",
        ),
        (
            {"model": "x", "system": "Be brief.", "messages": [{"role": "user", "content": "Hm."}]},
            "anthropic.messages",
        ),
        ({"model": "gemini-2.5-flash", "contents": [{"parts": [{"text": "Hm."}]}]}, "gemini.generate"),
        ({"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon"}, "openai.completions"),
        ({"model": "text-embedding-3-small", "input": ["one", "two"]}, "openai.embeddings"),
    ],
)
def test_bodies_of_every_api_are_told_by_their_shape(in_folder, body, api):
    assert counted(in_folder, "-", stdin=json.dumps(body))["api"] == api


def test_text_forces_a_body_to_be_a_text(in_folder):
    found = counted(in_folder, "-", "--text", "--model", "gpt-4o", stdin=json.dumps(CHAT))
    assert (found["kind"], found["segments"]["system"]) == ("text", 0)


def test_json_that_is_no_body_is_a_text(in_folder):
    assert counted(in_folder, "-", "--model", "gpt-4o", stdin='{"colour": "red"}')["kind"] == "text"


def test_a_model_nobody_knows_is_counted_and_marked(in_folder):
    done = in_folder("count", "-", "--model", "parrot-9", *AS_OF, stdin="Hello.")
    assert "vocabulary of parrot-9 is not known here: counted with o200k_base" in done.out
    assert "an estimate" in done.out
    assert "name who serves it with --provider" in done.out
    found = counted(in_folder, "-", "--model", "parrot-9", stdin="Hello.")
    assert (found["method"], found["input_usd"], found["room"]) == ("calibrated", None, None)


def test_a_model_counted_in_its_own_vocabulary_is_not_called_unknown(in_folder):
    pytest.importorskip("mistral_common")
    said = in_folder("count", "-", "--model", "open-mistral-nemo", *AS_OF, stdin="Hello.").out
    assert "tekken" in said
    assert "not known here" not in said


def test_an_estimate_is_corrected_by_what_the_ledger_has_learned(in_folder, folder: Path, learn):
    body = json.dumps({"model": "house-llama-9", "messages": [{"role": "user", "content": " the" * 93}]})
    plain = counted(in_folder, "-", stdin=body)
    with store.open(folder / "tollbook.duckdb") as ledger:
        learn(ledger, "house-llama-9", "openai.chat", plain["rules"], 2.0, 40.0)
    found = counted(in_folder, "-", stdin=body)
    assert found["input_tokens"] == 2 * plain["input_tokens"] + 40
    assert (found["error"], found["rules"]) == (0.01, f"{plain['rules']}+cal3")
    (folder / "tollbook.duckdb").write_bytes(b"no ledger")
    done = in_folder("count", "-", "--json", *AS_OF, stdin=body)
    assert json.loads(done.out)["input_tokens"] == plain["input_tokens"]
    assert "counted without what the ledger has learned" in done.err


def test_a_corrected_estimate_is_priced_by_the_tokens_it_shows(in_folder, folder: Path, learn):
    body = json.dumps({"model": "gemini-2.5-pro", "contents": [{"parts": [{"text": " the" * 200}]}]})
    plain = counted(in_folder, "-", stdin=body)
    with store.open(folder / "tollbook.duckdb") as ledger:
        learn(ledger, "gemini-2.5-pro", "gemini.generate", plain["rules"], 1.5, 10.0)
    found = counted(in_folder, "-", stdin=body)
    assert found["segments"]["unexplained"] == 10
    # $1.25 a million input tokens: as many tokens, as much money, in every segment.
    for name, tokens in found["segments"].items():
        assert Decimal(found["segments_usd"][name]) == tokens * Decimal("0.00000125"), name


def test_media_that_cannot_be_counted_are_named(in_folder):
    parts = [
        {"type": "text", "text": "And this?"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ]
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}
    found = counted(in_folder, "-", stdin=json.dumps(body))
    assert found["method"] == "partial"
    assert found["unseen"] == ["1 × image of unknown size", "1 × audio"]


@pytest.mark.parametrize(
    ("model", "detail", "unseen"),
    [("gpt-4o", "low", []), ("gpt-4o", "high", ["1 × image of unknown size"])],
)
def test_an_image_that_is_counted_is_not_called_unseen(in_folder, model, detail, unseen):
    image = {"url": "https://pictures.example/1.png", "detail": detail}
    body = {
        "model": model,
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}],
    }
    found = counted(in_folder, "-", stdin=json.dumps(body))
    # An image of low detail costs 85 whatever its size.
    assert (found["unseen"], found["segments"]["media"]) == (unseen, 0 if unseen else 85)


def test_chunks_are_counted_with_the_cost_of_their_overlap(in_folder):
    found = counted(
        in_folder,
        "-",
        "--model",
        "gpt-4.1-mini",
        "--chunk-size",
        "100",
        "--overlap",
        "10",
        stdin=" the" * 280,
    )
    # 100, then 90 new ones a chunk.
    assert found["chunks"]["tokens"] == [100, 100, 100]
    assert (found["chunks"]["overlap_tokens"], found["chunks"]["overlap_usd"]) == (20, "0.000008000000")


def test_written_chunks_without_what_they_repeat_are_the_text(in_folder, folder: Path):
    (folder / "notes.txt").write_text(" the" * 250 + " end.\n")
    in_folder("count", "notes.txt", "--model", "gpt-4o", "--chunk-size", "100", "--write", "cut", *AS_OF)
    files = sorted((folder / "cut").iterdir())
    assert [file.name for file in files] == ["notes-001.txt", "notes-002.txt", "notes-003.txt"]
    assert "".join(file.read_text() for file in files) == (folder / "notes.txt").read_text()


def test_a_chunk_that_is_there_is_never_written_over(in_folder, folder: Path):
    args = ("count", "-", "--model", "gpt-4o", "--chunk-size", "100", "--write", "cut")
    assert in_folder(*args, stdin="One.").code == 0
    again = in_folder(*args, stdin="Two.")
    assert (again.code, "chunk-001.txt exists" in again.err) == (2, True)
    assert (folder / "cut" / "chunk-001.txt").read_text() == "One."


def test_nothing_is_wider_than_the_terminal(in_folder):
    body = {**CHAT, "tools": [{"type": "function", "function": {"name": f"tool_{n}" * 9}} for n in range(12)]}
    for arguments, given in (
        (("-",), json.dumps(body)),
        (("-", "--model", "claude-opus-5", "--chunk-size", "9", "--overlap", "3"), "word " * 400),
    ):
        out = in_folder("count", *arguments, *AS_OF, stdin=given).out
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("given", "args", "words"),
    [
        ("", ("--model", "gpt-4o"), "is empty"),
        ("a\0b", ("--model", "gpt-4o"), "is binary, not text"),
        ("Hello.", (), "name the model it is for with --model"),
        ('{"contents": []}', (), "names no model"),
        ("Hello.", ("--model", "gpt-4o", "--chunk-size", "10", "--overlap", "10"), "nothing new"),
        ("Hello.", ("--model", "gpt-4o", "--chunk-size", "2"), "take 4 or more"),
        ("Hello.", ("--model", "gpt-4o", "--overlap", "2"), "--chunk-size"),
        (json.dumps(CHAT), ("--chunk-size", "10"), "is a request body"),
        ("Hello.", ("--model", "text-embedding-3-small", "--response-budget", "9"), "gives no answer"),
    ],
)
def test_what_cannot_be_counted_is_a_sentence_that_says_what_to_change(in_folder, given, args, words):
    done = in_folder("count", "-", *args, stdin=given)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_bytes_that_are_no_utf8_and_files_that_are_not_there_are_named(in_folder, folder: Path):
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n")
    assert (
        "photo.png is not UTF-8 text: byte 0 is 0x89"
        in in_folder("count", "photo.png", "--model", "gpt-4o").err
    )
    (folder / "word.txt").write_bytes("Hello".encode("utf-16"))
    assert "convert it to UTF-8" in in_folder("count", "word.txt", "--model", "gpt-4o").err
    assert (
        "cannot read nothing.txt: No such file" in in_folder("count", "nothing.txt", "--model", "gpt-4o").err
    )


def test_a_million_letters_are_counted_and_cut_without_a_stall(in_folder):
    done = in_folder("count", "-", "--model", "gpt-4o", "--chunk-size", "5000", stdin="a" * 1_000_000)
    assert done.code == 0


def test_a_contract_sets_the_price_of_what_is_counted(in_folder, folder: Path):
    with (folder / "tollbook.toml").open("a") as file:
        file.write('\n[[price]]\nmodel = "gpt-4.1-mini"\ndiscount_percent = 50\n')
    found = counted(in_folder, "-", "--model", "gpt-4.1-mini", stdin=" the" * 1000)
    assert (found["input_usd"], found["list_usd"]) == ("0.000201400000", "0.000402800000")


def test_the_installed_command_counts_standard_input_without_a_ledger(tollbook, folder: Path):
    done = tollbook("count", "-", "--model", "gpt-4o", *AS_OF, stdin="Hello.")
    assert (done.code, done.err) == (0, "")
    assert "standard input: a text of 6 characters, for gpt-4o (openai)" in done.out
    assert not list(folder.glob("*.duckdb"))
