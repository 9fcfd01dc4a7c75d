"""Quantization-aware training: the rounding of the integer program, its effect, and what stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

import pointillist as pt
from pointillist.data import DataSplits
from pointillist.nn.local import RecurrentLayer
from pointillist.nn.passes import FullPass
from pointillist.training import TrainConfig, integers
from pointillist.training.integers import RoundedProducts, round_features, round_weights
from tests.equality import equal
from tests.portable.networks import CASES, build_case, integer_case
from tests.tolerances import network_rounding, rounding

from .helpers import assert_same_weights, tiny_config, tiny_data, tiny_model, weights

AWARE = TrainConfig(quantization_aware=True)
ROUNDED_GATES = 0.05
"""States in steps of 2^-7 differ by some of them from what they would be."""
ROUNDED_WEIGHTS = 0.01
"""Relative: rounding to 8 bits costs less than a hundredth of the loss at the start of a training."""
Product = tuple[Tensor, np.ndarray, Tensor]
"""A kernel, the units of the channels that it multiplies, and the rounded kernel."""


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[Product]:
    """The products of a network in a pass over features that are not rounded, as in a calibration."""
    kept: list[Product] = []

    def round_and_keep(weight: Tensor, units: np.ndarray, bias: Tensor | None) -> Tensor:
        kept.append((weight.detach(), units, round_weights(weight, units, bias).detach()))
        return weight

    monkeypatch.setattr(integers, "round_weights", round_and_keep)
    monkeypatch.setattr(integers, "round_features", lambda x, units, *, signed: x)
    return kept


def columns(kernel: Tensor, units: np.ndarray, used: Tensor) -> np.ndarray:
    """A kernel as the matrix of the integer program: its taps one below the other, times the units of its channels."""
    scaled = kernel.double().numpy() * units[:, None, None]
    taps = [(i, j) for i in range(kernel.shape[2]) for j in range(kernel.shape[3]) if used[:, :, i, j].any()]
    found: np.ndarray = np.concatenate([scaled[:, :, i, j].T for i, j in taps])
    return found


def integers_of(matrices: list[np.ndarray], rounded: np.ndarray) -> Iterator[np.ndarray]:
    """The integer matrices that are the rounded one up to the unit of each output."""
    for matrix in matrices:
        if matrix.shape == rounded.shape:
            unit = np.abs(rounded).max(0) / np.maximum(np.abs(matrix).max(0), 1)
            # a canvas of 256 levels has a unit that is not a power of two: float32 holds its weights to rounding only
            if np.allclose(rounded, matrix * unit, rtol=rounding(1.0, terms=2, dtype=torch.float32), atol=0):
                yield matrix


@pytest.mark.parametrize("name", ["gated-256", "gated-binary"])
def test_weights_are_rounded_as_in_the_exact_program(name: str, products: list[Product]) -> None:
    """Every kernel of a network whose kernels are not split has the integers of the integer program."""
    model, integer_model, x = integer_case(name)
    with integers.quantization_aware(model, AWARE), torch.no_grad():
        model(x)
    program = integer_model.programs[0]
    code = [*program.per_row, *program.per_site, *program.post_draw]
    matrices = [np.asarray(i.constants["matrix"]) for i in code if i.opcode == "LINEAR"]
    assert len(products) == len(matrices)
    for kernel, units, rounded in products:
        assert not equal(kernel, rounded)
        assert list(integers_of(matrices, columns(rounded, units, kernel)))


@pytest.mark.parametrize("along", ["rows", "diagonals"])
def test_the_weights_of_a_state_are_rounded(
    along: Literal["rows", "diagonals"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An LSTM runs as one of rounded weights, for a state in steps of 2^-7; the state is rounded as well."""
    layer, gates = RecurrentLayer(6, along), torch.randn(2, 24, 5, 7)
    plain = layer(gates, FullPass())
    with RoundedProducts(None, None), torch.no_grad():
        found = layer(gates, FullPass())
        monkeypatch.setattr(integers, "round_features", lambda x, units, *, signed: x)
        weights_only = layer(gates, FullPass())
    with torch.no_grad():
        outputs_last = layer.weight.flatten(0, 1)  # taps and features of the state, to gates
        layer.weight.copy_(
            round_weights(outputs_last.T, np.full(len(outputs_last), 2.0**-7), None).T.view_as(layer.weight)
        )
    assert equal(weights_only, layer(gates, FullPass()))
    assert not equal(weights_only, plain)
    assert not equal(weights_only, found)
    assert torch.allclose(found, plain, rtol=0, atol=ROUNDED_GATES)


@pytest.mark.parametrize("name", CASES)
def test_every_network_that_can_be_exact_is_trained(name: str) -> None:
    """The loss is that of the network to rounding, and its gradient reaches every weight that it reached before."""
    model, x = build_case(name)
    loss, reached = {}, {}
    for aware in (False, True):
        model.zero_grad()
        with integers.quantization_aware(model, TrainConfig(quantization_aware=aware)):
            found = -model(x).mean()
        found.backward()
        loss[aware] = found.item()
        reached[aware] = {key for key, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert loss[True] != loss[False]
    assert loss[True] == pytest.approx(loss[False], rel=ROUNDED_WEIGHTS)
    assert reached[True] == reached[False]


def test_rounding_is_exact_and_gradients_pass() -> None:
    """Features become integers of 8 bits, in given units; a gradient passes as if nothing were rounded."""
    x = torch.randn(3, 4, 5, 6, requires_grad=True)
    units = 2.0 ** np.array([-6, -5, -7, -4])
    found = round_features(x, units, signed=True)
    integers = found.detach().double().numpy() / units[:, None, None]
    nearest = np.floor(x.detach().double().numpy() / units[:, None, None] + 0.5)
    assert np.array_equal(integers, nearest.clip(-128, 127))
    weight = torch.randn(7, 4, 2, 3, requires_grad=True)
    kernel = round_weights(weight, units, None)
    (found.sum() + 2 * kernel.sum()).backward()
    assert x.grad is not None
    assert weight.grad is not None
    assert (x.grad == 1).all()
    assert (weight.grad == 2).all()


def test_fine_tuning_lowers_the_cost_of_integers() -> None:
    """An overfitted model is trained on with and without rounding: the integer model is better with it."""
    data = DataSplits(train=tiny_data().train, valid=None, test=None)
    model = tiny_model(data.train, dropout=0.0, channels=12, layers=3)
    settings: dict[str, Any] = {"batch_size": 20, "condition_dropout.label": 0.0, "optimizer.ema": 0.9}
    pt.train(model, data, tiny_config(steps=300, **settings, **{"optimizer.lr": 1e-2}))
    before = weights(model)
    integer_model, cost = {}, {}
    for aware in (False, True):
        model.load_state_dict(before)
        tuned = tiny_config(steps=60, quantization_aware=aware, **settings, **{"optimizer.lr": 1e-3})
        pt.train(model, data, tuned)
        pt.quantize_integer(model, data)
        plain = pt.evaluate(model, data.train, engine="torch").bits_per_dim
        integer_model[aware] = pt.evaluate(model, data.train, engine="integer").bits_per_dim
        cost[aware] = integer_model[aware] - plain
    assert integer_model[True] < integer_model[False]
    assert cost[True] < cost[False] / 2


def test_parameters_and_states_keep_their_names(tmp_path: Path) -> None:
    """A model trained so is a model like any other: same tensors, same state of the run, no rounding afterwards."""
    data = tiny_data()
    plain = pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "plain"))
    aware = pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "aware", quantization_aware=True))
    assert weights(plain.model).keys() == weights(aware.model).keys()
    assert not equal(plain.model.backbone.output.weight, aware.model.backbone.output.weight)
    assert_same_weights(weights(pt.load(tmp_path / "aware")), weights(aware.model))
    assert pt.evaluate(aware.model, data.valid).nats == pt.evaluate(pt.load(tmp_path / "aware"), data.valid).nats
    assert "bits/dim, rounded as in the integer program" in (aware.model.card or "")
    assert "rounded" not in (plain.model.card or "")


def test_an_evaluation_during_the_training_is_rounded(tmp_path: Path) -> None:
    """The best weights are those that are best when they are rounded."""
    data = tiny_data()
    fast = {"optimizer.lr": 0.05}  # so that the weights are worth rounding after eight steps
    result = pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a", quantization_aware=True, **fast))
    with integers.quantization_aware(result.model, AWARE):
        rounded = pt.evaluate(result.model, data.valid, engine="torch").bits_per_dim
    within = network_rounding(result.model, rounded)
    assert rounded == pytest.approx(result.valid_bits_per_dim, abs=within)
    plain = pt.evaluate(result.model, data.valid, engine="torch").bits_per_dim
    assert plain != pytest.approx(result.valid_bits_per_dim, abs=within)


def test_what_cannot_be_exact_is_rejected_before_the_run(tmp_path: Path) -> None:
    """By the sentence of the integer program; and a compiled network, in which the rounding would be lost."""
    data = tiny_data()
    compiled = tiny_config(tmp_path / "a", quantization_aware=True, **{"machine.compile": True})
    with pytest.raises(pt.ConfigError, match="compile"):
        pt.train(tiny_model(data.train), data, compiled)
    huge = pt.build("pixelcnn", shape=data.train.spec, preset="tiny")
    with torch.no_grad():
        for weight in huge.parameters():
            weight.mul_(30)
    with pytest.raises(pt.EngineError, match="could overflow"):
        pt.train(huge, data, tiny_config(tmp_path / "a", quantization_aware=True))
    assert not (tmp_path / "a").exists()
