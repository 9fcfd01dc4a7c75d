"""Programs compiled: one machine, in numba, for every model, shape and batch."""

from pointillist.engine.cpu.painter import Draw, Painter
from pointillist.engine.cpu.run import CpuEngine

__all__ = ["CpuEngine", "Draw", "Painter"]
