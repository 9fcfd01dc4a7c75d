"""`--quantize` and `quantize`: a quantized model is evaluated, sampled and stored as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt

from .helpers import fails, run


@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_a_stored_model_is_the_quantized_one(model: Path, pets: Path, kind: str, tmp_path: Path) -> None:
    """The folder that `quantize` writes evaluates and samples as `--quantize` on the original model."""
    found = json.loads(run("quantize", model, "--dtype", kind, "--out", tmp_path / "small", "--json").output)
    assert found["dtype"] == kind
    assert found["bytes"] == (tmp_path / "small" / "model.safetensors").stat().st_size
    assert json.loads(run("info", tmp_path / "small", "--json").output)["weights"] == kind
    assert json.loads(run("info", model, "--json").output)["weights"] == "float32"
    assert "Figures of the training were measured on the original weights" in (pt.load(tmp_path / "small").card or "")

    def bits(folder: Path, *more: str) -> float:
        return float(json.loads(run("evaluate", folder, pets, "--json", *more).output)["bits_per_dim"])

    assert bits(tmp_path / "small") == bits(model, "--quantize", kind) != bits(model)
    run("sample", tmp_path / "small", "-n", 3, "--seed", 5, "--out", "a.npz")
    run("sample", model, "-n", 3, "--seed", 5, "--quantize", kind, "--out", "b.npz")
    with np.load("a.npz") as first, np.load("b.npz") as second:
        assert all(np.array_equal(first[key], second[key]) for key in first.files)


def test_what_is_there_is_not_replaced(model: Path, tmp_path: Path) -> None:
    """Without `--force`; and only the two kinds."""
    run("quantize", model, "--out", tmp_path / "small")
    before = (tmp_path / "small" / "model.safetensors").read_bytes()
    assert "--force" in fails("quantize", model, "--dtype", "bf16", "--out", tmp_path / "small")
    assert (tmp_path / "small" / "model.safetensors").read_bytes() == before
    assert "size" in run("quantize", model, "--dtype", "bf16", "--out", tmp_path / "small", "--force").output
    assert (tmp_path / "small" / "model.safetensors").read_bytes() != before
    for command in (["quantize", model, "--out", "x", "--dtype"], ["sample", model, "--quantize"]):
        assert "int8 or bf16" in fails(*command, "int4")


def test_fine_tuned_for_its_exact_program(model: Path, pets: Path, tmp_path: Path) -> None:
    """`train --init-from` with rounding, then `quantize --integer`: a run like any other."""
    tune = ("train", pets, "--init-from", model, "--steps", 3, "--quantization-aware")
    shown = run(*tune, "--out", tmp_path / "tuned").output
    assert "weights and features rounded as in the integer program" in shown
    assert "quantization_aware = true" in (tmp_path / "tuned" / "run.toml").read_text(encoding="utf-8")
    assert pt.load(tmp_path / "tuned").state_dict().keys() == pt.load(model).state_dict().keys()
    assert pt.load(tmp_path / "tuned").why_floats() == ""
    again = ("quantize", tmp_path / "tuned", "--integer", "--data", pets, "--out", tmp_path / "exact")
    facts = json.loads(run(*again, "--json").output)
    cost = pt.load(tmp_path / "exact").integer_cost
    assert cost is not None
    assert cost.is_default
    assert facts["integers_cost"] == cost.bits_per_dim
    found = json.loads(run("evaluate", tmp_path / "exact", pets, "--engine", "integer", "--json").output)
    assert found["bits_per_dim"] > 0
    told = fails(*tune, "--compile", "--out", "no")
    assert "`--quantization-aware` (=true) cannot be used with `--compile` (=true)" in told
    assert not Path("no").exists()
