import hashlib
import hmac
import io
import json
import logging
import socket
from datetime import UTC, timedelta

import pytest

from alerts import channels
from alerts.channels import CHANNELS, ChannelSettings, SendError
from alerts.channels.file import File
from alerts.channels.posting import masked
from alerts.channels.slack import Slack
from alerts.channels.stdout import Stdout
from alerts.channels.webhook import Webhook
from alerts.dispatch import Reason
from alerts.messages import compose, decode, encode, text

PATH = "/services/T000/B000/sEcReT"
TEMPORARY = {408, 425, 429}


@pytest.fixture
def message(incident):
    return compose(incident(), Reason.FIRST, UTC)


def test_stdout_prints_the_plain_text(message):
    stream = io.StringIO()
    Stdout(stream).send(message)
    assert stream.getvalue() == text(message) + "\n\n"


def test_stdout_follows_the_present_standard_output(message, capsys):
    CHANNELS["stdout"](ChannelSettings("stdout", "stdout")).send(message)
    assert capsys.readouterr().out.startswith("▲ acme / support-bot")


def test_a_closed_terminal_is_tried_again(message):
    class Gone(io.StringIO):
        def write(self, written: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(SendError) as error:
        Stdout(Gone()).send(message)
    assert not error.value.permanent


def test_file_appends_one_json_line_a_message(message, tmp_path):
    path = tmp_path / "new" / "alerts.jsonl"
    channel = CHANNELS["file"](ChannelSettings("log", "file", path=path))
    channel.send(message)
    channel.send(message)
    assert [decode(line) for line in path.read_text().splitlines()] == [message, message]


def test_file_starts_a_new_line_after_a_torn_one(message, tmp_path):
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b'{"title": "ac')
    File(path).send(message)
    assert path.read_text().splitlines()[1:] == [encode(message)]


def test_a_file_that_cannot_be_written_is_an_error_with_its_path(message, tmp_path):
    with pytest.raises(SendError, match="cannot append to"):
        File(tmp_path).send(message)


def test_webhook_posts_the_message_with_its_key_and_signature(message, sink):
    Webhook(sink.url + PATH, "shared secret").send(message)
    (request,) = sink.requests
    expected = hmac.new(b"shared secret", request.body, hashlib.sha256).hexdigest()
    assert request.path == PATH
    assert decode(request.body.decode()) == message
    assert request.headers["Idempotency-Key"] == message.dedup_key
    assert request.headers["X-Tollbook-Signature"] == f"sha256={expected}"
    assert request.headers["Content-Type"] == "application/json"


def test_webhook_without_a_secret_is_not_signed(message, sink):
    Webhook(sink.url).send(message)
    assert "X-Tollbook-Signature" not in sink.requests[0].headers


def test_slack_posts_blocks_and_a_fallback_text(message, sink):
    Slack(sink.url + PATH).send(message)
    body = json.loads(sink.requests[0].body)
    assert body["text"].startswith("▲ acme / support-bot: $42 above usual")
    assert [block["type"] for block in body["blocks"]] == ["section", "section", "section", "context"]


@pytest.mark.parametrize("channel", [Webhook, Slack])
def test_every_status_says_whether_it_is_tried_again(message, sink, channel):
    verdicts = {}
    for status in range(200, 600):
        sink.status = status
        try:
            channel(sink.url).send(message)
            verdicts[status] = "taken"
        except SendError as error:
            verdicts[status] = "never" if error.permanent else "later"
    assert [status for status, verdict in verdicts.items() if verdict == "taken"] == [*range(200, 300)]
    assert {status for status, verdict in verdicts.items() if verdict == "later"} == TEMPORARY | {
        *range(500, 600)
    }


def test_a_redirect_is_not_followed(message, sink):
    sink.status, sink.headers = 302, {"Location": sink.url + "/elsewhere"}
    with pytest.raises(SendError):
        Webhook(sink.url).send(message)
    assert len(sink.requests) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [("30", timedelta(seconds=30)), ("999999", timedelta(hours=1)), ("soon", None), ("-1", None), ("", None)],
)
def test_a_server_may_ask_for_patience(message, sink, header, expected):
    sink.status, sink.headers = 429, {"Retry-After": header}
    with pytest.raises(SendError) as error:
        Webhook(sink.url).send(message)
    assert error.value.retry_after == expected


def test_a_server_that_is_not_there_is_tried_again(message):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SendError, match="ConnectError") as error:
        Webhook(f"http://127.0.0.1:{port}{PATH}").send(message)
    assert not error.value.permanent
    assert "sEcReT" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["ftp://host/sEcReT", "sEcReT", "/sEcReT", "http://host:x/sEcReT", "http://h\n/sEcReT"]
)
def test_an_address_that_is_none_is_given_up_without_printing_it(message, url):
    with pytest.raises(SendError) as error:
        Webhook(url).send(message)
    assert error.value.permanent
    assert "sEcReT" not in str(error.value)


def test_no_log_line_carries_the_secret_address(message, sink, caplog):
    caplog.set_level(logging.DEBUG)
    for channel in (Webhook(sink.url + PATH, "shared secret"), Slack(sink.url + PATH)):
        channel.send(message)
        assert "sEcReT" not in repr(channel)
    assert caplog.records
    assert "sEcReT" not in caplog.text
    assert "shared secret" not in caplog.text


def test_a_refusal_names_status_and_host_only(message, sink):
    sink.status = 403
    with pytest.raises(SendError, match=r"^HTTP 403 from http://127\.0\.0\.1/…$"):
        Slack(sink.url + PATH + "?token=sEcReT").send(message)


def test_masking_keeps_scheme_and_host():
    assert masked("https://user:pass@hooks.example.com/services/x?y=z") == "https://hooks.example.com/…"


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_is_built_from_settings_and_hides_them(name, tmp_path):
    settings = ChannelSettings("it", name, "https://h.example/sEcReT", tmp_path / "f", "sEcReT")
    assert "sEcReT" not in repr(channels.build([settings])["it"])
    assert "sEcReT" not in repr(settings)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("webhook", "needs a url"), ("slack", "needs a url"), ("file", "needs path"), ("pager", "stdout, file")],
)
def test_a_channel_that_cannot_be_built_says_what_it_needs(kind, words):
    with pytest.raises(ValueError, match=words):
        channels.build([ChannelSettings("it", kind)])


def test_without_configuration_there_is_standard_output():
    assert list(channels.build()) == ["stdout"]
