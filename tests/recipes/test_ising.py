"""The recipe `recipes/ising`: exact answers, the cluster algorithm, and the notebook that shows its functions."""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.tolerances import DOUBLE

ROOT = Path(__file__).parents[2]
SIDE = 4
ERRORS = 4.5
"""Standard errors that a mean of independent samples may be off: exceeded once in 150,000 tests."""


@pytest.fixture(scope="module")
def ising() -> ModuleType:
    """Load the recipe's script."""
    spec = importlib.util.spec_from_file_location("ising_recipe", ROOT / "recipes" / "ising" / "ising.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("beta", [0.1, 0.3, math.log(1 + math.sqrt(2)) / 2, 0.5, 0.9])
def test_kaufman(ising: ModuleType, beta: float) -> None:
    """The formula is the sum over all states, below, at and above the critical temperature."""
    energy = ising.energy(ising.enumerate_states(SIDE))
    log_z = np.logaddexp.reduce(-beta * energy)
    p = np.exp(-beta * energy - log_z)
    mean = p @ energy
    by_sum = [-log_z / beta, mean, beta**2 * (p @ (energy - mean) ** 2)]
    assert [SIDE**2 * value for value in ising.kaufman(SIDE, beta).values()] == pytest.approx(by_sum, rel=DOUBLE)


def test_folding(ising: ModuleType) -> None:
    """A state comes back; neighbours on the torus share a pixel or lie in neighbouring ones."""
    states = ising.enumerate_states(SIDE)[::97]
    np.testing.assert_array_equal(ising.unfold(ising.fold(states)), states)
    side = 8
    single = (2 * np.eye(side * side, dtype=np.int8) - 1).reshape(-1, side, side)
    pixel = np.array([np.argwhere(levels)[0] for levels in ising.fold(single)]).reshape(side, side, 2)
    for axis in (0, 1):
        assert abs(pixel - np.roll(pixel, 1, axis)).max() == 1


def test_wolff_and_weights(ising: ModuleType) -> None:
    """States of the cluster algorithm have the exact means, and so have uniform states with their weights."""
    beta, exact = 0.3, ising.kaufman(SIDE, 0.3)
    drawn = ising.wolff(SIDE, beta, 20_000, 8, 0)
    uniform = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (200_000, SIDE, SIDE))
    of_uniform = -beta * ising.energy(uniform) + SIDE**2 * math.log(2)
    for estimates in (
        {**ising.weighted(drawn, np.zeros(len(drawn)), beta), "free energy": (exact["free energy"], 1.0)},
        ising.weighted(uniform, of_uniform, beta),
    ):
        for name, value in exact.items():
            assert abs(estimates[name][0] - value) < ERRORS * estimates[name][1], name


def test_the_notebook_shows_the_recipe(ising: ModuleType) -> None:
    """Its functions are those of the recipe, word for word."""
    notebook = json.loads((ROOT / "docs" / "tutorial" / "known_answers.ipynb").read_text(encoding="utf-8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    names = ("wolff", "fold", "unfold", "energy", "log_partition", "kaufman", "enumerate_states", "weighted")
    for name in (*names, "log_mean_exp", "log_likelihood"):
        function = getattr(ising, name)
        assert inspect.getsource(getattr(function, "py_func", function)).strip() in text, name


def test_the_notebook_has_the_measured_figures() -> None:
    """Its table is that of `docs/evidence/known_answers.json`, and the exact values are those of the formula."""
    measured = json.loads((ROOT / "docs" / "evidence" / "known_answers.json").read_text(encoding="utf-8"))
    notebook = json.loads((ROOT / "docs" / "tutorial" / "known_answers.ipynb").read_text(encoding="utf-8"))
    text = "".join(notebook["cells"][-1]["source"])
    for side, run in measured.items():
        assert f"{run['effective_sample_size']:.3f} of {run['samples']:,} on {side}x{side}" in text
        for name in ("free energy", "energy", "specific heat", "magnetisation"):
            row = next(line for line in text.splitlines() if line.startswith(f"| {side}x{side} | {name} |"))
            assert f"{run[name]['estimate']:+.6f} | {run[name]['error']:.6f} |" in row
            assert f"{run[name].get('kaufman', run[name].get('wolff')):+.6f}" in row


def test_the_measured_figures_stand_beside_the_formula(ising: ModuleType) -> None:
    """The values in the file are Kaufman's, and the free energy is inside its interval."""
    measured = json.loads((ROOT / "docs" / "evidence" / "known_answers.json").read_text(encoding="utf-8"))
    for side, run in measured.items():
        for name, value in ising.kaufman(int(side)).items():
            assert run[name]["kaufman"] == pytest.approx(value, rel=DOUBLE)
        low, high = run["free energy"]["interval_95"]
        assert low < run["free energy"]["kaufman"] < high
