"""Work on many files at once in processes that can be killed, one for each of a few threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from videogn.system.killable import KillableProcess, ProcessDiedError

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Stands for the end of the tasks, since None may be a task.
_END: Any = object()
#: Seconds that threads may take to notice that their processes were killed; later ones are left behind.
_STOP_LIMIT = 10.0


def work_through(
    factory: str, work: Callable[[KillableProcess, Task], Result], tasks: Iterable[Task], *, workers: int
) -> Generator[tuple[Task, Result], None, None]:
    """Do every task in one of several killable processes.

    Closing the iterator kills the processes and drops their work. A caller that may leave it early, for instance by an
    interrupt, has to close it.

    Args:
        factory: Function or class that makes the object in each process, as "module:name".
        work: Function that is called in a thread with the process of that thread and a task.
        tasks: Tasks, taken one by one as processes become free.
        workers: Number of processes.

    Yields:
        Each task with the return value of `work`, in the order of completion.

    Raises:
        Exception: Any exception of `work`.
    """
    pool = _Pool(factory, work, iter(tasks), workers)
    try:
        yield from pool.results()
    finally:
        pool.stop()


def end_of(error: ProcessDiedError) -> str:
    """Return how a process ended in a word or two, for instance "SIGSEGV" or "status 3"."""
    return str(error).removeprefix("its process was ended by ").removeprefix("its process ended with ")


class _Pool(Generic[Task, Result]):
    """Threads, their processes, and the queue of finished work, where a thread that ends puts None."""

    def __init__(
        self, factory: str, work: Callable[[KillableProcess, Task], Result], tasks: Iterator[Task], workers: int
    ) -> None:
        self._work = work
        self._tasks = tasks
        self._taking = threading.Lock()  # a generator cannot be advanced by two threads
        self._stopping = threading.Event()
        self._done: queue.SimpleQueue[tuple[Task, Result] | Exception | None] = queue.SimpleQueue()
        self._processes = [KillableProcess(factory) for _ in range(workers)]
        # Daemons, so that the program ends even if one of them does not.
        self._threads = [threading.Thread(target=self._run, args=(each,), daemon=True) for each in self._processes]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[tuple[Task, Result]]:
        """Yield finished work until all threads have ended."""
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
        """Kill the processes, so that the threads that wait for them end."""
        self._stopping.set()
        end = time.monotonic() + _STOP_LIMIT
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < end:
            for process in self._processes:  # repeatedly, since a thread may just have started another
                process.kill()
            for thread in self._threads:
                thread.join(0.05 / len(self._threads))

    def _run(self, process: KillableProcess) -> None:
        try:
            while not self._stopping.is_set():
                with self._taking:
                    task = next(self._tasks, _END)
                if task is _END:
                    break
                self._done.put((task, self._work(process, task)))
        except Exception as error:
            self._done.put(error)
        finally:
            process.close()
            self._done.put(None)
