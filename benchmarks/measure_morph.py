"""How far pictures jump on the way from one to another: `python benchmarks/measure_morph.py [--out morph.png]`.

The uniforms of two pictures are recovered, and interpolated as variations are; the condition changes in the middle. At
both ends the pictures come back to the bit. Between them the share of pixels that changes from step to step is printed,
next to that of the two ends.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pointillist as pt
from pointillist.images import to_picture
from pointillist.sampling.inversion import interpolate_uniforms, recover_uniforms

ICONS = {"guidance": 3.0, "temperature": 0.8}
PAIRS: tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ("icons", {"text": "heart"}, {"text": "home"}, ICONS),
    ("icons", {"text": "heart"}, {"text": "heart"}, ICONS),
    ("digits", {"label": 3}, {"label": 8}, {}),
    ("digits", {"label": 3}, {"label": 3}, {}),
)


def main() -> None:
    """Measure, print a table in Markdown, and draw the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    print(
        "| model | from | to | changed by a step, mean (least to most) | changed between ends |\n|---|---|---|---|---|"
    )
    sheet = []
    for name, first, last, settings in PAIRS:
        pictures = morph(pt.load(name), first, last, settings, args.steps)
        changes = [(a != b).mean() for a, b in pairwise(pictures)]
        ends, words = (
            (pictures[0] != pictures[-1]).mean(),
            [" ".join(map(str, each.values())) for each in (first, last)],
        )
        span = f"{np.mean(changes):.0%} ({min(changes):.0%} to {max(changes):.0%})"
        print(f"| `{name}` | {words[0]} | {words[1]} | {span} | {ends:.0%} |")
        image = pt.load(name).image
        sheet.append(
            np.concatenate([np.pad(to_picture(image, x)[..., 0], 2, constant_values=128) for x in pictures], 1)
        )
    if args.out is not None:
        width = max(row.shape[1] for row in sheet)
        rows = [np.pad(row, ((0, 4), (0, width - row.shape[1]))) for row in sheet]
        Image.fromarray(np.concatenate(rows)).save(args.out)


def morph(
    model: pt.PixelModel, first: dict[str, Any], last: dict[str, Any], settings: dict[str, Any], steps: int
) -> list[np.ndarray]:
    """Return the pictures between two of a model, the ends among them, levels `[c h w]`."""
    ends = [pt.sample(model, 1, seed=seed, **keys, **settings).levels[0] for seed, keys in ((7, first), (12, last))]
    uniforms = [
        recover_uniforms(model, x[None], seed=0, **keys, **settings)
        for x, keys in zip(ends, (first, last), strict=True)
    ]
    pictures = []
    for share in np.linspace(0, 1, steps):
        between = interpolate_uniforms(*uniforms, float(share))
        keys = first if share < 0.5 else last
        pictures.append(pt.sample(model, 1, uniforms=between, **keys, **settings).levels[0].numpy())
    assert all((picture == end.numpy()).all() for picture, end in zip((pictures[0], pictures[-1]), ends, strict=True))
    return pictures


if __name__ == "__main__":
    main()
