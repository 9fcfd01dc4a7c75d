"""The CUDA engine: what is captured holds no decision of Python, and on a GPU it computes what it computes here."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from engine_networks import Gated
from engine_tape import Tapes
from engine_teacher import teacher_forced
from tests.tolerances import DOUBLE
from torch import Tensor

import pointillist as pt
from pointillist import system
from pointillist.engine import Program, selection
from pointillist.engine.batch import SampleBatch
from pointillist.engine.program import Phase
from pointillist.engine.recording.record import record
from pointillist.engine.selection import DEVICE_ENGINES, choose_engine, select_device
from pointillist.engine.torch import TorchSampler, TorchStepper, buffers
from pointillist.engine.torch.buffers import TorchBuffers
from pointillist.engine.torch.capture import GraphCache
from pointillist.engine.torch.rows import ProgramRows
from pointillist.engine.torch.sampler import Draw, RowWorkspace
from pointillist.model.recorded import record_model
from pointillist.networks import names
from pointillist.sampling.engines import create_stepper

SHAPE, CPU = (3, 9, 3), torch.device("cpu")
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no GPU here: CUDA graphs are captured and replayed only on one"
)


def program_of(name: str) -> Program:
    """The last stage of a model of nine rows, in double precision."""
    torch.manual_seed(0)
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    return record_model(model, SHAPE[1:])[-1]


def canvas_of(program: Program, batch: int = 2) -> Tensor:
    return torch.randn(batch, program.num_sub_steps * program.canvas_width, *SHAPE[1:], dtype=torch.float64)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_what_is_replayed_is_what_was_captured(name: str) -> None:
    """Every model, by a tape in place of a graph: each piece runs once, is captured once, and repeated from then on."""
    program, tapes = program_of(name), Tapes()
    canvas = canvas_of(program)
    found, expected = (
        teacher_forced(program, canvas, engine=partial(TorchStepper, device=CPU, capture=capture))
        for capture in (tapes, None)
    )
    assert np.array_equal(found, expected)
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


def check_devices(program: Program, draw: Draw, size: tuple[int, int]) -> None:
    """Sample a row each way on a device without numbers, where a tensor of main memory is an error, as on a GPU."""
    meta, shape = torch.device("meta"), (2, SHAPE[0], *size)
    batch = SampleBatch(np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape), np.zeros(2))
    current = ProgramRows(program, 2, *size, None, meta)
    workspace = RowWorkspace(current, draw, batch)
    for row in range(size[0]):
        workspace.begin(row)
        workspace.sample_sequentially(row)
    workspace.iterate(row)
    assert workspace.levels.device == workspace.changed.device == current.params(row, None).device == meta
    assert current.params(row, 0).shape == (2, 1, program.params.channels)
    for value, tensor in current.buffers.values():
        columns = 1 if value.phase == Phase.IMAGE else -(-size[1] // value.scale)
        assert (tensor.shape, tensor.device) == ((2, 1, columns, value.channels), meta)


def draw_of(levels: int, width: int) -> Draw:
    """Draw the same level everywhere."""

    def choose(params: Tensor, levels: Tensor, channel: int, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        return (params[:, 0] > uniforms).long(), params[:, 1].to(uniforms)

    return Draw(choose, np.zeros((levels, width)))


@pytest.mark.parametrize("name", names())
def test_all_tensors_are_on_one_device(name: str) -> None:
    """By shapes and devices alone, of every network."""
    program = program_of(name)
    check_devices(program, draw_of(4, program.canvas.channels // SHAPE[0]), (program.height, program.width))


def test_a_tensor_on_another_device_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of devices can fail."""
    monkeypatch.setattr(buffers, "upload", lambda array, device: torch.tensor(array))
    program = program_of("gated-pixelcnn")
    with pytest.raises(RuntimeError, match="device"):
        check_devices(program, draw_of(4, program.canvas.channels // SHAPE[0]), (program.height, program.width))


class FakeGraph:
    """Records the calls of a CUDA graph."""

    events: ClassVar[list[str]] = []

    def capture_begin(self, pool: str, capture_error_mode: str) -> None:
        self.events.append(f"begin {pool} {capture_error_mode}")

    def capture_end(self) -> None:
        self.events.append("end")

    def replay(self) -> None:
        self.events.append("replay")


def test_graphs_are_captured_at_the_second_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls to CUDA in their order, on a stream apart; a capture that fails is ended, and nothing of it is kept."""
    events = FakeGraph.events
    events.clear()
    stream = SimpleNamespace(wait_stream=lambda other: events.append("stream waits"))
    outside = SimpleNamespace(wait_stream=lambda other: events.append("outside waits"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: outside)
    monkeypatch.setattr(torch.cuda, "stream", lambda chosen: nullcontext(events.append("on the stream")))
    monkeypatch.setattr(torch.cuda, "device", lambda chosen: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    graphs = GraphCache(torch.device("cuda"))
    with graphs.active():
        for _ in range(3):
            graphs.run("piece", lambda: events.append("work"))
    captured = ["on the stream", "begin pool thread_local", "work", "end"]
    assert events == ["stream waits", "on the stream", "work", *captured, "replay", "replay", "outside waits"]
    events.clear()

    def fails() -> None:
        if events:
            raise RuntimeError("not permitted")

    graphs.run("other", fails)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not permitted"):
            graphs.run("other", fails)
    assert events == 2 * ["on the stream", "begin pool thread_local", "end"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("engine", DEVICE_ENGINES)
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
    """Guidance, temperature and top-p too: the image and the nats of the compiled engine, and known sites are kept."""
    tapes = Tapes()
    monkeypatch.setattr("pointillist.engine.torch.TorchSampler", partial(TorchSampler, capture=tapes))
    levels = 2 if likelihood == "bernoulli" else 5
    model = pt.build(name, shape=(channels, 10, 3), levels=levels, preset="tiny", likelihood=likelihood, classes=2)
    model.double().eval()
    how: dict[str, Any] = {"guidance": 2.0, "temperature": 0.9, "top_p": 0.9, "seed": 1}
    found, expected = (pt.sample(model, 2, 1, engine=e, **how) for e in (engine, "cpu"))
    assert torch.equal(found.levels, expected.levels)
    torch.testing.assert_close(found.nats, expected.nats, rtol=DOUBLE, atol=DOUBLE)
    assert tapes.replayed > tapes.captured > 0


def test_rows_that_converge_early_take_few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterations are counted: two a row where nothing depends on neighbours, at most one a sub-pixel anywhere."""
    made: list[TorchSampler] = []
    monkeypatch.setattr(
        "pointillist.engine.torch.TorchSampler", lambda *a, **k: made.append(TorchSampler(*a, **k)) or made[-1]
    )
    height, width = 6, 8
    model = pt.build("gated-pixelcnn", shape=(1, height, width), levels=4, channels=8, layers=2).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    images = [pt.sample(model, 2, seed=1, engine=e) for e in ("jacobi", "cuda", "cpu")]
    assert torch.equal(images[0].levels, images[1].levels)
    assert torch.equal(images[0].levels, images[2].levels)
    assert [found.passes for found in images] == [made[0].num_iterations, None, None]
    assert 2 * height < made[0].num_iterations <= width * height
    assert made[1].num_iterations == height
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    pt.sample(model, 2, seed=1, engine="jacobi")
    assert made[2].num_iterations == 2 * height


@needs_gpu
@pytest.mark.parametrize("engine", DEVICE_ENGINES)
@pytest.mark.parametrize("name", names())
def test_a_gpu_paints_the_same(name: str, engine: str) -> None:
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    found, expected = (pt.sample(model, 3, seed=1, engine=e) for e in (engine, "numpy"))
    assert torch.equal(found.levels, expected.levels)
    torch.testing.assert_close(found.nats, expected.nats, rtol=DOUBLE, atol=DOUBLE)


def test_what_its_device_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the memory of the device, for sampling and for stepping, before any is taken."""
    model = pt.build("pixelcnn", shape=(1, 6, 7), levels=4, channels=8, layers=2).eval()
    devices: list[torch.device] = []
    monkeypatch.setattr(system, "FEW_BYTES", 0)
    monkeypatch.setattr(system, "free_bytes", lambda device: devices.append(device) or 20_000)
    monkeypatch.setattr(TorchBuffers, "__init__", lambda *a, **k: pytest.fail("memory was taken"))
    with pytest.raises(
        pt.EngineError,
        match=r"Sampling 64 images of 6x7 would take \d\.\d\d MiB.*fit: one image of `size=\dx\d`",
    ):
        pt.sample(model, 64, seed=0, engine="cuda")
    with pytest.raises(pt.EngineError, match="Sampling 64 images of 6x7"), torch.no_grad():
        create_stepper(model, model.encode(None, 64), 64, 6, 7, "cuda")
    assert len(devices) == 2


def test_without_a_gpu_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python and on the command line alike, before anything is read or painted."""
    monkeypatch.setattr(selection, "select_device", select_device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=4, layers=1)
    with pytest.raises(pt.EngineError, match=r"`engine` .='cuda'. needs a GPU .* use 'cpu' or 'auto'"):
        pt.sample(model, 1, engine="cuda")
    found, expected = (pt.sample(model, 3, seed=0, engine=e) for e in ("jacobi", "cpu"))  # needs none
    assert torch.equal(found.levels, expected.levels)


def test_auto_is_cuda_where_the_model_lies_on_a_gpu() -> None:
    assert choose_engine("auto", torch.device("cuda", 1)).engine == "cuda"
    assert choose_engine("auto", CPU).engine == "cpu"
    assert select_device("cuda", torch.device("cuda", 1)) == torch.device("cuda", 1)


@needs_gpu
@pytest.mark.parametrize("name", names())
def test_a_gpu_computes_the_same(name: str) -> None:
    program = program_of(name)
    canvas = canvas_of(program)
    found = teacher_forced(program, canvas, engine=partial(TorchStepper, device=torch.device("cuda")))
    np.testing.assert_allclose(found, teacher_forced(program, canvas), rtol=DOUBLE, atol=DOUBLE)


def test_float32_is_not_rounded_to_tf32() -> None:
    """Whatever the settings of torch, which are restored afterwards."""
    program = record(Gated(8).eval(), num_sub_steps=1, canvas_width=1, height=2, width=3)
    products, seen = torch.backends.cuda.matmul, set()

    def spy(work: Any) -> Any:
        seen.add(products.fp32_precision if hasattr(products, "fp32_precision") else products.allow_tf32)
        return work

    products.allow_tf32 = True
    try:
        teacher_forced(
            program,
            torch.zeros(1, 1, 2, 3),
            engine=partial(TorchStepper, device=CPU, capture=spy),
        )
        assert products.allow_tf32
    finally:
        products.allow_tf32 = False
    assert seen <= {"ieee", False}
    assert seen
