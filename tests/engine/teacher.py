"""Run an engine over a picture that is known already, and compare with all sites at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine import Interpreter, Program
from pointillist.engine.recording.record import record
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.torch import TorchStepper
from pointillist.nn.passes import FullPass

Engine = Callable[[Program, int, Mapping[str, NDArray[Any]] | None], ProgramStepper]


def torch_on_cpu(program: Program, batch: int, inputs: Mapping[str, NDArray[Any]] | None = None) -> ProgramStepper:
    """The executor of torch on this processor."""
    return TorchStepper(program, batch, inputs, device=torch.device("cpu"))


ENGINES: dict[str, Engine] = {"numpy": Interpreter, "torch": torch_on_cpu}


def with_levels(program: Program, canvas: Tensor) -> tuple[Program, NDArray[np.int64]]:
    """Give each sub-pixel of a canvas a level of its own: the program that writes it, and the levels `[b, c, h, w]`."""
    parts = canvas.unflatten(1, (program.num_sub_steps, program.canvas_width)).movedim(2, -1)  # [b, c, h, w, e]
    levels = np.arange(parts[..., 0].numel()).reshape(parts.shape[:-1])
    return replace(program, canvas_values=parts.reshape(-1, program.canvas_width).numpy()), levels


def teacher_forced(
    program: Program,
    canvas: Tensor,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    *,
    repeats: int = 1,
    engine: Engine = Interpreter,
) -> NDArray[Any]:
    """Return the parameters `[b p h w]` at each site of `canvas`, computed `repeats` times at each."""
    batch, _, height, width = canvas.shape
    result = np.full((batch, program.params.channels, height, width), np.nan)
    group = program.params.channels // program.num_sub_steps
    program, levels = with_levels(program, canvas)
    stepper = engine(program, batch, inputs)
    while not stepper.done:
        row, column, sub = stepper.site
        for _ in range(repeats):
            params = stepper.params()
        result[:, sub * group : (sub + 1) * group, row, column] = params[:, sub * group : (sub + 1) * group]
        stepper.observe(levels[:, sub, row, column])
    return result


def check_equal(
    forward: Callable[[Any, Any], Tensor], canvas: Tensor, *, num_sub_steps: int = 1, tolerance: float = 1e-10
) -> Program:
    """Record `forward`, and require every engine to agree with FullPass at every site; return the program."""
    _, channels, height, width = canvas.shape
    program = record(
        forward,
        num_sub_steps=num_sub_steps,
        canvas_width=channels // num_sub_steps,
        height=height,
        width=width,
        dtype=canvas.dtype,
    )
    with torch.no_grad():
        expected = forward(canvas, FullPass()).numpy()
    scale = max(1.0, float(expected.std()))
    for name, engine in ENGINES.items():
        found = teacher_forced(program, canvas, engine=engine)
        expected = np.broadcast_to(expected, found.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=name)
    return program
