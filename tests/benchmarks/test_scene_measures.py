"""How samples of scenes are judged: `benchmarks/scene_reader.py` and `benchmarks/measure_scenes.py`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.scripts import script
from tests.tolerances import FORMULA, standard_errors

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


def test_colours_of_drawings_are_not_read(reader: ModuleType) -> None:
    """A green frog has the only colour that frogs have."""
    frog = SCENE | {"thing": "frog", "thing_colour": "green"}
    assert reader.canonical(frog)["thing_colour"] == ""
    assert int(reader.to_classes([frog])["thing_colour"]) == reader.SILENT
    assert int(reader.to_classes([SCENE])["thing_colour"]) == list(reader.COLOURS).index("black")


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


def test_what_cannot_be_judged(reader: ModuleType) -> None:
    """A caption that leaves out the thing, or what it is on."""
    assert reader.can_be_judged(SCENE)
    assert not reader.can_be_judged(SCENE | {"said": "ground|relation"})
    assert not reader.can_be_judged(SCENE | {"said": "thing"})


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


def test_exchanged_colours_are_counted(modules: dict[str, ModuleType]) -> None:
    """Only where both colours are said and differ."""
    reader, measure = modules["scene_reader"], modules["measure_scenes"]
    same = SCENE | {"thing_colour": "red"}
    turned = seen(reader, thing_colour="red", ground_colour="black")
    assert measure.exchanged([SCENE, SCENE, same], [turned, seen(reader), turned]) == {"count": 2, "share": 0.5}


def test_copies_are_equal_in_every_pixel(modules: dict[str, ModuleType]) -> None:
    """One level more is no copy; the type of the numbers does not matter."""
    train = np.zeros((2, 4, 4), np.uint8)
    near = np.zeros((2, 4, 4), np.int64)
    near[1, 3, 3] = 1
    assert modules["measure_scenes"].copies(train, train[:1], near) == {"real": 1.0, "sampled": 0.5}


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
