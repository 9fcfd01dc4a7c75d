"""The library for pages, in two engines of WebAssembly, draws the pictures of the library of this platform."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Constraints
from tests.golden_images import integer_model
from tests.integer_draws import draw_encoded, encoded

from . import matrix

RECORDS = Path(__file__).parents[2] / "docs" / "evidence" / "matrix"
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run pages in it")
WASMTIME = pytest.mark.skipif(find_spec("wasmtime") is None, reason="wasmtime (the extra `dev`) is not installed")


@pytest.mark.parametrize("engine", [pytest.param("wasmtime", marks=WASMTIME), pytest.param("node", marks=NODE)])
@pytest.mark.one_in(2)
def test_engines_of_webassembly_agree(engine: str) -> None:
    """Twelve pictures of `tests.runtime.matrix`: of every bundled model, half of them under guidance."""
    assert matrix.digest_of(engine, 12) == matrix.digest_of("auto", 12)


@WASMTIME
def test_webassembly_draws_by_rules() -> None:
    """The solver needs no Python: the same maps by neighbours at random and a limit."""
    from .in_wasmtime import WasmtimeProgram

    model, uniforms = integer_model("dungeons"), np.random.default_rng(3).random((2, 1, 9, 11))
    rng, levels = np.random.default_rng(5), model.image.levels
    right, down = (rng.random((levels, levels)) < 0.5 for _ in range(2))
    rules = Constraints(adjacency=np.stack([right, down, right.T, down.T]), sets=[np.arange(levels) == 1], limits=[20])
    mask = LevelMask.open(np.ones((1, 9, 11, levels), bool), 1, rules)
    assert mask.make_arc_consistent() is None
    order = model.order()
    inputs = encoded(model, 2, (9, 11), order)
    expected, _ = draw_encoded(model, uniforms, inputs, order, mask=mask.repeat(2))
    drawn = WasmtimeProgram(model.program(order)).sample_by_rules(uniforms, inputs, rules)
    assert np.array_equal(drawn, expected)
    assert right[drawn[..., :-1], drawn[..., 1:]].all()


def test_the_records_of_the_matrix_agree() -> None:
    """Ten thousand pictures by eight implementations, of the programs that were bundled when they were drawn."""
    records = {path.stem: json.loads(path.read_text()) for path in RECORDS.glob("*.json")}
    assert {"numpy", "c-plain", *matrix.WEB, "javascript"} <= records.keys()
    drawn = [{name: (one["program"], one["pictures"]) for name, one in record.items()} for record in records.values()]
    assert all(pictures == drawn[0] for pictures in drawn)
    assert sum(len(pictures) for _, pictures in drawn[0].values()) == 6 * 15
