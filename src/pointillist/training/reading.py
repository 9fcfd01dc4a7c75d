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

from pointillist.conditioning import Told
from pointillist.data import ImageDataset
from pointillist.pixel_model import PixelModel
from pointillist.telling import Telling
from pointillist.training.augment import hide, noisy, reworded, shifted
from pointillist.training.config import TrainConfig
from pointillist.training.order import Order

Place = tuple[int, int]
"""Step, and part of the step."""


@dataclass(frozen=True)
class Part:
    """The images of one part of a step on one process, what they are told, and which they are."""

    levels: Tensor
    told: Told
    indices: list[int]

    def to(self, device: torch.device) -> Part:
        """The same on a device."""
        return Part(self.levels.to(device), self.told.to(device), self.indices)


class Reader:
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
        self.telling = Telling(model, data)
        self.order = Order(len(data), config.seed)
        self.waited = 0.0
        self._batch, self._process, self._processes = batch, process, processes
        self._last = config.total_steps(len(data), batch), 0
        self._ahead: tuple[Place, Future[Part]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")

    def read(self, step: int, part: int) -> Part:
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

    def _part(self, place: Place) -> Part:
        with torch.no_grad():
            return self._read(*place)

    def _read(self, step: int, part: int) -> Part:
        config = self.config
        size = self._batch // (self._processes * config.accumulate)
        start = step * self._batch + (part * self._processes + self._process) * size
        levels: list[Tensor] = []
        told: list[Told] = []
        indices: list[int] = []
        for epoch, index in self.order.read(start, size):
            seed = config.seed * 1_000_003 + epoch + 1
            batch = self.data.batch(index, seed=seed, flip=config.flip)
            if config.shift:
                batch = shifted(batch, index, seed, config.shift)
            levels.append(batch.levels)
            heard = self.telling(index, reworded(batch, index, seed, config.captions))
            told.append(hide(noisy(heard, index, seed, config.text_noise), index, seed, config))
            indices += index.tolist()
        return Part(torch.cat(levels), Told.together(told), indices)
