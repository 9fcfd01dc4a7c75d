"""Write captions with colour words: `python recipes/zoo/add_colour_words.py SOURCE.npz TARGET.npz [TRANSPARENT]`.

The result is a copy of the data set with one more array, `caption`: "subcategory, name" of each tile. A training
caption that names no colour gets the colour of its tile, before the last part, with probability `SHARE`: "monsters,
dragon" becomes "monsters, red dragon". A model trained on these captions learns what colour words mean.

The input has the arrays `palette64` (`k 3` RGB or `k 4` RGBA), `index64` (`n h w`, entries of the palette), and one
`subcategory`, `name` and `split` for each tile. TRANSPARENT is the palette entry that has no colour; without it, every
entry of an RGB palette counts, the background too.
"""

from __future__ import annotations

import colorsys
import re
import sys
from pathlib import Path

import numpy as np

SHARE, SEED = 0.7, 0
OPAQUE = 128
"""Alpha from which a pixel is opaque."""
FEWEST = 8
"""Opaque pixels below which a tile has no colour."""
WORDS = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
KNOWN = re.compile(rf"\b({'|'.join(WORDS)}|gray)\b", re.IGNORECASE)
HUES = ((16, "red"), (45, "orange"), (68, "yellow"), (165, "green"), (250, "blue"), (340, "purple"), (360, "red"))
"""Upper bound of each hue, in degrees."""


def colour_word(rgb: np.ndarray) -> str:
    """Name a colour given as three intensities from 0 to 255.

    Lightness and saturation separate black, grey and white from the rest. A dark orange is brown, a pale red is pink.
    """
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(v) / 255 for v in rgb))
    if value < 0.22:
        return "black"
    if saturation < 0.16:
        return "white" if value > 0.62 else "grey" if value > 0.25 else "black"
    name = next(name for end, name in HUES if hue * 360 <= end)
    if name == "orange" and value < 0.7:
        return "brown"
    return "pink" if name == "red" and saturation <= 0.3 and value >= 0.7 else name


def image_colour(picture: np.ndarray) -> str | None:
    """Name the mean colour of an image, RGB `h w 3` or of the opaque pixels of RGBA `h w 4`; None if almost empty."""
    opaque = picture[picture[..., 3] >= OPAQUE] if picture.shape[-1] == 4 else picture.reshape(-1, 3)
    return colour_word(opaque[:, :3].mean(0)) if len(opaque) >= FEWEST else None


def with_colour(caption: str, picture: np.ndarray) -> str:
    """Put the colour of an image before the last part of its caption: `monster, dragon` becomes `monster, red dragon`.

    An empty caption, one that names a colour, and the caption of an almost empty image stay as they are.
    """
    colour = image_colour(picture)
    if colour is None or not caption.strip() or KNOWN.search(caption):
        return caption
    *before, last = caption.split(",")
    return ",".join([*before, f"{' ' if before else ''}{colour} {last.strip()}"])


def captions(arrays: dict[str, np.ndarray], transparent: int | None = None) -> np.ndarray:
    """Make the caption of each tile, in the order of the file. The result depends on the arguments alone."""
    palette = arrays["palette64"]
    if transparent is not None:
        palette = np.concatenate([palette[:, :3], np.full((len(palette), 1), 255, np.uint8)], 1)
        palette[transparent] = 0
    rng, found = np.random.default_rng(SEED), []
    rows = zip(arrays["subcategory"], arrays["name"], arrays["index64"], arrays["split"], strict=True)
    for subcategory, name, index, split in rows:
        caption = f"{subcategory}, {name}" if subcategory else str(name)
        chosen = rng.random() < SHARE  # drawn for every tile, so that the splits do not change the draws
        found.append(with_colour(caption, palette[index]) if chosen and split == "train" else caption)
    return np.array(found)


def main(source: str, target: str, transparent: str | None = None) -> None:
    """Write the copy and print what it holds."""
    if Path(source).resolve() == Path(target).resolve():
        raise SystemExit(f"{target} is the data itself: give another file for the copy.")
    with np.load(source, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["caption"] = captions(arrays, None if transparent is None else int(transparent))
    np.savez_compressed(target, **arrays)
    print(f"{len(arrays['caption']):,} captions written to {target}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
