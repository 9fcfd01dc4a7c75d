"""What measures the bundled models: codecs, recognised concepts, and how samples of scenes are judged."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from tests.scripts import script
from tests.tolerances import FORMULA, standard_errors

PALETTE = ((0, 0, 0, 0), (140, 20, 20, 255), (30, 90, 30, 255), (60, 60, 120, 255))
SPRITES = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=PALETTE)

pytestmark = [pytest.mark.slow, pytest.mark.proof]  # scripts of measurements: nothing of the package depends on them


def test_codecs_are_lossless_and_primed_ones_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form of a palette image; a set that repeats the training images costs a primed codec next to nothing."""
    codecs = script("measure_codecs")
    for needed in ("JPEG XL e7", "JPEG XL e9"):  # of the extra `codecs`
        monkeypatch.delitem(codecs.PICTURES, needed)
    monkeypatch.delitem(codecs.STREAMS, "brotli 11")
    levels = np.random.default_rng(0).integers(0, 4, (20, 1, 8, 8)).astype(np.uint8)
    rows = {(row["codec"], row["layout"]): row for row in codecs.compare(levels, levels, SPRITES)}
    assert {form for _, layout in rows for form in ("indexes", "colours") if form in layout} == {"indexes", "colours"}
    assert rows["PNG", "mosaic 8 wide, indexes"]["bits_per_dim"] > 1.9
    assert rows["xz -9e", "primed with the training images"]["bits_per_dim"] < 0.4
    assert rows["xz -9e", "the set"]["bits_per_dim"] > 1.9
    assert all(row["bits_per_dim"] == 8 * row["bytes"] / levels.size for row in rows.values())
    with pytest.raises(AssertionError, match="not lossless"):
        codecs.size(codecs.pillow("JPEG", quality=10), levels[0, 0] * 60)


def icons(sets: tuple[str, ...], split: str, seed: int) -> dict[str, np.ndarray]:
    """Three concepts, each a bright quarter of its own, with noise; the set is the level of the quarter."""
    rng = np.random.default_rng(seed)
    names = [(concept, artist) for concept in ("heart", "home", "star") for artist in sets for _ in range(8)]
    x = (rng.random((len(names), 8, 8)) < 0.1).astype(np.uint8)
    for image, (concept, artist) in zip(x, names, strict=True):
        row, column = divmod(("heart", "home", "star").index(concept), 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 2 + sets.index(artist) % 2
    columns = np.array(names)
    return {"x": x, "name": columns[:, 0], "set": columns[:, 1], "split": np.full(len(names), split)}


def test_classifiers_judge_concepts_and_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell real images of unknown artists apart; a model that knows nothing does not look like them."""
    measure = script("measure_concepts")
    monkeypatch.setattr(measure, "UNSEEN", {"icons": [("tdesign", "bi")]})
    monkeypatch.setattr(measure, "STYLES", {"icons": ("tabler", "ph")})
    monkeypatch.setattr(measure, "STEPS", {"icons": 40})  # of styles
    parts = [icons(("tabler", "ph", "tdesign", "bi"), split, seed) for seed, split in enumerate(("train", "test"))]
    data = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    image = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=True, mode="grey")
    torch.manual_seed(0)
    classes = ("tabler", "ph", "tdesign", "bi")
    model = pt.build("pixelcnn", shape=image, channels=4, layers=1, text="learned", classes=classes).eval()
    concepts = ["heart", "home", "star"]
    found, samples = measure.measure_concepts(model, data, "icons", concepts, 2, 40, seed=0)
    assert measure.frequent_names(data, 32) == concepts
    assert measure.frequent_names(data, 33) == []
    assert len(samples) == found["samples"]["count"] == 6
    assert found["real_images"] == 48
    assert found["real"] > 0.9
    assert found["samples_over_real"] == pytest.approx(found["samples"]["top1"] / found["real"])
    assert found["samples"]["top1"] < found["real"]
    assert set(found["by_concept"]) == set(concepts)
    for quick in (False, True):
        styles = measure.measure_styles(model, data, "icons", concepts, quick=quick, seed=0)
        assert styles["real"] > 0.9
        assert styles["samples"]["count"] == 6
    copied = measure.copies(model, samples, data)
    assert set(copied) == {"samples", "test"}
    assert measure.copies(model, pt.sample(model, 1, seed=0), {**data, "x": np.zeros_like(data["x"])})["test"] == 1


def test_prepared_prompts_hold_nothing_that_is_tested(tmp_path: Path) -> None:
    """No test name, synonym, plural or order of words that a benchmark tests is in the training split; mirrors are."""
    maker, measure = script("prepare_prompts"), script("measure_concepts")
    names = [*["arrow left", "leaf", "trash", "hard drive", "person"] * 30, "arrow right", *["people"] * 30]
    images = np.zeros((len(names), 4, 4), np.uint8)
    images[:, :, 0] = 1
    split = np.where(np.array(names) == "people", "test", "train")
    columns = {"set": np.full(len(names), "a"), "style": np.full(len(names), ""), "split": split}
    np.savez(tmp_path / "source.npz", x=images, name=np.array(names), **columns)
    maker.prepare(str(tmp_path / "source.npz"), str(tmp_path / "target.npz"))
    data = np.load(tmp_path / "target.npz")
    train = data["split"] == "train"
    captions = set(data["caption"][train].tolist())
    assert not captions & {"people", *(other for other, _ in measure.CONCEPTS["synonyms"]["icons"])}
    assert captions & {"rubbish", "garbage", "dustbin"}
    for name in {name for name in names if maker.is_tested(name)}:
        assert not captions & {measure.plural(name), " ".join(reversed(name.split())) if " " in name else ""}
    mirrored = train & (data["name"] == "arrow right")
    assert data["x"][mirrored][:, :, -1].any()
    assert not data["x"][train & (data["name"] == "arrow left")][:, :, -1].any()
    maker.prepare(str(tmp_path / "source.npz"), str(tmp_path / "all.npz"), everything=True)
    everything = np.load(tmp_path / "all.npz")
    assert "people" in everything["name"]
    assert set(everything["split"].tolist()) == {"train"}


SCENE = {
    "thing": "cat", "thing_colour": "black", "second": "", "second_colour": "", "count": 1, "relation": "on",
    "ground": "sofa", "ground_colour": "red", "place": "room", "time": "night",
    "caption": "a black cat on a red sofa at night", "said": "thing|thing colour|time|relation|ground|ground colour",
}  # fmt: skip


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """Load the recipe, the reader and the command."""
    names = ("drawings", "scenes", "captions", "make_scenes", "scene_reader", "measure_scenes")
    return {name: script(name) for name in names}


@pytest.fixture(scope="module")
def reader(modules: dict[str, ModuleType]) -> ModuleType:
    """The module of the reader."""
    return modules["scene_reader"]


def seen(reader: ModuleType, **changes: Any) -> dict[str, str]:
    """Return what a reader without errors sees of the scene, but for some changes."""
    result: dict[str, str] = reader.canonical(SCENE)
    return result | changes


def test_pictures_that_look_the_same_are_one(reader: ModuleType) -> None:
    """A cat left of a dog is a dog right of a cat, and "a cat and a dog"."""
    base = SCENE | {"ground": "dog", "ground_colour": "white", "relation": "left of"}
    turned = base | {
        "thing": "dog", "thing_colour": "white", "ground": "cat", "ground_colour": "black", "relation": "right of",
    }  # fmt: skip
    pair = base | {"second": "dog", "second_colour": "white", "ground": "", "ground_colour": "", "relation": ""}
    assert reader.canonical(base) == reader.canonical(turned) == reader.canonical(pair)
    assert reader.canonical(base)["relation"] == "beside"
    assert reader.canonical(base | {"relation": "right of"}) != reader.canonical(base)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, set()),
        ({"thing": "dog"}, {"thing"}),
        ({"count": "2"}, {"thing"}),
        ({"second": "dog"}, {"thing"}),
        ({"thing_colour": "red", "ground_colour": "black"}, {"thing colour", "ground colour"}),
        ({"ground": "bed"}, {"ground"}),
        ({"relation": "behind"}, {"relation"}),
        ({"time": "day"}, {"time"}),
        ({"place": "snow"}, set()),  # it is not said
    ],
)
def test_an_attribute_is_right_or_wrong(reader: ModuleType, change: dict[str, str], wrong: set[str]) -> None:
    """Every attribute that the caption says, and no other; `all` is right if each is."""
    judged = reader.judge(SCENE, seen(reader, **change))
    assert {name for name, right in judged.items() if not right} == (wrong | {"all"} if wrong else set())
    assert set(judged) == {"thing", "thing colour", "ground", "ground colour", "relation", "time", "all"}


def test_next_to_is_left_or_right(reader: ModuleType) -> None:
    """With a ground, and between two things, whose colours go with them."""
    said = "thing|thing colour|next|ground|ground colour"
    beside = SCENE | {"relation": "left of", "said": said}
    for relation, right in (("left of", True), ("right of", True), ("on", False)):
        assert reader.judge(beside, seen(reader, relation=relation))["relation"] is right
    two = beside | {"ground": "dog", "ground_colour": "white"}
    straight = reader.canonical(two)
    turned = straight | {"thing": "dog", "thing_colour": "white", "second": "cat", "second_colour": "black"}
    assert reader.judge(two, straight)["all"]
    assert reader.judge(two, turned)["all"]
    assert not reader.judge(two | {"said": said.replace("next", "relation")}, turned)["thing"]
    exchanged = turned | {"thing_colour": "black", "second_colour": "white"}
    assert not reader.judge(two, exchanged)["thing colour"]


def test_the_reader_reads(reader: ModuleType) -> None:
    """A class of each head; batches do not matter."""
    torch.manual_seed(0)
    network = reader.Reader().eval()
    levels = torch.randint(0, 64, (300, 32, 32))
    pictures = network.read(levels)
    assert len(pictures) == 300
    assert all(picture[head] in reader.HEADS[head] for picture in pictures for head in reader.HEADS)
    assert pictures[290:] == network.read(levels[290:])


@pytest.mark.parametrize("time", ["", "time|"])
def test_nats_that_a_caption_leaves_out(modules: dict[str, ModuleType], time: str) -> None:
    """Probabilities of all scenes that one caption can be of add up to 1; and those of scenes that are drawn."""
    nats, scenes, drawings = modules["measure_scenes"].unsaid_nats, modules["scenes"], modules["drawings"]
    said = SCENE | {"said": f"thing|thing colour|{time}next|ground"}
    possible = [
        said | {"place": place, "time": hour, "ground_colour": colour}
        for place in scenes.PLACES
        for hour in (("night",) if time else scenes.TIMES)
        for colour in drawings.COLOURS
        if (place, hour) != ("room", "rain")
    ]
    assert 2 * sum(np.exp(-nats(scene)) for scene in possible) == pytest.approx(1, abs=FORMULA)  # left of it, and right
    assert nats(SCENE | {"said": "thing|thing colour|place|time|relation|ground|ground colour"}) == 0
    rng, describe = np.random.default_rng(0), modules["captions"].describe
    drawn = [scene for scene in (scenes.draw_scene(rng) for _ in range(9000)) if scene.ground is None]
    quiet = [scene for scene in drawn if not {"time", "place"} & set(describe(scene, rng, "plain").said)]
    share = np.mean([(scene.place, scene.time) == ("beach", "day") for scene in quiet])
    due = np.exp(-nats(SCENE | {"said": "thing|relation|ground|ground colour", "place": "beach", "time": "day"}))
    assert abs(share - due) < standard_errors(4, due, len(quiet))


def test_words_are_exchanged(modules: dict[str, ModuleType]) -> None:
    """One word by another of its kind, or two colours by each other; the caption is never the true one."""
    measure, drawings, rng = modules["measure_scenes"], modules["drawings"], np.random.default_rng(0)
    others = measure.other_captions(SCENE, rng)
    assert others["order of colours"] == "a red cat on a black sofa at night"
    words = str(SCENE["caption"]).split()
    for kind, options in (
        ("thing", drawings.THINGS),
        ("thing colour", drawings.COLOURS),
        ("ground colour", drawings.COLOURS),
    ):
        changed = [(a, b) for a, b in zip(words, others[kind].split(), strict=True) if a != b]
        assert len(changed) == 1
        assert all(word in options for word in changed[0])
    assert others["relation"] in (
        "a black cat in front of a red sofa at night",
        "a black cat behind a red sofa at night",
    )
    left = SCENE | {"relation": "left of", "caption": "a black cat to the left of a red sofa"}
    assert measure.other_captions(left, rng)["relation"] == "a black cat to the right of a red sofa"


def test_colours_change_places() -> None:
    """Of a caption of two things, by its kind; a place names no thing, and a thing takes its colours alone."""
    exchanged, grammar = script("measure_sentences").exchanged, pt.load("scenes").measured_prompts.words.grammar
    both = exchanged(grammar, "an orange cat standing on a pink sofa at home")
    assert both == ("on, both coloured", "a pink cat standing on an orange sofa at home")
    assert exchanged(grammar, "a sofa on the left of a red car") == (
        "next to, one coloured",
        "a red sofa on the left of a car",
    )
    assert exchanged(grammar, "a frog on a pink bed") is None
    assert exchanged(grammar, "a cat in the dark") is None


def test_bits_of_words_are_compared_with_masks(modules: dict[str, ModuleType]) -> None:
    """A model whose words save a bit at each pixel of the ground has the ground's share, and of the image as much."""
    measure = modules["measure_scenes"]
    mask = np.zeros((1, 4, 4), np.uint8)
    mask[0, 2:, :] = 2  # the ground, half of the image
    mask[0, 0, 0] = 1
    words = measure.word_masks(SCENE, mask[0])
    assert {kind: (word, int(pixels.sum())) for kind, (word, pixels) in words.items()} == {
        "thing": ("cat", 1),
        "thing colour": ("black", 1),
        "ground": ("sofa", 8),
        "ground colour": ("red", 8),
    }

    class InGround:
        """Saves a bit at each pixel of the ground by each word of a caption."""

        def log_prob_map(self, x: torch.Tensor, text: list[str], label: list[str]) -> torch.Tensor:
            bits = torch.tensor([len(set(str(SCENE["caption"]).split()) & set(one.split())) for one in text])
            return np.log(2) * bits[:, None, None, None] * torch.from_numpy(mask == 2)[:, None]

    result = measure.word_pixels(InGround(), [SCENE | {"artist": "noto"}], np.zeros((1, 4, 4), np.uint8), mask)
    assert result["ground colour, left out"] == {"count": 1, "bits": 8.0, "share": 1.0, "area": 0.5, "times": 2.0}
    assert result["thing, left out"]["times"] == 0
    assert {"thing, exchanged", "thing colour, exchanged", "ground colour, exchanged"} <= set(result)
