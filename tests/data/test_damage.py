"""Files with random bytes changed or missing: a named error or an image, never another exception."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointillist.data import load_data
from pointillist.errors import DataError

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, PICTURE[None])
    elif kind == "npz":
        np.savez_compressed(file, x=PICTURE[None], y=[1], text=["a"])
    else:
        Image.fromarray(PICTURE).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "npy", "npz"])
def test_damage_is_named(tmp_path: Path, kind: str) -> None:
    chance = random.Random(kind)
    whole = encoded(kind)
    path = tmp_path / f"damaged.{kind}"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        with contextlib.suppress(DataError):
            load_data(path)
