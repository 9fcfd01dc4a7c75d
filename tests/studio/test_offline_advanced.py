"""The best of several, images that tile, attributes and vectors in an exported page: the images of Python."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.studio.export.page import export_page
from tests.laws.strategies import randomise_weights
from tests.studio.helpers import decoded
from tests.studio.offline import answers

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the page")
CONDITIONS: dict[str, Any] = {"label": "dog", "attributes": {"hair": "blue"}, "vector": [0.5, -1.0]}


def saved(path: Path, shape: tuple[int, int, int] = (1, 10, 12), **settings: Any) -> Path:
    """Save a small model with its integer program."""
    torch.manual_seed(0)
    image = settings.pop("image", ImageSpec.infer(shape, 5))
    model = pt.build("gated-pixelcnn", shape=image, channels=4, layers=2, **settings)
    randomise_weights(model, scale=0.2)
    pt.quantize_integer(model, np.random.default_rng(0).integers(0, 5, (4, *shape)))
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of labels, attributes and vectors, of two orders."""
    settings = {"attributes": {"hair": ["red", "blue"], "eyes": ["green"]}, "vector": 2, "orders": "raster,raster-br"}
    return saved(tmp_path_factory.mktemp("advanced") / "model", classes=["cat", "dog"], **settings)


def images(folder: Path, tmp_path: Path, request: dict[str, Any], indices: list[int]) -> np.ndarray:
    """Images of a seed, as a page paints them."""
    conditions = {**request.pop("conditions", {})}
    vector = conditions.pop("vector", None)
    if vector is not None:
        conditions["others"] = {"vector": vector}
    samples = [{"seed": 4, "index": index, "conditions": conditions} for index in indices]
    events = answers(folder, tmp_path, "sample", {"samples": samples, **request})
    assert events[-1]["type"] == "finished", events[-1]
    return np.stack([decoded(image["levels"]) for image in events[-1]["images"]])


@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize("names", [("label",), ("attributes",), ("vector",), ("label", "attributes", "vector")])
def test_conditions_of_every_kind(folder: Path, tmp_path: Path, names: tuple[str, ...], guidance: float) -> None:
    """Alone and together; under guidance a label counts like the others, without a prompt."""
    conditions = {name: CONDITIONS[name] for name in names}
    shown = images(folder, tmp_path, {"conditions": conditions, "guidance": guidance}, [0, 2])
    expected = pt.sample(folder, 3, seed=4, guidance=guidance, engine="integer", **conditions).levels
    np.testing.assert_array_equal(shown, expected[[0, 2]])
    assert not np.array_equal(expected, pt.sample(folder, 3, seed=4, engine="integer").levels)


def test_the_best_of_several(folder: Path, tmp_path: Path) -> None:
    """With the settings of the image, and without a condition to choose by a sentence."""
    settings = {"guidance": 2.0, "temperature": 0.8}
    shown = images(folder, tmp_path, {"conditions": {"label": "dog"}, "best_of": 5, **settings}, [0, 1, 2, 3])
    expected = pt.sample(folder, 4, seed=4, label="dog", best_of=5, engine="integer", **settings)
    np.testing.assert_array_equal(shown, expected.levels)
    assert not np.array_equal(shown, pt.sample(folder, 4, seed=4, label="dog", engine="integer", **settings).levels)
    (*_, failed) = answers(folder, tmp_path, "sample", {"samples": [{"seed": 4}], "best_of": 5})
    assert "there is none: give a prompt or a label" in failed["error"]


@pytest.mark.parametrize("sides", ["x", "y", "both"])
def test_images_that_tile(folder: Path, tmp_path: Path, sides: Any) -> None:
    """By particles; the second image of a seed is that of two."""
    shown = images(folder, tmp_path, {"conditions": {"label": "cat"}, "seamless": sides}, [0, 1])
    expected = pt.sample_seamless(folder, 2, sides=sides, seed=4, label="cat").levels
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("hint", [2, "lowres:2", "outline"])
def test_a_page_names_what_it_cannot_encode(tmp_path: Path, hint: Any) -> None:
    """Numbers and small pictures as a hint, and the commands that take them; a drawn hint has a field."""
    image = ImageSpec(channels=1, height=10, width=12, levels=5, mode="grey")
    page = export_page("grey", saved(tmp_path / "model", image=image, hint=hint))
    assert ("It has no field for hint" in page) == (hint != "outline")


def test_the_best_of_several_tiles_exactly(tmp_path: Path) -> None:
    """Of a model that was trained to complete images."""
    model = saved(tmp_path / "model", classes=["cat", "dog"], known=True)
    request = {"conditions": {"label": "dog"}, "seamless": "both", "best_of": 3, "temperature": 0.9}
    shown = images(model, tmp_path, request, [0, 1])
    expected = pt.sample_seamless(model, 2, sides="both", seed=4, label="dog", best_of=3, temperature=0.9).levels
    np.testing.assert_array_equal(shown, expected)
