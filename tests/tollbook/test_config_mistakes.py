"""tollbook.toml's mistakes are told all at once, each with its key, its value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.channels import CHANNELS
from collector.formats import FORMATS
from tollbook.config import ConfigError, load, secret

MISTAKES = """
[leger]
path = "x"
[ledger]
wait = "soon"
[[source]]
path = "x"
format = "liteLLM"
frmat = "x"
[attribution]
tenent = ["a"]
[attribution.defaults]
tennant = "a"
[[envelope]]
input = {p50 = -1}
[[budget]]
tenant = "a"
workflow = "b"
hard_usd = 1
[[budget]]
hard_usd = "lots"
period = "year"
[[budget]]
tenant = "c"
[report]
timezone = "Berlin"
daily = {at = "7:00"}
[run]
check_every = "0s"
[[channel]]
name = "a"
type = "slak"
[[channel]]
name = "b"
type = "slack"
"""

TOLD = [
    "ledger.wait: expected a duration such as '30s', '5m', '4h' or '1d' (it is 'soon')",
    f"source #1.format: expected one of auto, {', '.join(FORMATS)}; did you mean 'litellm'? "
    "(it is 'liteLLM')",
    "source #1.frmat: unknown key; did you mean 'format'?",
    "attribution.defaults.tennant: input should be 'tenant', 'workflow', 'model_tier' or 'environment' "
    "(it is 'tennant')",
    "attribution.tenent: unknown key; did you mean 'tenant'?",
    "envelope #1.workflow: missing",
    "envelope #1.input.p50: input should be greater than or equal to 0 (it is -1)",
    "budget #1: a budget limits one dimension, this one names tenant and workflow",
    "budget #2.period: input should be 'day', 'week' or 'month' (it is 'year')",
    "budget #2.hard_usd: input should be a valid decimal (it is 'lots')",
    "budget #3: a budget needs soft_usd and/or hard_usd, or soft_tokens and/or hard_tokens",
    "report.timezone: expected an IANA time zone such as 'UTC' or 'Europe/Berlin' (it is 'Berlin')",
    "report.daily.at: expected a time of day such as '07:00' (it is '7:00')",
    "run.check_every: expected at least '1s' (it is '0s')",
    "channel #1.type: expected one of stdout, file, webhook, slack; did you mean 'slack'? (it is 'slak')",
    "channel #2: a slack channel needs url_env or url_file",
    "leger: unknown key; did you mean 'ledger'?",
]


def _write(folder: Path, text: str) -> Path:
    file = folder / "tollbook.toml"
    file.write_text(text)
    return file


def _mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(_write(folder, text))
    return str(raised.value)


def test_every_mistake_is_told_at_once(tmp_path: Path):
    first, *lines = _mistake(tmp_path, MISTAKES).splitlines()
    assert first == f"{tmp_path / 'tollbook.toml'} has {len(TOLD)} mistakes:"
    assert sorted(line.strip() for line in lines) == sorted(TOLD)


def test_a_file_that_is_no_toml_says_where(tmp_path: Path):
    assert "is not valid TOML" in _mistake(tmp_path, "[ledger\n")
    assert "line 1" in _mistake(tmp_path, "[ledger\n")


def test_a_route_to_no_channel_is_a_mistake(tmp_path: Path):
    assert "route names 'b'" in _mistake(tmp_path, '[[route]]\nchannels = ["b"]\n')


def test_two_channels_of_one_name_are_a_mistake(tmp_path: Path):
    channel = '[[channel]]\nname = "a"\ntype = "stdout"\n'
    assert "two [[channel]] have the same name" in _mistake(tmp_path, channel * 2)


def test_the_environment_goes_above_the_file(tmp_path: Path, monkeypatch):
    file = _write(tmp_path, '[report]\ntimezone = "Europe/Berlin"\ndaily = {at = "06:00"}\n')
    monkeypatch.setenv("TOLLBOOK_REPORT__TIMEZONE", "Asia/Kolkata")
    report = load(file).settings.report
    assert (report.timezone, report.daily.at) == ("Asia/Kolkata", "06:00")


def test_a_mistake_in_the_environment_names_its_variable(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TOLLBOOK_REPORT__TIMEZON", "UTC")
    assert "TOLLBOOK_REPORT__TIMEZON" in _mistake(tmp_path, "")


def test_relative_paths_start_at_the_configuration(tmp_path: Path):
    (tmp_path / "etc").mkdir()
    configuration = load(_write(tmp_path / "etc", '[ledger]\npath = "../data/books.duckdb"\n'))
    assert configuration.path(configuration.settings.ledger.path) == tmp_path / "data" / "books.duckdb"


def test_money_is_what_was_written_not_its_float(tmp_path: Path):
    configuration = load(_write(tmp_path, "[[budget]]\nhard_usd = 0.1\n"))
    assert str(configuration.settings.budget[0].hard_usd) == "0.1"


def test_the_digest_tells_settings_apart_and_not_their_comments(tmp_path: Path):
    one = load(_write(tmp_path, '[report]\ntimezone = "UTC"\n')).digest
    same = load(_write(tmp_path, '# as before\n[report]\ntimezone = "UTC"\n')).digest
    other = load(_write(tmp_path, '[report]\ntimezone = "Asia/Tokyo"\n')).digest
    assert one == same != other


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ONCALL_URL", "https://example.test/a")
    (tmp_path / "url").write_text("https://example.test/b\n")
    assert secret("ONCALL_URL", None) == "https://example.test/a"
    assert secret(None, "url", lambda name: tmp_path / name) == "https://example.test/b"


def test_a_missing_secret_names_its_place(tmp_path: Path):
    with pytest.raises(ConfigError, match="ONCALL_URL is not set"):
        secret("ONCALL_URL", None)
    with pytest.raises(ConfigError, match="cannot read the secret at .*nowhere"):
        secret(None, str(tmp_path / "nowhere"))


@pytest.mark.parametrize("key", ["url", "secret", "token"])
def test_a_secret_in_the_file_is_refused(tmp_path: Path, key: str):
    text = f'[[channel]]\nname = "a"\ntype = "webhook"\nurl_env = "A"\n{key} = "hush"\n'
    assert f"channel #1.{key}: unknown key" in _mistake(tmp_path, text)
    assert "hush" not in _mistake(tmp_path, text)


@pytest.mark.parametrize("name", ["auto", *FORMATS])
def test_every_registered_format_may_be_named(tmp_path: Path, name: str):
    more = 'columns = { model = "m" }\n' if name == "table" else ""
    file = _write(tmp_path, f'[[source]]\npath = "x"\nformat = "{name}"\n{more}')
    assert load(file).settings.source[0].format == name


@pytest.mark.parametrize("name", CHANNELS)
def test_every_registered_channel_type_may_be_named(tmp_path: Path, name: str):
    text = f'[[channel]]\nname = "a"\ntype = "{name}"\npath = "x"\nurl_env = "A"\n'
    assert load(_write(tmp_path, text)).settings.channel[0].type == name
