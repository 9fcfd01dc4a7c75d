"""Where and in which precision to compute."""

from __future__ import annotations

import torch

from pointillist.errors import ConfigError


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


def resolve_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """`fp32` or `bf16`, and why: `auto` takes bf16 where the hardware multiplies it faster than fp32."""
    if precision != "auto":
        return precision, "as asked"
    if device.type == "cuda":
        return ("bf16", "the GPU has it") if torch.cuda.is_bf16_supported() else ("fp32", "the GPU has no bf16")
    if device.type == "cpu":
        if _cpu_has("_is_amx_tile_supported"):
            return "bf16", "the CPU has AMX"
        if _cpu_has("_is_avx512_bf16_supported"):
            return "bf16", "the CPU has AVX-512 bf16"
    return "fp32", "the hardware is not faster in bf16"


def _cpu_has(probe: str) -> bool:
    """torch keeps these probes private; without one the answer is no."""
    found = getattr(torch.cpu, probe, None)
    return bool(found is not None and found())
