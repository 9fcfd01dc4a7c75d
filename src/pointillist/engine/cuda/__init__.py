"""Run programs in torch on static buffers: as CUDA graphs on a GPU, and by the same functions on any other device."""

from pointillist.engine.cuda.sampler import CudaSampler
from pointillist.engine.cuda.stepper import CudaStepper

__all__ = ["CudaSampler", "CudaStepper"]
