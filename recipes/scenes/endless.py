"""Scenes without end: 84 things in three drawings each, two directions, two sizes and ten colours, with a sentence.

    pointillist train --config recipes/scenes/endless.toml --out runs/scenes   # the file is run
    python recipes/scenes/endless.py sheet.png       # 64 scenes, and their sentences on stdout
    python recipes/scenes/endless.py grammar.json    # the grammar of the sentences

The drawings are those of `emoji_sets32.npz` (npm @iconify/json 2.2.535): Noto and Noto of 2013 (Google, Apache-2.0),
Fluent flat (Microsoft, MIT). What a sentence leaves out is left to chance: the set of drawings, directions, sizes, a
shift, colours, relation, place, time. A thing has at most six colours, and shifts are multiples of four pixels, as a
pixel of the coarsest grid of the network is, so that there is less to learn by heart.

The bundled model `scenes` does not come from here yet, but from the nine parts of `scenes.toml`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from captions import ASKED, PLACE, PLURALS, SYNONYMS, TIME, article, plural
from drawings import (
    ARTISTS,
    CLEAR,
    COLOURS,
    GROUNDS,
    THINGS,
    Drawings,
    cropped,
    data_file,
    painted,
    recolour,
    shrunk,
    to_hsv,
)
from numpy.typing import NDArray
from PIL import Image
from scenes import PLACES, TIMES, Painter

MOST_LEVELS = 6
SHIFTS, FLOORS = (-4, 0, 4), (26, 30)
MORE = (
    "goat", "chicken", "rooster", "mouse", "lion", "giraffe", "camel", "deer", "whale", "dolphin", "shark",
    "lizard", "snake", "dragon", "ant", "spider", "scorpion", "zebra", "hedgehog", "bat", "wolf", "koala",
    "hamster", "crocodile", "lemon", "pear", "peach", "carrot", "tomato", "pizza", "hamburger", "doughnut",
    "umbrella", "key", "bell", "camera", "rocket", "bus", "snowman", "parrot", "unicorn",
)  # fmt: skip
NAMES = {**THINGS, **{name: name for name in MORE}, "train": "train"}
SIZES = {"small": 9, "big": 13}
ALSO = {"small": ("little", "tiny"), "big": ("large", "huge"), "doughnut": ("donut",), "hamburger": ("burger",)}
ALL_SYNONYMS = {**SYNONYMS, **ALSO}
VERBS = ("", "", "", "sitting", "standing", "resting", "perched", "lying")
RELATIONS = {
    "on": ("on", "on", "on top of", "upon"),
    "under": ("under", "below", "beneath", "underneath"),
    "in front of": ("in front of", "before"),
    "behind": ("behind", "in back of"),
    "left of": ("left of", "to the left of", "on the left of"),
    "right of": ("right of", "to the right of", "on the right of"),
}
INVERSE = {"on": ("under", "below"), "under": ("over", "above"), "in front of": ("behind",), "behind": ("in front of",)}
INVERSE |= {"left of": ("right of", "to the right of"), "right of": ("left of", "to the left of")}
NEXT = ("next to", "beside", "by", "near")
RIDDEN = ("car", "boat")
NUMBERS = {2: ("two", "2", "a pair of"), 3: ("three", "3")}


class Thing(NamedTuple):
    """A drawn thing: its name, colour ("" for that of its drawing), size and direction."""

    name: str
    colour: str
    size: str
    mirrored: bool


@cache
def drawings() -> tuple[Drawings, Painter, dict[tuple[str, str], NDArray[np.uint8]]]:
    """Read the palette, the places and the emoji."""
    base = Drawings.read()
    with np.load(data_file(), allow_pickle=False) as file:
        rgba, names, sets = (file[name] for name in ("rgba", "name", "set"))
    rows = {key: rgba[i] for i, key in enumerate(zip(sets.tolist(), names.tolist(), strict=True))}
    emoji = {
        (style, name): rows.get((source, of), rows.get(("noto", of)))
        for style, source in ARTISTS.items()
        for name, of in NAMES.items()
    }
    return base, Painter(base), emoji


@cache
def sprite(style: str, thing: Thing) -> NDArray[np.int16]:
    """Return palette indices of a thing, -1 where it is transparent."""
    base, _, emoji = drawings()
    if thing.name in GROUNDS:
        levels = base[style, thing.name, thing.colour]
    else:
        pixels = shrunk(cropped(emoji[style, thing.name]), (SIZES[thing.size], SIZES[thing.size]))
        body = painted(thing.name, to_hsv(pixels[..., :3])) & (pixels[..., 3] > 0)
        rule = thing.name if body.sum() > 0.4 * (pixels[..., 3] > 0).sum() else "hat"  # dark drawings: all of it
        levels = base._index(recolour(rule, pixels, thing.colour) if thing.colour else pixels)
        levels = with_few_levels(levels, base.palette)
    return levels[:, ::-1] if thing.mirrored else levels


def with_few_levels(levels: NDArray[np.int16], palette: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Replace rare levels of a drawing by the nearest of its most frequent ones."""
    names, counts = np.unique(levels[levels != CLEAR], return_counts=True)
    frequent = names[np.argsort(-counts, kind="stable")[:MOST_LEVELS]]
    distances = ((palette[levels][..., None, :3].astype(int) - palette[frequent][:, :3].astype(int)) ** 2).sum(-1)
    return np.where(levels == CLEAR, CLEAR, frequent[distances.argmin(-1)]).astype(np.int16)


class Scene(NamedTuple):
    """Things, their relation to a ground (or None), where and when, and in which set of drawings."""

    things: tuple[Thing, ...]
    relation: str
    ground: Thing | None
    place: str
    time: str
    style: str


def pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def draw_thing(rng: np.random.Generator, grounds: bool = False) -> Thing:
    """Draw a thing; a ground always has a colour, other things in six of ten cases."""
    coloured = grounds or rng.random() < 0.6
    name = pick(rng, list(GROUNDS if grounds else NAMES))
    return Thing(name, pick(rng, list(COLOURS)) if coloured else "", pick(rng, list(SIZES)), bool(rng.random() < 0.5))


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene: on, under, behind a ground; two side by side; one alone; several of a kind; two on a ground."""
    kind = rng.choice(["relation", "beside", "alone", "several", "pair"], p=[0.45, 0.27, 0.1, 0.1, 0.08])
    things, relation, ground = (draw_thing(rng),), "", None
    if kind == "beside":
        relation, ground = pick(rng, ["left of", "right of"]), draw_thing(rng, bool(rng.random() < 0.2))
        if rng.random() < 0.15:
            ground = ground._replace(colour=things[0].colour or ground.colour)
    elif kind == "relation":
        ground = draw_thing(rng, True)
        relation = pick(rng, GROUNDS[ground.name].relations)
    elif kind == "several":
        things = things * int(rng.integers(2, 4))
    elif kind == "pair":
        things = (things[0]._replace(size="small"), draw_thing(rng)._replace(size="small"))
        ground = draw_thing(rng, True)._replace(name=pick(rng, ["sofa", "bed", "table", "car"]))
        relation = "on"
    time = str(rng.choice(TIMES, p=[0.6, 0.25, 0.15]))
    return Scene(
        things, relation, ground, pick(rng, PLACES if time != "rain" else PLACES[1:]), time, pick(rng, list(ARTISTS))
    )


def paint(scene: Scene, dx: int, floor: int) -> NDArray[np.uint8]:
    """Paint a scene in palette indices, shifted by `dx` columns, on a row."""
    painter = drawings()[1]
    levels = painter._places[scene.place, scene.time].copy()
    placed: list[tuple[Thing, int, int]] = []
    things, ground, relation = scene.things, scene.ground, scene.relation
    middles = {1: (16,), 2: (8, 24), 3: (4, 16, 28)}[len(things)]
    if ground is None:
        placed = [(thing, x, floor) for thing, x in zip(things, middles, strict=True)]
        dx = dx if len(things) == 1 else 0
    elif relation in ("left of", "right of"):
        left, right = (8, 24) if ground.name in NAMES else (4, 20) if relation == "left of" else (12, 28)
        x, other = (left, right) if relation == "left of" else (right, left)
        placed, dx = [(ground, other, floor), (things[0], x, floor)], 0
    else:
        height = len(sprite(scene.style, ground))
        floor = FLOORS[-1] if height > 14 else floor
        seat = floor - 2 * round(height * GROUNDS[ground.name].seat / 2)
        if relation == "on":
            spread = middles if len(things) == 1 else (12, 20)
            placed = [(ground, 16, floor), *((t, x, seat) for t, x in zip(things, spread, strict=True))]
        elif relation == "behind":
            tall = ground.name in ("house", "tree")
            x, bottom = (24, floor) if tall else (16, floor - (height - 3) // 2 * 2)
            placed = [(things[0], x, bottom), (ground, 12 if tall else 16, floor)]
            dx = min(dx, 0) if tall else dx
        else:
            placed = [(ground, 16, floor - (0 if relation == "under" else 4)), (things[0], 16, floor)]
    for thing, x, bottom in placed:
        put(levels, sprite(scene.style, thing), x + dx, bottom)
    return levels


def put(levels: NDArray[np.uint8], drawing: NDArray[np.int16], middle: int, bottom: int) -> None:
    """Paint a drawing on a canvas, cut at its border."""
    height, width = drawing.shape
    rows, columns = np.nonzero(drawing != CLEAR)
    y, x = rows + bottom - height + 1, columns + middle - width // 2
    inside = (y >= 0) & (y < 32) & (x >= 0) & (x < 32)
    levels[y[inside], x[inside]] = drawing[rows[inside], columns[inside]]


def noun(thing: Thing, rng: np.random.Generator, count: int = 1, colour: bool = True) -> str:
    """Name a thing: article or none, size in three of ten cases, colour in 92 of 100, and one of its names."""
    word = pick(rng, (thing.name, thing.name, *ALL_SYNONYMS.get(thing.name, ())))
    words = [plural(word) if count > 1 else word]
    if colour and thing.colour and rng.random() < 0.92:
        words.insert(0, thing.colour)
    if thing.name in NAMES and rng.random() < 0.3:
        words.insert(0, pick(rng, (thing.size, *ALSO[thing.size])))
    text = " ".join(words)
    if count > 1:
        return f"{pick(rng, NUMBERS[count])} {text}"
    draw = rng.random()
    return article(text) if draw < 0.72 else f"the {text}" if draw < 0.84 else text


def describe(scene: Scene, rng: np.random.Generator) -> str:
    """Write a sentence of a scene."""
    things, ground, relation = scene.things, scene.ground, scene.relation
    count = len(things) if len(set(things)) == 1 else 1
    both = count == 1 and ground is not None and relation in ("left of", "right of") and things[0].colour
    both = bool(both and things[0].colour == ground.colour and rng.random() < 0.6) if ground else False
    first = " and ".join(noun(t, rng, count, not both) for t in dict.fromkeys(things))
    if ground is None:
        text = pick(rng, (first, first, f"there {'are' if count > 1 else 'is'} {first}"))
    else:
        text = related(first, noun(ground, rng, 1, not both), scene, rng)
        text += f", both {things[0].colour}" if both else ""
    where = [pick(rng, PLACE[scene.place])] if rng.random() < 0.5 else []
    if rng.random() < (0.12 if scene.time == "day" else 0.9):
        where.append(pick(rng, TIME[scene.time]))
    if where and rng.random() < 0.2:
        text = f"{' '.join(where)}, {text}"
    else:
        text = " ".join([text, *where])
    return f"{pick(rng, ASKED)} {text}" if rng.random() < 0.08 else text


def related(first: str, ground: str, scene: Scene, rng: np.random.Generator) -> str:
    """Say how things are to a ground, in one of eleven forms."""
    relation, name = scene.relation, scene.ground.name if scene.ground else ""
    words = (
        pick(rng, NEXT)
        if relation in ("left of", "right of") and rng.random() < 0.2
        else pick(rng, RELATIONS[relation])
    )
    verb = pick(rng, VERBS)
    close = f"{verb} {words}".strip()
    if relation == "on" and name in RIDDEN and rng.random() < 0.3:
        close = "riding"
    is_, it = "are" if len(scene.things) > 1 else "is", "it"
    plain = f"{first} {close} {ground}"
    forms = (
        plain, plain, plain, plain, f"{first} {is_} {close} {ground}", f"there {is_} {first} {close} {ground}",
        f"{ground} with {first} {words} {it}", f"{ground} and {first} {words} {it}", f"{ground}, {first} {words} {it}",
        f"{words} {ground} {is_} {first}", f"{ground} {pick(rng, INVERSE[relation])} {first}",
        f"{ground} is {pick(rng, INVERSE[relation])} {first}",
    )  # fmt: skip
    if relation == "left of" and rng.random() < 0.15:
        return f"{first} and {ground}"
    if relation == "on" and rng.random() < 0.04:
        return f"{ground} is sat on by {first}"
    return str(pick(rng, forms))


def scenes(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield scenes; what is held out are combinations of a thing, its colour, a relation and a ground in its colour."""
    palette = drawings()[0].palette
    while True:
        scene = draw_scene(rng)
        combination = "|".join((t.name + t.colour) for t in scene.things)
        if scene.ground is not None:
            combination += f"|{scene.relation}|{scene.ground.name}{scene.ground.colour}"
        yield {
            "image": palette[paint(scene, pick(rng, SHIFTS), pick(rng, FLOORS))],
            "caption": describe(scene, rng),
            "combination": combination,
        }


def grammar() -> dict[str, Any]:
    """Return the grammar of the sentences, in the form of docs/reference/file_formats.md."""

    def names(group: Any) -> list[str]:
        return [word for name in group for word in (name, *ALL_SYNONYMS.get(name, ()))]

    things = names(NAMES)
    words: dict[str, Any] = {
        "colour": list(COLOURS), "size": names(SIZES), "thing": things, "support": names(GROUNDS),
        "several": [PLURALS.get(word, plural(word)) for word in things],
        "number": [word for group in NUMBERS.values() for word in group],
        "place": [word for group in PLACE.values() for word in group],
        "time": [word for group in TIME.values() for word in group],
        "verb": sorted(set(VERBS) - {""}), "asking": list(ASKED),
        "beside": [*NEXT, *RELATIONS["left of"], *RELATIONS["right of"]],
    }  # fmt: skip
    one = "[a|an|the] [{size}] [{colour}] {thing}"
    parts = {"a thing": one, "things": "{number} [{size}] [{colour}] {several}"}
    related_forms = []
    for relation in ("on", "under", "in front of", "behind"):
        words[relation] = list(dict.fromkeys(RELATIONS[relation]))
        words[f"ground {relation}"] = names([g for g, of in GROUNDS.items() if relation in of.relations])
        parts[f"a ground {relation}"] = f"[a|an|the] [{{colour}}] {{ground {relation}}}"
        related_forms.append(f"[{{verb}}] {{{relation}}} {{a ground {relation}}}")
    parts["any"] = "{a thing} | [a|an|the] [{colour}] {support}"
    parts["related"] = " | ".join([*related_forms, "{beside} {any}"])
    parts["where"] = "[{place}] [{time}] | {time} {place}"
    sentences = [
        "[{asking}] [there is] {a thing} [is|are] [{related}] [{where}]",
        "[{asking}] [there are] {things} [{related}] [{where}]",
        "[{asking}] {any} [{where}]",
        "[{asking}] {a thing} and {a thing} [{related}] [{where}]",
        "{where} , {a thing} [{related}]",
    ]
    nouns = ["thing", "several", "support", *(f"ground {r}" for r in ("on", "under", "in front of", "behind"))]
    synonyms = {"riding": "on", "atop": "on", "alongside": "next to"}
    return {
        "words": words,
        "parts": parts,
        "sentences": sentences,
        "rewritten": [],
        "synonyms": synonyms,
        "nouns": nouns,
        "colours": {},
    }


def main(out: str) -> None:
    """Write a sheet of 64 scenes, or the grammar."""
    if out.endswith(".json"):
        with open(out, "w", encoding="utf-8") as file:
            json.dump(grammar(), file, indent=1)
        return
    stream = scenes(np.random.default_rng(0))
    items = [next(stream) for _ in range(64)]
    print("\n".join(item["caption"] for item in items))
    rows = [np.concatenate([item["image"] for item in items[i : i + 8]], 1) for i in range(0, 64, 8)]
    sheet = np.concatenate(rows)
    Image.fromarray(sheet).resize((sheet.shape[1] * 3, sheet.shape[0] * 3), Image.Resampling.NEAREST).save(out)


if __name__ == "__main__":
    main(sys.argv[1])
