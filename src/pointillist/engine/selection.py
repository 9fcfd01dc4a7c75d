"""Which engine `auto` is: the measured rules, in one place. The measurements are in docs/decisions, 0023.

The choice depends on what is installed, not on how large the job is or whether code is compiled already: the same seed
then paints the same image every time, which two engines promise only up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from pointillist.errors import EngineError

GPU_ENGINES = ("cuda", "cuda-jacobi")
ENGINES = ("auto", "cpu", *GPU_ENGINES, "numpy", "naive")


@dataclass(frozen=True)
class EngineChoice:
    """An engine, and why it was taken."""

    engine: str
    reason: str


def choose_engine(name: str, device: torch.device | None = None) -> EngineChoice:
    """The engine that a name stands for.

    Args:
        device: where the model lies; None for the main memory.

    Raises:
        EngineError: if there is no such engine, or it needs what is not there.
    """
    if name not in ENGINES:
        raise EngineError(f"`engine` (={name!r}) is not there: choose one of {', '.join(ENGINES)}.")
    compiler = find_spec("numba") is not None
    if name == "cpu" and not compiler:
        raise EngineError(
            "`engine` 'cpu' needs numba, which is not installed: run `pip install numba`, or use 'numpy'."
        )
    if name in GPU_ENGINES:
        select_gpu(name, device)
    if name != "auto":
        return EngineChoice(name, "as requested")
    if device is not None and device.type == "cuda":
        return EngineChoice("cuda", "the model lies on a GPU; how fast it is there was not measured yet")
    if not compiler:
        return EngineChoice(
            "numpy", "numba is not installed, without which nothing can be compiled; 'cpu' would be faster"
        )
    return EngineChoice("cpu", "compiled code was the fastest for every model and batch size that was measured")


def select_gpu(name: str, device: torch.device | None = None) -> torch.device:
    """The GPU on which a model is run: its own, or the first one.

    Raises:
        EngineError: if there is none.
    """
    if device is not None and device.type == "cuda":
        return device
    if not torch.cuda.is_available():
        raise EngineError(f"`engine` (={name!r}) needs a GPU that torch can use, and finds none: use 'cpu' or 'auto'.")
    return torch.device("cuda", torch.cuda.current_device())
