"""A training run that the studio watches."""

from __future__ import annotations

from pointillist.studio.schemas.base import Schema


class CurvePoint(Schema):
    """A point of a training curve: the step, and bits per dimension there."""

    step: int
    bits_per_dim: float


class RunState(Schema):
    """A training run, as its folder describes it.

    Attributes:
        name: name of its folder.
        model: `id` of the model that holds its newest checkpoint.
        train: loss of single steps on training images.
        valid: loss on the validation images, of the averaged weights.
        images_per_second: of the newest steps; null before the first.
        age: seconds since the newest metrics were written; null before the first.
        checkpoint: step of the checkpoint that `model` holds; null before the first.
        sheets: steps at which sample sheets were written, in ascending order.
    """

    name: str
    model: str
    train: list[CurvePoint]
    valid: list[CurvePoint]
    images_per_second: float | None
    age: float | None
    checkpoint: int | None
    sheets: list[int]
