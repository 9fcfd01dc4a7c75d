"""A job queue with cancellation."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from pointillist.errors import EngineError, PointillistError
from pointillist.studio import schemas
from pointillist.studio.errors import RequestError

LOG = logging.getLogger("pointillist.studio")
_RETRY_AFTER = 5  # seconds until a full queue may have a free slot

Result = schemas.Finished | schemas.FillResult
AnyEvent = schemas.Queued | schemas.Started | schemas.Pixels | Result | schemas.Failed
EventHandler = Callable[[AnyEvent], None]
Work = Callable[[EventHandler, Callable[[], None], int | None], Result]
"""A job: called with a handler of its events, a check to call after every row, and a number of threads."""


class JobCancelled(PointillistError):  # noqa: N818  (not an error)
    """Raised in a worker to end a job; `code` is the code of the `Failed` event."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class QueueEntry:
    """A job that is queued or running.

    Args:
        work: the work to do.
        on_event: called with every event, with `Queued` in the thread that submits the job and with the others in a
            worker thread.
        timeout: seconds that the job may run.
    """

    work: Work
    on_event: EventHandler

    def __init__(self, work: Work, on_event: EventHandler, timeout: float) -> None:
        self.id: str = secrets.token_urlsafe(12)
        self.work, self.on_event = work, on_event
        self._timeout, self._deadline = timeout, float("inf")
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask the job to end after the current row."""
        self._cancelled.set()

    def begin(self) -> None:
        """Start the job's time.

        Raises:
            JobCancelled: if the job was cancelled meanwhile.
        """
        self._deadline = time.monotonic() + self._timeout
        self.check()

    def check(self) -> None:
        """Check whether the job may go on; called after every row.

        Raises:
            JobCancelled: if the job was cancelled, or its time is over.
        """
        if self._cancelled.is_set():
            raise JobCancelled("cancelled", "The painting was stopped.")
        if time.monotonic() > self._deadline:
            raise JobCancelled(
                "timeout",
                f"The painting took longer than the limit of {self._timeout:g} s: ask for fewer canvases or a smaller "
                "size, or start the studio with a longer `timeout`.",
            )


class JobQueue:
    """Runs jobs in worker threads.

    Args:
        limits: how many jobs wait, how many run, and for how long.
        threads: number of threads that share the samples of a job.
    """

    def __init__(self, limits: schemas.Limits, threads: int) -> None:
        self._limits, self._threads = limits, threads
        self._pool = ThreadPoolExecutor(limits.concurrent, "sampling")
        self._lock = threading.Lock()
        self._closed = False
        self._entries: dict[str, tuple[QueueEntry, Future[None]]] = {}

    def submit(self, work: Work, on_event: EventHandler) -> QueueEntry:
        """Put a job into the queue.

        Raises:
            RequestError: if the queue is full or closed.
        """
        entry = QueueEntry(work, on_event, self._limits.timeout)
        with self._lock:
            if self._closed:
                raise RequestError(503, "loading", "The studio is closing.", retry_after=_RETRY_AFTER)
            ahead = max(0, len(self._entries) - self._limits.concurrent + 1)
            if ahead > self._limits.queued:
                sentence = f"{self._limits.queued} paintings are already queued: try again in a moment."
                raise RequestError(429, "queue", sentence, retry_after=_RETRY_AFTER)
            on_event(schemas.Queued(job=entry.id, ahead=ahead))
            future = self._pool.submit(self._run, entry)
            self._entries[entry.id] = (entry, future)
        future.add_done_callback(lambda _: self._entries.pop(entry.id, None))
        return entry

    def cancel(self, id_: str) -> bool:
        """Cancel a job; return false if there is none with this id."""
        with self._lock:
            result = self._entries.get(id_)
        if result is None:
            return False
        entry, future = result
        entry.cancel()
        if future.cancel():  # it was still waiting
            entry.on_event(schemas.Failed(error="The painting was stopped.", code="cancelled"))
        return True

    def __len__(self) -> int:
        """Number of jobs that are queued or running."""
        return len(self._entries)

    def close(self) -> None:
        """Cancel all jobs, and wait until they have ended."""
        with self._lock:
            self._closed = True
            ids = list(self._entries)
        for id_ in ids:
            self.cancel(id_)
        self._pool.shutdown()

    def _run(self, entry: QueueEntry) -> None:
        try:
            entry.begin()
            entry.on_event(entry.work(entry.on_event, entry.check, self._threads))
        except Exception as error:
            entry.on_event(failed_event(error))


def failed_event(error: Exception) -> schemas.Failed:
    """Make the event for a job that failed; internal errors are logged."""
    if isinstance(error, JobCancelled):
        return schemas.Failed(error=str(error), code=error.code)
    if isinstance(error, PointillistError):
        changed = isinstance(error, EngineError) and "have changed" in str(error)
        return schemas.Failed(error=str(error), code="changed" if changed else "invalid")
    if isinstance(error, MemoryError):
        sentence = "There is not enough memory: ask for fewer canvases or a smaller size."
        return schemas.Failed(error=sentence, code="invalid")
    LOG.error("a job failed", exc_info=error)
    sentence = f"The studio failed ({type(error).__name__}): its terminal says more."
    return schemas.Failed(error=sentence, code="internal")
