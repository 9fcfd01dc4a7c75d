"""Run an interpreter over a picture that is known already, and compare with all sites at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine import Interpreter, Program, record
from pointillist.passes import FullPass


def teacher_forced(
    program: Program, canvas: Tensor, given: Mapping[str, NDArray[Any]] | None = None, *, ask: int = 1
) -> NDArray[Any]:
    """The parameters `[b p h w]` that the interpreter gives at each site of `canvas`, asked `ask` times at each."""
    batch, _, height, width = canvas.shape
    result = np.full((batch, program.params.channels, height, width), np.nan)
    group, size = program.params.channels // program.sub_steps, program.canvas_width
    interpreter = Interpreter(program, batch, given)
    while not interpreter.done:
        row, column, sub = interpreter.site
        for _ in range(ask):
            params = interpreter.params()
        result[:, sub * group : (sub + 1) * group, row, column] = params[:, sub * group : (sub + 1) * group]
        interpreter.observe(canvas[:, sub * size : (sub + 1) * size, row, column].numpy())
    return result


def check_equal(
    forward: Callable[[Any, Any], Tensor], canvas: Tensor, *, sub_steps: int = 1, tolerance: float = 1e-10
) -> Program:
    """Record `forward`, and require the interpreter to agree with FullPass at every site; return the program."""
    _, channels, height, width = canvas.shape
    program = record(
        forward,
        sub_steps=sub_steps,
        canvas_width=channels // sub_steps,
        height=height,
        width=width,
        dtype=canvas.dtype,
    )
    with torch.no_grad():
        expected = forward(canvas, FullPass()).numpy()
    found = teacher_forced(program, canvas)
    scale = max(1.0, float(expected.std()))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=0, atol=tolerance * scale)
    return program
