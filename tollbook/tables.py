"""The tables of tollbook.toml: their keys, defaults and what each key may hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ledger.prices import Meter

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
UnitPrice = Annotated[Decimal, BeforeValidator(_money), Field(ge=0, le=1_000_000)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
Dimension = Literal["tenant", "workflow", "model_tier", "environment"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_MEGABYTES = {"M": 1, "G": 1000, "T": 1_000_000}


def _memory(text: str) -> str:
    """With less the database cannot even open its file."""
    found = re.fullmatch(r"(?P<count>\d+)\s*(?P<unit>[MGT])i?B", text.strip())
    if found is None or int(found["count"]) * _MEGABYTES[found["unit"]] < 128:
        raise ValueError("expected an amount of memory from '128MB' on, such as '512MB' or '4GB'")
    return text


class LedgerTable(_Table):
    """Where the ledger is, how long to wait for another process to leave it, and what a visit may take."""

    path: str = "tollbook.duckdb"
    wait: Duration = timedelta(seconds=30)
    memory_limit: Annotated[str, AfterValidator(_memory)] | None = None
    threads: int | None = Field(default=None, ge=1, le=1024)
    temp_directory: str | None = None
    keep_raw_days: int | None = Field(default=None, ge=1)


def _expression(pattern: str | None) -> str | None:
    from collector.attribution_rules import group_of

    if pattern is not None:
        try:
            group_of(pattern)
        except ValueError as error:
            raise ValueError(f"not a regular expression that can be searched for: {error}") from None
    return pattern


class RuleTable(_Table):
    """Where a value may be found, and what is made of it."""

    origin: str | None = Field(default=None, alias="from")
    match: Annotated[str | None, AfterValidator(_expression)] = None
    map: str | None = None
    key: str | None = None
    value: str | None = None
    constant: str | None = None
    lower: bool = False
    otherwise: str | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _one_meaning(self) -> RuleTable:
        """What is said must lead to a value, in one way."""
        for wrong, told in (
            (self.origin is None and self.constant is None, "a rule needs from, or a constant"),
            (self.origin == "" or self.constant == "", "from and constant cannot be empty"),
            (
                self.map is not None and None in (self.key, self.value),
                "a map needs key and value, two columns",
            ),
            (
                self.map is None and (self.key or self.value),
                "key and value are columns of a map: name its file",
            ),
            (self.map is not None and self.constant is not None, "a rule has a map or a constant, not both"),
            (self.origin is None and self._looks, "match, map, lower and else are about what from finds"),
        ):
            if wrong:
                raise ValueError(told)
        return self

    @property
    def _looks(self) -> bool:
        return bool(self.match or self.map or self.lower or self.otherwise)


def _path_rule(given: object) -> object:
    if not isinstance(given, str | Mapping | RuleTable):
        raise ValueError("expected a dotted path, or a table such as {from = 'metadata.team'}")
    return {"from": given} if isinstance(given, str) else given


def _fixed(given: object) -> object:
    return [{"constant": given}] if isinstance(given, str) else given


# A text in a list of rules is a path; this one stands for the rules that would be there without the list.
_USUAL = (RuleTable.model_validate({"from": "..."}),)
OneRule = Annotated[RuleTable, BeforeValidator(_path_rule)]
RuleList = tuple[OneRule, ...]
# Of one source: a list in the place of the general one, or a text for everything that is read there.
SourceRule = Annotated[tuple[OneRule, ...], BeforeValidator(_fixed)]


class AttributionTable(_Table):
    """Ordered rules; the first that gives a value wins."""

    tenant: RuleList = _USUAL
    workflow: RuleList = _USUAL
    environment: RuleList = _USUAL
    end_user: RuleList = _USUAL
    tags: Mapping[str, RuleList] = Field(default_factory=dict)
    defaults: Mapping[Dimension, str] = Field(default_factory=dict)


class SourceAttributionTable(_Table):
    """The same for one source; a text is a value for all that is read there."""

    tenant: SourceRule = _USUAL
    workflow: SourceRule = _USUAL
    environment: SourceRule = _USUAL
    end_user: SourceRule = _USUAL
    defaults: Mapping[Dimension, str] = Field(default_factory=dict)


def _flat(given: object, above: str = "") -> object:
    """`tags.team = "x"` is a table in a table in TOML: one dotted key here."""
    if not isinstance(given, Mapping):
        return given
    found: dict[str, object] = {}
    for key, value in given.items():
        inside = _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
        found |= inside if isinstance(inside, dict) else {}
    return found


def _record_keys(given: Mapping[str, str]) -> Mapping[str, str]:
    from collector.columns import check_key

    for key in given:
        check_key(key)
    return given


def _units(given: Mapping[str, str]) -> Mapping[str, str]:
    from collector.columns import UNITS

    for key, unit in given.items():
        if key not in UNITS:
            raise ValueError(f"{key!r} has no unit; those that have one are {', '.join(UNITS)}")
        if unit not in UNITS[key]:
            raise ValueError(f"{unit!r} is no unit of {key}; there are {', '.join(UNITS[key])}")
    return given


RecordKeys = Annotated[Mapping[str, str], BeforeValidator(_flat), AfterValidator(_record_keys)]
Units = Annotated[Mapping[str, str], AfterValidator(_units)]


class ColumnsTable(_Table):
    """Which column of a table is which key of a record, and what its numbers and times mean."""

    columns: RecordKeys = Field(default_factory=dict)
    constants: RecordKeys = Field(default_factory=dict)
    units: Units = Field(default_factory=dict)
    time_format: str | None = None
    time_zone: Zone = "UTC"
    input_includes_cached: bool = False
    output_includes_reasoning: bool = True
    call_id_prefix: str = ""


class SourceTable(ColumnsTable):
    """Logs to read: a file, a glob or a folder."""

    path: str
    format: FormatName = "auto"
    attribution: SourceAttributionTable = SourceAttributionTable()

    @model_validator(mode="after")
    def _mapped(self) -> SourceTable:
        if self.format == "table" and not self.columns:
            raise ValueError("format 'table' needs [source.columns]; `tollbook columns FILE` proposes them")
        given = self.model_fields_set & ColumnsTable.model_fields.keys()
        if given and self.format != "table":
            raise ValueError(f"{', '.join(sorted(given))} are for format = 'table'")
        return self


class SamplesTable(_Table):
    """How many redacted texts of calls to keep, how long each, and for how long; none by default."""

    keep: int = Field(default=0, ge=0, le=1000)
    max_characters: int = Field(default=2000, ge=1, le=100_000)
    days: int = Field(default=14, ge=1, le=366)


class IngestTable(_Table):
    """How logs are read."""

    workers: Annotated[int, Field(ge=1)] | None = None


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


class IncreaseTable(_Table):
    """More that may be spent for a time."""

    usd: Usd | None = None
    tokens: int | None = Field(default=None, ge=0)
    until: date
    since: date | None = None
    note: str = ""


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
    increase: IncreaseTable | None = None

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

    @model_validator(mode="after")
    def _increase_in_its_unit(self) -> BudgetTable:
        if self.increase is None:
            return self
        unit = "usd" if self.soft_tokens is None and self.hard_tokens is None else "tokens"
        other = "tokens" if unit == "usd" else "usd"
        if getattr(self.increase, unit) is None or getattr(self.increase, other) is not None:
            raise ValueError(f"the increase of a budget in {unit} needs {unit}, and nothing else to add")
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
    exact_share_fall: Annotated[float, Field(gt=0, le=1)] = 0.05


class PromptsTable(_Table):
    """When a new prompt wants a review."""

    review_from_usd_per_month: Usd | None = Decimal(100)


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
    usd_per_million: Mapping[Meter, UnitPrice] = Field(default_factory=dict)
    service_tier: Literal["standard", "batch", "flex", "priority"] = "standard"
    since: date | None = None
    until: date | None = None
