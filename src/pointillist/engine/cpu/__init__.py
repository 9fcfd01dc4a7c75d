"""Compile programs for the CPU: one virtual machine in numba runs every model, image size and batch size."""

from pointillist.engine.cpu import lowering_rules  # noqa: F401  (registers the lowering rule of every opcode)
from pointillist.engine.cpu.particles import CpuParticles
from pointillist.engine.cpu.sampler import CpuSampler, DrawSpec
from pointillist.engine.cpu.stepper import CpuStepper

__all__ = ["CpuParticles", "CpuSampler", "CpuStepper", "DrawSpec"]
