"""Draw where the bits of an icon lie: `python tools/make_bits_picture.py`, for `docs/explanation/bits.md`.

The icon of that page, black on white; what each of its pixels cost, from 0 (white) to `MOST` bits (orange); and the
pixels that cost more than next to nothing (orange) over the icon (grey).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import pointillist as pt

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "bits.png"
PROMPT, LABEL, SEED = "heart", "tabler", 3  # of the page
MOST, CHEAP, ENLARGE, GAP = 4.0, 0.05, 10, 2
ORANGE, WHITE = np.array([217, 72, 28]), np.array([255, 255, 255])


def main() -> None:
    """Compute and draw the three panels."""
    icon = pt.sample("icons", 1, text=PROMPT, label=LABEL, seed=SEED)
    bits = pt.explain("icons", icon.levels, text=PROMPT, label=LABEL).maps.surprisal.reshape(icon.levels.shape[-2:])
    ink = np.asarray(icon.images[0])
    share = (bits / MOST).clip(0, 1)[..., None]
    cost = WHITE * (1 - share) + ORANGE * share
    dear = np.where((bits > CHEAP)[..., None], ORANGE, np.maximum(ink, 200)[..., None])
    gap = np.full((len(ink), GAP, 3), 255)
    panels = [np.repeat(ink[..., None], 3, 2), gap, cost, gap, dear]
    sheet = Image.fromarray(np.concatenate(panels, 1).round().astype(np.uint8))
    sheet.resize((sheet.width * ENLARGE, sheet.height * ENLARGE), Image.Resampling.NEAREST).save(FILE, optimize=True)


if __name__ == "__main__":
    main()
