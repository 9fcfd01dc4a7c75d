"""`--weights`: a model whose matrices are rounded before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

HELP = "Round the matrices first: int8 or bf16."


def with_weights(model: PixelModel, kind: str | None) -> PixelModel:
    """The model as asked for; as it is, if nothing was.

    Raises:
        ConfigError: for another kind.
    """
    from pointillist.checkpoint.quantization import quantize_weights

    return model if kind is None else quantize_weights(model, kind)
