"""Where and in which precision to compute."""

from __future__ import annotations

import torch

from pointillist.errors import ConfigError
from pointillist.model.pixel_model import PixelModel


def resolve_device(device: str) -> torch.device:
    """`auto` is the first GPU if there is one; anything else as torch names it.

    Raises:
        ConfigError: if there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"`device` (={device!r}) is not a device: use 'auto', 'cpu' or 'cuda'.") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"`device` (={device!r}) is not there: torch sees no GPU. Use 'cpu' or 'auto'.")
    return resolved


# On a CPU bf16 pays from so many numbers a map (channels x sites of an image) on; for models not named here, always.
# Measured by `python benchmarks/measure_precision.py`; docs/decisions, 0020, has the figures.
WORTHWHILE = {"row-lstm": 2_000, "diagonal-bilstm": 6_000, "multiscale-pixelrnn": 6_000, "pixelsnail": 20_000}


def resolve_precision(precision: str, device: torch.device, model: PixelModel | None = None) -> tuple[str, str]:
    """`fp32` or `bf16`, and why: `auto` takes bf16 where the hardware multiplies it faster than fp32.

    Args:
        model: what is trained: on a CPU some models are no faster in bf16 where they are small.
    """
    if precision != "auto":
        return precision, "as asked"
    if device.type == "cpu" and model is not None and _numbers(model) < WORTHWHILE.get(model.config.model_type, 0):
        return "fp32", f"{model.config.model_type} of this size is no faster in bf16"
    if device.type == "cuda":
        return ("bf16", "the GPU has it") if torch.cuda.is_bf16_supported() else ("fp32", "the GPU has no bf16")
    if device.type == "cpu":
        if _cpu_has("_is_amx_tile_supported"):
            return "bf16", "the CPU has AMX"
        if _cpu_has("_is_avx512_bf16_supported"):
            return "bf16", "the CPU has AVX-512 bf16"
    return "fp32", "the hardware is not faster in bf16"


def _numbers(model: PixelModel) -> int:
    """Of one map of the network, for one image."""
    return int(getattr(model.config.backbone, "channels", 1)) * model.image.height * model.image.width


def _cpu_has(probe: str) -> bool:
    """torch keeps these probes private; without one the answer is no."""
    found = getattr(torch.cpu, probe, None)
    return bool(found is not None and found())
