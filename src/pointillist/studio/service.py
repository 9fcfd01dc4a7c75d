"""The studio without HTTP: its models, job queue and limits, and the handling of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import TypeVar

from pointillist.model.protocols import LikelihoodModel
from pointillist.studio import schemas
from pointillist.studio.answers.fill import make_fill
from pointillist.studio.answers.training_run import RunWatcher, TrainingRun
from pointillist.studio.conversion import check_pixels
from pointillist.studio.errors import RequestError
from pointillist.studio.job_queue import EventHandler, JobQueue, QueueEntry, Result, Work
from pointillist.studio.jobs import SamplingJob, make_job
from pointillist.studio.model_pool import ModelPool
from pointillist.studio.reproduce import compare, work_of_manifest
from pointillist.studio.sampling import finish_job
from pointillist.studio.schemas import LIMITS
from pointillist.system import default_threads

_STATUS = {"cancelled": 503, "timeout": 503, "internal": 500}  # of a failed job; other codes are the request's error

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")
Handler = Callable[[LikelihoodModel, RequestT, schemas.Limits], ResultT]


class StudioService:
    """Models and jobs of a studio.

    Args:
        sources: names, folders or `hf:user/model` of models, or models.
        limits: limits of requests and jobs.
        run: folder of a training run to watch; its newest checkpoint is the last of the models.
        threads: threads of a job; None for one a core.

    Attributes:
        watcher: follows the run; None without one.
    """

    def __init__(
        self,
        sources: Sequence[str | LikelihoodModel],
        limits: schemas.Limits = LIMITS,
        *,
        run: Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.limits = limits
        self.models: ModelPool = ModelPool(sources, limits)
        self.watcher: RunWatcher | None = None
        if run is not None:
            watched = TrainingRun(run)
            self.watcher = RunWatcher(watched, self.models.add(str(watched.newest), watched.name), limits)
        self.queue: JobQueue = JobQueue(limits, threads or default_threads())

    def make_job(self, model: str, request: schemas.SampleRequest) -> SamplingJob:
        return make_job(self.models[model].loaded, request, self.limits)

    def submit(self, job: SamplingJob, on_event: EventHandler) -> QueueEntry:
        return self.queue.submit(partial(finish_job, job), on_event)

    def convert(self, model: str, handler: Handler[RequestT, ResultT], request: RequestT) -> ResultT:
        """Handle a request that needs no forward pass, such as reading and writing pictures; several run at a time."""
        return handler(self.models[model].model, request, self.limits)

    def query(self, model: str, handler: Handler[RequestT, ResultT], request: RequestT) -> ResultT:
        """Handle a query about an image, which runs the network; one at a time for each model."""
        entry = self.models[model]
        loaded = entry.model
        with entry.query_lock:
            return handler(loaded, request, self.limits)

    def field(self, model: str, query: schemas.FieldQuery) -> schemas.FieldReach:
        """Measure the receptive field of a pixel; other queries go on meanwhile."""
        check_pixels(query.height, query.width, self.limits)
        return self.models[model].field(query)

    def reproduce(
        self, model: str, manifest: schemas.SampleManifest, is_cancelled: Callable[[], bool] = lambda: False
    ) -> schemas.ReproduceResult:
        """Sample or fill the images of a manifest in a queued job, and compare.

        Raises:
            RequestError: if the queue is full, the job failed, or `is_cancelled` returned true.
        """
        loaded = self.models[model].loaded
        result = self._run(work_of_manifest(loaded, manifest, self.limits), is_cancelled)
        return compare(loaded.identity.sha256, manifest, result.images)

    def fill(
        self, model: str, request: schemas.FillRequest, is_cancelled: Callable[[], bool] = lambda: False
    ) -> schemas.FillResult:
        """Draw candidates for the unknown pixels of an image in a queued job.

        Raises:
            RequestError: if the queue is full, the job failed, or `is_cancelled` returned true.
        """
        result = self._run(make_fill(self.models[model].loaded, request, self.limits), is_cancelled)
        assert isinstance(result, schemas.FillResult)
        return result

    def _run(self, work: Work, is_cancelled: Callable[[], bool]) -> Result:
        """Run a job in the queue, and return its result.

        Raises:
            RequestError: if it failed.
        """
        ended: Future[Result | schemas.Failed] = Future()
        entry = self.queue.submit(
            work, lambda event: ended.set_result(event) if isinstance(event, Result | schemas.Failed) else None
        )
        while not wait([ended], 0.1).done:
            if is_cancelled():
                self.queue.cancel(entry.id)
        last = ended.result()
        if isinstance(last, schemas.Failed):
            raise RequestError(_STATUS.get(last.code, 400), last.code, last.error)
        return last

    def start(self) -> None:
        """Begin to load the models, and to watch the run."""
        self.models.start()
        if self.watcher is not None:
            self.watcher.start()

    def close(self) -> None:
        """Cancel all jobs."""
        if self.watcher is not None:
            self.watcher.stop()
        self.queue.close()
