"""The desk where paintings are handed in: a queue, a few workers, and a way to stop each by its name."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from pointillist.errors import EngineError, PointillistError
from pointillist.studio import messages as m
from pointillist.studio.painting import paint
from pointillist.studio.planning import Plan
from pointillist.studio.refusals import Refused

LOG = logging.getLogger("pointillist.studio")
_RETRY = 5  # seconds after which a full queue may have room

Listen = Callable[[m.Queued | m.Started | m.Pixels | m.Finished | m.Failed], None]
Finish = Callable[[Plan, list[m.Painted]], m.Recipe]


class Stopped(PointillistError):  # noqa: N818  (not a fault)
    """Work that was told to end; `code` says why."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Job:
    """A painting that waits or is at work.

    Args:
        listen: called with every event, `Queued` from the thread that hands it in and the others from a worker.
    """

    def __init__(self, plan: Plan, listen: Listen, seconds: float) -> None:
        self.name = secrets.token_urlsafe(12)
        self.plan, self.listen = plan, listen
        self._seconds, self._until = seconds, float("inf")
        self._stop = threading.Event()

    def stop(self) -> None:
        """End it after the row at hand."""
        self._stop.set()

    def begin(self) -> None:
        """Its time starts."""
        self._until = time.monotonic() + self._seconds
        self.check()

    def check(self) -> None:
        """Called after every row.

        Raises:
            Stopped: if it is to end.
        """
        if self._stop.is_set():
            raise Stopped("stopped", "The painting was stopped.")
        if time.monotonic() > self._until:
            raise Stopped(
                "time",
                f"The painting took longer than the {self._seconds:g} s that one may take: ask for fewer canvases or a "
                "smaller size, or start the studio with a longer `--seconds`.",
            )


class Desk:
    """Takes paintings and carries them out.

    Args:
        limits: how many wait, how many are at work, and for how long.
        recipe: makes the recipe of a painting that is finished.
        threads: how many share the canvases of one painting.
    """

    def __init__(self, limits: m.Limits, recipe: Finish, threads: int | None = None) -> None:
        self._limits, self._recipe, self._threads = limits, recipe, threads
        self._pool = ThreadPoolExecutor(limits.at_once, "painting")
        self._lock = threading.Lock()
        self._closed = False
        self._jobs: dict[str, tuple[Job, Future[None]]] = {}

    def hand_in(self, plan: Plan, listen: Listen) -> Job:
        """Put a painting in the queue.

        Raises:
            Refused: if as many wait as may.
        """
        job = Job(plan, listen, self._limits.seconds)
        with self._lock:
            if self._closed:
                raise Refused(503, "loading", "The studio is closing.", retry=_RETRY)
            ahead = max(0, len(self._jobs) - self._limits.at_once + 1)
            if ahead > self._limits.waiting:
                raise Refused(
                    429, "queue", f"{self._limits.waiting} paintings wait already: try again in a moment.", retry=_RETRY
                )
            listen(m.Queued(painting=job.name, ahead=ahead))
            future = self._pool.submit(self._work, job)
            self._jobs[job.name] = (job, future)
        future.add_done_callback(lambda _: self._forget(job.name))
        return job

    def stop(self, name: str) -> bool:
        """Stop a painting; whether there was one of this name."""
        with self._lock:
            found = self._jobs.get(name)
        if found is None:
            return False
        job, future = found
        job.stop()
        if future.cancel():  # it was still waiting
            job.listen(m.Failed(error="The painting was stopped.", code="stopped"))
        return True

    def __len__(self) -> int:
        """How many wait or are at work."""
        with self._lock:
            return len(self._jobs)

    def close(self) -> None:
        """Stop everything, and wait until it has ended."""
        with self._lock:
            self._closed = True
            names = list(self._jobs)
        for name in names:
            self.stop(name)
        self._pool.shutdown()

    def _forget(self, name: str) -> None:
        with self._lock:
            self._jobs.pop(name, None)

    def _work(self, job: Job) -> None:
        try:
            job.begin()
            started = time.perf_counter()
            images = paint(job.plan, job.listen, job.check, self._threads)
            seconds = time.perf_counter() - started
            job.listen(m.Finished(seconds=seconds, images=images, recipe=self._recipe(job.plan, images)))
        except Exception as error:
            job.listen(failed(error))


def failed(error: Exception) -> m.Failed:
    """What is said of a painting that did not succeed; a fault of ours goes to the log."""
    if isinstance(error, Stopped):
        return m.Failed(error=str(error), code=error.code)
    if isinstance(error, PointillistError):
        changed = isinstance(error, EngineError) and "have changed" in str(error)
        return m.Failed(error=str(error), code="changed" if changed else "invalid")
    if isinstance(error, MemoryError):
        return m.Failed(error="The memory is not enough: ask for fewer canvases or a smaller size.", code="invalid")
    LOG.error("a painting failed", exc_info=error)
    return m.Failed(error=f"The studio failed ({type(error).__name__}): its terminal says more.", code="internal")
