"""The executor of torch: all tensors on one device, in full float32, and on a GPU the images of the processor."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import pointillist as pt
from pointillist import system
from pointillist.engine import Program
from pointillist.engine.program import Phase
from pointillist.engine.recording.record import record
from pointillist.engine.torch import TorchStepper, operations, stepper
from pointillist.engine.torch.operations import TorchBuffers
from pointillist.model.recorded import record_model
from pointillist.networks import names
from pointillist.sampling.config import choose_float_engine
from pointillist.sampling.engines import create_stepper
from tests.engine.networks import Gated
from tests.engine.teacher import teacher_forced
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE

SHAPE, CPU = (3, 9, 3), torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


def program_of(name: str) -> Program:
    """The last stage of a model of nine rows, in double precision."""
    torch.manual_seed(0)
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    return record_model(model, SHAPE[1:])[-1]


def canvas_of(program: Program, batch: int = 2) -> Tensor:
    return torch.randn(batch, program.num_sub_steps * program.canvas_width, *SHAPE[1:], dtype=torch.float64)


def check_devices(program: Program) -> None:
    """Visit two rows on a device without numbers, where a tensor of main memory is an error, as on a GPU."""
    meta = torch.device("meta")
    stepping = TorchStepper(program, 2, device=meta)
    stepping._read_params = lambda: np.zeros(0)  # type: ignore[method-assign]  # there are no numbers to bring back
    while stepping.site[0] < 2:
        stepping.params()
        assert stepping._params().shape == (2, program.params.channels)
        assert stepping._params().device == meta
        stepping.observe(np.zeros(2, np.int64))
    for value, tensor in stepping.state.values():
        at_site = value.phase in (Phase.IMAGE, Phase.SITE, Phase.POST_DRAW)
        columns = 1 if at_site else -(-program.width // value.scale)
        assert (tensor.shape, tensor.device) == ((2, 1, columns, value.channels), meta)


@pytest.mark.parametrize("name", names())
def test_all_tensors_are_on_one_device(name: str) -> None:
    """By shapes and devices alone, of every network."""
    check_devices(program_of(name))


def test_a_tensor_on_another_device_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of devices can fail."""
    monkeypatch.setattr(operations, "upload", lambda array, device: torch.tensor(array))
    with pytest.raises(RuntimeError, match="device"):
        check_devices(program_of("gated-pixelcnn"))


@needs_gpu
@pytest.mark.parametrize("name", names())
def test_a_gpu_paints_the_same(name: str) -> None:
    model = pt.build(name, shape=SHAPE, levels=4, preset="tiny").double().eval()
    expected = pt.sample(model, 3, seed=1, engine="numpy")
    found = pt.sample(model.to("cuda"), 3, seed=1, engine="torch")
    assert equal(found.levels, expected.levels)
    assert_close(found.nats, expected.nats, rtol=DOUBLE, atol=DOUBLE)


@needs_gpu
@pytest.mark.parametrize("name", names())
def test_a_gpu_computes_the_same(name: str) -> None:
    program = program_of(name)
    canvas = canvas_of(program)
    found = teacher_forced(program, canvas, engine=partial(TorchStepper, device=torch.device("cuda")))
    np.testing.assert_allclose(found, teacher_forced(program, canvas), rtol=DOUBLE, atol=DOUBLE)


def test_what_its_device_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the memory of the device, for sampling and for stepping, before any is taken."""
    model = pt.build("pixelcnn", shape=(1, 6, 7), levels=4, channels=8, layers=2).eval()
    devices: list[torch.device] = []
    monkeypatch.setattr(system, "FEW_BYTES", 0)
    monkeypatch.setattr(system, "free_bytes", lambda device: devices.append(device) or 20_000)
    monkeypatch.setattr(TorchBuffers, "__init__", lambda *a, **k: pytest.fail("memory was taken"))
    with pytest.raises(pt.EngineError, match=r"Sampling 64 images of 6x7 would take \d\.\d\d MiB.*fit: `batch_size=2`"):
        pt.sample(model, 64, seed=0, engine="torch")
    with pytest.raises(pt.EngineError, match="Sampling 64 images of 6x7"), torch.no_grad():
        create_stepper(model, model.encode(None, 64), 64, 6, 7, "torch")
    assert len(devices) == 2


def test_auto_is_torch_where_the_model_lies_on_a_gpu_or_draws_in_groups() -> None:
    def chosen(device: torch.device, independent: bool = False) -> str:
        stages = [SimpleNamespace(independent=independent)]
        image = SimpleNamespace(shape=(1, 2, 2))
        return choose_float_engine(SimpleNamespace(device=device, image=image, stages=lambda *size: stages))

    assert chosen(torch.device("cuda", 1)) == "torch"
    assert chosen(CPU, independent=True) == "torch"
    assert chosen(CPU) == "numpy"


def test_float32_is_not_rounded_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the settings of torch, which are restored afterwards."""
    network = Gated(8).eval()
    program = record(network, num_sub_steps=1, canvas_width=1, height=2, width=3)
    products, seen = torch.backends.cuda.matmul, set()
    run = stepper.Interpreter._run_sub_step

    def spy(self: Any) -> None:
        seen.add(products.fp32_precision if hasattr(products, "fp32_precision") else products.allow_tf32)
        run(self)

    monkeypatch.setattr(stepper.Interpreter, "_run_sub_step", spy)
    products.allow_tf32 = True
    try:
        teacher_forced(program, torch.zeros(1, 1, 2, 3), engine=partial(TorchStepper, device=CPU))
        assert products.allow_tf32
    finally:
        products.allow_tf32 = False
    assert seen <= {"ieee", False}
    assert seen
