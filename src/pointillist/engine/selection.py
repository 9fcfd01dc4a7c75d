"""Select an engine: the measured rules behind `auto`, in one place. The measurements are in docs/decisions, 0023.

The choice depends on what is installed, not on the size of the job or on whether code is compiled already. So the same
seed gives the same image every time; two engines promise that only up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pointillist.errors import EngineError

if TYPE_CHECKING:
    import torch

DEVICE_ENGINES = ("cuda", "jacobi")
"""Engines of torch, which run where the model is; `jacobi` also on the processor."""
ENGINES = ("auto", "cpu", "integer", *DEVICE_ENGINES, "numpy", "naive")
INTEGER_REASON = "the integer program of the model gives the same image on every machine"


@dataclass(frozen=True)
class EngineChoice:
    """A selected engine, and the reason for it.

    Attributes:
        engine: one of `ENGINES`, but not `auto`.
        reason: a clause that completes "cpu: ...".
        without_program: a clause that says why `auto` did not take an integer program; empty where it did, or was not
            the name.
    """

    engine: str
    reason: str
    without_program: str = ""


def choose_engine(name: str, device: torch.device | None = None) -> EngineChoice:
    """Resolve the name of an engine.

    ```python
    choose_engine("auto").engine  # "cpu" where numba is installed
    ```

    Args:
        name: one of `ENGINES`.
        device: the device of the model; None for main memory.

    Raises:
        EngineError: if there is no such engine, or something that it needs is missing.
    """
    if name not in ENGINES:
        raise EngineError(f"Unknown `engine` {name!r}: choose one of {', '.join(ENGINES)}.")
    compiler = find_spec("numba") is not None
    if name == "cpu" and not compiler:
        raise EngineError(
            "`engine` 'cpu' needs numba, which is not installed: run `pip install numba`, or use 'numpy'."
        )
    if name in DEVICE_ENGINES:
        select_device(name, device)
    if name != "auto":
        return EngineChoice(name, "as requested")
    if device is not None and device.type == "cuda":
        return EngineChoice("cuda", "the model is on a GPU; its speed there is not measured yet")
    if not compiler:
        return EngineChoice(
            "numpy", "numba is not installed, without which nothing can be compiled; 'cpu' would be faster"
        )
    return EngineChoice("cpu", "compiled code was the fastest for every model and batch size that was measured")


def select_device(name: str, device: torch.device | None = None) -> torch.device:
    """Select the device of an engine of torch: the model's own; `cuda` takes the first GPU for a model on none.

    Args:
        name: one of `DEVICE_ENGINES`.
        device: the device of the model; None for main memory.

    Raises:
        EngineError: if `cuda` finds no GPU.
    """
    import torch

    if device is not None and device.type == "cuda":
        return device
    if name == "jacobi":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EngineError(f"`engine` (={name!r}) needs a GPU that torch can use, and finds none: use 'cpu' or 'auto'.")
    return torch.device("cuda", torch.cuda.current_device())
