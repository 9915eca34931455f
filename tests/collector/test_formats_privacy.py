"""What a record says of people goes no further than to the keyed hash; reasons quote nobody."""

from __future__ import annotations

import pytest

from collector.apis import error
from collector.apis.json_shapes import shown
from collector.attribution import Rules, attribute
from collector.formats import FORMATS
from ledger.types import Request


def pair(**record: object) -> Request:
    return FORMATS["pair"].read({"request": {}, "response": {}} | record)


def litellm(**record: object) -> Request:
    asked = {"startTime": 1772440000, "call_type": "completion", "prompt_tokens": 0}
    return FORMATS["litellm"].read(asked | record)


def flat(**record: object) -> Request:
    return FORMATS["tollbook"].read({"tollbook": 1} | record)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("My name is Ann", "text of 14 characters"),
        (["Ann"], "a list of 1 entries"),
        ({"Ann": 1, "Bea": 2}, "an object of 2 entries"),
        (None, "null"),
        (True, "true"),
        (-7, "-7"),
        (1.5, "1.5"),
        (10**70, "1" + "0" * 60 + "..."),
    ],
)
def test_a_reason_shows_numbers_but_of_texts_only_the_length(value, said):
    assert shown(value) == said


def test_tags_of_a_list_are_names_or_short_pairs():
    given = [
        "beta",
        "env:prod",
        "team = blue",
        "Why does my chest hurt",
        "ann@example.com",
        "note:" + "x" * 64,
    ]
    assert pair(tags=given).tags == {"beta": "true", "env": "prod", "team": "blue"}


def test_no_secret_is_a_tag():
    given = ["sk-123456", "api_key:abc", "note:Bearer abc", "ok:1"]
    assert pair(tags=given).tags == {"ok": "1"}
    assert pair(tags={"password": "p", "token": "t", "x": "ghp_1", "ok": 1}).tags == {"ok": "1"}


def test_a_sentence_is_no_tag():
    given = {"question": "why does it hurt?", "system": "billing", "my own words": "x"}
    assert pair(tags=given).tags == {"system": "billing"}


@pytest.mark.parametrize(
    "key", ["user", "User", "user_id", "userId", "end_user", "email", "user-email", "username", "e-mail"]
)
def test_a_tag_that_names_a_person_is_only_for_the_rules(key):
    found = pair(tags={key: "ann-7", "env": "prod"})
    assert found.tags == {"env": "prod"}
    assert attribute(Rules(end_user=(f"tags.{key}",)), found).end_user == "ann-7"


def test_an_address_is_no_stored_tag_under_any_key():
    assert pair(tags={"owner": "ann@example.com", "squad": "blue"}).tags == {"squad": "blue"}


def test_litellm_tags_that_name_a_person_are_not_stored():
    assert litellm(request_tags=["User: ann", "User-Agent: curl/8"]).tags == {"User-Agent": "curl/8"}


def test_flat_tags_that_name_a_person_are_not_stored():
    assert flat(tags={"user": "ann"}).tags == {}


def test_stored_tags_are_bounded_in_number():
    assert len(pair(tags={f"k{i}": "v" for i in range(100_000)}).tags) == 64


WORDS = "Ann asked about her rent"


def test_an_error_type_is_a_name_never_a_sentence():
    assert pair(error_type=WORDS, status=500).error_type is None
    assert pair(error_type="RateLimit", status=500).error_type == "RateLimit"
    assert flat(error_type=WORDS, status="error").error_type is None
    assert flat(error_type="e" * 81, status="error").error_type is None
    failed = {"error_class": WORDS, "error_code": "500"}
    assert litellm(status="failure", error_information=failed).error_type is None


def test_an_error_code_that_is_a_sentence_is_passed_over():
    found = error({"error": {"code": WORDS, "type": "invalid_request_error", "message": WORDS}})
    assert found is not None
    assert found.kind == "invalid_request_error"
