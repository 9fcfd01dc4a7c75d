"""Measure where the stage of archives that learns pays: `python benchmarks/measure_stage.py`; a minute of processor.

Bits per sub-pixel of archives by the likelihood of a model alone (`learn=False`), by the stage without tables of
levels, and by the stage as it is: of photographs, tiles, icons and scans, in small records and large ones. All are
decoded and compared. Data are found in `POINTILLIST_DATA`; two scans come with pydicom. Prints a table in Markdown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file

import pointillist as pt
from compression import shrunk
from pointillist.compression import codec
from pointillist.system import describe_machine, today

PHOTOGRAPHS = (3, 9, 20)
"""Photographs of Kodak, which are shrunk 4x."""
RECORDS = {"outline-to-tile": (32, 200), "icons": (56, 600)}
"""Images of a record."""


def sets() -> Iterator[tuple[str, str, list[np.ndarray], int | None]]:
    """Yield name, model and images `[c, h, w]` of each set, and images of a record."""
    data = Path(os.environ["POINTILLIST_DATA"])
    with np.load(data / "kodak24.npz") as kodak:
        numbered = {
            int(number): picture
            for kind in ("landscape", "portrait")
            for number, picture in zip(kodak[f"{kind}_id"], kodak[kind], strict=True)
        }
    photographs = [shrunk(numbered[number], 4).transpose(2, 0, 1) for number in PHOTOGRAPHS]
    yield "photographs shrunk 4x", "photos", photographs, None
    yield "the same, of 60 % of the contrast, stretched again", "photos", [*map(stretched, photographs)], None
    yield "the same, lightened (gamma 0.7)", "photos", [np.rint(255 * (x / 255) ** 0.7) for x in photographs], None
    yield "the same, each pixel four times", "photos", [x.repeat(2, 1).repeat(2, 2) for x in photographs], None
    with np.load(data / "dcss_tiles32.npz") as tiles, np.load(data / "icons24.npz") as icons:
        images = {"outline-to-tile": tiles["index64"][tiles["split"] == "test"][:600]}
        images["icons"] = icons["x"][icons["split"] == "test"][:600]
    for model, several in RECORDS.items():
        for each in several:
            yield f"{model}, records of {each}", model, list(images[model][:, None]), each
    for name in ("CT_small", "MR_small"):
        yield f"`{name}` of pydicom", "grey16", [dcmread(get_testdata_file(f"{name}.dcm")).pixel_array[None]], None
    rng = np.random.default_rng(0)
    yield "noise of 96x96, standard deviation 40", "grey16", [rng.normal(30_000, 40, (1, 96, 96)).round()], None


def stretched(picture: np.ndarray) -> np.ndarray:
    """Return a picture of 60 % of the contrast whose channels are stretched to 0 to 255, so that levels are missing."""
    low = np.rint(0.6 * picture + 20)
    least, most = low.min((1, 2), keepdims=True), low.max((1, 2), keepdims=True)
    return np.asarray(np.rint((low - least) * 255 / (most - least)))


def main() -> None:
    """Print the table."""
    print("| set | model | model alone | stage, no table | stage | saved | pixels a second |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, model, pictures, each in sets():
        images = [x.astype(np.int64) for x in pictures]
        bits, seconds = [], []
        for learn, table in ((False, False), (True, False), (True, True)):
            with patch.object(codec, "choose_used", codec.choose_used if table else lambda *_: None):
                started = time.process_time()
                archive = pt.compress(model, images, learn=learn, per_record=each, verify=False)
                seconds.append(time.process_time() - started)
            assert all(np.array_equal(*pair) for pair in zip(pt.Archive(archive, model), images, strict=True))
            bits.append(8 * len(archive) / sum(x.size for x in images))
        pixels = sum(x[0].size for x in images)
        sizes = " | ".join(f"{each:.3f}" for each in bits)
        print(
            f"| {name} | `{model}` | {sizes} | {1 - bits[2] / bits[0]:.1%} | {pixels / seconds[2]:,.0f} |", flush=True
        )
    print(f"\n{today()}, {describe_machine()}, one thread.")


if __name__ == "__main__":
    main()
