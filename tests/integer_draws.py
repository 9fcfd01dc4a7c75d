"""Images drawn by an integer program from uniforms, without a request."""

from dataclasses import replace
from typing import Any

import numpy as np

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.images.ordering import PixelOrder
from pointillist.model.portable.model import IntegerModel, empty_batch, join_inputs


def draw_integers(
    model: IntegerModel,
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
    inputs = model.encode(read, size, chosen)
    if transform.is_guided:
        inputs = join_inputs(inputs, model.encode(read.guidance_reference(), size, chosen))
    return draw_encoded(model, uniforms, inputs, chosen, transform, executor=executor, threads=threads)


def draw_encoded(
    model: IntegerModel,
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
    return model.draw(batch, inputs, order, transform, executor=executor, threads=threads), batch.nats
