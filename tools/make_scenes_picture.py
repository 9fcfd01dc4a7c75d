"""Make docs/pictures/scenes.png, what the README's line paints: `python tools/make_scenes_picture.py`."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

import pointillist as pt
from pointillist.visualization import named_grid

ROOT = Path(__file__).parents[1]
LINE = re.compile(r'^pointillist sample scenes --text "(.+?)" -n (\d+) --seed (\d+)', re.MULTILINE)


def main() -> None:
    """Sample the sentences of the README's line by its seed, and draw all samples."""
    ((prompts, each, seed),) = LINE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    sentences, count = prompts.split("; "), int(each)
    samples = pt.sample(
        "scenes", len(sentences) * count, text=[s for s in sentences for _ in range(count)], seed=int(seed)
    )
    picture = named_grid(samples.array, sentences, [""] * count, columns=count, scale=3)
    small = picture.quantize(256, dither=Image.Dither.NONE)  # the same colours, in half of the bytes
    small.save(ROOT / "docs" / "pictures" / "scenes.png", optimize=True)


if __name__ == "__main__":
    main()
