"""Open, add to and read the ledger: the only module that opens the DuckDB file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import duckdb
import polars as pl

from ledger import derived, keys, migrate
from ledger.resources import USUAL, Resources

_Settings = Mapping[str, str | bool | int | float | list[str]]
_SETTINGS: _Settings = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
# What DuckDB says of a file that another process has open, and of one that this process has open another way.
# A full disk, a quota, a device that fails.
_NOT_WRITTEN = (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)
_HELD = ("Could not set lock", "different configuration")


class LedgerError(Exception):
    """The ledger cannot be used; the text says what the user must change."""


class LedgerHeldError(LedgerError):
    """Another process kept the ledger open for longer than the caller was ready to wait."""


class QueryError(LedgerError):
    """A query the ledger cannot answer; the text is the database's own first lines."""


class _Stream:
    """Shows a frame or a relation to the other side as an Arrow stream and nothing else.

    Shown as they are, DuckDB asks for pyarrow to read a frame, and Polars keeps the relation's type alive
    past the interpreter's end, which prints a page of "nanobind: leaked" on the user's terminal.
    """

    def __init__(self, source: pl.DataFrame | duckdb.DuckDBPyRelation) -> None:
        self._source = source

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._source.__arrow_c_stream__(requested_schema)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One short visit to the ledger file; valid inside `with store.open(...)` only."""

    path: Path
    key: bytes
    connection: duckdb.DuckDBPyConnection

    def frame(self, sql: str, params: Sequence[object] = ()) -> pl.DataFrame:
        """Answer a query as a frame. Raises QueryError where it is no query or cannot be answered."""
        try:
            relation = self.connection.sql(sql, params=list(params))
            answer = None if relation is None else pl.DataFrame(_Stream(relation))
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        if answer is None:
            raise QueryError("that is no query: it gives no rows")
        return answer

    def rows(self, sql: str, params: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Answer a query as tuples, read whole."""
        return self.connection.execute(sql, list(params)).fetchall()

    def execute(self, sql: str, params: Sequence[object] = ()) -> int:
        """Run a statement; for INSERT, UPDATE and DELETE the number of rows it touched."""
        answer = self.connection.execute(sql, list(params)).fetchall()
        return int(answer[0][0]) if answer and isinstance(answer[0][0], int) else 0

    @contextmanager
    def scanning(self, name: str, frame: pl.DataFrame) -> Iterator[None]:
        """Make a frame readable in SQL under a name."""
        self.connection.register(name, _Stream(frame))
        try:
            yield
        except BaseException:
            # An aborted transaction refuses this too; the first error is the one to tell.
            with suppress(duckdb.Error):
                self.connection.unregister(name)
            raise
        self.connection.unregister(name)

    def append(self, table: str, frame: pl.DataFrame) -> None:
        """Insert a frame's rows by column name."""
        if frame.is_empty():
            return
        with self.scanning("appended", frame):
            self.execute(f"INSERT INTO {table} BY NAME SELECT * FROM appended")

    @contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[None]:
        """All of it or nothing; with `undo` nothing in any case, to see what would come of it."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            # A database that could not write has rolled back by itself; the first error is the one to tell.
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("ROLLBACK" if undo else "COMMIT")


@contextmanager
def open(
    path: Path | str,
    *,
    wait_s: float = 30.0,
    read_only: bool = False,
    notice: Callable[[str], None] = lambda _: None,
    resources: Resources = USUAL,
) -> Iterator[Ledger]:
    """Visit the ledger, made on first use, waiting up to `wait_s` seconds for another process to leave.

    Raises LedgerHeldError naming the holder when the wait is over, LedgerError when the file is no ledger,
    was written by a newer version or belongs to another key. `notice` is told of a migration. A
    read-only visit never creates or migrates, and cannot reach files outside. `resources` bound its size.
    """
    file = Path(path)
    _check_place(file, read_only)
    key = keys.load(file, create=not read_only and not file.exists())
    connection = _connect(file, wait_s, read_only, {**_SETTINGS, **resources.settings(file)})
    try:
        key = _prepare(connection, file, key, read_only, notice)
        yield Ledger(file, key, connection)
    except _NOT_WRITTEN as error:
        raise LedgerError(
            f"cannot write {file}: {_first_line(error)} (each commit is kept whole or not at all: make room, "
            f"or make it writable, then run this again)"
        ) from error
    finally:
        connection.close()


def _check_place(file: Path, read_only: bool) -> None:
    if read_only and not file.exists():
        raise LedgerError(f"no ledger at {file}: run `tollbook ingest` first, or name another with --ledger")
    if file.is_dir():
        raise LedgerError(
            f"{file} is a folder: --ledger wants the path of a file, such as {file}/tollbook.duckdb"
        )
    if not read_only:
        file.parent.mkdir(parents=True, exist_ok=True)


def _connect(file: Path, wait_s: float, read_only: bool, settings: _Settings) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_s
    pause_s = 0.02
    while True:
        try:
            return duckdb.connect(str(file), read_only=read_only, config=dict(settings))
        except duckdb.Error as error:
            if not any(sign in str(error) for sign in _HELD):
                raise LedgerError(f"cannot open {file} as a ledger: {_first_line(error)}") from error
            if time.monotonic() + pause_s > deadline:
                raise LedgerHeldError(
                    f"{file} is held by {_holder(error)} and did not come free in {wait_s:g} s: wait for it "
                    f"to finish, or end it, then run this again"
                ) from error
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.6, 0.5)


def _holder(error: duckdb.Error) -> str:
    """Who has the file open; a process in another container has no name here."""
    found = _HOLDER.search(str(error))
    return f"{found['program']} (process {found['pid']})" if found else "another process"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    key: bytes,
    read_only: bool,
    notice: Callable[[str], None],
) -> bytes:
    """Bring the ledger to this version; the key that it belongs to."""
    version = _version(connection, file)
    if version is None and read_only:
        raise LedgerError(f"{file} is empty: run `tollbook ingest` first")
    if version is None:
        _create(connection, key)
    elif version > migrate.LATEST:
        raise LedgerError(
            f"{file} was written by a newer tollbook (ledger version {version}, this one knows up to "
            f"{migrate.LATEST}): upgrade tollbook, or name another ledger with --ledger"
        )
    elif version < migrate.LATEST:
        _migrate(connection, file, version, read_only, notice)
    if read_only:
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return _own_key(connection, file, key)


def _version(connection: duckdb.DuckDBPyConnection, file: Path) -> int | None:
    try:
        found = connection.execute("SELECT max(version) FROM schema_version").fetchall()
    except duckdb.CatalogException:
        if connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]:
            return None
        raise LedgerError(f"{file} is a DuckDB file but no ledger: name another with --ledger") from None
    return int(found[0][0])


def _create(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    schema = resources.files("ledger").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.execute("BEGIN")
    connection.execute(schema)
    connection.execute(derived.statements())
    connection.execute("INSERT INTO schema_version VALUES (?, ?)", [migrate.LATEST, _now()])
    connection.execute("INSERT INTO ledger_facts VALUES ('key_id', ?)", [keys.key_id(key)])
    connection.execute("COMMIT")


def _migrate(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    version: int,
    read_only: bool,
    notice: Callable[[str], None],
) -> None:
    if read_only:
        raise LedgerError(
            f"{file} has ledger version {version}: run any writing command once to bring it up to date"
        )
    connection.execute("CHECKPOINT")
    copy = migrate.copy_aside(file, version)
    connection.execute("BEGIN")
    for number, statements in migrate.steps(version):
        connection.execute(statements)
        connection.execute("INSERT INTO schema_version VALUES (?, ?)", [number, _now()])
    connection.execute("COMMIT")
    notice(
        f"ledger brought from version {version} to {migrate.LATEST}; to go back, install the earlier "
        f"tollbook and put {copy} in the place of {file}"
    )


def _own_key(connection: duckdb.DuckDBPyConnection, file: Path, key: bytes) -> bytes:
    """The key, or the newer one that the ledger was given by a rotation that was killed."""
    found = connection.execute("SELECT value FROM ledger_facts WHERE name = 'key_id'").fetchall()
    if not found or found[0][0] == keys.key_id(key):
        return key
    drafted = keys.drafted(file, found[0][0])
    if drafted is None:
        raise LedgerError(
            f"the key does not belong to {file} (the ledger wants key {found[0][0]}, this is "
            f"{keys.key_id(key)}): point TOLLBOOK_KEY_FILE at the key made with this ledger"
        )
    return drafted


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
