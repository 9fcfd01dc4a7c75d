"""The batches of each step, read while the step before is computed.

The batch of a step is a pure function of the settings and the number of the step, so a resumed run continues as it
would have, and prefetching changes nothing. The prefetching thread draws no random numbers from torch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionReaders
from pointillist.conditioning.encoder import as_tensor
from pointillist.data import ImageDataset
from pointillist.model.batches import dataset_conditions
from pointillist.model.pixel_model import PixelModel
from pointillist.training.augmentation import (
    RandomStream,
    augment_captions,
    drop_conditions,
    mutate_batch,
    reveal_pixels,
    shift_batch,
)
from pointillist.training.config import TrainConfig

BatchIndex = tuple[int, int]
"""The number of a step, and of a micro-batch within it."""


class EpochSampler:
    """An endless stream of shuffled epochs, read by position. Batches may straddle two epochs; no image is dropped.

    Args:
        images: size of the data set.
        seed: seed of the run.
    """

    def __init__(self, images: int, seed: int) -> None:
        self.images = images
        self.seed = seed
        self._epoch = -1
        self._permutation = np.empty(0, np.int64)

    def read(self, start: int, count: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Return positions `start .. start + count` of the stream, as pairs of an epoch and image indices."""
        parts = []
        while count > 0:
            epoch, offset = divmod(start, self.images)
            part = self._shuffled(epoch)[offset : offset + count]
            parts.append((epoch, part))
            start, count = start + len(part), count - len(part)
        return parts

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._permutation = np.random.default_rng([self.seed, epoch]).permutation(self.images)
            self._epoch = epoch
        return self._permutation


def order_of_step(orders: Sequence[str], seed: int, step: int) -> str:
    """Choose the pixel generation order of a step. Shuffled rounds contain every order once."""
    round_number, position = divmod(step, len(orders))
    permutation = RandomStream.GENERATION_ORDER.generator(seed, round_number).permutation(len(orders))
    return orders[int(permutation[position])]


@dataclass(frozen=True)
class MicroBatch:
    """The part of a batch that one process computes in one forward pass.

    Attributes:
        levels: images, `b c h w`; an array, or a tensor on a device.
        inputs: conditions of the images, in the same kind of arrays.
        indices: indices of the images in the data set.
    """

    levels: Any
    inputs: ConditionInputs
    indices: list[int]

    def to(self, device: torch.device) -> MicroBatch:
        def copy(array: Any) -> Tensor:
            return as_tensor(array).to(device)

        return MicroBatch(copy(self.levels), self.inputs.converted(copy), self.indices)


class BatchPrefetcher:
    """A reader of the micro-batches of one process, one ahead of the loop.

    Attributes:
        conditions: conditions of the data set.
        sampler: the order of the images.
        waited: seconds for which `read` blocked its caller.
    """

    data: ImageDataset
    config: TrainConfig

    def __init__(
        self, model: PixelModel, data: ImageDataset, config: TrainConfig, *, process: int, processes: int
    ) -> None:
        self.data, self.config = data, config
        self.conditions: ConditionReaders = dataset_conditions(model, data)
        self.sampler: EpochSampler = EpochSampler(len(data), config.seed)
        self.waited: float = 0.0
        self._process, self._processes = process, processes
        self._end = config.total_steps(len(data)), 0
        self._ahead: tuple[BatchIndex, Future[MicroBatch]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")

    def read(self, step: int, micro_step: int) -> MicroBatch:
        """Return a micro-batch of a step, and start reading the next one.

        Raises:
            DataError: if an image cannot be read; raised for the micro-batch that is read, never earlier.
        """
        started, index = time.perf_counter(), (step, micro_step)
        if self._ahead is not None and self._ahead[0] == index:
            batch = self._ahead[1].result()
        else:
            self._discard_ahead()
            batch = self._load(index)
        self.waited += time.perf_counter() - started
        following = (step, micro_step + 1) if micro_step + 1 < self.config.grad_accumulation else (step + 1, 0)
        self._ahead = (following, self._thread.submit(self._load, following)) if following < self._end else None
        return batch

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _discard_ahead(self) -> None:
        """Wait for the thread and discard its micro-batch."""
        if self._ahead is not None:
            self._ahead[1].exception()
            self._ahead = None

    def _load(self, index: BatchIndex) -> MicroBatch:
        step, micro_step = index
        config, augmentation = self.config, self.config.augmentation
        size = config.batch_size // (self._processes * config.grad_accumulation)
        start = step * config.batch_size + (micro_step * self._processes + self._process) * size
        levels: list[np.ndarray] = []
        inputs: list[ConditionInputs] = []
        indices: list[int] = []
        for epoch, keys in self.sampler.read(start, size):
            seed = config.seed * 1_000_003 + epoch + 1
            batch = self.data.batch(keys, seed=seed, flip=augmentation.flip)
            if augmentation.random_shift:
                batch = shift_batch(batch, keys, seed, augmentation.random_shift)
            if augmentation.mutation_rate:
                batch = mutate_batch(batch, keys, seed, augmentation.mutation_rate, self.data.spec.levels)
            levels.append(batch.levels)
            conditions = self.conditions.from_batch(augment_captions(batch, keys, seed, config.captions))
            conditions = drop_conditions(conditions, keys, seed, config.condition_dropout)
            inputs.append(reveal_pixels(conditions, keys, seed, config.completion))
            indices += keys.tolist()
        return MicroBatch(np.concatenate(levels), ConditionInputs.concat(inputs), indices)
