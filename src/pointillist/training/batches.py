"""The images of each step, read while the step before is computed.

What a step sees is a pure function of the settings and its number, so reading ahead changes nothing. The data thread
draws no random numbers from torch.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.data import ImageDataset
from pointillist.model.dataset_conditions import DatasetConditions
from pointillist.model.pixel_model import PixelModel
from pointillist.training.augmentation import drop_conditions, noise_text_embeddings, reworded, shifted
from pointillist.training.config import TrainConfig
from pointillist.training.epoch_sampler import EpochSampler

Place = tuple[int, int]
"""Step, and part of the step."""


@dataclass(frozen=True)
class MicroBatch:
    """The images of one part of a step on one process, what they are told, and which they are."""

    levels: Tensor
    told: ConditionInputs
    indices: list[int]

    def to(self, device: torch.device) -> MicroBatch:
        """The same on a device."""
        return MicroBatch(self.levels.to(device), self.told.to(device), self.indices)


class BatchPrefetcher:
    """Gives the parts of one process in turn.

    Attributes:
        telling: what the images are told.
        order: in which they are read.
        waited: seconds for which `read` kept its caller waiting.
    """

    def __init__(
        self, model: PixelModel, data: ImageDataset, config: TrainConfig, batch: int, *, process: int, processes: int
    ) -> None:
        self.data, self.config = data, config
        self.telling = DatasetConditions(model, data)
        self.order = EpochSampler(len(data), config.seed)
        self.waited = 0.0
        self._batch, self._process, self._processes = batch, process, processes
        self._last = config.total_steps(len(data), batch), 0
        self._ahead: tuple[Place, Future[MicroBatch]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")

    def read(self, step: int, part: int) -> MicroBatch:
        """The images of one part of a step; the next part is read meanwhile.

        Raises:
            whatever reading raises: for the part that is asked for, never earlier.
        """
        started, place = time.perf_counter(), (step, part)
        if self._ahead is not None and self._ahead[0] == place:
            found = self._ahead[1].result()
        else:
            self._forget()
            found = self._part(place)
        self.waited += time.perf_counter() - started
        following = (step, part + 1) if part + 1 < self.config.accumulate else (step + 1, 0)
        self._ahead = (following, self._thread.submit(self._part, following)) if following < self._last else None
        return found

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _forget(self) -> None:
        """Drop what was read ahead, once the thread is done with it."""
        if self._ahead is not None:
            self._ahead[1].exception()
            self._ahead = None

    def _part(self, place: Place) -> MicroBatch:
        with torch.no_grad():
            return self._read(*place)

    def _read(self, step: int, part: int) -> MicroBatch:
        config = self.config
        size = self._batch // (self._processes * config.accumulate)
        start = step * self._batch + (part * self._processes + self._process) * size
        levels: list[Tensor] = []
        told: list[ConditionInputs] = []
        indices: list[int] = []
        for epoch, index in self.order.read(start, size):
            seed = config.seed * 1_000_003 + epoch + 1
            batch = self.data.batch(index, seed=seed, flip=config.flip)
            if config.shift:
                batch = shifted(batch, index, seed, config.shift)
            levels.append(batch.levels)
            heard = self.telling(reworded(batch, index, seed, config.captions))
            told.append(
                drop_conditions(noise_text_embeddings(heard, index, seed, config.text_noise), index, seed, config)
            )
            indices += index.tolist()
        return MicroBatch(torch.cat(levels), ConditionInputs.concat(told), indices)
