"""Write samples to an archive, as pictures in their exact size, and as a texture atlas."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from pointillist.files.writing import atomic_path, write_text
from pointillist.images import ImageSpec, as_pil
from pointillist.images.visualization import save_png
from pointillist.sampling.samples import Samples

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip member needs a date; the same seed must give the same file


def level_dtype(image: ImageSpec) -> np.dtype[Any]:
    """Return the smallest type that holds the levels of an image."""
    return np.dtype(np.uint8 if image.levels <= 256 else np.uint16)


def level_bytes(part: Samples) -> bytes:
    """Return the levels of images as an archive holds them."""
    return part.levels.astype(level_dtype(part.image)).tobytes()


def write_npz(
    out: Path,
    levels: Iterable[bytes],
    nats: np.ndarray,
    labels: np.ndarray,
    image: ImageSpec,
    classes: Sequence[str],
    numbers: np.ndarray | None = None,
) -> None:
    """Write `levels [n c h w]` and `nats [n]`, with `labels [n]` and `classes` where labels were given.

    Args:
        levels: the bytes of the levels in blocks, so that any number of images fits in memory; see `level_bytes`.
        numbers: of images that are not all of their seed, written as `item`.
    """
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with _member(archive, "levels", (len(nats), *image.shape), level_dtype(image)) as file:
            for block in levels:
                file.write(block)
        members = {"nats": nats}
        if classes:
            members |= {"labels": labels, "classes": np.array(classes, np.str_)}
        if numbers is not None:
            members |= {"item": numbers}
        _write_members(archive, members)


def write_arrays(out: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an `.npz`; equal arrays give equal bytes.

    ```python
    write_arrays(Path("nats.npz"), {"nats": np.zeros(3)})
    ```
    """
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _write_members(archive, arrays)


def _write_members(archive: zipfile.ZipFile, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        with _member(archive, name, array.shape, array.dtype) as file:
            file.write(array.tobytes())


def as_files(part: Samples) -> list[Image.Image]:
    """Return PIL images for files: maps drawn with their tileset, others by `ImageSpec.to_files`."""
    if part.tileset is not None:
        return [as_pil(picture) for picture in part.tileset.draw(part.levels[:, 0])]
    return part.images if part.has_other_colours else part.image.to_files(part.levels)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[IO[bytes]]:
    """Open a `.npy` member of known shape for its values."""
    info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def write_atlas(out: Path, parts: Iterable[Samples], classes: Sequence[str], columns: int | None) -> None:
    """Write `NAME.png` and `NAME.json`, in the JSON (hash) layout of texture packers: a frame for each image.

    A palette model's sheet is an indexed PNG with its palette; no pixel is scaled, no caption drawn.
    """
    pictures: list[Image.Image] = []
    conditions: list[dict[str, Any]] = []
    for part in parts:
        pictures += as_files(part)
        for label, text in zip(part.labels.tolist(), part.texts or ("",) * len(part), strict=True):
            conditions.append({**({"label": classes[label]} if label >= 0 else {}), **({"text": text} if text else {})})
    width, height = pictures[0].size
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = Image.new(pictures[0].mode, (columns * width, rows * height))
    if pictures[0].mode == "P":
        sheet.putpalette(pictures[0].getpalette() or [])
        sheet.info.update(pictures[0].info)
    frames = {}
    for i, (picture, about) in enumerate(zip(pictures, conditions, strict=True)):
        x, y = i % columns * width, i // columns * height
        sheet.paste(picture, (x, y))
        size = {"w": width, "h": height}
        frames[f"{i:05d}"] = {
            "frame": {"x": x, "y": y, **size},
            "rotated": False,
            "trimmed": False,
            "spriteSourceSize": {"x": 0, "y": 0, **size},
            "sourceSize": size,
            **about,
        }
    save_png(sheet, out)
    meta = {"image": out.name, "size": {"w": sheet.width, "h": sheet.height}, "scale": "1", "app": "pointillist"}
    write_text(
        out.with_suffix(".json"), json.dumps({"frames": frames, "meta": meta}, indent=1, ensure_ascii=False) + "\n"
    )
