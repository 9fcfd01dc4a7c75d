"""Measure image codecs on the test images of bundled models: `python benchmarks/measure_codecs.py FOLDER [SET ...]`.

It takes a minute of processor time. FOLDER holds `dcss_tiles32.npz`; `compression.py` compares models that code. The
images are read as the run config of the model reads them, so that codecs and model store the same numbers. A palette
counts for neither. The script needs the extra `codecs`. It prints the figures and stores them in
`docs/evidence/zoo/codecs.json`; `tools/make_zoo_page.py` shows them.

- order 0: the entropy of the levels of the set itself, each channel by itself; no table is counted.
- PNG, WebP, JPEG XL: whole files, lossless, one an image, or one mosaic of all, of several widths; of palette images
  both as grey indexes and in colour. Every file is decoded and compared.
- xz -9e, brotli 11: the levels of all images, one after the other. Primed: what the set adds to the file of the
  training images, size(train + set) - size(train), which lets the codec copy from training as a model has learned from
  it. Both windows hold all of it.
"""

from __future__ import annotations

import io
import json
import lzma
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pointillist as pt
from pointillist.files.writing import write_text
from pointillist.images import ImageSpec
from pointillist.system import describe_machine, today
from pointillist.training.runs.config import RunConfig

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).parents[1] / "docs" / "evidence" / "zoo" / "codecs.json"
WIDTHS = (2, 8, 13, 27, 100)
SIDE = 16_383
"""Longest side of a picture that every codec takes."""
# set: data, recipe, what is read otherwise
SETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tiles": ("dcss_tiles32.npz", "outline-to-tile", {}),
}
Row = dict[str, Any]
Codec = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]


def pillow(kind: str, **options: Any) -> Codec:
    """A format of Pillow."""

    def encode(picture: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, kind, **options)
        return file.getvalue()

    return encode, lambda data: np.asarray(Image.open(io.BytesIO(data)))


def jpeg_xl(effort: int) -> Codec:
    """JPEG XL, lossless."""

    def encode(picture: np.ndarray) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(picture, lossless=True, effort=effort))

    def decode(data: bytes) -> np.ndarray:
        import imagecodecs

        return np.asarray(imagecodecs.jpegxl_decode(data))

    return encode, decode


def brotli(data: bytes) -> bytes:
    """Brotli at its strongest, with a window of 16 MiB."""
    import brotli

    return bytes(brotli.compress(data, quality=11, lgwin=24))


PICTURES: dict[str, Codec] = {
    "PNG": pillow("PNG", optimize=True),
    "WebP lossless": pillow("WEBP", lossless=True, quality=100, method=6, exact=True),
    "JPEG XL e7": jpeg_xl(7),
    "JPEG XL e9": jpeg_xl(9),
}
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "brotli 11": brotli,
}


def entropy(levels: np.ndarray) -> float:
    """Bits/dim of `n c h w` if each level of each channel were coded by how often it occurs."""
    bits = []
    for channel in levels.swapaxes(0, 1):
        shares = np.unique(channel, return_counts=True)[1] / channel.size
        bits.append(float(-(shares * np.log2(shares)).sum()))
    return float(np.mean(bits))


def forms(levels: np.ndarray, image: ImageSpec) -> Iterator[tuple[str, np.ndarray]]:
    """The images as pictures `n h w [c]`, in every form that a codec may like; none loses anything."""
    if image.palette is None:
        pictures = levels.transpose(0, 2, 3, 1)
        yield "colours", pictures[..., 0] if pictures.shape[-1] == 1 else pictures
        return
    yield "indexes", levels[:, 0]
    rgb = {colour[:3] for colour in image.palette}
    yield "colours", image.to_images(levels)[..., : 3 if len(rgb) == image.levels else 4]


def mosaic(pictures: np.ndarray, columns: int) -> np.ndarray:
    """All pictures `n h w [c]` on one, row by row; what is left over is zero."""
    n, h, w, *c = pictures.shape
    rows = -(-n // columns)
    places = np.zeros((rows * columns, h, w, *c), np.uint8)
    places[:n] = pictures
    return np.ascontiguousarray(
        places.reshape(rows, columns, h, w, *c).swapaxes(1, 2).reshape(rows * h, columns * w, *c)
    )


def size(codec: Codec, picture: np.ndarray) -> int:
    """Bytes of a picture, which must come back as it was."""
    encode, decode = codec
    data = encode(np.ascontiguousarray(picture))
    back = decode(data)
    same = back if back.shape == picture.shape else back[..., 0]  # grey WebP comes back in colour
    assert np.array_equal(same.reshape(picture.shape), picture), "the codec is not lossless"
    return len(data)


def compare(train: np.ndarray, levels: np.ndarray, image: ImageSpec) -> list[Row]:
    """Every codec on the levels `n c h w` of a set, with those of training images to prime some."""
    rows: list[Row] = []

    def add(codec: str, layout: str, count: float) -> None:
        rows.append({"codec": codec, "layout": layout, "bytes": count, "bits_per_dim": 8 * count / levels.size})

    add("order 0", "levels", entropy(levels) * levels.size / 8)
    for form, pictures in forms(levels, image):
        for name, codec in PICTURES.items():
            add(name, f"one file an image, {form}", sum(size(codec, picture) for picture in pictures))
            height, width = pictures.shape[1:3]
            for columns in WIDTHS:
                if columns * width > SIDE or -(-len(pictures) // columns) * height > SIDE:
                    continue
                add(name, f"mosaic {columns} wide, {form}", size(codec, mosaic(pictures, columns)))
    before, own = (each.astype(np.uint8).transpose(0, 2, 3, 1).tobytes() for each in (train, levels))
    for name, compress in STREAMS.items():
        add(name, "the set", len(compress(own)))
        add(name, "primed with the training images", len(compress(before + own)) - len(compress(before)))
    return rows


def measure(folder: Path, name: str) -> Row:
    """One set: what it is, and what every codec makes of it."""
    file, recipe, changes = SETS[name]
    settings = tomllib.loads((ROOT / "recipes" / "zoo" / f"{recipe}.toml").read_text(encoding="utf-8"))
    data = RunConfig.from_dict({"data": {**settings["data"], **changes}}).data
    splits = pt.load_data(folder / file, data.options)
    image, test = splits.get("train").spec, _levels(splits.get("test"))
    train = np.concatenate([_levels(splits.get(part)) for part in splits.names if part != "test"])
    told = {"data": file, "mode": image.mode, "levels": image.levels, "images": len(test), "primed_with": len(train)}
    versions = {codec: version(codec) for codec in ("imagecodecs", "pillow", "brotli")}
    where = {"date": today(), "machine": describe_machine(), "versions": versions}
    return {**told, "dims": image.dims, **where, "rows": compare(train, test, image)}


def _levels(data: Any) -> np.ndarray:
    return np.asarray(data.batch(np.arange(len(data))).levels, np.uint8)


def read() -> dict[str, Row]:
    """The sets that were measured."""
    result: dict[str, Row] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return result


def main(folder: str, *chosen: str) -> None:
    """Measure the sets, print what was found, the least first, and keep it."""
    FILE.parent.mkdir(exist_ok=True)
    for name in chosen or SETS:
        result = measure(Path(folder), name)
        write_text(FILE, json.dumps({**read(), name: result}, indent=1) + "\n")
        print(f"{name}: {result['images']} images, {result['mode']}, {result['levels']} levels")
        for row in sorted(result["rows"], key=lambda row: row["bits_per_dim"]):
            print(f"  {row['bits_per_dim']:.4f} bits/dim  {row['codec']}, {row['layout']}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
