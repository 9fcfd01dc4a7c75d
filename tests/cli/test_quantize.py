"""`quantize`: the integer program of a model."""

from __future__ import annotations

from pathlib import Path

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
