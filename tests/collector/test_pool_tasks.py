"""Tasks done by other processes give the same answers in the same order, whatever becomes of these."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from collector.pool import Lost, WorkerFailedError, in_order


def twice(task: int) -> Iterator[int]:
    yield task
    yield task * 10


def test_answers_come_in_the_order_of_the_tasks():
    answers = list(in_order(range(5), twice, workers=2))
    assert answers == [(n, answer) for n in range(5) for answer in (n, n * 10)]


def test_without_tasks_there_are_no_answers():
    assert list(in_order([], twice, workers=1)) == []


def dies_once(marks: Path, task: int) -> Iterator[int]:
    yield task
    if task == 1 and not (marks / "died").exists():
        (marks / "died").touch()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    yield task * 10


def test_a_process_that_dies_is_replaced_and_its_task_done_again(tmp_path):
    answers = list(in_order(range(3), partial(dies_once, tmp_path), workers=1))
    assert answers == [(n, answer) for n in range(3) for answer in (n, n * 10)]


def dies_always(task: int) -> Iterator[int]:
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    yield task


def test_a_task_that_ends_its_processes_is_given_up_and_the_others_done():
    answers = list(in_order(range(4), dies_always, workers=2))
    assert answers == [(0, 0), (1, Lost("killed by signal 9")), (2, 2), (3, 3)]


def fails(task: int) -> Iterator[int]:
    yield 1 // task


def test_a_bug_is_an_error_with_the_processs_own_traceback(capfd):
    with pytest.raises(WorkerFailedError, match="exit code 1"):
        list(in_order([0], fails, workers=1))
    assert "ZeroDivisionError" in capfd.readouterr().err


def says_who(task: int) -> Iterator[int]:
    yield os.getpid()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_processes_end_with_the_iterator():
    answers = in_order(range(100), says_who, workers=1)
    _, process = next(answers)
    assert is_running(process)
    answers.close()
    assert not is_running(process)


def given(taken: list[int]) -> Iterator[int]:
    for number in range(1000):
        taken.append(number)
        yield number


def many(task: int) -> Iterator[bytes]:
    for _ in range(50):
        yield bytes(100)


def test_no_more_tasks_are_taken_than_are_done_soon():
    taken: list[int] = []
    answers = in_order(given(taken), many, workers=1)
    next(answers)
    time.sleep(0.3)
    next(answers)
    assert len(taken) == 2
    answers.close()


def slow_at_first(marks: Path, task: int) -> Iterator[int]:
    if task == 0:
        while not (marks / "go on").exists():
            time.sleep(0.01)
    yield task


def test_a_long_task_holds_up_none_that_stand_apart(tmp_path):
    told = []
    answers = in_order(range(200), partial(slow_at_first, tmp_path), workers=2, apart=lambda *_: True)
    for task, _ in answers:
        told.append(task)
        if len(told) == 150:
            (tmp_path / "go on").touch()
    assert sorted(told) == list(range(200))
    assert told.index(0) >= 150


def test_tasks_that_hang_together_keep_their_order_behind_a_long_one(tmp_path):
    pairs = in_order(
        range(200),
        partial(slow_at_first, tmp_path),
        workers=2,
        apart=lambda before, after: before // 2 != after // 2,
    )
    told = []
    for task, _ in pairs:
        told.append(task)
        if len(told) == 150:
            (tmp_path / "go on").touch()
    assert sorted(told) == list(range(200))
    assert all(told.index(n) < told.index(n + 1) for n in range(0, 200, 2))
    assert told.index(1) > told.index(0) >= 150


def handed_out(given: list[int], most: int) -> Iterator[int]:
    for number in range(most):
        given.append(number)
        yield number


def test_no_more_is_handed_out_than_can_be_kept_where_nothing_stands_apart(tmp_path):
    given: list[int] = []
    answers = in_order(handed_out(given, 1_000), partial(slow_at_first, tmp_path), workers=2)
    release = threading.Timer(2.0, (tmp_path / "go on").touch)
    release.start()
    assert next(answers) == (0, 0)
    assert len(given) < 100
    assert [task for task, _ in answers] == list(range(1, 1_000))
    release.join()
