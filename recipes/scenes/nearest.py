"""Judge pictures of `endless.py` by the nearest scene, without a network: prints JSON.

    python recipes/scenes/nearest.py runs/scenes --seeds 64 --samples 60

A sentence of two coloured things side by side is right if, in each half of the picture, the nearest drawing is of the
thing in the colour that the sentence says, among all things in all colours. Distances are pixels that differ. Pictures
of many seeds differ by the set, size, direction and shift of the nearest drawing. A sentence takes half a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json

import endless
import numpy as np
from drawings import ARTISTS, COLOURS
from endless import Thing

import pointillist as pt

Named = tuple[str, str]
Nearest = tuple[int, tuple[object, ...]]
STYLES, SIZES, SIDES = list(ARTISTS), list(endless.SIZES), (False, True)


def wilson(right: int, count: int) -> list[float]:
    """95 % interval of a share."""
    z, p = 1.96, right / count
    middle, half = p + z * z / (2 * count), z * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return [round(float((middle + s * half) / (1 + z * z / count)), 3) for s in (-1, 1)]


def place_of(x: np.ndarray) -> tuple[str, str]:
    """Return the nearest place and time, by the rows above the things."""
    places = endless.drawings()[1]._places
    return min(places, key=lambda key: int((places[key][:10] != x[:10]).sum()))


def nearest(x: np.ndarray, columns: slice, middle: int, things: list[Named]) -> dict[Named, Nearest]:
    """Return for each thing and colour the least distance in some columns, and set, size, direction and shift."""
    base = endless.drawings()[1]._places[place_of(x)]
    out = {}
    for name, colour in things:
        best = (10**9, ())
        for style, size, mirrored in itertools.product(STYLES, SIZES, SIDES):
            drawing = endless.sprite(style, Thing(name, colour, size, mirrored))
            for dx, floor in itertools.product((0,), endless.FLOORS):
                canvas = base.copy()
                endless.put(canvas, drawing, middle + dx, floor)
                distance = int((canvas[:, columns] != x[:, columns]).sum())
                if distance < best[0]:
                    best = (distance, (style, size, mirrored, dx, floor))
        out[name, colour] = best
    return out


def main() -> None:
    """Sample sentences of two coloured things, and 64 seeds of one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=64)
    options = parser.parse_args()
    rng, names = np.random.default_rng(11), list(endless.NAMES)
    everything = [(name, colour) for name in names for colour in ("", *COLOURS)]
    cases = []
    for _ in range(options.samples):
        (a, b), (c, d) = rng.choice(names, 2, replace=False), rng.choice(list(COLOURS), 2, replace=False)
        cases.append(((str(a), str(c)), (str(b), str(d))))
    art = endless.article
    texts = [f"{art(f'{c} {a}')} left of {art(f'{d} {b}')}" for (a, c), (b, d) in cases]
    pictures = pt.sample(options.model, len(texts), text=texts, seed=7000).levels[:, 0]
    right = 0
    for x, (one, other) in zip(pictures, cases, strict=True):
        halves = [nearest(x, slice(0, 16), 8, everything), nearest(x, slice(16, 32), 24, everything)]
        right += all(min(h, key=lambda k: h[k][0]) == wanted for h, wanted in zip(halves, (one, other), strict=True))
    seeds = pt.sample(options.model, options.seeds, text=[texts[0]] * options.seeds, seed=1).levels[:, 0]
    left, right_one = cases[0]
    kinds = {
        (nearest(x, slice(0, 16), 8, [left])[left][1], nearest(x, slice(16, 32), 24, [right_one])[right_one][1])
        for x in seeds
    }
    share = [right, len(cases), wilson(right, len(cases))]
    print(json.dumps({"beside": share, "different": len(kinds), "seeds": len(seeds)}))


if __name__ == "__main__":
    main()
