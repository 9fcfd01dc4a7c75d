"""Golden integer models: what a stored program computes never changes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pointillist.model.portable import load
from tests.integer_draws import draw_integers
from tests.portable.golden.make import EXPECTED, HERE, MODELS, facts


@pytest.mark.parametrize("name", MODELS)
def test_stored_programs_compute_what_they_did(name: str) -> None:
    """Compare fingerprints, intervals and draws of the files that `tests.portable.golden.make` made."""
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))
    assert facts(load(HERE / name)) == expected[name]


def test_the_interpreter_computes_the_same() -> None:
    """The files are read by numpy alone too."""
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))["gated-pixelcnn"]
    integer_model = load(HERE / "gated-pixelcnn")
    rng = np.random.default_rng(7)
    shape = (2, integer_model.image.channels, integer_model.image.height, integer_model.image.width)
    rng.integers(0, integer_model.image.levels, shape)
    drawn, _ = draw_integers(integer_model, rng.integers(0, 2**53, shape) / 2.0**53, 1, executor="numpy")
    assert " ".join(map(str, drawn.reshape(-1).tolist())) == expected["orders"][integer_model.order().name]["draws"]
