"""Models as the commands open them: on a device, quantized if that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel


def open_model(name: str, device: str, quantize: str | None = None) -> PixelModel:
    """Load a model, quantize its matrices (`int8` or `bf16`), and move it to a device.

    Raises:
        CheckpointError, ConfigError: if it cannot be loaded, or a setting is wrong.
    """
    from pointillist.files.checkpoint.quantization import quantize_weights
    from pointillist.model.folder.pretrained import load
    from pointillist.system import resolve_device

    model = load(name)
    if quantize is not None:
        model = quantize_weights(model, quantize)
    return model.to(resolve_device(device))
