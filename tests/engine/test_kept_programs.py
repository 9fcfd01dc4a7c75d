"""Opened engines are kept from call to call: with other conditions, until weights change, and bounded."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.model import integer, recorded
from pointillist.model.hooks import with_hooks
from pointillist.networks import names
from tests.equality import equal

SHAPE = (1, 5, 6)


def build(name: str = "gated-pixelcnn", **settings: Any) -> pt.PixelModel:
    """Return a small model of labels and positions."""
    torch.manual_seed(0)
    built = pt.build(
        name, shape=SHAPE, levels=4, preset="tiny", classes=("cat", "dog"), position_channels=2, **settings
    )
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return built.eval()


def drawn(model: pt.PixelModel, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sample three images."""
    found = pt.sample(model, 3, seed=1, **settings)
    return found.levels, found.nats


def check_as_fresh(model: pt.PixelModel, **settings: Any) -> None:
    """Check that a model samples as a copy of it does, of which nothing is kept."""
    for found, due in zip(drawn(model, **settings), drawn(copy.deepcopy(model), **settings), strict=True):
        assert equal(found, due)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often a program is recorded."""

    counted: list[int] = []

    def record(*args: Any, **kwargs: Any) -> Any:
        counted.append(1)
        return original(*args, **kwargs)

    original = recorded.record
    monkeypatch.setattr(recorded, "record", record)
    return counted


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_a_kept_program_takes_other_conditions(name: str) -> None:
    """Every network, with other labels, guidance, orders and engines, to the bit."""
    model = build(name, orders=("raster", "raster-tr"))
    for settings in (
        {"label": [0, 1, None]}, {"label": 1}, {}, {"label": 0, "guidance": 2.0}, {"label": 1, "order": "raster-tr"},
        {"label": [1, 1, 0]}, {"label": [1, 0, 0], "batch_size": 2}, {"label": [1, 0, 0], "engine": "numpy"},
    ):  # fmt: skip
        check_as_fresh(model, **settings)


@pytest.mark.parametrize("name", ["gated-pixelcnn", "multiscale-pixelrnn", "parallel-multiscale"])
def test_a_program_is_recorded_once(recordings: list[int], name: str) -> None:
    """One of each stage, and for another size of batch, condition or temperature none."""
    model = build(name)
    drawn(model)
    for settings in ({"label": 1}, {"temperature": 0.5}, {"batch_size": 1}, {"engine": "numpy"}):
        drawn(model, **settings)
    assert len(recordings) == len(model.stages(*SHAPE[1:]))


CHANGES: dict[str, Callable[[torch.nn.Parameter], Any]] = {
    "in place": lambda p: p.add_(0.5),
    "behind the version": lambda p: p.data.mul_(-3),
    "other memory": lambda p: setattr(p, "data", p.data * 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_weights_are_noticed(change: str) -> None:
    """However they are changed; also where a model is loaded into another, or gets another precision."""
    model = build()
    before = drawn(model)
    with torch.no_grad():
        for parameter in model.parameters():
            CHANGES[change](parameter)
    assert not equal(drawn(model)[1], before[1])
    check_as_fresh(model)
    model.load_state_dict(build().state_dict())
    assert equal(drawn(model)[1], before[1])
    check_as_fresh(model.double())


def test_a_model_with_hooks_is_recorded_again(recordings: list[int]) -> None:
    """A hook may replace what a layer computes."""
    model = build()
    plain = drawn(model)
    with with_hooks(model.backbone, lambda value, name: value * 2 if name.endswith("hook_out") else None):
        assert not equal(drawn(model)[1], plain[1])
    assert equal(drawn(model)[1], plain[1])
    assert len(recordings) == 2


def test_few_programs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by bytes, and none longer than the model lives."""
    torch.manual_seed(0)
    model = pt.build("pixelcnn", shape=SHAPE, levels=4, preset="tiny").eval()
    for side in range(2, 6 + recorded.MOST):
        pt.sample(model, 1, size=side, seed=0, engine="numpy")
    kept = recorded._RECORDED[model.backbone]
    assert len(kept._programs) == recorded.MOST
    monkeypatch.setattr(recorded, "MAX_BYTES", 2 * next(iter(kept._programs.values())).weight_bytes)
    pt.sample(model, 1, size=3, seed=0, engine="numpy")
    assert len(kept._programs) <= 2
    monkeypatch.setattr(recorded, "MAX_BYTES", 10)
    pt.sample(model, 1, size=20, seed=0, engine="numpy")
    assert all(key[0] != 20 for key in kept._programs)
    gone = weakref.ref(model)
    programs = [weakref.ref(program.canvas) for program in kept._programs.values()]
    del model, kept
    gc.collect()
    assert gone() is None
    assert all(one() is None for one in programs)


def test_what_the_library_reads_lives_as_long_as_its_program() -> None:
    """It is made once, and is collected with the program."""
    model = build()
    integer_model = pt.quantize_integer(model, torch.randint(0, 4, (2, *SHAPE)))
    drawn(model, engine="integer")
    lowered = integer_model.programs[0].cache["c"][0]
    drawn(model, engine="integer", label=1)
    assert integer_model.programs[0].cache["c"][0] is lowered
    gone = weakref.ref(lowered)
    model.attach_integer_model(pt.quantize_integer(model, torch.randint(0, 4, (2, *SHAPE))))
    del integer_model, lowered
    gc.collect()
    assert gone() is None


def test_a_changed_model_has_no_integer_program() -> None:
    """Also where the weights were verified before, and were changed behind their version."""
    model = build()
    pt.quantize_integer(model, torch.randint(0, 4, (2, *SHAPE)))
    drawn(model, engine="integer")
    next(model.parameters()).data.mul_(2)
    with pytest.raises(pt.EngineError, match="have changed"):
        drawn(model, engine="integer")
    next(model.parameters()).data.div_(2)
    assert np.isfinite(drawn(model, engine="integer")[1]).all()


@pytest.mark.parametrize("has_library", [True, False])
def test_a_snapshot_notices_every_change(has_library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of every second weight, too, which a product alone would carry out of 64 bits; shapes of the same bytes."""
    if not has_library:
        monkeypatch.setattr(integer, "load_library", lambda: None)
    torch.manual_seed(0)
    tensors = [torch.randn(77, 34), torch.randn(5), torch.zeros(0)]
    snapshot = integer.WeightSnapshot(tensors)
    assert snapshot.matches([each.clone() for each in tensors])
    changes: list[Callable[[list[torch.Tensor]], object]] = [
        lambda t: t[0].data[3, 4].mul_(-1),
        lambda t: t[0].data[:, 1::2].mul_(-1),
        lambda t: t[1].data[4].add_(1e-6),
        lambda t: t[0].data.copy_(t[0].data.flip(0)),
        lambda t: t.append(torch.zeros(0)),
        lambda t: t.__setitem__(0, t[0].reshape(34, 77)),
        lambda t: t.__setitem__(1, t[1].double()),
    ]
    for change in changes:
        changed = [each.clone() for each in tensors]
        change(changed)
        assert not snapshot.matches(changed)
