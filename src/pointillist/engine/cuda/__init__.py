"""Programs in torch on static buffers: replayed as CUDA graphs on a GPU, and the same functions on any other device."""

from pointillist.engine.cuda.painter import CudaPainter
from pointillist.engine.cuda.walker import CudaEngine

__all__ = ["CudaEngine", "CudaPainter"]
