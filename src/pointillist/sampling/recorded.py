"""Recorded programs of a model, kept from call to call: recording takes longer than sampling a small image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from threading import Lock
from weakref import WeakKeyDictionary

from torch import Tensor

from pointillist.engine.program import Program
from pointillist.engine.recording.record import with_inputs
from pointillist.engine.weights import WeightSnapshot
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import Condition
from pointillist.ordering import PixelOrder

MOST = 8
"""Programs that are kept of a model."""
MAX_BYTES = 2**26
"""Bytes of the weights of all programs of a model that are kept; a lowered program holds about as many again."""


class RecordedPrograms:
    """The programs of one model, by size and order; a change of its weights discards them."""

    def __init__(self) -> None:
        self._snapshot: WeightSnapshot | None = None
        self._programs: OrderedDict[tuple[int, int, str, str], Program] = OrderedDict()
        self._lock = Lock()

    def get(self, model: PixelModel, key: tuple[int, int, str, str], record: Callable[[], Program]) -> Program:
        """Return a program of the weights as they are now."""
        with self._lock:
            if self._snapshot is None or not self._snapshot.holds(_tensors(model)):
                self._programs.clear()
                self._snapshot = WeightSnapshot(_tensors(model))
            if key not in self._programs:
                self._programs[key] = record()
            self._programs.move_to_end(key)
            while len(self._programs) > MOST or (len(self._programs) > 1 and self._bytes() > MAX_BYTES):
                self._programs.popitem(last=False)
            return self._programs[key]

    def _bytes(self) -> int:
        return sum(program.weights.nbytes for program in self._programs.values())


_KEPT: WeakKeyDictionary[PixelModel, RecordedPrograms] = WeakKeyDictionary()


def recorded_program(
    model: PixelModel,
    condition: Condition,
    size: tuple[int, int],
    order: PixelOrder,
    record: Callable[[], Program],
) -> Program:
    """Return the program of a model for a condition: a kept one, with this condition as its input, or a new one.

    Nothing is kept of a model that is in training, has hooks, reads tokens, or is large.

    Args:
        size: height and width of the raster frame.
        order: generation order.
        record: makes the program.
    """
    if not _can_be_kept(model, condition):
        return record()
    parts = {name: t for name, t in (("vector", condition.vector), ("map", condition.map)) if t is not None}
    key = (*size, order.name, ",".join(f"{name} {t.shape[1]}" for name, t in parts.items()))
    program = _KEPT.setdefault(model, RecordedPrograms()).get(model, key, record)
    names = {key: key.rsplit(".", 1)[-1] for key in program.inputs}
    return with_inputs(program, {key: parts[name] for key, name in names.items() if name in parts})


def _can_be_kept(model: PixelModel, condition: Condition) -> bool:
    hooked = any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    small = sum(t.numel() * t.element_size() for t in _tensors(model)) <= MAX_BYTES
    return small and not model.training and not hooked and condition.tokens is None


def _tensors(model: PixelModel) -> Iterator[Tensor]:
    return chain(model.parameters(), model.buffers())
