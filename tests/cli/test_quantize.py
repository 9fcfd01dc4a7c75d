"""`quantize`: the integer program of a model."""

from __future__ import annotations

import json
from pathlib import Path

import pointillist as pt

from .helpers import fails, run


def test_what_is_there_is_not_replaced(model: Path, pets: Path, tmp_path: Path) -> None:
    """Without `--force`."""
    quantize = ("quantize", model, pets, "--out", tmp_path / "integer")
    run(*quantize, "--images", 2)
    before = (tmp_path / "integer" / "program.safetensors").read_bytes()
    assert "--force" in fails(*quantize)
    assert (tmp_path / "integer" / "program.safetensors").read_bytes() == before
    assert "fingerprint" in run(*quantize, "--images", 3, "--force").output
    assert (tmp_path / "integer" / "program.safetensors").read_bytes() != before


def test_fine_tuned_for_its_exact_program(model: Path, pets: Path, tmp_path: Path) -> None:
    """`train --init-from` with rounding, then `quantize`: a run like any other."""
    tune = ("train", pets, "--init-from", model, "--steps", 3, "--quantization-aware")
    shown = run(*tune, "--out", tmp_path / "tuned").output
    assert "weights and features rounded as in the integer program" in shown
    assert "quantization_aware = true" in (tmp_path / "tuned" / "run.toml").read_text(encoding="utf-8")
    assert pt.load(tmp_path / "tuned").state_dict().keys() == pt.load(model).state_dict().keys()
    assert pt.load(tmp_path / "tuned").why_floats() == ""
    facts = json.loads(run("quantize", tmp_path / "tuned", pets, "--out", tmp_path / "exact", "--json").output)
    cost = pt.load(tmp_path / "exact").integer_cost
    assert cost is not None
    assert cost.is_default
    assert facts["integers_cost"] == cost.bits_per_dim
    found = json.loads(run("evaluate", tmp_path / "exact", pets, "--engine", "integer", "--json").output)
    assert found["bits_per_dim"] > 0
    told = fails(*tune, "--compile", "--out", "no")
    assert "`--quantization-aware` (=true) cannot be used with `--compile` (=true)" in told
    assert not Path("no").exists()
