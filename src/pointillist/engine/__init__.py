"""Record a forward once, and run its program site by site.

A site is a pixel position. `record` runs the forward on symbols. Each torch function has a handler in
`recording/torch_functions.py`, and each way to reach another site is a method of `RecordPass`. The handlers write
instructions through a `Builder`; `recording/optimize.py` rewrites them, proves the channel masks and cuts the work of a
site into sub-steps. The result is a `Program`: plain data that any engine can run.

A new torch function is a handler, a new opcode a class in `opcodes`, and a new primitive a method of `RecordPass`.

    program = record(network, num_sub_steps=1, canvas_width=1, height=8, width=8, canvas_values=values)
    stepper = Interpreter(program, batch=4)
    while not stepper.done:
        params = stepper.params()  # [4, p]
        stepper.observe(choose(params))  # levels [4]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointillist.engine.interpreter import Interpreter
    from pointillist.engine.program import Program
    from pointillist.engine.recording import RecordPass, record

# imported when first used: the modules that run a stored program need no torch
_HOME = {"Interpreter": "interpreter", "Program": "program", "RecordPass": "recording", "record": "recording"}

__all__ = ["Interpreter", "Program", "RecordPass", "record"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
