"""Images drawn and scored by an integer program, without a request."""

from dataclasses import replace
from typing import Any

import numpy as np

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import empty_batch
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.stepper import ProgramStepper
from pointillist.images.ordering import PixelOrder
from pointillist.model.portable import ProgramModel
from pointillist.model.portable.conditions import join_inputs


def encoded(
    model: ProgramModel, count: int, size: Any, order: PixelOrder, label: Any = None, text: Any = None, **further: Any
) -> dict[str, np.ndarray]:
    """Return the conditions of images as integers, from what a user gives."""
    read = model.conditions.inputs(label, count, text, size=tuple(size), **further)
    return model.encode(read, count, tuple(size), order)


def intervals_of(
    model: ProgramModel,
    x: np.ndarray,
    inputs: Any = None,
    order: PixelOrder | None = None,
    *,
    executor: str = "auto",
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each level; without inputs and order, of no condition in the first order."""
    order = order or model.order()
    inputs = encoded(model, len(x), x.shape[2:], order) if inputs is None else inputs
    return replace(model, executor=executor).intervals(model.check_array(x), inputs, order, threads=threads)


def log_probs_of(model: ProgramModel, x: np.ndarray, inputs: Any, order: PixelOrder | None = None) -> np.ndarray:
    """Return the log-probability of each sub-pixel, from conditions as integers."""
    order = order or model.order()
    return log_probs(intervals_of(model, x, inputs, order)[1], model.program(order).head.precision)


def steps_of(
    model: ProgramModel,
    batch: int,
    size: Any = None,
    inputs: Any = None,
    order: PixelOrder | None = None,
    *,
    executor: str = "auto",
) -> ProgramStepper:
    """Open a model at its first sub-pixel; without inputs and order, of no condition in the first order."""
    order, size = order or model.order(), tuple(size or model.image.shape[1:])
    inputs = encoded(model, batch, size, order) if inputs is None else inputs
    return replace(model, executor=executor).steps(batch, size, inputs, order)


def draw_integers(
    model: ProgramModel,
    uniforms: np.ndarray,
    label: Any = None,
    order: str | None = None,
    *,
    transform: Transform = IDENTITY,
    executor: str | None = None,
    threads: int = 1,
    **conditions: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return levels and nats of images with conditions."""
    chosen, size = model.order(order), (uniforms.shape[2], uniforms.shape[3])
    read = model.conditions.inputs(label, len(uniforms), size=size, **conditions)
    inputs = model.encode(read, len(read), size, chosen)
    if transform.is_guided:
        inputs = join_inputs(inputs, model.encode(read.guidance_reference(), len(read), size, chosen))
    return draw_encoded(model, uniforms, inputs, chosen, transform, executor=executor, threads=threads)


def draw_encoded(
    model: ProgramModel,
    uniforms: np.ndarray,
    inputs: Any,
    order: PixelOrder,
    transform: Transform = IDENTITY,
    *,
    mask: Any = None,
    executor: str | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return levels and nats, from conditions as integers."""
    model.check_size(uniforms.shape[2], uniforms.shape[3])
    batch = replace(empty_batch(uniforms, order), mask=mask)
    by = replace(model, executor=executor or model.executor)
    return by.draw(batch, inputs, order, transform, threads=threads), batch.nats
