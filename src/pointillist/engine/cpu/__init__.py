"""Programs compiled: one machine, in numba, for every model, shape and batch."""

from pointillist.engine.cpu.sampler import CpuSampler, DrawSpec
from pointillist.engine.cpu.stepper import CpuStepper

__all__ = ["CpuSampler", "CpuStepper", "DrawSpec"]
