"""`--weights` and `compact`: a rounded model scores, paints and is stored as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt

from .helpers import fails, run


@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_a_compact_model_is_the_rounded_one(model: Path, pets: Path, kind: str, tmp_path: Path) -> None:
    """The folder that `compact` writes scores and paints as `--weights` on the model it was made of."""
    said = json.loads(run("compact", model, "--weights", kind, "--out", tmp_path / "small", "--json").output)
    assert said["weights"] == kind
    assert said["bytes"] == (tmp_path / "small" / "model.safetensors").stat().st_size
    assert json.loads(run("info", tmp_path / "small", "--json").output)["weights"] == kind
    assert json.loads(run("info", model, "--json").output)["weights"] == "float32"
    assert "Figures of the training are those of the weights before" in (pt.load(tmp_path / "small").card or "")

    def bits(folder: Path, *more: str) -> float:
        return float(json.loads(run("evaluate", folder, pets, "--json", *more).output)["bits_per_dim"])

    assert bits(tmp_path / "small") == bits(model, "--weights", kind) != bits(model)
    run("sample", tmp_path / "small", "-n", 3, "--seed", 5, "--out", "a.npz")
    run("sample", model, "-n", 3, "--seed", 5, "--weights", kind, "--out", "b.npz")
    with np.load("a.npz") as first, np.load("b.npz") as second:
        assert all(np.array_equal(first[key], second[key]) for key in first.files)


def test_what_is_there_is_not_replaced(model: Path, tmp_path: Path) -> None:
    """Without `--force`; and only the two kinds there are."""
    run("compact", model, "--out", tmp_path / "small")
    before = (tmp_path / "small" / "model.safetensors").read_bytes()
    assert "--force" in fails("compact", model, "--weights", "bf16", "--out", tmp_path / "small")
    assert (tmp_path / "small" / "model.safetensors").read_bytes() == before
    assert "size" in run("compact", model, "--weights", "bf16", "--out", tmp_path / "small", "--force").output
    assert (tmp_path / "small" / "model.safetensors").read_bytes() != before
    for command in (["compact", model, "--out", "x"], ["sample", model]):
        assert "quantized to int8 or bf16" in fails(*command, "--weights", "int4")
