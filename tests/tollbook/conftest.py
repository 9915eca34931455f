"""The installed command in a process of its own, and a folder with two days of logs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts")) / "tollbook")
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "tollbook"
KEY = "11" * 32
AS_OF = "2026-10-07T07:00:00Z"


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK_")}
    return {**kept, "TOLLBOOK_KEY": KEY, "COLUMNS": "80", "TERM": "dumb", **more}


Tollbook = Callable[..., Done]


def runner(folder: Path) -> Tollbook:
    def run(*args: str, stdin: str = "", **env: str) -> Done:
        done = subprocess.run(
            [COMMAND, *args],
            cwd=folder,
            env=environment(**env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def in_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tollbook:
    """The same without a process of its own, for commands whose every wording is tried."""
    from typer.testing import CliRunner

    from tollbook import cli

    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*args: str, stdin: str = "") -> Done:
        done = CliRunner().invoke(cli.app, args, input=stdin)
        if isinstance(done.exception, cli.mistakes()):
            return Done(cli.USER, done.stdout, f"tollbook: {done.exception}\n")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


def lay_out(folder: Path) -> Path:
    """The sample's logs and configuration, as a user would have them."""
    (folder / "logs").mkdir(parents=True)
    shutil.copy(SAMPLES / "two-days.jsonl", folder / "logs")
    shutil.copy(SAMPLES / "tollbook.toml", folder)
    return folder


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TOLLBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLBOOK_KEY", KEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "work")


@pytest.fixture
def tollbook(folder: Path) -> Tollbook:
    return runner(folder)


@pytest.fixture
def run_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Tollbook]:
    """The command in this process, in any folder."""
    return lambda folder: in_process(folder, monkeypatch)


@pytest.fixture
def in_folder(folder: Path, run_in: Callable[[Path], Tollbook]) -> Tollbook:
    """The command in this process, in the folder of the sample."""
    return run_in(folder)


@pytest.fixture(scope="session")
def spawn_run() -> Callable[[Path], Tollbook]:
    """The command in any folder."""
    return runner


@pytest.fixture(scope="session")
def spawn() -> Callable[..., subprocess.Popen[str]]:
    """Start the command and leave it running: `spawn(folder, "run", stderr=...)`."""

    def start(folder: Path, *args: str, **options: object) -> subprocess.Popen[str]:
        return subprocess.Popen([COMMAND, *args], cwd=folder, env=environment(), text=True, **options)

    return start


@pytest.fixture(scope="session")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after ingest and check on the morning after; tests that change it copy it first."""
    place = lay_out(tmp_path_factory.mktemp("morning") / "work")
    run = runner(place)
    assert run("ingest", "--as-of", AS_OF).code == 0
    assert run("check", "--as-of", AS_OF).code == 0
    return place


@pytest.fixture
def desk_of_morning(morning: Path, tmp_path: Path) -> Tollbook:
    """The command in a copy of that folder."""
    return runner(Path(shutil.copytree(morning, tmp_path / "copy")))
