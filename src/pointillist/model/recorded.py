"""Record the programs of a model, and keep them: recording takes longer than sampling a small image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from pointillist.engine.program import Program
from pointillist.engine.recording.record import record, with_inputs
from pointillist.engine.weights import modules_of, weights_of
from pointillist.images.ordering import PixelOrder
from pointillist.model.integer import WeightSnapshot
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.networks.backbone import Network
from pointillist.nn import Condition
from pointillist.nn.passes import Pass

MOST = 8
"""Programs that are kept of a network."""
MAX_BYTES = 2**26
"""Bytes of the weights of all programs of a network that are kept; a lowered program holds about as many again."""


class RecordedPrograms:
    """The programs of one network, by size and order; a change of its weights discards them."""

    def __init__(self) -> None:
        self._snapshot: WeightSnapshot | None = None
        self._programs: OrderedDict[tuple[int, int, str, str], Program] = OrderedDict()
        self._lock = Lock()

    def get(self, tensors: list[Tensor], key: tuple[int, int, str, str], record: Callable[[], Program]) -> Program:
        """Return a program of the weights as they are now.

        Args:
            tensors: weights of the network.
            key: what the program depends on besides.
            record: makes it.
        """
        with self._lock:
            if self._snapshot is None or not self._snapshot.matches(tensors):
                self._programs.clear()
                self._snapshot = WeightSnapshot(tensors)
            if key not in self._programs:
                self._programs[key] = record()
            self._programs.move_to_end(key)
            while len(self._programs) > MOST or (len(self._programs) > 1 and self._bytes() > MAX_BYTES):
                self._programs.popitem(last=False)
            return self._programs[key]

    def _bytes(self) -> int:
        return sum(program.weight_bytes for program in self._programs.values())


_RECORDED: WeakKeyDictionary[nn.Module, RecordedPrograms] = WeakKeyDictionary()


def recorded_program(
    network: Network, condition: Condition, size: tuple[int, int], order: PixelOrder, record: Callable[[], Program]
) -> Program:
    """Return the program of a network for a condition: a kept one, with this condition as its input, or a new one.

    Nothing is kept of a network that is in training, has hooks, or is large.

    Args:
        network: the network of a stage; its weights and the condition are all that the program depends on.
        size: height and width of the grid of the stage.
        order: generation order.
        record: makes the program.
    """
    if not isinstance(network, nn.Module):
        return record()
    tensors = _weights(network)
    if tensors is None:
        return record()
    tokens = None if condition.tokens is None else condition.tokens.packed()
    tensors_of = {"vector": condition.vector, "map": condition.map, "tokens": tokens}
    parts = {name: t for name, t in tensors_of.items() if t is not None}
    key = (*size, order.name, ",".join(f"{name} {t.shape[1]}" for name, t in parts.items()))
    program = _RECORDED.setdefault(network, RecordedPrograms()).get(tensors, key, record)
    names = {key: key.rsplit(".", 1)[-1] for key in program.inputs}
    return with_inputs(program, {key: parts[name] for key, name in names.items() if name in parts})


def _weights(network: nn.Module) -> list[Tensor] | None:
    """Return parameters and buffers; None where nothing may be kept. One walk, as this is done for every stage."""
    modules = modules_of(network)
    if any(module.training or module._forward_hooks or module._forward_pre_hooks for module in modules):
        return None
    tensors = weights_of(modules)
    return tensors if sum(t.nbytes for t in tensors) <= MAX_BYTES else None


def record_stage(
    model: PixelModel, stage: Stage, condition: Condition, height: int, width: int, order: PixelOrder
) -> Program:
    """Record the program of a stage, for a raster frame of this size.

    ```python
    program = record_stage(model, model.stages(8, 8)[0], model.encode(None, 1), 8, 8, RASTER)
    ```

    Raises:
        CausalityError: if it cannot be recorded.
    """
    rows, columns = stage.grid_size(height, width)
    groups, channels = model.dims.groups, model.dims.canvas

    def new() -> Program:
        with torch.no_grad():
            return record(
                forward_of(stage, condition),
                num_sub_steps=groups,
                canvas_width=channels // groups,
                height=rows,
                width=columns,
                dtype=next(model.parameters()).dtype,
                order=order,
            )

    program = recorded_program(stage.network, condition, (rows, columns), order, new)
    return with_inputs(program, {}, model.level_embeddings())


def record_model(model: PixelModel, size: tuple[int, int], order: str | None = None) -> list[Program]:
    """Record the program of every stage, for unconditional images of `size` (height, width).

    Raises:
        CausalityError: if it cannot be recorded.
        ConfigError: if the model was not trained on the order.

    Example:
        record_model(pt.load("digits"), (28, 28))[0].describe()
    """
    pixel_order = model.order(order)
    rows, columns = pixel_order.raster_size(*size)
    condition = model.conditions.to_raster_frame(model.encode(None, 1, size), pixel_order)
    coarse: Tensor | None = None
    programs = []
    with torch.no_grad():
        for stage in model.stages(rows, columns):
            programs.append(record_stage(model, stage, stage.condition(coarse, condition), rows, columns, pixel_order))
            levels = torch.zeros(1, model.image.channels, rows, columns, dtype=torch.int64, device=model.device)
            coarse = model.canvas(stage.grid(levels))
    return programs


def forward_of(stage: Stage, condition: Condition) -> Callable[[Tensor, Pass], Tensor]:
    return lambda x, ctx: stage.network(x, ctx, condition)
