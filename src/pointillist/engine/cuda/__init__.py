"""Programs in torch on static buffers: replayed as CUDA graphs on a GPU, and the same functions on any other device."""

from pointillist.engine.cuda.sampler import CudaSampler
from pointillist.engine.cuda.stepper import CudaStepper

__all__ = ["CudaSampler", "CudaStepper"]
