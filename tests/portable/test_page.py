"""`docs/reference/program_format.md` is enough to read the bundled models: a reader made from it draws their images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from tests.portable.page_reader import FORMULAS, Stored
from tests.tolerances import FORMULA

ZOO = Path(pt.__file__).parent / "zoo"
HINT = np.random.default_rng(0).integers(0, 2, (12, 12), dtype=np.uint8)
CASES: dict[str, tuple[tuple[int, int], int, dict[str, Any], dict[str, Any]]] = {
    "digits": ((28, 28), 28, {"label": "3"}, {}),
    "dungeons": ((12, 10), 12, {}, {}),
    "scenes": ((32, 32), 6, {"text": "a red cat on a blue sofa"}, {"guidance": 1.25, "temperature": 0.5}),
    "icons": ((24, 24), 8, {"label": "bi"}, {"guidance": 2.0}),
    "photos": ((8, 8), 8, {}, {}),
    "photos-grey": ((8, 8), 8, {}, {}),
    "grey16": ((7, 7), 7, {}, {}),
    "outline-to-tile": ((12, 12), 12, {"label": "item", "text": "a sword", "hint": HINT[None]}, {}),
}
"""Size, rows that are drawn, conditions and settings of each bundled model."""


@pytest.mark.parametrize("name", CASES)
def test_a_reader_of_the_page_samples_and_scores(name: str) -> None:
    """The levels of a seed, and the probability of each."""
    size, rows, conditions, settings = CASES[name]
    given = {**conditions, "pixels": conditions.get("hint", [None])[0], "mask": np.ones(size, int)}
    uniforms = np.random.default_rng([5, 0]).random((Stored(ZOO / name).channels, *size))
    levels, probabilities = Stored(ZOO / name).draw(uniforms, given, rows, **settings)
    images = pt.sample(
        name, 1, seed=5, size=size, **conditions, **{"guidance": 1.0, "temperature": 1.0, **settings}
    ).levels
    assert np.array_equal(images[0, :, :rows], levels)
    scores = pt.load(name).integer_model().log_prob_map(images, **conditions)[0, :, :rows]
    np.testing.assert_allclose(scores, np.log(probabilities), rtol=FORMULA, atol=0)


def test_formulas_are_read_from_the_page() -> None:
    """Elementwise opcodes have no code in the reader; and no bundled model is left out."""
    assert CASES.keys() == {folder.parent.name for folder in ZOO.glob("*/program.json")}
    assert [name for name, formula in FORMULAS.items() if formula is not None] == [
        "ADD", "MULTIPLY", "OFFSET", "SCALE", "GATE", "RELU", "NARROW", "RESCALE", "LOOKUP", "RECTIFIED_LOOKUP",
        "COPY", "CONSTANT",
    ]  # fmt: skip
