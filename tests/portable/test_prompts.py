"""Prompts without torch: the features of stored encoders in numpy, and samples by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.files.arrays import PROGRAM_TENSORS
from pointillist.model.portable import load, save
from tests.integer_draws import encoded
from tests.scripts import script

PROMPTS = ["a red dragon", "", "  ", "Heart, outline", "!"]


@pytest.fixture(scope="module")
def model() -> pt.PixelModel:
    """A model of prompts and labels, with its integer model."""
    torch.manual_seed(0)
    built = pt.build(
        "gated-pixelcnn", shape=(1, 6, 5), levels=4, preset="tiny", classes=("cat", "dog"), text="use+learned",
        orders=("raster", "raster-tr"), position_channels=2,
    )  # fmt: skip
    pt.quantize_integer(built.eval(), torch.randint(0, 4, (3, 1, 6, 5)))
    return built


def test_features_are_those_of_torch(model: pt.PixelModel, tmp_path: Path) -> None:
    """The integers of prompts, stored and loaded, differ by rounding at most; those without words are unknown."""
    save(model.integer_model(), tmp_path)
    stored = load(tmp_path)
    for name in stored.orders:
        order = stored.order(name)
        inputs = model.conditions.inputs([0, 1, None, 1, 0], len(PROMPTS), PROMPTS)
        due = model.integer_model().encode(inputs, len(PROMPTS), (6, 5), order)
        found = encoded(stored, len(PROMPTS), (6, 5), order, [0, 1, None, 1, 0], PROMPTS)
        assert found.keys() == due.keys() == {"vector", "map"}
        assert np.array_equal(found["map"], due["map"])
        assert np.abs(found["vector"] - due["vector"]).max() <= 1
        silent = encoded(stored, 1, (6, 5), order, [1])["vector"][0]
        assert np.array_equal(found["vector"][1], silent)


def test_int8_weights_stay_int8(tmp_path: Path) -> None:
    """An encoder of a bundled model takes a quarter of the bytes; its matrices are those of the model to the bit."""
    sizes, weights = {}, script("int8_weights")
    built = weights.round_weights(pt.build("pixelcnn", shape=(1, 3, 3), levels=2, preset="tiny", text="learned").eval())
    stored = pt.quantize_integer(built, torch.zeros(1, 1, 3, 3, dtype=torch.int64))
    for kind, integers in {"float32": stored, "int8": weights.pack_encoders(stored)}.items():
        save(integers, tmp_path / kind)
        sizes[kind] = (tmp_path / kind / PROGRAM_TENSORS).stat().st_size
        encoder = next(p.encoder for p in load(tmp_path / kind).parts[0] if p.encoder is not None)
        weight = built.state_dict()["conditions.words.embedding.weight"]
        assert np.array_equal(encoder.weights["embedding.weight"], weight.numpy())
    assert sizes["int8"] < sizes["float32"] - 700_000
