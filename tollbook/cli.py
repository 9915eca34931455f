"""The command line: every command by name, and how mistakes end it."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from tollbook.commands import (
    attribution,
    bills,
    cluster,
    columns,
    counting,
    envelopes,
    explaining,
    formats,
    incidents,
    intake,
    money,
    privacy,
    prompts,
    query,
    recount,
    refit,
    reporting,
    setup,
    watch,
)
from tollbook.desk import OK, USER, UsageError


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tollbook {version('tollbook')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The books for LLM spend: recount tokens, attribute cost, compare with plan, alert, report."""


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, add_completion=False)


def _assembled() -> typer.Typer:
    """Every command in the order in which a newcomer needs them."""
    app = typer.Typer(
        name="tollbook", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    app.command("init")(setup.init)
    app.command("ingest")(intake.ingest)
    app.command("formats")(formats.formats)
    app.command("load-parts")(cluster.load_parts)
    app.add_typer(_reports(), name="report")
    app.command("check")(watch.check)
    app.command("run")(watch.run)
    app.add_typer(_incidents(), name="incidents")
    app.add_typer(_rejects(), name="rejects")
    app.add_typer(_attribution(), name="attribution")
    app.command("explain")(explaining.explain)
    app.command("forecast")(money.forecast)
    app.command("budgets")(money.budgets)
    app.add_typer(_envelopes(), name="envelopes")
    app.add_typer(_prompts(), name="prompts")
    app.command("bills")(bills.bills)
    app.command("columns")(columns.columns)
    app.command("count")(counting.count)
    app.add_typer(_counts(), name="counts")
    app.command("recount")(recount.recount)
    app.command("sql")(query.sql)
    app.command("tidy")(setup.tidy)
    app.command("samples")(privacy.samples)
    app.command("purge")(privacy.purge)
    app.add_typer(_key(), name="key")
    app.command("doctor")(setup.doctor)
    return app


def _reports() -> typer.Typer:
    group = _group("Render a report.")
    group.command("daily")(reporting.daily)
    return group


def _incidents() -> typer.Typer:
    group = typer.Typer(add_completion=False)
    group.callback(invoke_without_command=True)(incidents.listed)
    group.command("ack")(incidents.ack)
    group.command("silence")(incidents.silence)
    group.command("expect")(incidents.expect)
    group.command("resolve")(incidents.resolve)
    return group


def _attribution() -> typer.Typer:
    group = _group("See how calls come to their tenant, workflow and so on.")
    group.command("explain")(attribution.explain)
    group.command("test")(attribution.try_on)
    group.command("apply")(attribution.apply)
    return group


def _key() -> typer.Typer:
    group = _group("The key that people and prompts are hashed with.")
    group.command("rotate")(privacy.key_rotate)
    return group


def _counts() -> typer.Typer:
    group = typer.Typer(add_completion=False)
    group.callback(invoke_without_command=True)(counting.counts)
    group.command("refit")(refit.refit)
    return group


def _envelopes() -> typer.Typer:
    group = typer.Typer(add_completion=False)
    group.callback(invoke_without_command=True)(envelopes.envelopes)
    group.command("suggest")(envelopes.suggest)
    return group


def _prompts() -> typer.Typer:
    group = typer.Typer(add_completion=False)
    group.callback(invoke_without_command=True)(prompts.prompts)
    group.command("approve")(prompts.approve)
    group.command("reject")(prompts.reject)
    return group


def _rejects() -> typer.Typer:
    group = typer.Typer(add_completion=False)
    group.callback(invoke_without_command=True)(intake.rejects)
    group.command("retry")(intake.rejects_retry)
    return group


app = _assembled()


def main() -> NoReturn:
    """Run the command line; what the user must change is a sentence and exit code 2, a bug a traceback."""
    try:
        app()
    except SystemExit as leaving:
        sys.exit(leaving.code)
    except mistakes() as error:
        print(f"tollbook: {error}", file=sys.stderr)
        sys.exit(USER)
    sys.exit(OK)


def mistakes() -> tuple[type[Exception], ...]:
    """What the user must change; imported only once something is wrong, so that `--help` answers at once."""
    from collector.sources import SourceError
    from ledger.keys import KeyFileError
    from ledger.store import LedgerError
    from tollbook.config import ConfigError

    return (UsageError, ConfigError, LedgerError, KeyFileError, SourceError)
