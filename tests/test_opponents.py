"""What needs no model: captions ranked by the pictures of similar captions, and colours that are obeyed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.data import ImageDataset
from pointillist.fidelity import rank_texts
from pointillist.images import ImageSpec
from pointillist.opponents import rank_by_neighbours

from .scripts import script


def things(names: list[str], noise: float, seed: int) -> ImageDataset:
    """Pictures 6x6 of four levels: each last word has a pattern of its own, some pixels of which are others."""
    rng = np.random.default_rng(seed)
    patterns = {word: np.random.default_rng(sum(map(ord, word))).integers(0, 4, (6, 6)) for word in WORDS}
    x = np.stack([patterns[name.split()[-1]] for name in names])
    x = np.where(rng.random(x.shape) < noise, rng.integers(0, 4, x.shape), x).astype(np.uint8)
    spec = ImageSpec(channels=1, height=6, width=6, levels=4, ordered=False)
    return ImageDataset(x[:, None], spec, texts=names)


WORDS = ("dragon", "castle", "banana", "river", "hammer", "violin")


def test_pictures_of_similar_captions_rank_captions() -> None:
    """Unseen names of known things are found; pictures that have nothing to do with their names are not."""
    train = things([f"{how} {word}" for word in WORDS for how in ("old", "small", "grey")], 0.3, 0)
    test = things([f"shiny {word}" for word in WORDS], 0.3, 1)
    found = rank_by_neighbours(train, test, candidates=6, draws=2, neighbours=3)
    assert found.top1.value > 0.9
    assert found.ranks.shape == (6, 2)
    blind = things([f"shiny {word}" for word in WORDS], 1.0, 2)
    assert rank_by_neighbours(train, blind, candidates=6, draws=2, neighbours=3).top1.value < 0.7
    with pytest.raises(pt.DataError, match="6 different captions, fewer than 9"):
        rank_by_neighbours(train, test, candidates=9)
    with pytest.raises(pt.ConfigError, match="needs images with captions"):
        rank_by_neighbours(train, ImageDataset(np.zeros((2, 1, 6, 6), np.uint8), train.spec))


def test_a_model_and_its_opponent_are_asked_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed draws the same candidates for both."""
    names = [f"{how} {word}" for word in WORDS for how in ("old", "new")]
    data = things(names, 0.1, 0)
    model = pt.build("pixelcnn", image=data.spec, channels=4, layers=1, text="learned").eval()
    asked: list[tuple[str, ...]] = []
    told = model.told
    monkeypatch.setattr(model, "told", lambda *a, **k: asked.append(tuple(a[2])) or told(*a, **k))
    rank_texts(model, data, candidates=4, draws=2, seed=3)
    theirs: list[str] = []

    def images(self: object, text: str) -> np.ndarray:
        theirs.append(text)
        return np.array([0])

    monkeypatch.setattr("pointillist.opponents._Nearest.images", images)
    rank_by_neighbours(data, data, candidates=4, draws=2, seed=3)
    assert theirs == [text for each in asked for text in each]


def test_colours_are_named_by_the_nearest() -> None:
    """Of opaque pixels alone; an almost empty picture has no colour; two words in a name are none."""
    tiles = script("measure_tiles")
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[:4, :4] = (140, 20, 20, 255)
    assert tiles.nearest_word(picture) == "red"
    picture[2:] = 0
    assert tiles.nearest_word(picture) == "red"
    picture[1:] = 0
    assert tiles.nearest_word(picture) is None
    assert tiles.asked_word("Blue dragon") == "blue"
    assert tiles.asked_word("blue and red dragon") is None
    assert tiles.asked_word("bluebird") is None
    pictures = np.zeros((3, 4, 4, 4), np.uint8)
    pictures[:2] = (10, 200, 10, 255)
    found = tiles.obeyed(pictures, ["green", "red", "green"])
    assert found == {"count": 3, "share": 1 / 3, "by_word": {"green": 0.5, "red": 0.0}}


def test_a_model_of_small_tiles_is_measured() -> None:
    """All figures of a model that paints whatever it likes, on made-up tiles; one that repeats a tile is a copier."""
    tiles = script("measure_tiles")
    palette = ((0, 0, 0, 0), (140, 20, 20, 255), (30, 90, 30, 255), (60, 60, 120, 255))
    spec = ImageSpec(channels=1, height=4, width=4, levels=4, ordered=False, mode="palette", palette=palette)
    x = np.random.default_rng(0).integers(0, 4, (12, 1, 4, 4)).astype(np.uint8)
    names = [f"{word} thing" for word in ("red", "green", "plain")] * 4
    parts = [ImageDataset(x[i : i + 6], spec, texts=names[i : i + 6]) for i in (0, 6)]
    torch.manual_seed(0)
    model = pt.build("pixelcnn", image=spec, channels=4, layers=1, text="learned").eval()
    found = tiles.measure(model, pt.DataSplits(train=parts[0], test=parts[1]))
    assert found["real tiles"]["count"] == 4
    assert found["guidance 2"]["count"] == 8 * 6 * 4
    assert 0 <= found["guidance 2"]["share"] < 0.6
    assert tiles.copies(model, torch.from_numpy(x[:6].astype(np.int64)), torch.from_numpy(x[:6].astype(np.int64))) == {
        "almost_empty": pytest.approx(np.mean((x[:6, 0] > 0).sum((1, 2)) < 8)),
        "copies": 1.0,
    }
