"""The script that writes captions with colour words."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "recipes" / "zoo" / "add_colour_words.py"
COLOURS = {
    "red": (180, 30, 30), "orange": (250, 140, 20), "brown": (110, 70, 30), "yellow": (220, 210, 40),
    "green": (40, 140, 50), "blue": (50, 60, 190), "purple": (130, 50, 160), "pink": (250, 190, 200),
    "white": (240, 240, 240), "grey": (120, 120, 120), "black": (20, 20, 20),
}  # fmt: skip


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("add_colour_words", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("word", COLOURS)
def test_a_caption_gets_the_colour_of_the_opaque_pixels(script: ModuleType, word: str) -> None:
    """In its last part; the colour under transparent pixels does not count."""
    picture = np.zeros((6, 6, 4), np.uint8)
    picture[..., :3] = (0, 255, 0) if word != "green" else (255, 0, 0)
    picture[1:4, 1:5] = (*COLOURS[word], 255)
    assert script.with_colour("dragon", picture) == f"{word} dragon"
    assert script.with_colour("monster, old dragon", picture) == f"monster, {word} old dragon"
    assert script.with_colour("dragon", picture[1:4, 1:5, :3]) == f"{word} dragon"


def test_some_captions_stay(script: ModuleType) -> None:
    """An empty caption, one that names a colour, and that of an almost empty image."""
    red = np.full((4, 4, 3), (180, 30, 30), np.uint8)
    for caption in ("Blue dragon", "wall, crystal wall GREY", "", "  "):
        assert script.with_colour(caption, red) == caption
    empty = np.concatenate([red, np.zeros((4, 4, 1), np.uint8)], 2)
    empty[0, :, 3] = 255
    assert script.with_colour("dragon", empty) == "dragon"
    assert script.with_colour("a hundred bluebells", red) == "red a hundred bluebells"  # words, not letters


def test_a_copy_of_the_data_gets_captions(script: ModuleType, tmp_path: Path) -> None:
    """About 7 of 10 training captions change, in file order by seed 0; test captions and all other arrays stay."""
    count = 400
    palette = np.array([(0, 255, 0), (180, 30, 30), (50, 60, 190)], np.uint8)
    index = np.zeros((count, 4, 4), np.uint8)
    index[:, :2] = 1 + np.arange(count)[:, None, None] % 2
    arrays = {
        "palette64": palette, "index64": index, "name": np.array([f"thing{i}" for i in range(count)]),
        "subcategory": np.array(["" if i % 5 == 0 else "item" for i in range(count)]),
        "split": np.array(["test" if i % 4 == 0 else "train" for i in range(count)]),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    script.main(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "0")
    with np.load(tmp_path / "b.npz", allow_pickle=False) as found:
        assert set(found.files) == {*arrays, "caption"}
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
        captions = found["caption"].tolist()
    chosen = np.random.default_rng(0).random(count) < 0.7
    for i, caption in enumerate(captions):
        colour = ("red ", "blue ")[i % 2] if chosen[i] and i % 4 else ""
        assert caption == f"{'item, ' if i % 5 else ''}{colour}thing{i}"
    assert script.captions(arrays).tolist() != captions  # without it the background counts
    with pytest.raises(SystemExit, match="give another file"):
        script.main(str(tmp_path / "a.npz"), str(tmp_path / "a.npz"))
