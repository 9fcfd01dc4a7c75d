"""Compile programs for the CPU: one virtual machine in numba runs every model, image size and batch size."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointillist.engine.cpu.particles import CpuParticles
    from pointillist.engine.cpu.sampler import CpuSampler, DrawSpec

# imported when first used: the compiler of a stored program (`jit`) needs no torch
_HOME = {"CpuParticles": "particles", "CpuSampler": "sampler", "DrawSpec": "sampler"}

__all__ = ["CpuParticles", "CpuSampler", "DrawSpec"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
