"""Images that a function draws while a model is trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.errors import DataError

FILE = """
import numpy as np

def squares(rng):
    while True:
        size, place = int(rng.integers(1, 5)), int(rng.integers(4))
        image = np.zeros((8, 8), np.uint8)
        image[:size, place : place + size] = 255
        yield {"image": image, "caption": f"a square of {size}", "combination": f"{size} {place}"}
"""


def squares(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Draw squares by the function of the file."""
    names: dict[str, Any] = {}
    exec(FILE, names)
    yield from names["squares"](rng)


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make epochs of 64 images."""
    monkeypatch.setattr("pointillist.data.readers.sequence.EPOCH", 64)


def test_a_seed_names_a_stream() -> None:
    """Batches depend on seed and position alone, and epochs differ."""
    one, other = (pt.load_data(squares, seed=3).train for _ in range(2))
    assert one is not None
    assert other is not None
    later = [one.batch(range(64), seed=seed).levels for seed in (1, 2, 1)]
    np.testing.assert_array_equal(later[0], later[2])
    np.testing.assert_array_equal(later[1], other.batch(range(64), seed=2).levels)
    np.testing.assert_array_equal(later[1][5:9], other.subset(range(5, 9)).batch(range(4), seed=2).levels)
    assert not np.array_equal(later[0], later[1])


def test_held_out_combinations_are_never_trained_on(tmp_path: Path) -> None:
    """No epoch has a combination of the other splits; a file is read as its function is."""
    (tmp_path / "draw.py").write_text(FILE)
    splits = pt.load_data(f"{tmp_path}/draw.py:squares", valid_fraction=0.3, test_fraction=0.2)
    train, (valid, test) = splits.get("train"), (_images(splits.get(name), 0) for name in ("valid", "test"))
    seen = set.union(*(_images(train, seed) for seed in range(8)))
    assert len(seen) + len(valid) + len(test) == 16
    assert not seen & valid | seen & test | valid & test


def _images(data: Any, seed: int) -> set[bytes]:
    return {levels.tobytes() for levels in data.batch(range(len(data)), seed=seed).levels}


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    """A function that ends, fails or ignores its seed is rejected, and so is the code of a model's folder."""
    random = np.random.default_rng(0)

    def unseeded(rng: np.random.Generator) -> Iterator[np.ndarray]:
        while True:
            yield random.integers(0, 255, (8, 8)).astype(np.uint8)

    def broken(rng: np.random.Generator) -> Iterator[np.ndarray]:
        raise KeyError("red")
        yield

    def constant(rng: np.random.Generator) -> Iterator[np.ndarray]:
        return itertools.repeat(np.zeros((8, 8), np.uint8))

    for function, words in (
        (lambda rng: itertools.islice(squares(rng), 40), "ended .* early"),
        (unseeded, "different images from one seed"),
        (broken, "failed with KeyError"),
    ):
        with pytest.raises(DataError, match=words):
            pt.load_data(function)
    with pytest.raises(DataError, match="lower `valid_fraction`"):
        pt.load_data(constant, valid_fraction=0.999)
    (tmp_path / "draw.py").write_text(FILE)
    with pytest.raises(DataError, match="no function 'cats'"):
        pt.load_data(f"{tmp_path}/draw.py:cats")
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "draw.py").write_text(FILE)
    for file in ("draw.py", "scripts/draw.py"):
        with pytest.raises(DataError, match="folder of a model"):
            pt.load_data(f"{tmp_path}/{file}:squares")
