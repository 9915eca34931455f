from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from alerts.channels import slack
from alerts.controls import propose
from alerts.dispatch import Reason
from alerts.messages import compose, decode, encode, text
from ledger.figures import IncidentState, Scope

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def firing(incident, finding):
    return incident(
        action=propose(finding()),
        why=(
            "requests 3.1× the usual",
            "retrieved context 1,900 → 4,100 tokens a request",
            "third",
            "fourth",
        ),
    )


@pytest.fixture
def over(firing, noon):
    return replace(
        firing, state=IncidentState.RESOLVED, resolved_at=noon + timedelta(minutes=70), note="rolled back"
    )


def test_a_first_message_reads_as_agreed(golden, firing):
    golden("alert_first.txt", text(compose(firing, Reason.FIRST, UTC)) + "\n")


def test_a_growing_acknowledged_message_reads_as_agreed(golden, firing):
    known = replace(firing, state=IncidentState.ACKNOWLEDGED, excess_usd=Decimal("84"))
    golden("alert_more.txt", text(compose(known, Reason.MORE, BERLIN)) + "\n")


def test_a_resolved_message_reads_as_agreed(golden, over):
    golden("alert_resolved.txt", text(compose(over, Reason.RESOLVED, BERLIN)) + "\n")


@pytest.mark.parametrize("reason", [Reason.FIRST, Reason.RESOLVED])
def test_slack_blocks_are_as_agreed(golden, firing, over, reason):
    message = compose(over if reason is Reason.RESOLVED else firing, reason, UTC)
    shown = msgspec.json.format(msgspec.json.encode(slack.payload(message)), indent=2).decode()
    golden(f"alert_slack_{reason}.json", shown + "\n")


def test_the_json_of_a_message_is_as_agreed(golden, firing):
    shown = msgspec.json.format(encode(compose(firing, Reason.FIRST, UTC)), indent=2)
    golden("alert_message.json", shown + "\n")


def test_a_message_survives_the_ledger(firing):
    message = compose(firing, Reason.FIRST, UTC)
    assert decode(encode(message)) == message


@pytest.mark.parametrize("body", ["", "{}", "[]", "{'title'"])
def test_a_body_that_is_no_message_is_a_value_error(body):
    with pytest.raises(ValueError, match=r"."):
        decode(body)


def test_a_day_is_named_when_it_began_earlier(incident, noon):
    known = incident(since=noon - timedelta(days=2))
    assert compose(known, Reason.FIRST, UTC).title.endswith(", since Wed 28 Oct 12:00 UTC")


def test_the_day_is_that_of_the_reporting_zone(incident, noon):
    # 23:30 on the 29th in UTC is already the 30th in Berlin, still at its winter time.
    known = incident(since=noon - timedelta(hours=12, minutes=30))
    assert compose(known, Reason.FIRST, BERLIN).title.endswith(", since 00:30 CET")


def test_an_incident_of_everything_says_all_spend(incident):
    assert compose(incident(scope=Scope()), Reason.FIRST, UTC).title.startswith("all spend: ")


def test_a_cost_that_is_not_known_is_not_told(over):
    message = compose(replace(over, excess_usd=None), Reason.RESOLVED, UTC)
    assert message.title == "Resolved: acme / support-bot, after 3 h 10 min."


def test_a_name_cannot_write_lines_or_escapes(incident):
    forged = incident(scope=Scope(tenant="acme\nResolved: all\x1b[2J"))
    title = compose(forged, Reason.FIRST, UTC).title
    assert title.startswith("acme�Resolved: all�[2J: ")


def test_a_name_cannot_call_the_whole_slack_channel(incident):
    forged = incident(scope=Scope(tenant="<!channel> & *co*"))
    blocks = slack.payload(compose(forged, Reason.FIRST, UTC))["blocks"]
    assert blocks[0]["text"]["text"].startswith("▲ *&lt;!channel&gt; &amp; ∗co∗: ")


def test_slack_never_gets_a_section_longer_than_it_takes(incident):
    long = incident(why=("x" * 5000,))
    blocks = slack.payload(compose(long, Reason.FIRST, UTC))["blocks"]
    assert max(len(block["text"]["text"]) for block in blocks if "text" in block) == 3000


def test_a_repeat_has_another_key_than_the_first(incident):
    keys = {
        compose(incident(), reason, UTC).dedup_key for reason in (Reason.FIRST, Reason.REPEAT, Reason.MORE)
    }
    assert len(keys) == 3
