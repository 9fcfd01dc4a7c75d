"""An exported page has the images and bits of Python: tiles, attributes, vectors, variations, fills."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.sampling.inversion import interpolate_uniforms
from pointillist.studio.export.page import export_page, script_text
from tests.laws.strategies import randomise_weights
from tests.silence.programs import folder_of
from tests.studio.helpers import decoded, encoded
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


def test_a_model_that_completes_no_images_makes_none_tile(folder: Path, tmp_path: Path) -> None:
    (*_, failed) = answers(folder, tmp_path, "sample", {"samples": [{"seed": 4}], "seamless": "x"})
    assert "completes images by models that were trained to" in failed["error"]


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


def test_mixed_uniforms_have_the_same_bits(tmp_path: Path) -> None:
    """In the middle and far in both tails, where the approximations change, for weak and strong mixtures."""
    rng = np.random.default_rng(0)
    tails = 10.0 ** -rng.uniform(0, 307, 300)
    a = np.concatenate([rng.random(2000), tails, 1 - tails, [0.0, 0.075, 0.925, 0.5, 1 - 2**-53]])
    b = rng.permutation(a)
    strengths = [0.05, 0.3, 0.77, 1.0]
    script = tmp_path / "mix.mjs"
    script.write_text(
        f"{script_text('offline/variations.js')}\n"
        f"const a = Float64Array.from({json.dumps(a.tolist())}), b = Float64Array.from({json.dumps(b.tolist())});\n"
        'const { interpolated } = modules["offline/variations.js"];\n'
        f"console.log(JSON.stringify({strengths}.map((strength) => [...interpolated(a, b, strength)])));\n"
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    for strength, mixed in zip(strengths, json.loads(done.stdout), strict=True):
        np.testing.assert_array_equal(mixed, interpolate_uniforms(a, b, strength))


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "settings", "share"),
    [("digits", {"label": 3}, 0.3), ("digits", {"guidance": 2.0, "label": 3}, 0.5), ("dungeons", {}, 0.3)],
    ids=["digits", "guidance", "dungeons"],
)
def test_parts_are_drawn_again_as_vary_does(tmp_path: Path, name: str, settings: dict[str, Any], share: float) -> None:
    """By the exact conditional of a model that completes."""
    image = pt.sample(name, 1, seed=5, **settings).levels[0]
    label = settings.get("label")
    conditions = {} if label is None else {"label": label}
    variation = {"levels": encoded(image), "strength": share, "kind": "regions"}
    sample = {"seed": 7, "index": 2, "conditions": conditions, "variation": variation}
    request = {"samples": [sample], "guidance": settings.get("guidance", 1.0), "size": list(image.shape[1:])}
    (finished,) = [
        event for event in answers(folder_of(name), tmp_path, "sample", request) if event["type"] == "finished"
    ]
    drawn = decoded(finished["images"][0]["levels"])
    again = pt.vary(name, image, share, 1, seed=7, first=2, **settings).levels[0]
    assert not np.array_equal(again, image)
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("name", ["icons", "dungeons"])
def test_a_hole_is_filled_in_order(tmp_path: Path, name: str) -> None:
    """In generation order alone, which a model that completes images can do, too."""
    image = pt.sample(name, 1, seed=5).levels[0]
    known = np.ones(image.shape[1:], np.uint8)
    known[8:12, 8:14] = 0
    start = {"levels": encoded(image), "known": encoded(known)}
    request = {"start": start, "candidates": 3, "seed": 4, "method": "sequential", "guidance": 1.0, "temperature": 1.0}
    (result,) = answers(folder_of(name), tmp_path, "fill", request)
    drawn = {each["number"]: decoded(each["image"]["levels"]) for each in result["candidates"]}
    expected = pt.inpaint(name, image, known.astype(bool), 3, "sequential", seed=4)
    assert result["method"] == "sequential"
    for number, levels in zip(expected.numbers.tolist(), expected.levels, strict=True):
        np.testing.assert_array_equal(drawn[number], levels)
