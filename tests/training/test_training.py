"""The loop: schedule, order, average, validation, and how it stops."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.analysis.evaluation.memorization import LosslessSize
from pointillist.data import Batch
from pointillist.networks import names
from pointillist.system import resolve_device
from pointillist.training import setup
from pointillist.training.augmentation import shift_batch
from pointillist.training.batches import EpochSampler
from pointillist.training.logging import DivergenceGuard, training_summary
from pointillist.training.setup import ExponentialMovingAverage, build_optimizer, learning_rate, resolve_precision
from tests.equality import equal
from tests.tolerances import ADAM, network_rounding, rounding

from .helpers import tiny_config, tiny_data, tiny_model


def test_the_loss_falls_and_the_best_model_is_kept(tmp_path: Path) -> None:
    """A short run beats guessing, and its folder holds the weights of its best validation."""
    data = tiny_data(images=200, valid=50)
    model = tiny_model(data.train, dropout=0.0)
    before = pt.evaluate(model, data.valid).bits_per_dim
    result = pt.train(
        model,
        data,
        tiny_config(tmp_path / "a", steps=60, batch_size=16, **{"intervals.evaluate": 10, "optimizer.lr": 1e-2}),
    )
    assert result.valid_bits_per_dim < before - 0.5
    loaded = pt.load(tmp_path / "a")
    best = pytest.approx(result.valid_bits_per_dim, abs=network_rounding(loaded, result.valid_bits_per_dim))
    assert pt.evaluate(loaded, data.valid, engine="torch").bits_per_dim == best
    assert pt.evaluate(result.model, data.valid, engine="torch").bits_per_dim == best
    assert loaded.training_record.step <= 60
    assert (tmp_path / "a" / "last" / "model.safetensors").is_file()


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 5))
def test_order_shows_every_image_once_an_epoch(images: int, batch: int, seed: int) -> None:
    """Batches may straddle epochs; none is dropped, and position alone decides."""
    order = EpochSampler(images, seed)
    read = [pair for start in range(0, 3 * images, batch) for pair in order.read(start, batch)]
    flat = [(epoch, int(i)) for epoch, index in read for i in index][: 3 * images]
    for epoch in range(3):
        assert sorted(i for e, i in flat if e == epoch) == list(range(images))
    again = EpochSampler(images, seed).read(images, images)
    assert [int(i) for _, index in again for i in index] == [i for e, i in flat if e == 1]


def test_steps_do_not_depend_on_parts(tmp_path: Path) -> None:
    """Accumulating a step in parts gives the gradient of the whole step (Muon would round it to bf16)."""
    data, settings = tiny_data(), {"condition_dropout.label": 0.0, "optimizer.name": "adam"}
    results = []
    for parts in (1, 2, 4):
        model = tiny_model(data.train, dropout=0.0)
        pt.train(model, data, tiny_config(grad_accumulation=parts, **settings))
        results.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.allclose(results[0], results[1], rtol=0, atol=ADAM)
    assert torch.allclose(results[0], results[2], rtol=0, atol=ADAM)


def test_schedule_warms_up_and_ends_low() -> None:
    """Linear to the peak, cosine to `final_lr` times the peak."""
    config = pt.TrainConfig.from_dict({"optimizer.lr": 1.0, "schedule.warmup": 10, "schedule.final_lr": 0.1})
    rates = [learning_rate(step, 1000, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1, abs=0.9 * (1 - math.cos(math.pi / 990)))
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_embeddings_and_biases_do_not_decay() -> None:
    """Weight decay is for kernels."""
    data = tiny_data()
    model = tiny_model(data.train)
    *groups, free = build_optimizer(model, pt.TrainConfig().optimizer).param_groups
    decayed = [p for group in groups for p in group["params"]]
    assert all(p.ndim >= 2 for p in decayed)
    assert all(p.ndim == 4 and p.shape[1] >= 8 for p in groups[0]["params"])  # Muon: convolutions of features
    lstm = pt.build("row-lstm", shape=data.train.spec, preset="tiny")
    assert not any(g["matrices"] for g in build_optimizer(lstm, pt.TrainConfig().optimizer).param_groups)
    (table, _), *_ = model.conditions.encoders["label"].embedding_tables().values()
    assert any(p is table for p in free["params"])
    assert len(decayed) + len(free["params"]) == len(list(model.parameters()))


def test_average_is_applied_only_within_the_block() -> None:
    """After the block the model has its own weights again."""
    model = torch.nn.Linear(2, 2)
    average = ExponentialMovingAverage(model, 0.5)
    own = model.weight.detach().clone() + 1
    with torch.no_grad():
        model.weight.copy_(own)
    average.update(1000)
    with average.applied():
        assert torch.allclose(model.weight, own - 0.5, rtol=0, atol=rounding(own, terms=2))
    assert equal(model.weight, own)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    """The message names the step, the batch and the last good checkpoint, and the weights on disk are the good ones."""
    data = tiny_data()
    model = tiny_model(data.train)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(pt.TrainingError, match=r"became nan at step 1 \(images \d+.*last good checkpoint is none yet"):
        pt.train(model, data, tiny_config(tmp_path / "a"))
    assert not (tmp_path / "a" / "model.safetensors").exists()


def test_a_diverging_loss_stops_the_run() -> None:
    """Far worse than guessing, for a whole window."""
    guard = DivergenceGuard(levels=2, window=5)
    for _ in range(20):
        guard.check(1.0, 1, [0], "none")
    guard.check(4.0, 2, [0], "none")
    with pytest.raises(pt.TrainingError, match="diverged"):
        guard.check(50.0, 3, [0], "none")


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 6))
def test_shifted_images_keep_their_shape(height: int, width: int, reach: int) -> None:
    """Shifts larger than the image leave it empty; a shift of nothing is the image; the draw is the key's."""
    x = np.arange(1, 2 * height * width + 1).reshape(2, 1, height, width)
    moved = shift_batch(Batch(x), np.array([3, 4]), 0, reach).levels
    assert moved.shape == x.shape
    assert set(np.unique(moved)) <= {0, *x.ravel().tolist()}
    assert np.array_equal(shift_batch(Batch(x[::-1]), np.array([4, 3]), 0, reach).levels[::-1], moved)
    if reach == 0:
        assert np.array_equal(moved, x)


def test_batch_size_must_fit_the_parts() -> None:
    """A step must split evenly over processes and parts."""
    data = tiny_data()
    with pytest.raises(pt.ConfigError, match="must be a divisor of"):
        pt.train(tiny_model(data.train), data, tiny_config(batch_size=4, grad_accumulation=3))


def test_devices_and_precision() -> None:
    """What is asked for is checked; `auto` says why."""
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(pt.ConfigError, match="not a device"):
        resolve_device("banana")
    if not torch.cuda.is_available():
        with pytest.raises(pt.ConfigError, match="no GPU"):
            resolve_device("cuda")
    assert resolve_precision("fp32", torch.device("cpu")) == ("fp32", "as set")
    assert resolve_precision("auto", torch.device("cpu"))[0] in ("fp32", "bf16")


def test_precision_is_chosen_by_model_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the CPU has bf16, small recurrent and attending models still train in float32."""
    monkeypatch.setattr(setup, "_cpu_has", lambda probe: probe == "_is_avx512_bf16_supported")
    monkeypatch.setattr(setup, "processor", lambda: "AMD EPYC")
    cpu = torch.device("cpu")
    small, large = (pt.build("pixelsnail", shape=(1, s, s), preset="tiny") for s in (8, 64))
    assert resolve_precision("auto", cpu, small) == ("fp32", "pixelsnail of this size is no faster in bf16")
    assert resolve_precision("auto", cpu, large) == ("bf16", "the CPU has AVX-512 bf16")
    assert resolve_precision("bf16", cpu, small)[0] == "bf16"
    assert resolve_precision("auto", cpu, pt.build("pixelcnn", shape=(1, 8, 8), preset="tiny"))[0] == "bf16"
    assert set(setup.MIN_BF16_ELEMENTS) <= set(names())


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        (["_is_avx512_bf16_supported"], ("fp32", "an Intel CPU without AMX is no faster in bf16")),
        (["_is_avx512_bf16_supported", "_is_amx_tile_supported"], ("bf16", "the CPU has AMX")),
        ([], ("fp32", "the hardware is not faster in bf16")),
    ],
)
def test_intel_processors_train_in_bf16_by_amx_alone(
    probes: list[str], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without AMX an Intel processor with bf16 instructions is slower in bf16: decision 0001 has the table."""
    monkeypatch.setattr(setup, "_cpu_has", lambda probe: probe in probes)
    monkeypatch.setattr(setup, "processor", lambda: "Intel(R) Xeon(R) Processor")
    assert resolve_precision("auto", torch.device("cpu")) == expected


@pytest.mark.parametrize("name", ["optimizer.lr", "optimizer.clip", "epochs"])
def test_settings_are_checked(name: str) -> None:
    """A setting out of range is one sentence with name and value; a misspelt one names the right one."""
    with pytest.raises(pt.ConfigError, match=rf"`{name}` \(=-1\) must be greater than"):
        pt.TrainConfig.from_dict({name: -1})
    with pytest.raises(pt.ConfigError, match=f"`{name}x` is not a setting: did you mean `{name}`"):
        pt.TrainConfig.from_dict({name + "x": 1})


def test_settings_are_nested_or_dotted() -> None:
    """Both spellings give the same settings; the bare name of a nested setting is not a setting."""
    nested = pt.TrainConfig.from_dict({"steps": 3, "optimizer": {"lr": 1e-3, "ema": 0.5}})
    assert nested == pt.TrainConfig.from_dict({"steps": 3, "optimizer.lr": 1e-3, "optimizer": {"ema": 0.5}})
    assert (nested.optimizer.lr, nested.optimizer.ema, nested.optimizer.beta1) == (1e-3, 0.5, 0.9)
    with pytest.raises(pt.ConfigError, match=r"`lr` is not a setting: did you mean `optimizer\.lr`"):
        pt.TrainConfig.from_dict({"lr": 1e-3})
    with pytest.raises(pt.ConfigError, match=r"`optimizer` .*must hold settings"):
        pt.TrainConfig.from_dict({"optimizer": 3})
    changed = nested.updated(out=None, machine={"tensorboard": True})
    assert (changed.machine.tensorboard, changed.optimizer) == (True, nested.optimizer)


def test_bf16_trains_and_evaluates_in_fp32(tmp_path: Path) -> None:
    """Under bf16 the weights stay float32 and the likelihood is computed in float32."""
    data = tiny_data()
    result = pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a", **{"machine.precision": "bf16"}))
    assert all(p.dtype == torch.float32 for p in result.model.parameters())
    assert math.isfinite(result.valid_bits_per_dim)


def test_unlabelled_runs_and_runs_without_validation(tmp_path: Path) -> None:
    """A bare data set trains too; without validation images the last weights are the model."""
    data = tiny_data()
    model = pt.build("pixelcnn", shape=data.train.spec, channels=4, layers=1, head_channels=4)
    result = pt.train(model, data.train, tiny_config(tmp_path / "a"))
    assert result.valid_bits_per_dim == math.inf
    assert "no validation images" in repr(result)
    assert (tmp_path / "a" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("levels", "likelihood", "codec", "advised"),
    [
        (256, "categorical", 2.0, True),
        (256, "mixture", 2.0, False),
        (256, "categorical", 4.0, False),
        (16, "categorical", 2.0, False),
    ],
)
def test_a_local_gain_is_advised_for_photographs(
    levels: int, likelihood: Literal["mixture", "categorical"], codec: float, advised: bool
) -> None:
    """Where a model without one is still above a lossless codec, and its levels are fine enough."""
    data = tiny_data()
    model = pt.build("gated-pixelcnn", shape=(3, 16, 4), levels=levels, preset="tiny", likelihood=likelihood)
    lines = training_summary(model, data.train, 2000, 2000, 3.0, LosslessSize("WebP", codec, 9))
    below = "not yet below" if codec < 3 else "below"
    assert lines[0] == f"baseline   {below} lossless WebP, {codec:.4f} bits/dim on these validation images"
    assert ("with a local gain" in lines[1]) == advised
