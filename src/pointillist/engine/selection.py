"""Select an engine: the rules behind `auto`, in one place. The measurements are in docs/decisions, 0070.

The choice depends on the model alone, not on the size of the job or on what is installed. So the same seed gives the
same image every time; two engines of floating point promise that only up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointillist.errors import EngineError, choices, quote

if TYPE_CHECKING:
    import torch

ENGINES = ("auto", "integer", "torch", "numpy", "naive")
INTEGER_REASON = "the integer program of the model gives the same image on every machine"


@dataclass(frozen=True)
class EngineChoice:
    """A selected engine, and the reason for it.

    Attributes:
        engine: one of `ENGINES`; `auto` for a hierarchy alone, whose models choose one each.
        reason: a clause that completes "numpy: ...".
        why_floats: a clause that says why `auto` computes in floating point; empty if it does not, or the engine was
            requested by name.
    """

    engine: str
    reason: str
    why_floats: str = ""


def choose_engine(name: str, device: torch.device | None = None, *, independent: bool = False) -> EngineChoice:
    """Resolve the name of an engine that computes in floating point.

    ```python
    choose_engine("auto").engine  # "numpy"
    ```

    Args:
        name: one of `ENGINES`.
        device: the device of the model; None for main memory.
        independent: True if some stage of the model draws all its pixels in one pass.

    Raises:
        EngineError: if there is no such engine.
    """
    if name not in ENGINES:
        raise EngineError(f"Unknown `engine` {quote(name)}: {choices(name, ENGINES)}")
    if name != "auto":
        return EngineChoice(name, "as requested")
    if device is not None and device.type == "cuda":
        return EngineChoice("torch", "the model is on a GPU; its speed there is not measured yet")
    if independent:
        return EngineChoice("torch", "it draws groups of independent pixels in one pass")
    return EngineChoice("numpy", "pixel by pixel it is faster than torch on a processor")
