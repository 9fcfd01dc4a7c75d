"""Scenes: what is where, drawn at random by a seed, and painted in palette indices with the mask of each thing.

    scene = draw_scene(np.random.default_rng(0))
    picture = Painter(Drawings.read()).paint(scene)
    picture.levels, picture.mask  # uint8 [32 32]; the mask is 0 for the place, then 1, 2, ... for each item

An item is a thing with a colour, or with none: it is then in the colour of its drawing. A scene has one to three items:
one thing alone, two or three things next to each other, or a thing, two of a kind or two different ones in a relation
to another item. Each stands at its place, and nothing is mirrored: a caption that says all leaves nothing to chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from drawings import BESIDE, CLEAR, COLOURS, GROUNDS, OWN_COLOURS, RECOLOURED, THINGS, Drawings, Indices
from numpy.typing import NDArray

SIDE, HORIZON, FAR, FLOOR, NEAR = 32, 21, 24, 29, 30
"""Pixels of a side; first row of the ground; rows on which things stand: what something is in front of, most things,
and what is in front of something or under it."""
PLACES = ("room", "meadow", "beach", "snow", "street")
TIMES = ("day", "night", "rain")
KINDS = {"relation": 0.56, "alone": 0.16, "beside": 0.12, "several": 0.09, "pair": 0.07}
"""Probability of: a thing and something it is on, under or next to; one thing; two things next to each other; two or
three of a kind; two different things."""
ON = 0.5  # probability of the relation "on", where it is possible
COLOURED = 0.45  # probability that a thing that can have any colour has one
OWN = 0.15  # probability that a thing is named with the colour that it has by itself
NIGHT, RAIN = 0.25, 0.15


class Item(NamedTuple):
    """A thing and its colour; "" is the colour of its drawing."""

    name: str
    colour: str = ""

    @property
    def painted(self) -> str:
        """Colour in which it is drawn, if that is not its own."""
        return "" if self.name in THINGS and self.name not in RECOLOURED else self.colour


@dataclass(frozen=True)
class Scene:
    """The truth of a picture.

    Attributes:
        things: what is seen first: one thing, two different ones, or one that is there `count` times.
        count: how often the thing is there.
        relation: of the things to the ground; "" if they are alone.
        ground: what they are on, under, next to; None if they are alone.
        place, time, artist: names.
    """

    things: tuple[Item, ...]
    count: int
    relation: str
    ground: Item | None
    place: str
    time: str
    artist: str

    @property
    def items(self) -> list[Item]:
        """All items, each as often as it is there; the ground is the last one."""
        return [*self.things * self.count, *([] if self.ground is None else [self.ground])]


@dataclass(frozen=True)
class Picture:
    """Palette indices, and the mask: 0 for the place, then the number of the item, from 1 on. `uint8 [32 32]`."""

    levels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class Placed(NamedTuple):
    """Number of an item, its middle column and last row, and if it stands on the ground."""

    number: int
    middle: int
    bottom: int
    stands: bool = True


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    """Draw one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def draw_thing(rng: np.random.Generator, coloured: float, others: Sequence[str] = ()) -> Item:
    """Draw a thing, which is none of the others, and its colour."""
    name = pick(rng, [thing for thing in THINGS if thing not in others])
    if name in RECOLOURED:
        return Item(name, pick(rng, list(COLOURS)) if rng.random() < coloured else "")
    return Item(name, OWN_COLOURS.get(name, "") if rng.random() < OWN else "")


def draw_ground(rng: np.random.Generator) -> Item:
    """Draw something that things are on, under or next to; it always has a colour."""
    return Item(pick(rng, list(GROUNDS)), pick(rng, list(COLOURS)))


def draw_relation(rng: np.random.Generator, ground: str, on: float) -> str:
    """Draw a relation that is possible: a share of them are "on", the others equally likely."""
    possible = [*GROUNDS[ground].relations, *BESIDE]
    if "on" in possible and rng.random() < on:
        return "on"
    return pick(rng, [one for one in possible if one != "on"])


def draw_scene(
    rng: np.random.Generator, coloured: float = COLOURED, on: float = ON, kinds: Mapping[str, float] = KINDS
) -> Scene:
    """Draw a scene; one random generator gives one sequence of scenes."""
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    count, relation, ground = 1, "", None
    first = draw_thing(rng, coloured)
    things: tuple[Item, ...] = (first,)
    if kind == "relation":
        ground = draw_ground(rng)
        relation = draw_relation(rng, ground.name, on)
    elif kind == "alone":
        things = (draw_ground(rng),) if rng.random() < 0.25 else things
    elif kind == "beside":
        ground, relation = draw_thing(rng, coloured, [first.name]), pick(rng, BESIDE)
    else:
        if kind == "pair":
            things = (first, draw_thing(rng, coloured, [first.name]))
        else:
            count = 2 + int(rng.random() < 0.4)
        if count == 2 or kind == "pair":
            while rng.random() < 0.6 and ground is None:
                possible = draw_ground(rng)
                ground, relation = (possible, "on") if seats_two(possible.name) else (None, "")
    time = "night" if (draw := rng.random()) < NIGHT else "rain" if draw < NIGHT + RAIN else "day"
    place = pick(rng, PLACES if time != "rain" else PLACES[1:])
    artist = pick(rng, ["noto", "noto-v1", "fluent"])
    return Scene(things, count, relation, ground, place, time, artist)


def seats_two(ground: str) -> bool:
    """Return whether two things fit on a ground."""
    return "on" in GROUNDS[ground].relations and GROUNDS[ground].size[0] >= 20


class Painter:
    """Paint scenes in palette indices."""

    def __init__(self, drawings: Drawings) -> None:
        self.drawings = drawings
        self._places = {(place, time): self._place(place, time) for place in PLACES for time in TIMES}
        names = ("floor", "grass", "sand", "snow", "road")
        self._ground = dict(zip(PLACES, names, strict=True))

    def paint(self, scene: Scene) -> Picture:
        """Paint a scene."""
        levels, mask = self._places[scene.place, scene.time].copy(), np.zeros((SIDE, SIDE), np.uint8)
        placed = self._arrange(scene)
        for each in placed:
            item = scene.items[each.number]
            drawing = self.drawings[scene.artist, item.name, item.painted]
            self._put(levels, mask, drawing, each)
        if scene.time != "night":
            self._shadow(levels, mask, scene.place, {each.bottom for each in placed if each.stands})
        return Picture(levels, mask)

    def _arrange(self, scene: Scene) -> list[Placed]:
        """Return where each item is, in the order of painting."""
        number, relation = len(scene.items), scene.relation
        if scene.ground is None:
            middles = {1: (16,), 2: (8, 24), 3: (6, 16, 26)}[number]
            return [Placed(i, x, FLOOR) for i, x in enumerate(middles)]
        ground, name = number - 1, scene.ground.name
        if relation in BESIDE:
            left, right = (8, 24) if name in THINGS else (6, 22) if relation == "left of" else (10, 26)
            x, other = (left, right) if relation == "left of" else (right, left)
            return [Placed(ground, other, FLOOR), Placed(0, x, FLOOR)]
        height = len(self.drawings[scene.artist, name, scene.ground.colour])
        if relation == "on":
            bottom = FLOOR - round(height * GROUNDS[name].seat)
            middles = (10, 22) if number == 3 else (18,) if name == "boat" else (16,)
            return [Placed(ground, 16, FLOOR), *(Placed(i, x, bottom, False) for i, x in enumerate(middles))]
        if relation == "behind":
            if name in ("house", "tree"):  # too high to look over
                return [Placed(0, 25, FLOOR - 1, False), Placed(ground, 12, FLOOR)]
            return [Placed(0, 16, FLOOR + 3 - height, False), Placed(ground, 16, FLOOR)]
        return [Placed(ground, 16, FLOOR - 1 if relation == "under" else FAR), Placed(0, 16, NEAR)]

    @staticmethod
    def _put(levels: NDArray[np.uint8], mask: NDArray[np.uint8], drawing: Indices, placed: Placed) -> None:
        """Paint a drawing at its place."""
        height, width = drawing.shape
        top, left = placed.bottom - height + 1, placed.middle - width // 2
        rows = slice(max(0, top), min(SIDE, placed.bottom + 1))
        columns = slice(max(0, left), min(SIDE, left + width))
        part = drawing[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        levels[rows, columns][part != CLEAR] = part[part != CLEAR]
        mask[rows, columns][part != CLEAR] = placed.number + 1

    def _shadow(self, levels: NDArray[np.uint8], mask: NDArray[np.uint8], place: str, bottoms: set[int]) -> None:
        """Darken the row under whatever stands on the ground."""
        shadow = self.drawings.index(f"{self._ground[place]} shadow")
        for row in bottoms:
            under = (mask[row] > 0) & (mask[row + 1] == 0)
            wide = under | np.roll(under, 1) | np.roll(under, -1)
            wide[[0, -1]] = under[[0, -1]]
            wide &= mask[row + 1] == 0
            levels[row + 1, wide] = shadow

    def _place(self, place: str, time: str) -> NDArray[np.uint8]:
        """Paint a place without things."""
        index, night = self.drawings.index, time == "night"
        sky = index({"day": "sky", "night": "night", "rain": "cloud"}[time])
        result = np.full((SIDE, SIDE), sky, np.uint8)
        ground = {"room": "floor", "meadow": "grass", "beach": "sand", "snow": "snow", "street": "road"}[place]
        result[HORIZON:] = index(f"{ground} at night" if night else ground)
        if place == "room":
            result[:HORIZON] = index("wall at night" if night else "wall")
            result[2:9, 22:30] = sky
            result[2:9, [22, 26, 29]] = result[[2, 8], 22:30] = index("floor")
        if place == "snow":  # flakes, and clouds at the beach: what a place is is seen above the things
            result[2:HORIZON:6, 1::8] = result[5:HORIZON:6, 5::8] = index("snow at night" if night else "snow")
        if place == "beach":
            for row in (3, 8, 13):
                result[row, row % 5 :: 8] = result[row, row % 5 + 1 :: 8] = index("wall at night" if night else "snow")
            result[HORIZON - 4 : HORIZON] = index("night" if night else "sea")
            if night:
                result[HORIZON - 4] = index("rain")
        if place == "snow" and not night:
            result[HORIZON] = index("snow shadow")
        if place == "meadow":
            result[HORIZON + 3 :: 4, 3::8] = result[HORIZON + 5 :: 4, 7::8] = index("grass shadow")
        if place == "street":
            for left, top in ((0, 9), (8, 13), (16, 7), (24, 11)):
                result[top:HORIZON, left : left + 7] = index("wall at night" if night else "wall of a house")
                result[top + 2 : HORIZON - 1 : 3, left + 1 : left + 6 : 2] = index("sun" if night else "rain")
            result[26, 1::4] = result[26, 2::4] = index("snow at night" if night else "snow")
        if place != "room" and time != "rain":
            result[2:6, 26:30] = index("moon" if night else "sun")
            if night:
                result[2:4, 26:28] = sky
        if place == "room" and night:
            result[4, 28] = result[4, 27] = index("moon")
        if time == "rain":
            for x in range(0, SIDE, 4):
                for y in range((x * 3) % 8, SIDE - 1, 8):
                    result[y : y + 2, x] = index("rain")
        return result
