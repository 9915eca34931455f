"""What every command works with: the common options, the settings, the way to the ledger, and now."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

if TYPE_CHECKING:
    from ledger.resources import Resources
    from ledger.store import Ledger
    from tollbook.config import Configuration

OK, FOUND, USER, INTERRUPTED = 0, 1, 2, 130

P = ParamSpec("P")


class UsageError(Exception):
    """The user must change an option; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, the way to the ledger, now, and how to answer."""

    config: Configuration
    ledger: Path
    now: datetime
    is_replay: bool
    as_json: bool
    quiet: bool

    def visit(self) -> AbstractContextManager[Ledger]:
        """Open the ledger for a short visit."""
        return self.visit_within(self._wait_s())

    def visit_within(self, wait_s: float) -> AbstractContextManager[Ledger]:
        """Open the ledger for a short visit, waiting so many seconds for another process to leave."""
        from ledger import store

        return store.open(self.ledger, wait_s=wait_s, notice=self.note, resources=self._resources())

    def look(self) -> AbstractContextManager[Ledger]:
        """Open the ledger for reading only."""
        from ledger import store

        return store.open(self.ledger, wait_s=self._wait_s(), read_only=True, resources=self._resources())

    def _wait_s(self) -> float:
        return self.config.settings.ledger.wait.total_seconds()

    def _resources(self) -> Resources:
        from tollbook import parts

        return parts.resources(self.config)

    def need_ledger(self) -> None:
        """Refuse to make an empty ledger where the command only makes sense on a filled one."""
        if not self.ledger.exists():
            raise UsageError(
                f"no ledger at {self.ledger}: run `tollbook ingest` first, or name another with --ledger"
            )

    def say(self, text: str, **fields: object) -> None:
        """Print the result: the fields as JSON where asked for, else the text."""
        show(json.dumps(fields, default=_plain, ensure_ascii=False) if self.as_json else text)

    def note(self, text: str) -> None:
        """Tell something on standard error, unless asked to be quiet."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def warn(self, problem: str) -> None:
        """Tell a problem on standard error."""
        print(f"tollbook: {problem}", file=sys.stderr)


def show(text: str) -> None:
    """Print on standard output; a reader who has seen enough (`| head`) is nothing wrong."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(value: object) -> str:
    """What JSON has no word for: times as ISO 8601, bytes as hex, money and the rest as they are written."""
    if isinstance(value, date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def clock() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def moment(text: str, option: str) -> datetime:
    """A time given to an option, UTC where no zone is given. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time: write it as 2026-10-31T07:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _past(text: str) -> datetime:
    """The moment to act as at. What is written as of tomorrow would hold every check until then."""
    found = moment(text, "--as-of")
    if found > clock():
        raise UsageError(f"--as-of {text!r} is in the future: the books can only be seen as of now or before")
    return found


_COMMON: Mapping[str, tuple[object, object]] = {
    "config": (
        Annotated[
            Path | None,
            typer.Option("--config", help="The configuration; ./tollbook.toml where it exists."),
        ],
        None,
    ),
    "ledger": (
        Annotated[
            Path | None, typer.Option("--ledger", help="The ledger file, in place of the configuration's.")
        ],
        None,
    ),
    "as_of": (
        Annotated[
            str | None,
            typer.Option("--as-of", help="Act as at that time (ISO 8601, UTC where no zone is given)."),
        ],
        None,
    ),
    "as_json": (
        Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")],
        False,
    ),
    "quiet": (
        Annotated[bool, typer.Option("--quiet", "-q", help="Print results and problems only.")],
        False,
    ),
}


def at_desk(command: Callable[Concatenate[Desk, P], None]) -> Callable[..., None]:
    """Give a command the common options beside its own, and the desk they describe as first argument."""
    parameters = [*_own_parameters(command), *_common_parameters()]

    def with_options(**given: object) -> None:
        common = {name: given.pop(name) for name in _COMMON}
        try:
            command(_desk(**common), **given)  # type: ignore[arg-type, call-arg]
        except KeyboardInterrupt:
            print("tollbook: stopped; what was committed stays, run it again to go on", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None

    return _shown_as(command, with_options, parameters)


def at_group_desk(command: Callable[Concatenate[Desk, P], None]) -> Callable[..., None]:
    """The same for what a group does when no subcommand is named."""
    parameters = [*_own_parameters(command), *_common_parameters()]
    context_parameter = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    alone = at_desk(command)

    def without_subcommand(context: typer.Context, **given: object) -> None:
        if context.invoked_subcommand is None:
            alone(**given)
        else:
            _nothing_before(context.invoked_subcommand, given, parameters)

    return _shown_as(command, without_subcommand, [context_parameter, *parameters])


def _shown_as(
    command: Callable[..., None], wrapper: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Let typer read the options off the wrapper."""
    functools.update_wrapper(wrapper, command)
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def _own_parameters(command: Callable[..., None]) -> list[inspect.Parameter]:
    return list(inspect.signature(command, eval_str=True).parameters.values())[1:]


def _common_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in _COMMON.items()
    ]


def _nothing_before(
    subcommand: str, given: Mapping[str, object], parameters: list[inspect.Parameter]
) -> None:
    """An option before the subcommand would be read by nobody."""
    defaults = {parameter.name: parameter.default for parameter in parameters}
    early = [name for name, value in given.items() if value != defaults[name]]
    if early:
        raise UsageError(f"options of `{subcommand}` go after it: move them behind `{subcommand}`")


def _desk(config: Path | None, ledger: Path | None, as_of: str | None, as_json: bool, quiet: bool) -> Desk:
    from tollbook.config import load

    now = clock() if as_of is None else _past(as_of)
    configuration = load(config)
    place = ledger if ledger is not None else configuration.path(configuration.settings.ledger.path)
    return Desk(configuration, place, now, as_of is not None, as_json, quiet)
