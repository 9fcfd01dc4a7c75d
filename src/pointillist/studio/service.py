"""The studio without HTTP: its models, job queue and limits, and the handling of requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from pointillist.model.pixel_model import PixelModel
from pointillist.studio import schemas
from pointillist.studio.errors import RequestError
from pointillist.studio.job_queue import EventHandler, JobQueue, QueueEntry
from pointillist.studio.jobs import SamplingJob, make_job
from pointillist.studio.model_pool import ModelPool
from pointillist.studio.reproduce import compare, job_from_manifest, make_manifest

LIMITS = schemas.Limits(
    body_bytes=16 * 2**20, upload_pixels=25_000_000, samples=schemas.MAX_SAMPLES, pixels=65_536, numbers=64_000_000,
    queued=8, concurrent=2, timeout=300.0,
)  # fmt: skip

_STATUS = {"cancelled": 503, "timeout": 503, "internal": 500}  # of a failed job; other codes are the request's error

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")
Handler = Callable[[PixelModel, RequestT, schemas.Limits], ResultT]


class StudioService:
    """Models and jobs of a studio.

    Args:
        sources: names, folders or `hf:user/model` of models, or models.
        limits: limits of requests and jobs.
    """

    def __init__(self, sources: Sequence[str | PixelModel], limits: schemas.Limits = LIMITS) -> None:
        self.limits = limits
        self.models = ModelPool(sources, limits)
        # counted here: a thread that starts while another samples would see the limit of that one
        self.queue = JobQueue(limits, self._make_manifest, torch.get_num_threads())

    def make_job(self, model: str, request: schemas.SampleRequest) -> SamplingJob:
        """Validate a request to sample from a model."""
        return make_job(self.models[model].model, request, self.limits)

    def submit(self, job: SamplingJob, on_event: EventHandler) -> QueueEntry:
        """Put a job into the queue."""
        return self.queue.submit(job, on_event)

    def convert(self, model: str, handler: Handler[RequestT, ResultT], request: RequestT) -> ResultT:
        """Handle a request that needs no forward pass, such as reading and writing pictures; several run at a time."""
        return handler(self.models[model].model, request, self.limits)

    def query(self, model: str, handler: Handler[RequestT, ResultT], request: RequestT) -> ResultT:
        """Handle a query about an image, which runs the network; one at a time for each model."""
        entry = self.models[model]
        loaded = entry.model
        with entry.query_lock:
            return handler(loaded, request, self.limits)

    def reproduce(
        self, model: str, manifest: schemas.SampleManifest, is_cancelled: Callable[[], bool] = lambda: False
    ) -> schemas.ReproduceResult:
        """Sample the images of a manifest in a queued job, and compare.

        Raises:
            RequestError: if the queue is full, the job failed, or `is_cancelled` returned true.
        """
        entry = self.models[model]
        last = self._run(job_from_manifest(entry.model, manifest, self.limits), is_cancelled)
        if isinstance(last, schemas.Failed):
            raise RequestError(_STATUS.get(last.code, 400), last.code, last.error)
        return compare(entry.sha256, manifest, last.images)

    def _run(self, job: SamplingJob, is_cancelled: Callable[[], bool]) -> schemas.Finished | schemas.Failed:
        """Run a job in the queue, and return its last event."""
        ended = threading.Event()
        last: list[schemas.Finished | schemas.Failed] = []

        def on_event(event: object) -> None:
            if isinstance(event, schemas.Finished | schemas.Failed):
                last.append(event)
                ended.set()

        entry = self.queue.submit(job, on_event)
        while not ended.wait(0.1):
            if is_cancelled():
                self.queue.cancel(entry.id)
        return last[0]

    def close(self) -> None:
        """Cancel all jobs."""
        self.queue.close()

    def _make_manifest(self, job: SamplingJob, images: list[schemas.SampledImage]) -> schemas.SampleManifest:
        ready = (entry for entry in self.models.entries.values() if entry.info.state == "ready")
        entry = next(entry for entry in ready if entry.model is job.model)
        return make_manifest(entry.name, entry.sha256, job, images)
