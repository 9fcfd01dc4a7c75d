"""The recipe `recipes/scenes`: drawings, scenes, masks, captions, and what is held out."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from pointillist.commands.cli.app import app
from pointillist.files.arrays import PROMPTS
from pointillist.model.folder.generation import MeasuredPrompts
from pointillist.zoo import ZOO
from tests.scripts import script
from tests.tolerances import standard_errors

NAMES = ("drawings", "scenes", "captions", "grammar", "make_scenes")


@pytest.fixture(scope="module")
def recipe() -> dict[str, ModuleType]:
    """Load the files of the recipe, in the order of their imports."""
    return {name: script(name) for name in NAMES}


@pytest.fixture(scope="module")
def blocks(recipe: dict[str, ModuleType]) -> object:
    """Drawings of the right sizes that are shaded blocks of a colour: the data set is not needed."""
    drawings, rgba, rng = recipe["drawings"], {}, np.random.default_rng(0)

    def block_of(colour: str, height: int, width: int) -> np.ndarray:
        shade = rng.uniform(0.7, 1, (height, width, 1))
        rgb = drawings.to_rgb(np.array(drawings.COLOURS[colour or "red"])) * shade
        return np.concatenate([rgb, np.full_like(shade, 255)], -1).astype(np.uint8)

    for artist in drawings.ARTISTS:
        for colour in ("", *drawings.COLOURS):
            for thing in drawings.THINGS:
                rgba[artist, thing, colour] = block_of(colour, drawings.SIZE, drawings.SIZE - 2)
            for ground, about in drawings.GROUNDS.items():
                rgba[artist, ground, colour] = block_of(colour, about.size[1], about.size[0])
    return drawings.Drawings(rgba)


@pytest.fixture(scope="module")
def real(recipe: dict[str, ModuleType]) -> object:
    """The drawings of the data set."""
    drawings = recipe["drawings"]
    if not drawings.data_file().is_file():
        pytest.skip(f"{drawings.data_file().name} is not here: set POINTILLIST_DATA to the folder of the data sets")
    return drawings.Drawings.read()


def test_colours_come_back(recipe: dict[str, ModuleType]) -> None:
    """Hue, saturation and value of every colour are those of its RGB, within a level."""
    drawings = recipe["drawings"]
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    assert abs(drawings.to_rgb(drawings.to_hsv(rgb)).astype(int) - rgb).max() <= 1


def test_drawings(recipe: dict[str, ModuleType], real: object) -> None:
    """Every thing of every artist fits its size, and is seen; other colours are other pixels of one outline."""
    drawings = recipe["drawings"]
    for artist in drawings.ARTISTS:
        for name in (*drawings.THINGS, *drawings.GROUNDS):
            width, height = drawings.GROUNDS[name].size if name in drawings.GROUNDS else (drawings.SIZE, drawings.SIZE)
            red, blue = (
                real[artist, name, colour if name in (*drawings.RECOLOURED, *drawings.GROUNDS) else ""]  # type: ignore[index]
                for colour in ("red", "blue")
            )
            assert red.shape[0] <= height
            assert red.shape[1] <= width
            assert max(red.shape[0] / height, red.shape[1] / width) > 0.75
            assert (red >= 0).mean() > 0.2
            assert np.array_equal(red < 0, blue < 0)
            if name in drawings.RECOLOURED or name in drawings.GROUNDS:
                assert (red != blue)[red >= 0].mean() > 0.25


def test_the_palette_keeps_the_colours_of_places(recipe: dict[str, ModuleType], real: object) -> None:
    """They are its first entries; there are at most 64."""
    drawings = recipe["drawings"]
    palette = real.palette  # type: ignore[attr-defined]
    assert palette.shape == (64, 3)
    for name, rgb in drawings.BACKGROUND.items():
        assert tuple(palette[real.index(name)]) == rgb  # type: ignore[attr-defined]


def test_masks_are_where_items_are(recipe: dict[str, ModuleType], blocks: object) -> None:
    """Each item is seen, at its side; what is in front hides what is behind; pixels without an item are the place."""
    scenes, drawings, rng = recipe["scenes"], recipe["drawings"], np.random.default_rng(0)
    painter, seen = scenes.Painter(blocks), Counter()
    for _ in range(1500):
        scene = scenes.draw_scene(rng)
        picture = painter.paint(scene)
        numbers = np.arange(1, len(scene.items) + 1)
        areas = [(picture.mask == i).sum() for i in numbers]
        assert min(areas) >= 20, scene
        assert picture.mask.max() == len(numbers)
        rows, columns = zip(*(np.argwhere(picture.mask == i).mean(0) for i in numbers), strict=True)
        if scene.relation in ("left of", "right of"):
            assert (columns[0] < columns[-1]) == (scene.relation == "left of")
        if scene.relation == "on" and scene.ground.name != "boat":  # in it
            assert max(rows[:-1]) < rows[-1]
        if scene.relation in ("under", "in front of"):
            assert rows[0] > rows[-1]
        if scene.relation == "behind":
            assert areas[0] < drawings.SIZE * (drawings.SIZE - 2)
        background = painter._places[scene.place, scene.time]
        changed = (picture.levels != background) & (picture.mask == 0)
        assert changed.sum() <= 3 * 32
        assert not changed[: scenes.FAR + 1].any()
        assert np.array_equal(painter.paint(scene).levels, picture.levels)
        seen[scene.relation] += 1
    assert set(seen) == {"", "on", "under", "in front of", "behind", "left of", "right of"}


def test_scenes_depend_on_the_seed_alone(recipe: dict[str, ModuleType]) -> None:
    """One generator gives one sequence; things are drawn in the colours that they can have."""
    scenes, drawings = recipe["scenes"], recipe["drawings"]
    first, second = ([scenes.draw_scene(np.random.default_rng(seed)) for seed in range(300)] for _ in range(2))
    assert first == second
    for item in (item for scene in first for item in scene.items):
        if item.name in drawings.THINGS and item.name not in drawings.RECOLOURED:
            assert item.colour in ("", drawings.OWN_COLOURS.get(item.name))


def test_captions_say_what_they_claim(recipe: dict[str, ModuleType]) -> None:
    """A colour, a ground, a place that is said is in the sentence by one of its words, and none that is not true."""
    captions, scenes, drawings = recipe["captions"], recipe["scenes"], recipe["drawings"]
    rng, forms = np.random.default_rng(0), Counter()
    for _ in range(3000):
        scene = scenes.draw_scene(rng)
        text, said = captions.describe(scene, rng)
        words = f" {text.replace(',', '')} "
        forms[text.split()[0]] += 1
        named = {colour for colour in drawings.COLOURS if f" {colour} " in words}
        true = {item.colour for item in scene.items}
        assert named <= true, text
        for key, item in (("thing colour", scene.things[0]), ("ground colour", scene.ground)):
            if key in said and item is not None and item.colour:
                assert item.colour in named, text
        if "ground" in said:
            name = scene.ground.name
            assert any(word in text for word in (name, *captions.SYNONYMS.get(name, ()))), text
        for key, table, value in (("place", captions.PLACE, scene.place), ("time", captions.TIME, scene.time)):
            assert (key in said) == any(phrase in text for phrase in table[value]), text
        if "relation" in said and scene.relation in ("left of", "right of"):
            assert scene.relation.split()[0] in text
            assert "next" not in said
    assert len(forms) > 20


def test_plurals_and_articles(recipe: dict[str, ModuleType]) -> None:
    """Of words of the set."""
    captions = recipe["captions"]
    assert [captions.plural(word) for word in ("cat", "fox", "kitty", "fish", "octopus")] == [
        "cats", "foxes", "kitties", "fish", "octopuses",
    ]  # fmt: skip
    assert captions.article("orange cat") == "an orange cat"
    assert captions.article("red cat") == "a red cat"


def test_what_is_held_out(recipe: dict[str, ModuleType], blocks: object) -> None:
    """No training scene has a triple, a relation or a form of the test split; a red sofa under a cat is one."""
    make, scenes = recipe["make_scenes"], recipe["scenes"]
    drawings = recipe["drawings"]
    item = scenes.Item
    cat = scenes.Scene((item("cat", "black"),), 1, "on", item("sofa", "red"), "room", "day", "noto")
    assert make.held_triple(cat) == "test"
    everything = [
        (thing, colour, ground)
        for thing in drawings.THINGS
        for colour in drawings.COLOURS
        for ground in drawings.GROUNDS
    ]
    shares = Counter(
        make.held_triple(scenes.Scene((item(a),), 1, "on", item(c, b), "room", "day", "noto")) for a, b, c in everything
    )
    for split, share in (("test", 0.1), ("valid", 0.05)):
        within = standard_errors(3, share, len(everything))
        assert shares[split] / len(everything) == pytest.approx(share, abs=within), split
    painter = scenes.Painter(blocks)
    rows = {
        split: make.draw_rows(painter, split, wanted)
        for split, wanted in {
            "train": {"": 600},
            "valid": {"valid": 20},
            "test": {"triple": 60, "relation": 20, "form": 20},
        }.items()
    }
    table = {split: make.columns(part) for split, part in rows.items()}

    def combinations(split: str, *names: str) -> set[tuple[str, ...]]:
        columns = [table[split][name].tolist() for name in names]
        return {values for values in zip(*columns, strict=True) if values[-1] in drawings.GROUNDS}

    names = ("thing", "ground_colour", "ground")
    held = table["test"]["held"] == "triple"
    assert Counter(table["test"]["held"].tolist()) == {"triple": 60, "relation": 20, "form": 20}
    assert not combinations("train", *names) & combinations("valid", *names)
    assert held.sum() == 60
    assert all(make.held_triple(scene) == "" for _, _, scene, _, _ in rows["train"])
    assert not any(make.held_relation(scene) for _, _, scene, _, _ in rows["train"])
    assert all(make.held_relation(scene) for _, _, scene, _, why in rows["test"] if why == "relation")
    assert table["train"]["x"].max() < 64
    again, other = (
        [scene for _, _, scene, _, _ in make.draw_rows(painter, "train", {"": 50}, part)] for part in (1, 2)
    )
    assert again == [scene for _, _, scene, _, _ in rows["train"][:50]] != other
    mix = make.Mix(skipped=1.0, coloured=1.0, on=1.0, kinds={"relation": 0.5, "pair": 0.5})
    mixed = [scene for _, _, scene, _, _ in make.draw_rows(painter, "train", {"": 50}, mix=mix)]
    assert all({item.name for item in scene.items} & set(drawings.RECOLOURED) for scene in mixed)
    assert all(item.colour for scene in mixed for item in scene.items if item.name in drawings.RECOLOURED)
    assert {len(scene.things) for scene in mixed if scene.ground is None} == {2}
    assert {scene.ground.name for scene in mixed if scene.relation not in ("", "on")} <= {"tree"}
    (one,) = {scene.artist for _, _, scene, _, _ in make.draw_rows(painter, "valid", {"valid": 20}, artists=["fluent"])}
    assert one == "fluent"


def test_words_are_of_a_kind(recipe: dict[str, ModuleType], tmp_path: Path) -> None:
    """The words of all captions but articles and verbs; those of the file of a model make sentences."""
    captions, rng = recipe["captions"], np.random.default_rng(0)
    known = {word for words in captions.word_kinds().values() for phrase in words for word in phrase.split()}
    drawn = [captions.describe(recipe["scenes"].draw_scene(rng), rng).text for _ in range(500)]
    assert {word for text in drawn for word in text.replace(",", "").split()} - known <= {"an", "it", "the", "a"}
    recipe["make_scenes"].write_words(tmp_path / PROMPTS)
    words = MeasuredPrompts.read(tmp_path).words
    kinds = ["colour", "thing", "relation", "colour", "support", "place", "time"]
    assert re.findall(r"{(\w+)", words.sentence) == kinds
    assert {"cat", "sofa", "house"} <= words.grammar.names


def test_the_readme_paints_sentences_that_nobody_chose(recipe: dict[str, ModuleType]) -> None:
    """The first captions of held-out combinations, which its picture shows."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (prompts,) = re.findall(r'^pointillist sample scenes --text "(.+?)" -n 4 --seed 1', readme, re.MULTILINE)
    sentences = recipe["make_scenes"].held_out_captions(script("make_pictures").SENTENCES)
    assert prompts.split("; ") == sentences[:4]
    assert len(sentences) == 12


def test_the_bundled_model_has_the_words_of_the_recipe(recipe: dict[str, ModuleType]) -> None:
    """The words that are clicked in the studio, and that `info --prompts` lists by kind."""
    words = MeasuredPrompts.read(ZOO / "scenes").words
    captions = recipe["captions"]
    assert {kind: list(of_kind) for kind, of_kind in words.kinds.items()} == captions.word_kinds()
    assert words.sentence == captions.SENTENCE
    listed = CliRunner().invoke(app, ["info", "scenes", "--prompts"]).stdout.splitlines()
    assert listed == [f"{kind}: {', '.join(of_kind)}" for kind, of_kind in words.kinds.items()]


def test_the_grammar_covers_the_captions(recipe: dict[str, ModuleType]) -> None:
    """Each caption of the generator is sampled as typed; the bundled model has this grammar."""
    words = MeasuredPrompts.read(ZOO / "scenes").words
    assert words.grammar.model_dump(mode="json") == recipe["grammar"].grammar()
    rng = np.random.default_rng(0)
    for _ in range(300):
        caption = recipe["captions"].describe(recipe["scenes"].draw_scene(rng), rng).text
        assert words.grammar.parse(caption) == (caption, "")


def test_scenes_without_end() -> None:
    """A seed names a stream of pictures in the palette and sentences whose words the grammar lists."""
    script("drawings"), script("scenes"), script("captions")
    endless = script("endless")
    if not endless.data_file().exists():
        pytest.skip("needs the drawings of emoji_sets32.npz")
    first, again = (list(islice(endless.scenes(np.random.default_rng(5)), 200)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one["caption"] == other["caption"]
        np.testing.assert_array_equal(one["image"], other["image"])
    grammar = endless.grammar()
    known = {word for words in grammar["words"].values() for phrase in words for word in phrase.split()}
    known |= {"a", "an", "the", "is", "are", "there", "and", "with", "it", "both", "riding", "over", "above", "sat"}
    assert {word.strip(",") for one in first for word in one["caption"].split()} <= known
    assert len({one["combination"] for one in first}) > 150
