"""Compress test images by a model and by other codecs: `python benchmarks/compression.py SET [MODEL] [--images N]`.

SET is one of `SETS`, or of `PICTURES`: Kodak's photographs, whole (`kodak`) or shrunk four times (`kodak4`, and
`kodak4-grey` without colour). MODEL is a folder with an integer program, or the name of a bundled model (by default
that of the set, if there is one). Data are found in `POINTILLIST_DATA`. The script needs the extra `codecs`. It stores
figures in `docs/evidence/compression.json` and writes the page from all that are stored. 10,000 digits take about ten
minutes.

- ours: bytes of the archive of all images (default records, and large ones), and of one archive an image. Everything is
  decoded and compared. Labels are coded too, where the model and the images have them.
- others: as `measure_codecs.py` measures them; the page shows the best layout of each.
- the model: bytes of its stored program, which the archive does not hold and the second figure counts.
- pictures: one file each, all of them decoded and compared, by one thread; JPEG XL at effort 10, too, and with
  `--paq8px PROGRAM` that program at level 8, seven minutes of processor time a megapixel each way. It is built from the
  GitHub repository hxim/paq8px (29237fb, version 216) by its CMakeLists.txt.
- sizes of other codecs are kept from an earlier run on the same images, if their libraries have the same versions.
- speed: one thread, in this run, beside the float model's likelihood of the same images.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import pointillist as pt
from measure_codecs import PICTURES as CODECS
from measure_codecs import STREAMS, Codec, compare, jpeg_xl, size
from pointillist.compression import compress
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.files.writing import write_text
from pointillist.model.folder.image_sources import resolve_data_options
from pointillist.system import describe_machine, today
from pointillist.zoo import resolve

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"
FILE, PAGE = EVIDENCE / "compression.json", EVIDENCE / "compression.md"
SETS = {
    "mnist": ("mnist.npz", None),
    "mnist-binary": ("mnist_binary_static.npz", None),
    "tiles": ("dcss_tiles32.npz", "outline-to-tile"),
    "photos": ("photo_patches64.npz", "photos"),
    "icons": ("icons24.npz", "icons"),
}
"""Data and bundled model of each set."""
PICTURES = {"kodak": (1, "photos"), "kodak4": (4, "photos"), "kodak4-grey": (4, "photos-grey")}
"""How many times the pictures of a set are shrunk, by the mean of squares of pixels, and the bundled model."""
ALONE = 216
"""Images that are compressed one archive each."""
TOGETHER = 1000
"""Images of a record in the smallest archive, of which one can be decoded with all others of its record only."""
TIMED = 128
"""Images whose coding is timed."""
INTRODUCTION = """# Compression

Made by `python benchmarks/compression.py SET MODEL` from `compression.json`: do not edit. Every archive was decoded and
compared.

- *The set*: all test images in one archive or, with other codecs, in their best layout. *An image*: one file each.
- *Primed* codecs have read the training images before, as a model has.
- A model is not in its archive; *with the model* adds its stored program.
- *Above -log2 p* is what the coder and the container add to the likelihood of the integer model: most of it is about 18
  bytes for each record of images that are coded together, 32,768 sub-pixels. Records of 1,000 images (`compress
  --per-record 1000`) save it; one image is then decoded with all others of its record.
- Speeds are of one thread in the same run, and can be compared with each other only.
- Each picture of Kodak is in `compression.json`.
"""


def measure(name: str, model: str, images: int | None) -> dict[str, Any]:
    """Measure one set."""
    torch.set_num_threads(1)
    path = Path(os.environ["POINTILLIST_DATA"]) / SETS[name][0]
    loaded = pt.load(model)
    options = resolve_data_options(loaded, str(path), [], labels=True)
    splits = pt.load_data(path, options, spec=loaded.image, classes=loaded.config.classes)
    test = splits.get("test")
    batch = test.batch(range(min(len(test), images or len(test))))
    x = batch.levels
    labels = batch.labels.tolist() if loaded.config.classes and batch.labels is not None else None
    train = np.concatenate([all_levels(splits.get(part)) for part in splits.names if part != "test"])
    folder = resolve(model)
    assert folder is not None
    versions = {each: version(each) for each in ("imagecodecs", "pillow", "brotli")}
    before = read().get(name, {})
    facts = {"data": path.name, "images": len(x), "primed_with": len(train), "versions": versions}
    same = all(before.get(key) == value for key, value in facts.items())
    return {
        "model": Path(model).name,
        "data": path.name,
        "images": len(x),
        "shape": list(x.shape[1:]),
        "levels": loaded.image.levels,
        "labels": labels is not None,
        "primed_with": len(train),
        "model_bytes": sum((folder / file).stat().st_size for file in (PROGRAM, PROGRAM_TENSORS)),
        **ours(loaded, x, labels),
        "others": before["others"] if same else compare(train, x.astype(np.uint8), loaded.image),
        "date": today(),
        "machine": describe_machine(),
        "versions": versions,
    }


def paq8px(program: Path) -> Codec:
    """Code by paq8px at level 8, the level of published comparisons, from a picture in the format PPM or PGM."""

    def run(*arguments: str, **files: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / file).write_bytes(content)
            subprocess.run([program.resolve(), *arguments], cwd=folder, check=True, capture_output=True)
            return (Path(folder) / "out").read_bytes()

    def encode(picture: np.ndarray) -> bytes:
        kind, (height, width) = "P6" if picture.ndim == 3 else "P5", picture.shape[:2]
        return run("-8", "picture", "out", picture=f"{kind}\n{width} {height}\n255\n".encode() + picture.tobytes())

    def decode(data: bytes) -> np.ndarray:
        picture = run("-d", "coded", "out", coded=data)
        return np.asarray(Image.open(io.BytesIO(picture)))

    return encode, decode


def measure_pictures(name: str, model: str, images: int | None, more: dict[str, Codec]) -> dict[str, Any]:
    """Measure the Kodak photographs, one after the other: bytes of a file each, by every codec and some more."""
    torch.set_num_threads(1)
    loaded, (shrink, _) = pt.load(model), PICTURES[name]
    integer_model, folder = loaded.integer_model(), resolve(model)
    assert folder is not None
    versions = {each: version(each) for each in ("imagecodecs", "pillow")}
    before = read().get(name, {})
    kept = {row["picture"]: row["bytes"] for row in before.get("pictures", ()) if before["versions"] == versions}
    rows: list[dict[str, Any]] = []
    pixels = 0
    coding = decoding = 0.0
    with np.load(Path(os.environ["POINTILLIST_DATA"]) / "kodak24.npz") as data:
        numbered = {
            int(number): picture
            for shape in ("landscape", "portrait")
            for number, picture in zip(data[f"{shape}_id"], data[shape], strict=True)
        }
    for number in sorted(numbered)[: images or len(numbered)]:
        picture = shrunk(numbered[number], shrink)
        if loaded.image.mode == "grey":
            picture = np.asarray(Image.fromarray(picture).convert("L"))
        levels = picture.reshape(*picture.shape[:2], -1).transpose(2, 0, 1).astype(np.int64)
        started = time.process_time()
        archive = compress(integer_model, levels[None], verify=False)
        coding += time.process_time() - started
        started = time.process_time()
        assert np.array_equal(pt.decompress(archive, integer_model)[0], levels), "not lossless"
        decoding += time.process_time() - started
        chosen = labels_of(archive, integer_model)
        likelihoods = {
            "floats": bytes_of_floats(loaded, levels[None], chosen),
            "integers": bytes_of_integers(integer_model, levels[None], chosen),
        }
        files = {**kept.get(number, {}), "pointillist": len(archive)}
        for codec, coder in {**CODECS, "JPEG XL e10": jpeg_xl(10), **more}.items():
            files[codec] = files.get(codec) or size(coder, picture)
        files["xz -9e"] = files.get("xz -9e") or len(STREAMS["xz -9e"](picture.tobytes()))
        pixels += levels[0].size
        rows.append({"picture": number, "sub_pixels": picture.size, **likelihoods, "bytes": files})
        print(rows[-1], flush=True)
    return {
        "pictures": rows,
        "shrink": shrink,
        "model": Path(model).name,
        "model_bytes": sum((folder / file).stat().st_size for file in (PROGRAM, PROGRAM_TENSORS)),
        "coded_per_second": pixels / coding,
        "decoded_per_second": pixels / decoding,
        "date": today(),
        "machine": describe_machine(),
        "versions": versions,
    }


def labels_of(archive: bytes, integer_model: Any) -> list[int]:
    """Return the class of each image of an archive, -1 for none; of one in tiles that of the last."""
    parts = [part.decoded for part in pt.Archive(archive, integer_model).parts()]
    return [label for decoded in parts if decoded is not None for label in decoded.labels.tolist()]


def bytes_of_floats(model: pt.PixelModel, x: np.ndarray, labels: list[int]) -> float:
    """Return -log2 p of levels `[n, c, h, w]` by the float model, given their classes, in bytes."""
    with torch.no_grad():
        parts = [
            model.log_prob(torch.from_numpy(x[start : start + 64]), label=known(labels[start : start + 64])).sum()
            for start in range(0, len(x), 64)
        ]
    return -float(torch.stack(parts).double().sum()) / math.log(2) / 8


def known(labels: list[int]) -> list[int | None] | None:
    """Return labels with None for those that are none; None without any."""
    return None if max(labels) < 0 else [None if label < 0 else label for label in labels]


def bytes_of_integers(integer_model: Any, x: np.ndarray, labels: list[int]) -> float:
    """Return -log2 p of levels `[n, c, h, w]` by the integer program, and of labels, in bytes."""
    bits = 0.0 if max(labels) < 0 else len(x) * math.log2(len(integer_model.classes) + 1)
    for start in range(0, len(x), 256):
        part = slice(start, start + 256)
        bits -= float(integer_model.log_prob(x[part], known(labels[part])).sum()) / math.log(2)
    return bits / 8


def cost_of_integers(floats: float, integers: float, archive: float) -> str:
    """Return a sentence about likelihoods and archives, each in bits/dim."""
    return (
        f"The likelihood is {floats:.4f} in floats and {integers:.4f} in integers, of the same weights: integers cost "
        f"{integers - floats:.4f}, coder and container {archive - integers:.4f}."
    )


def shrunk(picture: np.ndarray, times: int) -> np.ndarray:
    """Return a picture `[h, w, c]` so many times smaller, each pixel the mean of a square."""
    height, width = (size // times * times for size in picture.shape[:2])
    squares = picture[:height, :width].astype(np.float64).reshape(height // times, times, width // times, times, -1)
    return np.floor(squares.mean((1, 3)) + 0.5).astype(np.uint8)


def picture_section(name: str, result: dict[str, Any]) -> list[str]:
    """Return the lines of a set of pictures: mean, least and most of each codec, in bits/dim."""
    rows = result["pictures"]
    codecs = ["pointillist", *(codec for codec in rows[0]["bytes"] if codec != "pointillist")]
    bits = {codec: [8 * row["bytes"][codec] / row["sub_pixels"] for row in rows] for codec in codecs}
    floats, integers = (
        float(np.mean([8 * row[kind] / row["sub_pixels"] for row in rows])) for kind in ("floats", "integers")
    )
    kind = ("whole" if result["shrink"] == 1 else "shrunk 4x") + (", grey" if name.endswith("grey") else "")
    worse = [row["picture"] for row in rows if row["bytes"]["pointillist"] > row["bytes"]["JPEG XL e9"]]
    most, worst = max((row["bytes"]["pointillist"] / row["bytes"]["JPEG XL e10"], row["picture"]) for row in rows)
    model = 8 * result["model_bytes"] / sum(row["sub_pixels"] for row in rows)
    return [
        f"## {name}",
        "",
        f"{len(rows)} Kodak photographs, {kind}, a file each, bits/dim of "
        f"real files, by `{result['model']}`, whose program of {result['model_bytes']:,} bytes is not counted: over "
        f"all of them it adds {model:.4f}. All were decoded and compared. {result['date']}, {result['machine']}.",
        "",
        "| codec | mean | least | most |",
        "|---|---|---|---|",
        *(f"| {codec} | {np.mean(each):.3f} | {min(each):.3f} | {max(each):.3f} |" for codec, each in bits.items()),
        "",
        f"{cost_of_integers(floats, integers, float(np.mean(bits['pointillist'])))} "
        f"Larger than JPEG XL e9: {', '.join(map(str, worse)) or 'none'}; of its size at effort 10 at most "
        f"{most:.3f} ({worst}). A second of one "
        f"thread coded {result['coded_per_second']:,.0f} pixels, and decoded {result['decoded_per_second']:,.0f}.",
        "",
    ]


def ours(model: pt.PixelModel, x: np.ndarray, labels: list[int] | None) -> dict[str, Any]:
    """Compress the set, some images alone, and time the coding of some."""
    integer_model = model.integer_model()
    archive = encode(integer_model, x, labels, per_record=None)
    chosen = labels or labels_of(archive, integer_model)
    floats = bytes_of_floats(model, x, chosen) if labels is None else None
    together = encode(integer_model, x, labels, per_record=TOGETHER)
    for opened in (pt.Archive(archive, integer_model), pt.Archive(together, integer_model)):
        assert all(np.array_equal(result, image) for result, image in zip(opened, x, strict=True)), "not lossless"
    few, few_labels = x[:TIMED], None if labels is None else labels[:TIMED]
    encode(integer_model, few[:8], None if labels is None else labels[:8], per_record=None)  # compiled before
    started = time.process_time()
    small = encode(integer_model, few, few_labels, per_record=None)
    encoding = time.process_time() - started
    started = time.process_time()
    list(pt.Archive(small, integer_model))
    decoding = time.process_time() - started
    started = time.process_time()
    with torch.no_grad():
        for start in range(0, len(few), 64):
            model.log_prob(torch.from_numpy(few[start : start + 64]))
    scoring = time.process_time() - started
    alone = [len(compress(integer_model, image[None], verify=False)) for image in x[:ALONE]]
    return {
        "bytes": len(archive),
        "bytes_together": len(together),
        "bytes_of_likelihood": bytes_of_integers(integer_model, x, chosen),
        "bytes_of_floats": floats,
        "bytes_an_image_alone": float(np.mean(alone)),
        "images_alone": len(alone),
        "encoded_per_second": len(few) / encoding,
        "decoded_per_second": len(few) / decoding,
        "scored_per_second": len(few) / scoring,
    }


def encode(integer_model: Any, x: np.ndarray, labels: list[int] | None, per_record: int | None) -> bytes:
    """Compress images, each with its class; without any, those of large images are chosen."""
    return compress(integer_model, x, label=labels, per_record=per_record, verify=False)


def all_levels(data: Any) -> np.ndarray:
    """All images of a part, 8-bit levels `[n, c, h, w]`."""
    return np.asarray(data.batch(np.arange(len(data))).levels, np.uint8)


def page(stored: dict[str, dict[str, Any]]) -> str:
    """Return the page of all sets."""
    return "\n".join([INTRODUCTION, *(line for name, result in stored.items() for line in section(name, result))])


def section(name: str, result: dict[str, Any]) -> list[str]:
    """Return the lines of a set."""
    if "pictures" in result:
        return picture_section(name, result)
    dims = result["images"] * math.prod(result["shape"])
    shape = "x".join(map(str, result["shape"][1:]))
    rows = [("pointillist", "the set", result["bytes"]), ("pointillist, with the model", "the set", result["bytes"])]
    rows[1] = (*rows[1][:2], result["bytes"] + result["model_bytes"])
    rows.append((f"pointillist, records of {TOGETHER:,} images", "the set", result["bytes_together"]))
    alone = result["bytes_an_image_alone"] * result["images"]
    rows.append(("pointillist", "an image", alone))
    best: dict[tuple[str, str], float] = {}
    for row in result["others"]:
        layout = "an image" if row["layout"].startswith("one file") else "the set"
        codec = f"{row['codec']}, primed" if row["layout"].startswith("primed") else row["codec"]
        best[codec, layout] = min(best.get((codec, layout), math.inf), row["bytes"])
    rows += [(codec, layout, count) for (codec, layout), count in best.items()]
    rows.sort(key=lambda row: row[2])
    above, together = (result[key] / result["bytes_of_likelihood"] - 1 for key in ("bytes", "bytes_together"))
    coded = "labels coded too, " if result["labels"] else ""
    bits = [8 * (result.get(key) or 0) / dims for key in ("bytes_of_floats", "bytes_of_likelihood", "bytes")]
    integers = [cost_of_integers(*bits), ""] if bits[0] else []
    return [
        f"## {name}",
        "",
        f"{result['images']:,} test images of `{result['data']}`, {shape}, {result['levels']} levels, {coded}by "
        f"`{result['model']}`, whose program has {result['model_bytes']:,} bytes. {result['date']}, "
        f"{result['machine']}.",
        "",
        "| codec | of | bytes an image | bits/dim |",
        "|---|---|---|---|",
        *(
            f"| {codec} | {layout} | {count / result['images']:.1f} | {8 * count / dims:.4f} |"
            for codec, layout, count in rows
        ),
        "",
        f"Above -log2 p: {above:.2%}, with the container; {together:.2%} with large records. One thread: "
        f"{result['encoded_per_second']:.0f} images/s coded, {result['decoded_per_second']:.0f} decoded, "
        f"{result['scored_per_second']:.0f} scored by the float model.",
        "",
        *integers,
    ]


def read() -> dict[str, dict[str, Any]]:
    """Read the figures that are stored."""
    result: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return result


def main() -> None:
    """Measure a set, store it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=[*SETS, *PICTURES])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--images", type=int)
    parser.add_argument("--paq8px", type=Path, help="the program, for a set of pictures")
    arguments = parser.parse_args()
    model = arguments.model or (PICTURES if arguments.set in PICTURES else SETS)[arguments.set][1]
    if model is None:
        raise SystemExit(f"No bundled model is one of {arguments.set}: give a folder with an integer program.")
    if arguments.set in PICTURES:
        more = {} if arguments.paq8px is None else {"paq8px -8": paq8px(arguments.paq8px)}
        measured = measure_pictures(arguments.set, model, arguments.images, more)
    elif arguments.paq8px is not None:
        parser.error(f"--paq8px codes the pictures of {', '.join(PICTURES)}, and {arguments.set} is none of them.")
    else:
        measured = measure(arguments.set, model, arguments.images)
    result = {**read(), arguments.set: measured}
    write_text(FILE, json.dumps(result, indent=1) + "\n")
    write_text(PAGE, page(result))
    print("\n".join(section(arguments.set, result[arguments.set])))


if __name__ == "__main__":
    main()
