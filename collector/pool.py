"""Do tasks in other processes, whatever becomes of them: answers in order, bounded in memory."""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T], Iterable[R]]

# One task at hand and one to go on with while the writer is busy with a commit.
_AHEAD = 2
# Answers kept of a task whose turn has not come: past them its process waits.
_KEPT = 4
# Answers kept of all tasks together: past the first number those of tasks that stand apart are given before
# their turn, past the second no more tasks are handed out. So one long task neither holds the others up nor
# has what they gave pile up.
_HELD, _MOST_HELD = 16, 64
_DEATHS = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Threads that libraries start when they are imported, and that hold nothing a forked process would miss.
# The threads of Polars' pools or of DuckDB are none of them: what uses those would wait for ever.
_HARMLESS = ("jemalloc_bg_thd", "polars-ooc-clea")


class WorkerFailedError(RuntimeError):
    """A bug ended a worker process; its traceback is on standard error."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A task that ended the process it was done in, twice; `reason` says by what."""

    reason: str


@dataclass(slots=True)
class _Worker:
    """A process and the numbers of its tasks, the one at hand first.

    One that took over from a dead process is told of them one by one, `singly` so many yet: then it is
    known which of them ended it.
    """

    process: BaseProcess
    pipe: connection.Connection
    tasks: deque[int] = field(default_factory=deque)
    singly: int = 0


@dataclass(slots=True)
class _Answers(Generic[T, R]):
    """What came of a task so far. After a death its first `skipped` answers come again."""

    task: T
    waiting: deque[R | Lost] = field(default_factory=deque)
    received: int = 0
    skipped: int = 0
    deaths: int = 0
    done: bool = False


def _never(_before: object, _after: object) -> bool:
    return False


def in_order(
    tasks: Iterable[T], work: Work[T, R], workers: int, apart: Callable[[T, T], bool] = _never
) -> Iterator[tuple[T, R | Lost]]:
    """Each task's answers, in the tasks' order. `work` gives the same answers whenever it is called anew.

    Where a task takes long, those behind it that stand `apart` from the one before them may come first: its
    answers need not wait for that one's, nor for any before. Raises WorkerFailedError where `work` raises.
    The processes end with the iterator.
    """
    pool: _Pool[T, R] = _Pool(iter(tasks), work, apart)
    try:
        for _ in range(workers):
            pool.hire()
        yield from pool.answers()
    finally:
        pool.close()


class _Pool(Generic[T, R]):
    """The processes, the tasks they are at, and what they answered."""

    def __init__(self, tasks: Iterator[T], work: Work[T, R], apart: Callable[[T, T], bool]) -> None:
        self._tasks = tasks
        self._work = work
        self._apart = apart
        self._workers: list[_Worker] = []
        self._answers: dict[int, _Answers[T, R]] = {}
        self._given = 0
        self._head = 0

    def hire(self) -> _Worker:
        """Start a process."""
        ours, theirs = connection.Pipe()
        context = _context()
        others = [ours, *(worker.pipe for worker in self._workers)] if _is_fork(context) else []
        process = context.Process(target=_serve, args=(theirs, others, self._work))  # type: ignore[attr-defined]
        process.daemon = True
        with _signals_held(), _unwarned() if _is_fork(context) else nullcontext():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def answers(self) -> Iterator[tuple[T, R | Lost]]:
        """Hand out tasks and take answers until all are done."""
        self._hand_out()
        while self._answers:
            number = self._next_told()
            found = self._answers[number]
            while found.waiting:
                yield found.task, found.waiting.popleft()
            if found.done:
                del self._answers[number]
                self._head = min(self._answers, default=self._given)
            elif number == self._head:
                self._listen()
            self._hand_out()

    def _next_told(self) -> int:
        """The task whose answers are given next: the first, or one apart from it where too much is kept."""
        if self._answers[self._head].waiting or self._held() < _HELD:
            return self._head
        behind = (n for n in self._answers if n != self._head and self._stands_apart(n))
        return next((n for n in behind if self._answers[n].waiting or self._answers[n].done), self._head)

    def _stands_apart(self, number: int) -> bool:
        before = self._answers.get(number - 1)
        return before is None or self._apart(before.task, self._answers[number].task)

    def _held(self) -> int:
        return sum(len(found.waiting) for found in self._answers.values())

    def close(self) -> None:
        """End the processes. They hold nothing that has to be kept."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _hand_out(self) -> None:
        while free := [each for each in self._workers if not each.singly and len(each.tasks) < _AHEAD]:
            if self._held() > _MOST_HELD:
                return
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            worker = min(free, key=lambda each: len(each.tasks))
            self._answers[self._given] = _Answers(task)
            worker.tasks.append(self._given)
            self._tell(worker, self._given)
            self._given += 1

    def _tell(self, worker: _Worker, number: int) -> None:
        # A process that died meanwhile is found dead when it is listened to.
        with suppress(OSError):
            worker.pipe.send(self._answers[number].task)

    def _listen(self) -> None:
        """Take what the processes say, except of those far ahead of what is wanted next."""
        heard = {worker.pipe: worker for worker in self._workers if self._is_wanted(worker)}
        ended = {worker.process.sentinel: worker for worker in self._workers}
        ready = connection.wait([*heard, *ended])
        for worker in [worker for pipe, worker in heard.items() if pipe in ready]:
            self._take(worker)
        for worker in [worker for sentinel, worker in ended.items() if sentinel in ready]:
            if worker in self._workers:
                while self._take(worker):
                    pass

    def _is_wanted(self, worker: _Worker) -> bool:
        if not worker.tasks:
            return False
        number = worker.tasks[0]
        return number == self._head or len(self._answers[number].waiting) < _KEPT

    def _take(self, worker: _Worker) -> bool:
        """Take one answer; False where there will be none any more, as the process is dead."""
        try:
            answer = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._replace(worker)
            return False
        number = worker.tasks[0]
        found = self._answers[number]
        if answer is None:
            found.done = True
            self._next(worker)
        elif found.skipped:
            found.skipped -= 1
        else:
            found.received += 1
            found.waiting.append(answer)
        return True

    def _next(self, worker: _Worker) -> None:
        """A process is through with the task at hand."""
        worker.tasks.popleft()
        worker.singly = max(worker.singly - 1, 0)
        if worker.singly:
            self._tell(worker, worker.tasks[0])

    def _replace(self, dead: _Worker) -> None:
        """Give the tasks of a dead process to a new one, except one that has ended two."""
        self._workers.remove(dead)
        dead.pipe.close()
        dead.process.join()
        reason = _cause(dead.process)
        dead.process.close()
        if dead.tasks:
            self._count_death(dead, reason)
        worker = self.hire()
        worker.tasks.extend(dead.tasks)
        worker.singly = len(dead.tasks)
        if worker.tasks:
            self._tell(worker, worker.tasks[0])

    def _count_death(self, dead: _Worker, reason: str) -> None:
        """Hold a death against the task at hand, where the process can have been at no later one."""
        found = self._answers[dead.tasks[0]]
        found.skipped = found.received
        found.deaths += dead.singly > 0 or len(dead.tasks) == 1
        if found.deaths == _DEATHS:
            found.waiting.append(Lost(reason))
            found.done = True
            dead.tasks.popleft()


def _cause(process: BaseProcess) -> str:
    """What ended a process. Raises WorkerFailedError where it was a bug."""
    code = process.exitcode or 0
    if code > 0:
        raise WorkerFailedError(f"a worker process failed (exit code {code}): its traceback is above")
    return f"killed by signal {-code}" if code else "ended by itself"


def _context() -> BaseContext:
    """Fork where that is safe, so that modules and vocabularies need not be loaded again; else spawn."""
    return get_context("fork" if is_fork_safe() else "spawn")


def _is_fork(context: BaseContext) -> bool:
    return context.get_start_method() == "fork"


def is_fork_safe() -> bool:
    """Whether no thread holds what a forked process would wait for."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    return all(_is_harmless(task) for task in Path("/proc/self/task").iterdir())


def _is_harmless(task: Path) -> bool:
    with suppress(FileNotFoundError):
        name = (task / "comm").read_text().strip()
        return name in _HARMLESS or name == Path("/proc/self/comm").read_text().strip()
    return True


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process that is started here takes no signals before it is ready to answer them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def _unwarned() -> Iterator[None]:
    # Python warns of a fork beside any thread; which ones there are has been looked at.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        yield


def _serve(pipe: connection.Connection, others: Sequence[connection.Connection], work: Work[T, R]) -> None:
    """Do tasks until there are no more, or until the one who gave them is gone."""
    # Ctrl-C goes to the whole group; the writer ends the others when its commit is through.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    # Frames are small here, and there is a process a core already.
    os.environ["POLARS_MAX_THREADS"] = "1"
    # Of a forked process: while it held the others' ends of the pipes, nobody would hear that they closed.
    for other in others:
        other.close()
    # What is here already stays: it need not be looked through for garbage.
    gc.freeze()
    outgoing: queue.Queue[bytes] = queue.Queue(maxsize=1)
    threading.Thread(target=_send, args=(pipe, outgoing), daemon=True).start()
    for task in _given(pipe):
        for answer in work(task):
            outgoing.put(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
        outgoing.put(pickle.dumps(None))


def _given(pipe: connection.Connection) -> Iterator[Any]:
    with suppress(EOFError, OSError):
        while True:
            yield pipe.recv()


def _send(pipe: connection.Connection, outgoing: queue.Queue[bytes]) -> None:
    """Send on while the next task is read. A writer that is gone ends the process."""
    try:
        while True:
            pipe.send_bytes(outgoing.get())
    except OSError:
        os._exit(0)
