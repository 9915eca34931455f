"""Run the making of parts on a Dask cluster: many sources at once, on any number of machines.

The ledger's key reaches a worker from its own environment, or over a connection that nobody else can read. It
is in no task, no task's name, no log and no file.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import platform
import secrets
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker
from distributed.comm.core import CommClosedError, connect
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from collector.counting import RULES_VERSION
from collector.parts import LAYOUT, Made, Order, make_parts
from collector.rollups import Answer, Each, Item
from collector.sources import SourceError
from ledger import keys

CONNECT_S = 10
_USUAL_PORT = 8786
_WORKERS_S = 30
# Packages whose version can change a row; the counters' speed does not.
_SHAPING = ("tollbook", "tiktoken", "mistral-common", "dashscope", "genai-prices", "polars", "distributed")
# What a greeting ends in where nobody answers, or somebody else: the answer of a web server, read as Dask's
# own, may tell of any length.
_NO_SCHEDULER = (OSError, TimeoutError, RuntimeError, ValueError, AssertionError, MemoryError, EOFError)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to run: a scheduler's address, or None for as many processes of this machine."""

    address: str | None = None
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    """What a worker runs and which key it has of its own."""

    versions: tuple[tuple[str, str], ...]
    key_id: str | None


def target(text: str) -> Target:
    """Where `--on` says to run: local[:N], dask://HOST:PORT or dask+tls://HOST:PORT. Raises SourceError."""
    place = text.removeprefix("dask://")
    name, _, number = place.partition(":")
    if name == "local" and (not number or (number.isdigit() and int(number) > 0)):
        return Target(workers=int(number) if number else os.cpu_count() or 1)
    address = _address(text)
    if address is None:
        # What stands before an @ may be a password.
        said = f"…@{text.rpartition('@')[2]}" if "@" in text else text
        raise SourceError(
            f"--on {said!r} names no cluster: write local, local:N, dask://HOST:PORT or dask+tls://HOST:PORT"
        )
    return Target(address)


def _address(text: str) -> str | None:
    """A scheduler's address as Dask writes it; None for what is none."""
    schemes = {"dask": "tcp", "dask+tls": "tls"}
    try:
        url = urlsplit(text)
        port = _USUAL_PORT if url.port is None else url.port
    except ValueError:
        return None
    more = url.path or url.query or url.fragment or "@" in url.netloc
    if url.scheme not in schemes or not url.hostname or more or not port:
        return None
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{schemes[url.scheme]}://{host}:{port}"


def make_all(
    orders: Sequence[Order], where: Target, key: bytes, heard: Callable[[Made], None] = lambda _: None
) -> list[Made]:
    """Make every order's parts; `heard` is told of each as it is done. One that fails is told in its answer.

    Raises SourceError where the cluster cannot be used or goes away; what was made until then stays made.
    """
    found: dict[int, Made] = {}
    with _connected(where) as client, _prepared(client, key) as shared:
        futures = [
            client.submit(work, order, shared, key=f"{shared.run}-{number}", pure=False)
            for number, order in enumerate(orders)
        ]
        numbers = {future.key: number for number, future in enumerate(futures)}
        for future in as_completed(futures, loop=client.loop):
            number = numbers[future.key]
            try:
                found[number] = future.result()
            except KilledWorker:
                found[number] = Made(orders[number].source, problem=_deadly(orders[number].source))
            except (CancelledError, CommClosedError) as error:
                done = f"after {len(found)} of {len(orders)} sources, what is made already is kept"
                raise SourceError(_lost(where, done)) from error
            heard(found[number])
    return [found[number] for number in range(len(orders))]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all tasks of a run have in common: its name, and what every worker must run."""

    run: str
    versions: tuple[tuple[str, str], ...]


def on_cluster(where: Target, key: bytes) -> Each:
    """A way to run any function on every item of a list on a cluster; it raises what the function raises."""

    def each(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        with _connected(where) as client, _prepared(client, key) as shared:
            futures = [
                client.submit(alike, work, item, shared.versions, key=f"{shared.run}-{number}", pure=False)
                for number, item in enumerate(items)
            ]
            try:
                return [future.result() for future in futures]
            except KilledWorker as error:
                raise SourceError(
                    "several workers died summing up (out of memory?): give them more"
                ) from error
            except (CancelledError, CommClosedError) as error:
                raise SourceError(_lost(where, "nothing is booked yet")) from error

    return each


def alike(work: Callable[[Item], Answer], item: Item, expected: tuple[tuple[str, str], ...]) -> Answer:
    """Run a function on a worker that is like the others. Raises SourceError on another."""
    if (own := versions()) != expected:
        raise SourceError(f"a worker that joined late is not like the others: {_differing(own, expected)}")
    return work(item)


def work(order: Order, shared: Shared) -> Made:
    """The task: the parts of one source. A worker that joined late may be unlike the others."""
    if (own := versions()) != shared.versions:
        return Made(order.source, problem=f"{order.source} was not read: {_differing(own, shared.versions)}")
    key = _key_here(shared.run)
    if key is None or keys.key_id(key) != order.key_id:
        return Made(order.source, problem=f"{order.source} was not read: a worker has not the ledger's key")
    return make_parts(order, key)


def _key_here(run: str) -> bytes | None:
    plugin = get_worker().plugins.get(run)
    return plugin.key if isinstance(plugin, KeyPlugin) else keys.from_environment()


class KeyPlugin(WorkerPlugin):
    """Holds the key in each worker's memory, those that join later too."""

    idempotent = False

    def __init__(self, run: str, key: bytes) -> None:
        self.name = run
        self.key = key

    def __repr__(self) -> str:
        return "<the ledger's key>"


def versions() -> tuple[tuple[str, str], ...]:
    """What here can change a row: rules, layout, Python and packages, `none` where one is not installed."""
    python = ".".join(platform.python_version_tuple()[:2])
    found = [("counting rules", RULES_VERSION), ("parts layout", str(LAYOUT)), ("python", python)]
    return (*found, *((name, _version(name)) for name in _SHAPING))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def describe() -> Described:
    """What this worker runs."""
    key = keys.from_environment()
    return Described(versions(), None if key is None else keys.key_id(key))


@contextmanager
def _connected(where: Target) -> Iterator[Client]:
    # The client tells in a traceback what is told in a sentence here.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # Versions are compared below, and told where they matter.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        if where.address is None:
            with _local(where.workers) as cluster, Client(cluster, set_as_default=False) as client:
                yield client
        else:
            client = _client(where.address)
            try:
                yield client
            finally:
                client.close(timeout=2)


def _local(workers: int) -> LocalCluster:
    with _deaf_children():
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            # Port 0, as None still asks for the usual port and warns where another cluster has it.
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Have processes that are started meanwhile leave Ctrl-C to this one, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _client(address: str) -> Client:
    try:
        # A client that finds no scheduler takes 20 s more to be done with.
        asyncio.run(_greet(address))
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except _NO_SCHEDULER as error:
        raise SourceError(
            f"no Dask scheduler answers at {address} ({_line(error)}): start one with `dask scheduler`, or "
            f"name its address with --on dask://HOST:PORT (dask+tls:// with Dask's TLS configuration)"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_WORKERS_S)
    except TimeoutError as error:
        client.close(timeout=2)
        raise SourceError(
            f"the scheduler at {address} has no workers: start some with `dask worker {address}`"
        ) from error
    return client


async def _greet(address: str) -> None:
    """Exchange greetings with a scheduler. Raises one of _NO_SCHEDULER."""
    comm = await asyncio.wait_for(
        connect(address, timeout=CONNECT_S, **Security().get_connection_args("client")), CONNECT_S + 1
    )
    comm.abort()


@contextmanager
def _prepared(client: Client, key: bytes) -> Iterator[Shared]:
    """See that all workers run what this machine runs and have the key, or lend it where that is safe."""
    shared = Shared(f"tollbook-{secrets.token_hex(4)}", versions())
    told = client.run(describe, on_error="return")
    for address, found in told.items():
        check_alike(address, found, shared.versions)
    if not all(is_private(each) for each in (str(client.scheduler_info()["address"]), *told)):
        for address, found in told.items():
            check_key(address, found.key_id, keys.key_id(key))
        yield shared
        return
    client.register_plugin(KeyPlugin(shared.run, key))
    try:
        yield shared
    finally:
        if client.status == "running":
            # A scheduler that went away just now took the plugin with it.
            with suppress(CommClosedError, OSError):
                client.unregister_worker_plugin(shared.run)


def check_alike(address: str, found: object, expected: Sequence[tuple[str, str]]) -> None:
    """Raise SourceError where a worker would not make the same rows."""
    if not isinstance(found, Described):
        raise SourceError(
            f"the worker at {address} cannot run tollbook ({_line(found)}): install this version there"
        )
    if found.versions != expected:
        raise SourceError(
            f"the worker at {address} is not like this machine: {_differing(found.versions, expected)}; "
            f"install the same versions on both"
        )


def check_key(address: str, found: str | None, own: str) -> None:
    """Raise SourceError where a worker has not the key and cannot be lent it."""
    if found != own:
        raise SourceError(
            f"the worker at {address} has {_named(found)}, the ledger's is {own}, and the key is not sent "
            f"over an open connection: set TOLLBOOK_KEY_FILE there, or use dask+tls://"
        )


def _named(key_id: str | None) -> str:
    return "no key" if key_id is None else f"key {key_id}"


def is_private(address: str) -> bool:
    """Whether what goes to a scheduler's workers can be read by nobody else: TLS, or this machine only."""
    url = urlsplit(address)
    if url.scheme in ("tls", "inproc"):
        return True
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False


def _differing(found: Sequence[tuple[str, str]], expected: Sequence[tuple[str, str]]) -> str:
    pairs = zip(found, expected, strict=False)
    return ", ".join(
        f"{name} is {has} there and {wants} here" for (name, has), (_, wants) in pairs if has != wants
    )


def _deadly(source: str) -> str:
    return (
        f"{source} was not read: several workers died while reading it (out of memory?); give workers more "
        f"memory, or read it on one machine with `tollbook ingest`"
    )


def _lost(where: Target, state: str) -> str:
    return (
        f"the scheduler at {where.address or 'this machine'} went away; {state}: run the same command again"
    )


def _line(error: object) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
