"""Hand each part of the product its own piece of the configuration."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.channels import ChannelSettings
from alerts.dispatch import Route
from alerts.evaluation import Policy
from analytics.plan import EACH, Budget, BudgetUnit, Envelope, Increase
from ledger.prices import Contract
from ledger.resources import Resources
from tollbook.config import Configuration, Settings, secret
from tollbook.tables import BudgetTable, EnvelopeTable, IncreaseTable, PriceTable

# What reads logs is loaded where logs are read: a report is made without it.
if TYPE_CHECKING:
    from collector.columns import Mapped
    from collector.samples import SampleRules
    from collector.segments import SegmentRules
    from collector.work import Intake

STDOUT = "stdout"
_MOST_WORKERS = 8


def intake(
    config: Configuration,
    form: str = "auto",
    assume_time: datetime | None = None,
    quarantine: Path | None = None,
    tables: tuple[Mapped, ...] = (),
) -> Intake:
    """How logs are read; `tables` go before the configuration's own."""
    from collector.work import Intake
    from tollbook import column_maps
    from tollbook.rules import rules

    settings = config.settings
    return Intake(
        format=form,
        rules=rules(config),
        segment_rules=segment_rules(settings),
        contracts=contracts(settings),
        assume_time=assume_time,
        quarantine=quarantine,
        tables=(*tables, *column_maps.of_config(config)),
    )


def sample_rules(settings: Settings, now: datetime) -> SampleRules | None:
    """Which texts to keep, None where none are to be."""
    from collector.samples import SampleRules

    wanted = settings.samples
    if not wanted.keep:
        return None
    return SampleRules(wanted.keep, wanted.max_characters, now - timedelta(days=wanted.days))


def workers(settings: Settings) -> int:
    """How many processes read: as configured, else one a core, as far as one writer keeps up with them."""
    return settings.ingest.workers or min(_cores(), _MOST_WORKERS)


def _cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def segment_rules(settings: Settings) -> SegmentRules:
    """How retrieved text is marked."""
    from collector.segments import DEFAULT, SegmentRules

    own, usual = settings.segments, DEFAULT
    return SegmentRules(
        context_tags=usual.context_tags if own.context_tags is None else own.context_tags,
        context_headings=usual.context_headings if own.context_headings is None else own.context_headings,
        context_names=usual.context_names if own.context_names is None else own.context_names,
    )


def contracts(settings: Settings) -> tuple[Contract, ...]:
    """Negotiated prices."""
    return tuple(_contract(table) for table in settings.price)


def _contract(table: PriceTable) -> Contract:
    percent = table.discount_percent
    return Contract(
        model=table.model,
        provider=table.provider,
        tenant=table.tenant,
        discount=None if percent is None else percent / 100,
        usd_per_million=dict(table.usd_per_million),
        since=table.since,
        until=table.until,
        service_tier=table.service_tier,
    )


def envelopes(settings: Settings) -> tuple[Envelope, ...]:
    """What requests are expected to use."""
    return tuple(_envelope(table) for table in settings.envelope)


def covered_workflows(settings: Settings) -> list[str]:
    """The workflows that have an envelope."""
    return sorted({table.workflow for table in settings.envelope})


def _envelope(table: EnvelopeTable) -> Envelope:
    return Envelope(
        workflow=table.workflow,
        tenant=table.tenant,
        input_p50=table.input.p50,
        input_p95=table.input.p95,
        output_p50=table.output.p50,
        output_p95=table.output.p95,
        max_cost_per_request_usd=table.max_cost_per_request_usd,
    )


def budgets(settings: Settings) -> tuple[Budget, ...]:
    """What may be spent."""
    return tuple(_budget(table) for table in settings.budget)


def _budget(table: BudgetTable) -> Budget:
    named = [name for name in ("tenant", "workflow", "model_tier", "environment") if getattr(table, name)]
    dimension = named[0] if named else None
    value = getattr(table, dimension) if dimension else None
    in_tokens = table.soft_tokens is not None or table.hard_tokens is not None
    soft, hard = (table.soft_tokens, table.hard_tokens) if in_tokens else (table.soft_usd, table.hard_usd)
    return Budget(
        name=_budget_name(dimension, value),
        dimension=dimension,
        value=value,
        period=table.period,
        soft=None if soft is None else Decimal(soft),
        hard=None if hard is None else Decimal(hard),
        unit=BudgetUnit.TOKENS if in_tokens else BudgetUnit.USD,
        increase=None if table.increase is None else _increase(table.increase),
    )


def _increase(table: IncreaseTable) -> Increase:
    amount = table.usd if table.usd is not None else Decimal(table.tokens or 0)
    return Increase(amount, table.until, table.since, table.note)


def _budget_name(dimension: str | None, value: str | None) -> str:
    """Whom a budget is for; reports and messages say its period beside it."""
    if dimension is None or value is None:
        return "all spend"
    return f"each {dimension.replace('_', ' ')}" if value == EACH else value


def policy(config: Configuration) -> Policy:
    """Who is told of incidents, and when."""
    settings = config.settings
    return Policy(
        channels=tuple(channel.name for channel in settings.channel) or (STDOUT,),
        zone=config.zone,
        routes=tuple(
            Route({str(name): value for name, value in table.match.items()}, table.channels)
            for table in settings.route
        ),
        keep_firing_for=settings.anomaly.keep_firing_for,
        backfill_older_than=settings.anomaly.deliver_within,
    )


def resources(config: Configuration) -> Resources:
    """What a visit to the ledger may take of the machine."""
    table = config.settings.ledger
    return Resources(
        memory_limit=table.memory_limit,
        threads=table.threads,
        temp_directory=None if table.temp_directory is None else config.path(table.temp_directory),
    )


def channels(config: Configuration) -> tuple[ChannelSettings, ...]:
    """The declared channels with their secrets; standard output where none is declared."""
    declared = tuple(
        ChannelSettings(
            name=table.name,
            type=table.type,
            url=secret(table.url_env, table.url_file, config.path),
            path=None if table.path is None else config.path(table.path),
            secret=secret(table.secret_env, table.secret_file, config.path),
        )
        for table in config.settings.channel
    )
    return declared or (ChannelSettings(STDOUT, "stdout", None, None, None),)
