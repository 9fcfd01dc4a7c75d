"""The CUDA engine: what is captured holds no decision of Python, and on a GPU it computes what it computes here."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from engine_networks import Gated
from engine_tape import Tapes
from engine_teacher import cuda_on_cpu, teacher_forced
from torch import Tensor

import pointillist as pt
from pointillist.engine import Program, choice, record
from pointillist.engine.choice import ON_GPU, choose_engine, gpu
from pointillist.engine.cuda import CudaEngine, CudaPainter
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


@pytest.mark.parametrize("engine", ON_GPU)
@pytest.mark.parametrize(
    ("name", "likelihood", "channels"),
    [
        ("gated-pixelcnn", "categorical", 3),
        ("pixelcnn-pp", "mixture", 3),
        ("pixelsnail", "categorical", 2),
        ("diagonal-bilstm", "bernoulli", 1),
        ("multiscale-pixelrnn", "mixture", 1),
        ("locally-masked-pixelcnn", "mixture", 3),
    ],
)
def test_a_row_with_its_draws_is_replayed(
    name: str, likelihood: Any, channels: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guidance, temperature and top-p too: the image and the nats of the compiled machine, and known sites are kept."""
    tapes = Tapes()
    monkeypatch.setattr("pointillist.engine.cuda.CudaPainter", partial(CudaPainter, capture=tapes))
    levels = 2 if likelihood == "bernoulli" else 5
    model = pt.build(name, shape=(channels, 10, 3), levels=levels, preset="tiny", likelihood=likelihood, classes=2)
    model.double().eval()
    how: dict[str, Any] = {"guidance": 2.0, "temperature": 0.9, "top_p": 0.9, "seed": 1}
    found, expected = (pt.sample(model, 2, 1, engine=e, **how) for e in (engine, "cpu"))
    assert torch.equal(found.levels, expected.levels)
    torch.testing.assert_close(found.nats, expected.nats)
    assert tapes.replayed > tapes.captured > 0


def test_rows_that_settle_early_take_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes are counted: two a row where nothing depends on neighbours, at most one a sub-pixel anywhere."""
    made: list[CudaPainter] = []
    monkeypatch.setattr(
        "pointillist.engine.cuda.CudaPainter", lambda *a, **k: made.append(CudaPainter(*a, **k)) or made[-1]
    )
    height, width = 6, 8
    model = pt.build("gated-pixelcnn", shape=(1, height, width), levels=4, channels=8, layers=2).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    images = [pt.sample(model, 2, seed=1, engine=e).levels for e in ("cuda-jacobi", "cuda", "cpu")]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])
    assert 2 * height < made[0].passes <= width * height
    assert made[1].passes == height
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    pt.sample(model, 2, seed=1, engine="cuda-jacobi")
    assert made[2].passes == 2 * height


@needs_gpu
@pytest.mark.parametrize("engine", ON_GPU)
@pytest.mark.parametrize("name", names())
def test_a_gpu_paints_the_same(name: str, engine: str) -> None:
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    found, expected = (pt.sample(model, 3, seed=1, engine=e) for e in (engine, "step"))
    assert torch.equal(found.levels, expected.levels)
    torch.testing.assert_close(found.nats, expected.nats)


def test_without_a_gpu_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python and on the command line alike, before anything is read or painted."""
    monkeypatch.setattr(choice, "gpu", gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=4, layers=1)
    for engine in ON_GPU:
        with pytest.raises(pt.EngineError, match=f"`engine` .='{engine}'. needs a GPU .* use 'cpu' or 'auto'"):
            pt.sample(model, 1, engine=engine)


def test_auto_is_cuda_where_the_model_lies_on_a_gpu() -> None:
    assert choose_engine("auto", torch.device("cuda", 1)).engine == "cuda"
    assert choose_engine("auto", torch.device("cpu")).engine == "cpu"
    assert gpu("cuda", torch.device("cuda", 1)) == torch.device("cuda", 1)


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
