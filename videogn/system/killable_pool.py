"""Work on many files at once, in processes that can be killed, one for each of a few threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

from videogn.system.killable import KillableProcess, ProcessDiedError

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Seconds that threads have to see that their processes were killed. One that waits for a dead disk or server is left.
_STOP_LIMIT = 10.0


def work_through(
    factory: str, work: Callable[[KillableProcess, Task], Result], tasks: Iterable[Task], *, workers: int
) -> Generator[tuple[Task, Result], None, None]:
    """Do every task in one of several killable processes.

    Closing the iteration kills the processes and drops what they were doing: whoever may leave it early (an interrupt
    does) closes it.

    Args:
        factory: "module:name" of what makes the object that lives in each process.
        work: called in a thread with that thread's process and a task.
        tasks: taken one by one as processes become free.
        workers: how many at once.

    Yields:
        Each task with what `work` returned, in the order in which they end.

    Raises:
        Exception: whatever `work` raised.
    """
    pool = _Pool(factory, work, iter(tasks), workers)
    try:
        yield from pool.results()
    finally:
        pool.stop()


def end_of(error: ProcessDiedError) -> str:
    """How a process ended, in a word or two: "SIGSEGV", "status 3"."""
    return str(error).removeprefix("its process was ended by ").removeprefix("its process ended with ")


class _Pool(Generic[Task, Result]):
    """The threads, their processes, and the queue of what they have done; an ended thread leaves None in it."""

    def __init__(
        self, factory: str, work: Callable[[KillableProcess, Task], Result], tasks: Iterator[Task], workers: int
    ) -> None:
        self._work = work
        self._tasks = tasks
        self._taking = threading.Lock()  # a generator cannot be advanced by two threads
        self._stopping = threading.Event()
        self._done: queue.SimpleQueue[tuple[Task, Result] | Exception | None] = queue.SimpleQueue()
        self._processes = [KillableProcess(factory) for _ in range(workers)]
        # Daemons: should one of them not end, the program still does.
        self._threads = [threading.Thread(target=self._run, args=(each,), daemon=True) for each in self._processes]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[tuple[Task, Result]]:
        """What is done, until all threads have ended."""
        working = len(self._threads)
        while working:
            done = self._done.get()
            if done is None:
                working -= 1
            elif isinstance(done, Exception):
                raise done
            else:
                yield done

    def stop(self) -> None:
        """Kill what still runs; a thread that waits for its process then sees it gone, and ends."""
        self._stopping.set()
        end = time.monotonic() + _STOP_LIMIT
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < end:
            for process in self._processes:  # again and again: a thread may just have started another
                process.kill()
            for thread in self._threads:
                thread.join(0.05 / len(self._threads))

    def _run(self, process: KillableProcess) -> None:
        try:
            while not self._stopping.is_set():
                with self._taking:
                    task = next(self._tasks, _END)
                if isinstance(task, _End):
                    break
                self._done.put((task, self._work(process, task)))
        except Exception as error:
            self._done.put(error)
        finally:
            process.close()
            self._done.put(None)


class _End:
    """What stands for no further task, as None may be one."""


_END = _End()
