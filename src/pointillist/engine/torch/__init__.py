"""Run programs in torch, in floating point or in integers, on any device."""

from pointillist.engine.torch.stepper import TorchStepper

__all__ = ["TorchStepper"]
