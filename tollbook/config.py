"""tollbook.toml, read once into frozen settings; every mistake is told at once with the key to fix."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from ledger.prices import Meter

DEFAULT_FILE = "tollbook.toml"
_ENV_PREFIX, _ENV_DELIMITER = "TOLLBOOK_", "__"


class ConfigError(Exception):
    """tollbook.toml cannot be used; the text lists every mistake with its key and what would be right."""


_DURATION = re.compile(r"(?P<count>\d+)\s*(?P<unit>s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(value: object) -> timedelta:
    """A span from text such as `30s`, `5m`, `4h` or `1d`. Raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a duration such as '30s', '5m', '4h' or '1d'")
    return timedelta(seconds=int(found["count"]) * _SECONDS[found["unit"]])


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("expected an IANA time zone such as 'UTC' or 'Europe/Berlin'") from error
    return name


def _money(value: object) -> object:
    """TOML's numbers reach us as floats: their shortest text is what the user wrote."""
    return Decimal(str(value)) if isinstance(value, float) else value


def _format_name(name: str) -> str:
    from collector.formats import FORMATS

    return _one_of(name, ("auto", *FORMATS))


def _channel_type(name: str) -> str:
    from alerts.channels import CHANNELS

    return _one_of(name, tuple(CHANNELS))


def _one_of(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        close = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"expected one of {', '.join(known)}{hint}")
    return name


def _clock_time(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("expected a time of day such as '07:00'")
    return text


def _some_time(span: timedelta) -> timedelta:
    if span < timedelta(seconds=1):
        raise ValueError("expected at least '1s'")
    return span


# The registries say which there are, so that an extension is one file and one line there.
FormatName = Annotated[str, AfterValidator(_format_name)]
ChannelType = Annotated[str, AfterValidator(_channel_type)]
Duration = Annotated[timedelta, BeforeValidator(duration)]
Interval = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_some_time)]
Zone = Annotated[str, AfterValidator(_zone)]
Usd = Annotated[Decimal, BeforeValidator(_money), Field(ge=0)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
Dimension = Literal["tenant", "workflow", "model_tier", "environment"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerTable(_Table):
    """Where the ledger is, and how long to wait for another process to leave it."""

    path: str = "tollbook.duckdb"
    wait: Duration = timedelta(seconds=30)


class SourceTable(_Table):
    """Logs to read: a file, a glob or a folder."""

    path: str
    format: FormatName = "auto"


class AttributionTable(_Table):
    """Ordered dotted paths; the first that holds a value wins."""

    tenant: tuple[str, ...] | None = None
    workflow: tuple[str, ...] | None = None
    environment: tuple[str, ...] | None = None
    end_user: tuple[str, ...] | None = None
    defaults: Mapping[Dimension, str] = Field(default_factory=dict)


class SegmentsTable(_Table):
    """How prompts mark retrieved text."""

    context_tags: tuple[str, ...] | None = None
    context_headings: tuple[str, ...] | None = None
    context_names: tuple[str, ...] | None = None


class PercentilesTable(_Table):
    """Expected tokens of one request."""

    p50: int | None = Field(default=None, ge=0)
    p95: int | None = Field(default=None, ge=0)


class EnvelopeTable(_Table):
    """What one request of a workflow is expected to use."""

    workflow: str
    tenant: str | None = None
    input: PercentilesTable = PercentilesTable()
    output: PercentilesTable = PercentilesTable()
    max_cost_per_request_usd: Usd | None = None


class BudgetTable(_Table):
    """A limit for a period; without a dimension it limits all spend."""

    tenant: str | None = None
    workflow: str | None = None
    model_tier: str | None = None
    environment: str | None = None
    period: Literal["day", "week", "month"] = "month"
    soft_usd: Usd | None = None
    hard_usd: Usd | None = None
    soft_tokens: int | None = Field(default=None, ge=0)
    hard_tokens: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_counter(self) -> BudgetTable:
        named = [name for name in ("tenant", "workflow", "model_tier", "environment") if getattr(self, name)]
        if len(named) > 1:
            raise ValueError(f"a budget limits one dimension, this one names {' and '.join(named)}")
        dollars = self.soft_usd is not None or self.hard_usd is not None
        tokens = self.soft_tokens is not None or self.hard_tokens is not None
        if dollars == tokens:
            raise ValueError("a budget needs soft_usd and/or hard_usd, or soft_tokens and/or hard_tokens")
        return self


class DailyTable(_Table):
    """When the daily report is made and where it goes."""

    at: ClockTime = "07:00"
    out: str = "var/reports"


class ReportTable(_Table):
    """How reports are read: time zone and place."""

    timezone: Zone = "UTC"
    daily: DailyTable = DailyTable()


class RunTable(_Table):
    """What `tollbook run` does how often."""

    ingest_every: Interval = timedelta(minutes=1)
    check_every: Interval = timedelta(minutes=5)
    metrics_file: str | None = None


class AnomalyTable(_Table):
    """What counts as worth telling."""

    floor_usd: Usd = Decimal(10)
    windows_h: tuple[Annotated[int, Field(ge=1, le=24)], ...] = (1, 6, 24)
    keep_firing_for: Duration = timedelta(minutes=15)
    deliver_within: Duration = timedelta(hours=48)
    stale_after: Duration = timedelta(hours=26)


class ChannelTable(_Table):
    """One way to reach people; secrets come from the environment or a file, never from here."""

    name: str
    type: ChannelType
    path: str | None = None
    url_env: str | None = None
    url_file: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> ChannelTable:
        if self.type == "file" and not self.path:
            raise ValueError("a file channel needs path")
        if self.type in ("webhook", "slack") and not (self.url_env or self.url_file):
            raise ValueError(f"a {self.type} channel needs url_env or url_file")
        return self


class RouteTable(_Table):
    """Which incidents go to which channels; the first route that matches wins."""

    match: Mapping[
        Literal["severity", "rule", "tenant", "workflow", "model", "model_tier", "environment"], str
    ] = Field(default_factory=dict)
    channels: tuple[str, ...]


class PriceTable(_Table):
    """A negotiated price: a discount on list, or unit prices of one's own."""

    model: str
    provider: str | None = None
    tenant: str | None = None
    discount_percent: Annotated[Decimal, BeforeValidator(_money), Field(ge=0, le=100)] | None = None
    usd_per_million: Mapping[Meter, Usd] = Field(default_factory=dict)
    since: date | None = None
    until: date | None = None


class Settings(BaseSettings):
    """All of tollbook.toml, with TOLLBOOK_SECTION__KEY from the environment on top."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_ENV_PREFIX, env_nested_delimiter=_ENV_DELIMITER
    )

    ledger: LedgerTable = LedgerTable()
    source: tuple[SourceTable, ...] = ()
    attribution: AttributionTable = AttributionTable()
    tiers: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    segments: SegmentsTable = SegmentsTable()
    envelope: tuple[EnvelopeTable, ...] = ()
    budget: tuple[BudgetTable, ...] = ()
    price: tuple[PriceTable, ...] = ()
    report: ReportTable = ReportTable()
    run: RunTable = RunTable()
    anomaly: AnomalyTable = AnomalyTable()
    channel: tuple[ChannelTable, ...] = ()
    route: tuple[RouteTable, ...] = ()

    @model_validator(mode="after")
    def _known_channels(self) -> Settings:
        names = {channel.name for channel in self.channel}
        unknown = sorted({name for route in self.route for name in route.channels} - names)
        if unknown:
            raise ValueError(f"route names {', '.join(map(repr, unknown))}, but there is no such [[channel]]")
        if len(names) < len(self.channel):
            raise ValueError(
                "two [[channel]] have the same name: a notification would reach one of them only"
            )
        return self


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force, where they came from, and their digest.

    `base` is the folder that relative paths start from; `file` is None where no file was read.
    """

    settings: Settings
    file: Path | None
    base: Path
    text: str
    digest: str

    @property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.settings.report.timezone)

    def path(self, name: str) -> Path:
        """A path of the configuration, relative ones from the configuration's folder."""
        place = Path(name).expanduser()
        return place if place.is_absolute() else Path(os.path.normpath(self.base / place))


def load(file: Path | None) -> Configuration:
    """Read the named file, else ./tollbook.toml, else the defaults. Raises ConfigError with all mistakes."""
    if file is not None and not file.is_file():
        raise ConfigError(
            f"no configuration at {file}: write one with `tollbook init`, or name another with --config"
        )
    found = file if file is not None else Path(DEFAULT_FILE)
    if not found.is_file():
        return _configuration(_settings(None, DEFAULT_FILE), None, Path.cwd(), "")
    try:
        text = found.read_text(encoding="utf-8")
        tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {found}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{found} is not valid TOML: {error}") from error
    return _configuration(_settings(found, str(found)), found, found.resolve().parent, text)


def _settings(file: Path | None, name: str) -> Settings:
    class _FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: object, **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = () if file is None else (TomlConfigSettingsSource(settings_cls, file),)
            return (sources["env_settings"], *toml)

    try:
        return _FromFile()
    except ValidationError as error:
        lines = [f"  {line}" for line in _mistakes(error)]
        raise ConfigError("\n".join([f"{name} has {_number(len(lines))}:", *lines])) from error
    except SettingsError as error:
        raise ConfigError(f"the environment overrides {name} with something unreadable: {error}") from error


def _number(count: int) -> str:
    return "a mistake" if count == 1 else f"{count} mistakes"


def _mistakes(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        where = _place(mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            yield f"{where}: unknown key{_nearest(mistake['loc'])}"
        elif mistake["type"] == "missing":
            yield f"{where}: missing"
        else:
            said = mistake["msg"].removeprefix("Value error, ")
            given = mistake["input"]
            shown = "" if isinstance(given, Mapping | list) else f" (it is {given!r})"
            yield f"{where}: {said[0].lower()}{said[1:]}{shown}"


def _place(parts: tuple[int | str, ...]) -> str:
    """`budget #2.hard_usd`: entries of a list are counted from 1, as a person would."""
    named = [f" #{part + 1}" if isinstance(part, int) else f".{part}" for part in parts if part != "[key]"]
    variable = _ENV_PREFIX + _ENV_DELIMITER.join(str(part) for part in parts).upper()
    origin = f" (from the environment: {variable})" if variable in os.environ else ""
    return ("".join(named).removeprefix(".") or "the file") + origin


def _nearest(place: tuple[int | str, ...]) -> str:
    known = _keys_at([part for part in place[:-1] if isinstance(part, str)])
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here are {', '.join(known)}"


def _keys_at(path: list[str]) -> list[str]:
    """The keys of the table at a path, read off the settings' own schema."""
    schema = Settings.model_json_schema()
    node: Mapping[str, object] = schema
    for part in path:
        node = _resolved(_child(node, part), schema)
    properties = node.get("properties", {})
    return sorted(properties) if isinstance(properties, Mapping) else []


def _child(node: Mapping[str, object], name: str) -> Mapping[str, object]:
    properties = node.get("properties")
    found = properties.get(name, {}) if isinstance(properties, Mapping) else {}
    items = found.get("items") if isinstance(found, Mapping) else None
    return items if isinstance(items, Mapping) else found


def _resolved(node: Mapping[str, object], schema: Mapping[str, object]) -> Mapping[str, object]:
    reference = node.get("$ref")
    definitions = schema.get("$defs")
    if not isinstance(reference, str) or not isinstance(definitions, Mapping):
        return node
    found = definitions[reference.rsplit("/", 1)[-1]]
    return found if isinstance(found, Mapping) else node


def _configuration(settings: Settings, file: Path | None, base: Path, text: str) -> Configuration:
    digest = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]
    return Configuration(settings, file, base, text, digest)


def secret(env: str | None, file: str | None, resolve: Callable[[str], Path] | None = None) -> str | None:
    """A secret from the named environment variable or file; None where neither is named.

    Raises ConfigError naming what is missing, never what it held.
    """
    if env is not None:
        value = os.environ.get(env)
        if not value:
            raise ConfigError(f"the environment variable {env} is not set")
        return value
    if file is None:
        return None
    place = resolve(file) if resolve else Path(file)
    try:
        return place.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the secret at {place}: {error.strerror or error}") from error
