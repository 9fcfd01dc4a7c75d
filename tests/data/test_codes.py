"""Codes of up to 65,535 levels: trained, scored, sampled by every engine, explained, and written without loss."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt
from pointillist.data import load_data
from tests.cli.helpers import run
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding

LEVELS = 65_535


@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of codes, trained for two steps."""
    folder = tmp_path_factory.mktemp("codes")
    codes = np.random.default_rng(0).integers(0, LEVELS, (24, 3, 5)).astype(np.uint16)
    codes[0, 0, 0] = LEVELS - 1
    np.savez(folder / "codes.npz", x=codes)
    options = {"mode": "codes", "source": str(folder / "codes.npz")}
    model = {"type": "pixelcnn", "preset": "tiny", "network": {"channels": 8, "layers": 2, "head_channels": 8}}
    train = {"steps": 2, "batch_size": 4, "out": str(folder / "run")}
    pt.train_from_config({"model": model, "data": options, "train": train})
    return folder


def test_the_likelihood_has_two_factors(folder: Path) -> None:
    model = pt.load(folder / "run")
    assert model.image.levels == LEVELS
    assert model.likelihood.name == "factored"
    assert model.num_parameters() < 1_300_000  # most of them embed the levels
    x = load_data(folder / "codes.npz", spec=model.image).get("train").batch([0, 1]).levels
    nats = model.log_prob_map(x)
    whole = model.log_prob(x)
    assert_close(nats.flatten(1).sum(1), whole, rtol=0, atol=network_rounding(model, whole))


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_engines_draw_the_same_codes(folder: Path, temperature: float) -> None:
    model = pt.load(folder / "run")
    found = {e: pt.sample(model, 2, seed=3, engine=e, temperature=temperature) for e in ("torch", "numpy", "naive")}
    for samples in found.values():
        assert equal(samples.levels, found["naive"].levels)
        nats = model.log_prob(samples.levels).double()
        assert_close(samples.nats, nats, rtol=0, atol=network_rounding(model, nats))


def test_codes_pass_from_command_to_command(folder: Path, tmp_path: Path) -> None:
    """`sample` writes an archive of 16-bit codes, `evaluate` and `explain` read it, `info` names the levels."""
    model, out = str(folder / "run"), tmp_path / "out.npz"
    sampled = json.loads(run("sample", model, "-n", "3", "--seed", "0", "--out", str(out), "--json").stdout)
    with np.load(out) as archive:
        assert archive["levels"].dtype == np.uint16
    evaluated = json.loads(run("evaluate", model, str(out), "--json").stdout)
    within = network_rounding(pt.load(model), sampled["bits_per_dim"])
    assert evaluated["bits_per_dim"] == pytest.approx(sampled["bits_per_dim"], abs=within)
    explained = run("explain", model, str(out), "--index", "0", "--out", str(tmp_path / "a.html"), "--json").stdout
    assert json.loads(explained)["bits_per_dim"] > 1
    assert "65,535 unordered levels" in run("info", model).stdout
