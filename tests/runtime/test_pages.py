"""The library for pages, in two engines of WebAssembly, draws the pictures of the library of this platform."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from . import matrix

RECORDS = Path(__file__).parents[2] / "docs" / "evidence" / "matrix"
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run pages in it")
WASMTIME = pytest.mark.skipif(find_spec("wasmtime") is None, reason="wasmtime (the extra `dev`) is not installed")


@pytest.mark.parametrize("engine", [pytest.param("wasmtime", marks=WASMTIME), pytest.param("node", marks=NODE)])
@pytest.mark.one_in(2)
def test_engines_of_webassembly_agree(engine: str) -> None:
    """Twelve pictures of `tests.runtime.matrix`: of every bundled model, half of them under guidance."""
    assert matrix.digest_of(engine, 12) == matrix.digest_of("auto", 12)


def test_the_records_of_the_matrix_agree() -> None:
    """Ten thousand pictures by eight implementations, of the programs that were bundled when they were drawn."""
    records = {path.stem: json.loads(path.read_text()) for path in RECORDS.glob("*.json")}
    assert {"numpy", "c-plain", *matrix.WEB, "javascript"} <= records.keys()
    drawn = [{name: (one["program"], one["pictures"]) for name, one in record.items()} for record in records.values()]
    assert all(pictures == drawn[0] for pictures in drawn)
    assert sum(len(pictures) for _, pictures in drawn[0].values()) == 7 * 15
