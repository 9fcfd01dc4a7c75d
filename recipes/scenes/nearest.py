"""Judge pictures of scenes by the nearest drawing, without a network: prints JSON.

    python recipes/scenes/nearest.py runs/scenes --seeds 64 --samples 60
    python recipes/scenes/nearest.py scenes --painter scenes --seeds 64    # of the drawings of `scenes.py`

The number of different pictures of a sentence counts the drawings that are nearest to samples of many seeds, among all
that its generator may paint for the sentence: the set of drawings, sizes, directions, shifts, place and time. Distances
are pixels that differ. With `--samples`, sentences of two coloured things side by side are right if, in each half of
the picture, the nearest drawing is of the thing in the colour that the sentence says, among all things in all colours;
such a sentence takes half a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from typing import Any

import endless
import numpy as np
import scenes
from drawings import ARTISTS, COLOURS, GROUNDS
from endless import Thing

import pointillist as pt

Named = tuple[str, str]
STYLES, SIZES, SIDES = list(ARTISTS), list(endless.SIZES), (False, True)
WHERE = [(place, time) for place in scenes.PLACES for time in scenes.TIMES if (place, time) != ("room", "rain")]
SENTENCES: dict[str, tuple[Named, str, Named]] = {
    "a cat sitting on a red sofa": (("cat", ""), "on", ("sofa", "red")),
    "a frog under a blue table": (("frog", ""), "under", ("table", "blue")),
    "a pig in front of a red car": (("pig", ""), "in front of", ("car", "red")),
    "a fox behind a yellow box": (("fox", ""), "behind", ("box", "yellow")),
    "a bear left of a green tree": (("bear", ""), "left of", ("tree", "green")),
    "an owl right of a pink bed": (("owl", ""), "right of", ("bed", "pink")),
    "a red cat left of a blue bird": (("cat", "red"), "left of", ("bird", "blue")),
}


def wilson(right: int, count: int) -> list[float]:
    """95 % interval of a share."""
    z, p = 1.96, right / count
    middle, half = p + z * z / (2 * count), z * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return [round(float((middle + s * half) / (1 + z * z / count)), 3) for s in (-1, 1)]


def place_of(x: np.ndarray) -> tuple[str, str]:
    """Return the nearest place and time, by the rows above the things."""
    places = endless.drawings()[1]._places
    return min(places, key=lambda key: int((places[key][:10] != x[:10]).sum()))


def nearest(x: np.ndarray, columns: slice, middle: int, things: list[Named]) -> dict[Named, int]:
    """Return for each thing and colour the least distance in some columns."""
    base = endless.drawings()[1]._places[place_of(x)]
    out = dict.fromkeys(things, x.size)
    for (name, colour), *look in itertools.product(things, STYLES, SIZES, SIDES, endless.FLOORS):
        style, size, mirrored, floor = look
        canvas = base.copy()
        endless.put(canvas, endless.sprite(style, Thing(name, colour, size, mirrored)), middle, floor)
        distance = int((canvas[:, columns] != x[:, columns]).sum())
        out[name, colour] = min(out[name, colour], distance)
    return out


def painted(painter: str, first: Named, relation: str, ground: Named) -> list[np.ndarray]:
    """Return all different pictures that a generator may paint for a sentence, in palette indices."""
    if painter == "scenes":
        paint = endless.drawings()[1].paint
        items = (scenes.Item(*first),), 1, relation, scenes.Item(*ground)
        every = [paint(scenes.Scene(*items, *where, style)).levels for where in WHERE for style in STYLES]
    else:
        looks = itertools.product(SIZES, SIDES)
        of_ground = itertools.product(SIZES[:1] if ground[0] in GROUNDS else SIZES, SIDES)
        pairs = [(Thing(*first, *a), Thing(*ground, *b)) for a, b in itertools.product(looks, of_ground)]
        every = [
            endless.paint(endless.Scene((thing,), relation, other, *where, style), dx, floor)
            for (thing, other), where, style in itertools.product(pairs, WHERE, STYLES)
            for dx, floor in itertools.product(endless.SHIFTS, endless.FLOORS)
        ]
    return list({levels.tobytes(): levels for levels in every}.values())


def different(model: str, painter: str, sentence: str, seeds: int) -> dict[str, Any]:
    """Count the drawings that are nearest to samples of a sentence, how often the commonest is, and pixels between."""
    samples = pt.sample(model, seeds, text=[sentence] * seeds, seed=1).levels[:, 0]
    every = np.stack(painted(painter, *SENTENCES[sentence]))
    distances = np.stack([(every != x).sum((1, 2)) for x in samples])
    counts = Counter(distances.argmin(1).tolist())
    equal = Counter(x.tobytes() for x in samples)
    return {
        "different": len(counts),
        "commonest": max(counts.values()),
        "of": len(every),
        "pixels": float(np.median(distances.min(1))),
        "different in any pixel": len(equal),
    }


def beside(model: str, number: int) -> list[Any]:
    """Return how many sentences of two coloured things are right, of how many, and the interval of the share."""
    rng, names = np.random.default_rng(11), list(endless.NAMES)
    everything = [(name, colour) for name in names for colour in ("", *COLOURS)]
    cases = []
    for _ in range(number):
        (a, b), (c, d) = rng.choice(names, 2, replace=False), rng.choice(list(COLOURS), 2, replace=False)
        cases.append(((str(a), str(c)), (str(b), str(d))))
    art = endless.article
    texts = [f"{art(f'{c} {a}')} left of {art(f'{d} {b}')}" for (a, c), (b, d) in cases]
    pictures = pt.sample(model, len(texts), text=texts, seed=7000).levels[:, 0]
    right = 0
    for x, (one, other) in zip(pictures, cases, strict=True):
        halves = [nearest(x, slice(0, 16), 8, everything), nearest(x, slice(16, 32), 24, everything)]
        right += all(min(h, key=h.__getitem__) == wanted for h, wanted in zip(halves, (one, other), strict=True))
    return [right, len(cases), wilson(right, len(cases))]


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--painter", choices=("endless", "scenes"), default="endless", help="what drew its data")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=64)
    options = parser.parse_args()
    found = {text: different(options.model, options.painter, text, options.seeds) for text in SENTENCES}
    result: dict[str, Any] = {"seeds": options.seeds, "different pictures": found}
    if options.samples:
        result["beside"] = beside(options.model, options.samples)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
