"""Read tasks here or in other processes: the same parts, those of one source in the same order."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Iterator
from functools import partial

from collector import tokenizers
from collector.cutting import Numbered, Task
from collector.pool import Lost, in_order, is_fork_safe
from collector.work import Job, Part, Stretch, read

Answer = tuple[int, Part]
_SEARCHED_AFTER = 4 * 1024 * 1024


def results(
    tasks: Iterable[Task], job: Job, processes: int, *, is_much: bool = False
) -> Generator[tuple[Numbered, Part]]:
    """The parts of all tasks, those of one source in order; read by this process where `processes` is 0.

    Where there is much to read, the fast counter is loaded before; else it is when it is missed.
    """
    if not processes:
        yield from _here(tasks, job)
        return
    if is_fork_safe():
        # What is loaded before the processes are forked is there in each of them.
        if is_much:
            tokenizers.warm()
        else:
            tokenizers.count_text(tokenizers.O200K, "")
    yield from _pooled(tasks, job, processes)


def _here(tasks: Iterable[Task], job: Job) -> Iterator[tuple[Numbered, Part]]:
    gc.freeze()
    try:
        for task in tasks:
            for place, part in _read(job, task):
                yield task[place], part
    finally:
        gc.unfreeze()


def _read(job: Job, task: Task) -> Iterator[Answer]:
    """The work of one process: the parts of a task's units, each with the unit's place in the task."""
    weight = 0
    for place, numbered in enumerate(task):
        for part in read(numbered.unit, job):
            yield place, part
            weight += part.size
            if weight >= _SEARCHED_AFTER:
                # Messages that are remembered and their labels name each other: Python's own search for such
                # circles comes too seldom for memory to stay flat. All that is frozen is left out of it.
                gc.collect()
                weight = 0


def _pooled(tasks: Iterable[Task], job: Job, processes: int) -> Iterator[tuple[Numbered, Part]]:
    through: dict[Task, int] = {}
    for task, answer in in_order(tasks, partial(_read, job), processes, _stand_apart):
        if isinstance(answer, Lost):
            yield from _one_by_one(task[through.pop(task, 0) :], job, answer)
        else:
            place, part = answer
            through[task] = place + part.last
            if through[task] == len(task):
                del through[task]
            yield task[place], part


def _stand_apart(before: Task, after: Task) -> bool:
    """Whether tasks have no source in common: the parts of one source are told in order. A large compressed
    file is one task, read by one process while the others read what comes after it."""
    return before[-1].number != after[0].number


def _one_by_one(task: Task, job: Job, lost: Lost) -> Iterator[tuple[Numbered, Part]]:
    """What is left of a task that was given up: of several units, the one to blame is found."""
    if len(task) == 1:
        yield task[0], Part(last=True, problem=_given_up(task[0], lost))
    else:
        yield from _pooled(((numbered,) for numbered in task), job, 1)


def _given_up(numbered: Numbered, lost: Lost) -> str:
    unit = numbered.unit
    where = f" from byte {unit.start:,} on" if isinstance(unit, Stretch) else ""
    return (
        f"cannot read {unit.path}{where}: the process that read it was {lost.reason}, twice. Is there memory "
        f"enough? What was read before is booked; run it again, with --workers 1 or a part of the file alone"
    )
