"""Make docs/pictures/scenes.png, what the README's line paints: `python tools/make_scenes_picture.py`."""

from __future__ import annotations

import re
from pathlib import Path

import pointillist as pt
from pointillist.visualization import named_grid, save_png

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
    save_png(picture, ROOT / "docs" / "pictures" / "scenes.png")


if __name__ == "__main__":
    main()
