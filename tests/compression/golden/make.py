"""Make the golden archives: `python -m tests.compression.golden.make`, once for each version of the format.

The golden integer models (`tests/portable/golden`) code them: one image, many in several records, other sizes, labels,
another order, tiles. They must decode for ever; `images.npz` holds to what.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from pointillist.compression import codec, compress
from pointillist.compression.codec import Codec
from pointillist.compression.writer import ArchiveWriter
from pointillist.model.portable import load
from tests.portable.golden.make import HERE as MODELS

HERE = Path(__file__).parent
ARCHIVES: dict[str, tuple[str, dict[str, Any]]] = {
    "one": ("gated-pixelcnn", {"count": 1}),
    "labels": ("gated-pixelcnn", {"count": 9, "per_record": 4, "label": ["cat", None, "dog"] * 3}),
    "order": ("gated-pixelcnn", {"count": 2, "order": "raster-tr"}),
    "mixture": ("pixelcnn-pp", {"count": 3, "per_record": 2}),
    "sizes": ("pixelcnn-pp", {"count": 1, "size": (9, 3)}),
    "s-curve": ("locally-masked-pixelcnn", {"count": 2, "size": (7, 4), "order": "s-curve"}),
    "attention": ("pixelsnail", {"count": 2}),
    "binary": ("row-lstm", {"count": 5}),
    "recurrence": ("diagonal-bilstm", {"count": 2}),
    "tiles": ("local-gain-few", {"count": 2, "size": (2, 515)}),
    "stored": ("pixelcnn-pp", {"count": 3, "per_record": 2, "size": (7, 5)}),
    "packed": ("pixelcnn-pp", {"count": 3, "per_record": 2, "size": (24, 20)}),
    "learned": ("local-gain-few", {"count": 2, "size": (9, 13), "learn": True}),
    "table": ("local-gain-few", {"count": 2, "size": (24, 20), "learn": True}),
}
"""Model of each archive; number and size of its images, and arguments of `compress`."""
SEPARATE = ("tiles", "stored", "packed", "learned", "table")
"""Archives that came later: their images have a file each."""


def images_of(name: str) -> np.ndarray:
    """Draw the images of an archive: noise, of which half is one level."""
    model, settings = ARCHIVES[name]
    integer_model = load(MODELS / model)
    rng = np.random.default_rng(len(name))
    size = settings.get("size", (integer_model.image.height, integer_model.image.width))
    x = rng.integers(0, integer_model.image.levels, (settings["count"], integer_model.image.channels, *size))
    x[rng.random(x.shape) < 0.5] = 1
    if name == "packed":
        return x[..., ::4, ::4].repeat(4, 2).repeat(4, 3)
    x = np.sort(x) if name in ("tiles", "learned", "table") else x  # smooth, for a local gain
    return x // 3 * 3 if name == "table" else x


def archive_of(name: str, images: np.ndarray) -> bytes:
    """Compress the images of an archive."""
    model, settings = ARCHIVES[name]
    options = {"learn": False} | {key: value for key, value in settings.items() if key not in ("count", "size")}
    if name == "packed":
        return compress(load(MODELS / model), images, **options)
    # the other archives are older than packed records, and most than stored ones: noise was coded, whatever it cost
    least = Codec._least_stored if name == "stored" else lambda *_: 1 << 62
    with patch.object(codec, "LEVELS_PACKED", 1 << 32), patch.object(Codec, "_least_stored", least):
        return compress(load(MODELS / model), images, **options)


METADATA = {"model": "gated-pixelcnn", "names": ["a.png"], "more": "ø"}
"""Metadata of the archives `metadata`, in two records around the image of `one`, and `named`, half in the header."""


def archive_with_metadata(images: np.ndarray) -> bytes:
    """Compress images between two halves of metadata; another zlib may write other bytes of the same meaning."""
    file = io.BytesIO()
    with (
        patch.object(Codec, "_least_stored", return_value=1 << 62),
        ArchiveWriter(file, load(MODELS / "gated-pixelcnn")) as archive,
    ):
        archive.add_metadata({"model": METADATA["model"]})
        for levels in images:
            archive.add(levels)
        archive.add_metadata({name: METADATA[name] for name in ("names", "more")})
    return file.getvalue()


def stored_images(name: str) -> np.ndarray:
    """Read the images of an archive."""
    with np.load(HERE / (f"{name}.npz" if name in SEPARATE else "images.npz")) as images:
        result: np.ndarray = images[name].astype(np.int64)
    return result


def main() -> None:
    """Write the archives that are not there yet, with their images; the others stay."""
    for name in ARCHIVES:
        if not (HERE / f"{name}.pxl").exists():
            assert name in SEPARATE, "a new archive has a file of images of its own"
            x = images_of(name)
            (HERE / f"{name}.pxl").write_bytes(archive_of(name, x))
            np.savez_compressed(HERE / f"{name}.npz", **{name: x.astype(np.uint8)})
    if not (HERE / "named.pxl").exists():
        (HERE / "named.pxl").write_bytes(archive_with_metadata(stored_images("one")))


if __name__ == "__main__":
    main()
