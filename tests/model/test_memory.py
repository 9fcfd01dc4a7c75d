"""Memory that a job would take is estimated before it is spent, and what does not fit is rejected with what would."""

from __future__ import annotations

import sys

import pytest
import torch

import pointillist as pt
from pointillist import system
from pointillist.model import memory
from pointillist.networks import names
from speed.timing import measure_peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="freed memory is returned to the system on Linux")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelcnn-pp", "row-lstm", "pixelsnail"])
def test_the_estimate_is_what_the_process_grows_by(name: str, training: bool) -> None:
    """Within the factor that the module states, for some 150 MB."""
    model = pt.build(name, shape=(3, 32, 32), likelihood="mixture", preset="tiny").train(training)
    use = memory.training_memory(model) if training else memory.evaluation_memory(model)
    count = int(1.5e8 / use.bytes(1, 48, 64))
    x = torch.zeros(count, 3, 48, 64, dtype=torch.int64)

    def step() -> None:
        with torch.set_grad_enabled(training):
            nats = model(x).sum()
        if training:
            nats.backward()

    _, peak = measure_peak_memory(step)
    assert peak / 2 < use.bytes(count, 48, 64) < peak * 2


@pytest.mark.parametrize("name", names())
def test_each_network_has_an_estimate(name: str) -> None:
    """It grows with the preset, and leaves the model in its mode, without gradients."""
    tiny, small = (pt.build(name, shape=(1, 32, 32), levels=16, preset=preset).eval() for preset in ("tiny", "small"))
    assert 0 < memory.training_memory(tiny).per_pixel < memory.training_memory(small).per_pixel
    assert 0 < memory.evaluation_memory(tiny).per_pixel <= memory.evaluation_memory(small).per_pixel
    assert not tiny.training
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_what_fits_is_named_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller batch and a smaller image, each of which is accepted."""
    model = pt.build("gated-pixelcnn", shape=(1, 256, 256), levels=16, preset="base")
    use = memory.training_memory(model)
    monkeypatch.setattr(system, "free_bytes", lambda device: int(use.bytes(10, 256, 256) / system.USABLE))
    device = torch.device("cpu")
    with pytest.raises(pt.ConfigError, match=r"`batch_size=8` .* or `size=\d+x\d+`") as error:
        memory.check_training_memory(model, 16, (256, 256), device)
    assert str(error.value).count(". ") == 0
    memory.check_training_memory(model, 8, (256, 256), device)
    side = int(str(error.value).split("`size=")[1].split("x")[0])
    memory.check_training_memory(model, 16, (side, side), device)


def test_available_memory_is_what_is_left_of_the_address_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of all limits counts."""
    monkeypatch.setattr(system, "_address_space_bytes", lambda: 1000)
    assert system.available_bytes() == 1000
    monkeypatch.setattr(system, "_group_bytes", lambda: 10)
    assert system.available_bytes() == 10
