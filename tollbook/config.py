"""tollbook.toml, read once into frozen settings; every mistake is told at once with the key to fix."""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from collector.attribution_rules import Table
from tollbook import mapping
from tollbook.tables import (
    AnomalyTable,
    AttributionTable,
    BudgetTable,
    ChannelTable,
    EnvelopeTable,
    IngestTable,
    LedgerTable,
    PriceTable,
    PromptsTable,
    ReportTable,
    RouteTable,
    RunTable,
    SamplesTable,
    SegmentsTable,
    SourceTable,
)

DEFAULT_FILE = "tollbook.toml"
_ENV_PREFIX, _ENV_DELIMITER = "TOLLBOOK_", "__"


class ConfigError(Exception):
    """tollbook.toml cannot be used; the text lists every mistake with its key and what would be right."""


class Settings(BaseSettings):
    """All of tollbook.toml, with TOLLBOOK_SECTION__KEY from the environment on top."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_ENV_PREFIX, env_nested_delimiter=_ENV_DELIMITER
    )

    ledger: LedgerTable = LedgerTable()
    source: tuple[SourceTable, ...] = ()
    ingest: IngestTable = IngestTable()
    attribution: AttributionTable = AttributionTable()
    tiers: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    segments: SegmentsTable = SegmentsTable()
    samples: SamplesTable = SamplesTable()
    envelope: tuple[EnvelopeTable, ...] = ()
    budget: tuple[BudgetTable, ...] = ()
    price: tuple[PriceTable, ...] = ()
    report: ReportTable = ReportTable()
    run: RunTable = RunTable()
    anomaly: AnomalyTable = AnomalyTable()
    prompts: PromptsTable = PromptsTable()
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

    `base` is the folder that relative paths start from; `file` is None where no file was read. `mappings`
    are the tables that attribution rules look values up in.
    """

    settings: Settings
    file: Path | None
    base: Path
    text: str
    digest: str
    mappings: Mapping[mapping.Lookup, Table] = field(default_factory=dict)

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
        return _configuration(_settings({}, DEFAULT_FILE), None, Path.cwd(), "")
    try:
        text = found.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {found}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{found} is not valid TOML: {error}") from error
    return _configuration(_settings(tables, str(found)), found, found.resolve().parent, text)


def of_text(text: str, current: Configuration, name: str) -> Configuration:
    """The configuration of a text kept before, its paths from where the current one's start."""
    return _configuration(_settings(tomllib.loads(text), name), current.file, current.base, text)


def _settings(tables: Mapping[str, object], name: str) -> Settings:
    class _FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: object, **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (sources["env_settings"], InitSettingsSource(settings_cls, dict(tables)))

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
    tables = _mappings(settings, base, DEFAULT_FILE if file is None else str(file))
    shaping = [settings.model_dump_json(), *(table.digest for table in tables.values())]
    digest = hashlib.sha256("\n".join(shaping).encode()).hexdigest()[:16]
    return Configuration(settings, file, base, text, digest, tables)


def _mappings(settings: Settings, base: Path, name: str) -> dict[mapping.Lookup, Table]:
    """The files that rules look values up in, which are a part of the configuration."""
    found: dict[mapping.Lookup, Table] = {}
    wrong: list[str] = []
    own = (source.attribution for source in settings.source)
    for lookup in mapping.lookups((settings.attribution, *own)):
        try:
            found[lookup] = mapping.read(lookup, base / Path(lookup.file).expanduser())
        except mapping.MappingError as error:
            wrong.append(f"  attribution map {lookup.file!r}: {error}")
    if wrong:
        raise ConfigError("\n".join([f"{name} has {_number(len(wrong))}:", *wrong]))
    return found


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
