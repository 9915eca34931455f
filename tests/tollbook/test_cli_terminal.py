"""Standard output and error stay clean: no leaks of libraries, no broken pipes, no needless wait."""

from __future__ import annotations

import resource
import signal
import subprocess
import time
from pathlib import Path


def test_help_answers_without_the_weight_of_the_libraries(tollbook):
    def spent() -> float:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    before = spent()
    assert tollbook("--help").code == 0
    assert spent() - before < 0.4


def test_version_is_the_installed_one(tollbook):
    from importlib.metadata import version

    assert tollbook("--version").out == f"tollbook {version('tollbook')}\n"


def test_standard_error_is_empty_where_nothing_is_wrong(desk_of_morning):
    for arguments in (("check",), ("sql", "SELECT * FROM rollup"), ("doctor",)):
        assert desk_of_morning(*arguments, "--as-of", "2026-10-07T07:00").err == ""


def test_a_reader_who_has_seen_enough_is_nothing_wrong(morning: Path, spawn):
    query = "SELECT range FROM range(200000)"
    with spawn(morning, "sql", query, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(5).strip()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_quiet_ingest_prints_its_result_only(tollbook):
    done = tollbook("ingest", "--quiet")
    assert done.code == 0
    assert done.err == ""


def test_an_interrupted_ingest_says_that_it_can_go_on(folder: Path, spawn):
    line = (folder / "logs" / "two-days.jsonl").read_text().splitlines()[0]
    with (folder / "logs" / "long.jsonl").open("w") as log:
        log.writelines(line.replace("mon-1", f"call-{number}") + "\n" for number in range(60_000))
    with spawn(folder, "ingest", stderr=subprocess.PIPE) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run it again to go on" in err
    assert "Traceback" not in err
