"""Run programs in torch, in floating point or in integers, on any device; on a GPU as CUDA graphs."""

from pointillist.engine.torch.sampler import TorchSampler
from pointillist.engine.torch.stepper import TorchStepper

__all__ = ["TorchSampler", "TorchStepper"]
