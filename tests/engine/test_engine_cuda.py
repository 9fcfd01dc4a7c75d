"""The CUDA engine: what is captured holds no decision of Python, and on a GPU it computes what it computes here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from engine_networks import Gated
from engine_tape import Tapes
from engine_teacher import cuda_on_cpu, teacher_forced
from torch import Tensor

import pointillist as pt
from pointillist.engine import Program, record
from pointillist.engine.cuda import CudaEngine
from pointillist.networks import names
from pointillist.runners import record_model

SHAPE = (3, 9, 3)
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no GPU here: CUDA graphs are captured and replayed only on one"
)


def program_of(name: str) -> Program:
    """The last stage of a model of nine rows, in double precision."""
    torch.manual_seed(0)
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    return record_model(model, SHAPE[1:])[-1]


def canvas_of(program: Program, batch: int = 2) -> Tensor:
    return torch.randn(batch, program.sub_steps * program.canvas_width, *SHAPE[1:], dtype=torch.float64)


@pytest.mark.parametrize("name", names())
def test_what_is_replayed_is_what_was_captured(name: str) -> None:
    """Every model, by a tape in place of a graph: each piece runs once, is captured once, and repeated from then on."""
    program, tapes = program_of(name), Tapes()
    canvas = canvas_of(program)
    found = teacher_forced(
        program, canvas, engine=lambda p, n, g: CudaEngine(p, n, g, device=torch.device("cpu"), capture=tapes)
    )
    assert np.array_equal(found, teacher_forced(program, canvas, engine=cuda_on_cpu))
    assert tapes.replayed > tapes.captured > 0


def test_a_decision_of_python_shows() -> None:
    """The tape is no better than a graph: a number brought back is refused, and one of Python stays what it was."""
    x, row, tapes = torch.zeros(3), [1], Tapes()

    def asks() -> None:
        x.add_(float(x.sum()))

    def reads_the_row() -> None:
        x.add_(row[0])

    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        tapes(asks)
    replay = tapes(reads_the_row)
    replay()
    row[0] = 5
    replay()
    assert x.tolist() == [2, 2, 2]


@needs_gpu
@pytest.mark.parametrize("name", names())
def test_a_gpu_computes_the_same(name: str) -> None:
    program = program_of(name)
    canvas = canvas_of(program)
    found = teacher_forced(program, canvas, engine=lambda p, n, g: CudaEngine(p, n, g, device=torch.device("cuda")))
    np.testing.assert_allclose(found, teacher_forced(program, canvas), rtol=1e-9, atol=1e-9)


def test_float32_is_not_rounded_to_tf32() -> None:
    """Whatever the process has asked of torch, and afterwards it has what it asked."""
    program = record(Gated(8).eval(), sub_steps=1, canvas_width=1, height=2, width=3)
    seen: list[str] = []

    def spy(work: Any) -> Any:
        seen.append(torch.get_float32_matmul_precision())
        return work

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        teacher_forced(
            program,
            torch.zeros(1, 1, 2, 3),
            engine=lambda p, n, g: CudaEngine(p, n, g, device=torch.device("cpu"), capture=spy),
        )
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen
    assert set(seen) == {"highest"}
