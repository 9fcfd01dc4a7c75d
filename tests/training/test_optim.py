"""Optimisers, schedules, and the presets that bring them along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.errors import TrainingError
from pointillist.files.settings_tree import flatten
from pointillist.networks import entry, names
from pointillist.training import Interrupted
from pointillist.training.config import OptimizerConfig, OptimizerName
from pointillist.training.runs.config import RunConfig, with_preset
from pointillist.training.setup import build_optimizer, learning_rate
from tests.equality import equal
from tests.tolerances import DOUBLE, rounding

from .helpers import assert_same_weights, tiny_config, tiny_data, tiny_model, weights
from .test_resume import interrupt_after, state_of

PAPERS = [(name, preset) for name in names() for preset in entry(name).papers]


@given(st.integers(0, 10**6), st.floats(0.999, 1.0), st.integers(1, 10**6))
def test_the_exponential_schedule_does_not_know_how_long_the_run_is(step: int, decay: float, total: int) -> None:
    """lr times decay^step (PixelCNN++: `lr *= decay` at each step)."""
    schedule = {"name": "exponential", "lr_decay": decay, "warmup": 0}
    config = pt.TrainConfig.from_dict({"optimizer.lr": 1e-3, "schedule": schedule})
    assert learning_rate(step, total, config) == pytest.approx(1e-3 * decay**step, rel=DOUBLE)


def test_the_constant_schedule_warms_up_and_stays() -> None:
    config = pt.TrainConfig.from_dict({"optimizer.lr": 1.0, "schedule.name": "constant", "schedule.warmup": 4})
    assert [learning_rate(step, 100, config) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def one_step(steps: int = 3, **settings: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight of 2 x 2 before and after a few steps on fixed gradients."""
    layer = torch.nn.Linear(2, 2, bias=False)
    before = layer.weight.detach().clone()
    optimizer = build_optimizer(layer, OptimizerConfig(lr=0.1, beta1=0.8, beta2=0.9, **settings))
    for step in range(steps):
        layer.weight.grad = torch.full((2, 2), 1.0 + step)
        optimizer.step()
    return before, layer.weight.detach()


def test_rmsprop_is_the_published_rule() -> None:
    """v = 0.9 v + 0.1 g^2, w = w - lr g / sqrt(v); no momentum."""
    before, after = one_step(name="rmsprop", weight_decay=0.0)
    wanted, square = before.clone(), 0.0
    for step in range(3):
        square = 0.9 * square + 0.1 * (1.0 + step) ** 2
        wanted -= 0.1 * (1.0 + step) / square**0.5
    assert torch.allclose(after, wanted, rtol=0, atol=rounding(after, terms=10))  # operations of three steps


def test_adam_is_the_published_rule() -> None:
    """Kingma and Ba 2015, algorithm 1."""
    before, after = one_step(weight_decay=0.0)
    wanted, mean, square = before.clone(), 0.0, 0.0
    for step in range(3):
        mean, square = 0.8 * mean + 0.2 * (1.0 + step), 0.9 * square + 0.1 * (1.0 + step) ** 2
        wanted -= 0.1 * (mean / (1 - 0.8 ** (step + 1))) / (square / (1 - 0.9 ** (step + 1))) ** 0.5
    assert torch.allclose(after, wanted, rtol=0, atol=rounding(after, terms=10))  # operations of three steps


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9")
@pytest.mark.parametrize("shape", [(6, 8, 2, 3), (12, 8, 1, 1)])
def test_muon_is_that_of_torch(shape: tuple[int, ...]) -> None:
    """Of kernels as matrices, wide and tall, at six times the learning rate, to the rounding of bf16."""
    torch.manual_seed(0)
    outputs, inputs, *kernel = shape
    layer = torch.nn.Conv2d(inputs, outputs, tuple(kernel), bias=False)
    before = layer.weight.detach().clone()
    matrix = torch.nn.Parameter(before.flatten(1).clone())
    ours = build_optimizer(layer, OptimizerConfig(name="muon", lr=0.01, weight_decay=0.1))
    theirs = torch.optim.Muon([matrix], 0.06, 0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        layer.weight.grad = torch.randn(shape)
        matrix.grad = layer.weight.grad.flatten(1).clone()
        ours.step()
        theirs.step()
    step = (matrix.detach() - before.flatten(1)).abs().max()
    assert torch.allclose(
        layer.weight.flatten(1), matrix, rtol=0, atol=float(16 * torch.finfo(torch.bfloat16).eps * step)
    )


@pytest.mark.parametrize("optimizer", ["adam", "muon", "rmsprop"])
def test_weight_decay_is_apart_from_the_gradient(optimizer: OptimizerName) -> None:
    """Without a gradient a weight shrinks by lr times the decay, whichever optimiser it is."""
    layer = torch.nn.Linear(2, 2, bias=False)
    before = layer.weight.detach().clone()
    run = build_optimizer(layer, OptimizerConfig(lr=0.1, weight_decay=0.5, name=optimizer))
    layer.weight.grad = torch.zeros(2, 2)
    run.step()
    assert torch.allclose(layer.weight, before * 0.95, rtol=0, atol=rounding(before, terms=2))


def test_a_clip_of_zero_is_none() -> None:
    """A bound that is never reached, and none, give the same weights; a small one gives others."""
    data = tiny_data()
    found = {}
    for clip in (0.0, 1e9, 1e-3):
        model = tiny_model(data.train)
        pt.train(model, data, tiny_config(steps=3, **{"optimizer.clip": clip, "optimizer.weight_decay": 0.0}))
        found[clip] = weights(model)
    assert_same_weights(found[0.0], found[1e9])
    assert not all(equal(found[0.0][name], found[1e-3][name]) for name in found[0.0])


@pytest.mark.parametrize(("name", "state"), [("rmsprop", "square_avg"), ("muon", "momentum_buffer")])
def test_a_run_with_another_optimiser_resumes_exactly(
    name: OptimizerName, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mean squares or gradients are kept and put back; AdamW, which has others, does not go on without them."""
    data = tiny_data()
    how = {"optimizer": {"name": name, "lr": 1e-3}, "schedule": {"name": "exponential", "lr_decay": 0.9}}
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a", **how))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        with pytest.raises(Interrupted):
            pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "b", **how))
    pt.train(tiny_model(data.train, seed=9), data, tiny_config(tmp_path / "b", **how), resume=True)
    states = [state_of(tmp_path / run, 8) for run in "ab"]
    assert any(key.startswith(f"{state}/") for key in states[0])
    assert_same_weights(*states)
    with pytest.raises(TrainingError, match=rf"\(=adam\) .* whose state is of {name}: set it to {name}"):
        pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "b", optimizer={"name": "adam"}), resume=True)


@pytest.mark.parametrize(("name", "preset"), PAPERS)
def test_the_preset_of_a_paper_brings_its_training_along(name: str, preset: str) -> None:
    """All its settings exist; one that is given wins over it, and a preset of ours leaves the defaults."""
    paper = entry(name).paper(preset)
    assert paper is not None
    assert paper.source
    run = RunConfig.from_dict(with_preset({"model": {"type": name, "preset": preset}}))
    for section, settings in (("model", paper.model), ("train", paper.train)):
        assert dict(flatten(run.to_dict()[section])).items() >= settings.items()
    optimizer = {"lr": 0.5, "name": "adam"}
    given = {"model": {"type": name, "preset": preset, "mixtures": 3}, "train": {"optimizer": optimizer}}
    run = RunConfig.from_dict(with_preset(given))
    assert (run.model.mixtures, run.train.optimizer.lr, run.train.optimizer.name) == (3, 0.5, "adam")
    assert run.train.optimizer.weight_decay == paper.train["optimizer.weight_decay"]
    assert run.train.batch_size == paper.train["batch_size"]
    with torch.device("meta"):
        model = pt.build(name, shape=(3, 32, 32), preset=preset)
    assert model.config.mixtures == paper.model.get("mixtures", 10)


def test_presets_of_ours_leave_the_training_alone() -> None:
    for tree in ({"model": {"type": "pixelcnn", "preset": "tiny"}}, {"model": {"preset": "none"}}, {}, {"model": 3}):
        assert with_preset(tree) == tree
    with pytest.raises(pt.ConfigError, match=r"pixelcnn has no preset 'huge'.*paper-cifar10"):
        with_preset({"model": {"type": "pixelcnn", "preset": "huge"}})


def test_epochs_that_are_asked_for_win_over_the_steps_of_a_paper() -> None:
    model = {"type": "gated-pixelcnn", "preset": "paper-imagenet32"}
    assert RunConfig.from_dict(with_preset({"model": model})).train.steps == 200_000
    assert RunConfig.from_dict(with_preset({"model": model, "train": {"epochs": 2}})).train.steps is None
