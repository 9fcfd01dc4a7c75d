"""Cut crops of photographs at several scales, to train the bundled model `photos`.

    python recipes/zoo/prepare_photos.py FOLDER... --out photos.npz

`photos-grey` was trained on smaller crops of photographs that were all shrunk:

    python recipes/zoo/prepare_photos.py FOLDER... --out photos.npz --side 24 --copies 24 --least 1.5 --native 0

FOLDER holds JPEG files. Those of `PHOTOS` are read, and no others: their licences allow weights that are trained on
them to be shipped, and none of them is a photograph of the test patches. They are in Debian's packages
budgie-backgrounds and lomiri-wallpapers-16.04 (`apt-get download`, `dpkg-deb -x`).

A fifth of the copies has the pixels of the file, which was JPEG. The others are shrunk at least 1.2 times, which
removes traces of JPEG, to many scales. A quarter of these is soft, as scanned film is: enlarged again. Half of them get
grain. A third has half of the chroma, as Photo CD, video and most JPEG files have. What was done to a copy is its
label, one of 13; `recipes/zoo/photos.toml` names them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PHOTOS = {
    "CC0-1.0": (
        "casa-mila", "high-trestle-trail", "lake-sherburne", "oakland-zoo-otters", "ocean-waves", "perched-osprey",
        "piazza-gae-aulenti", "roman-colosseum", "singaporean-cityscape", "tea-gardens",
        "seeding_by_Clements_Engelhardt",
    ),
    "CC-BY-4.0": (
        "aitzgorri_by_Aitzol_Berasategi", "friends_by_Aitzol_Berasategi", "life_by_Aitzol_Berasategi",
        "Picture_0B_by_freespace", "Picture_1A_by_freespace", "sunset_by_Aitzol_Berasategi",
        "umang_by_Abhishek_Mudgal", "Wine_by_Jakkub_Mede",
    ),
}  # fmt: skip
"""Names of the files by licence; the names of CC-BY photographs carry their authors."""
LARGEST = 5.0
"""Largest scale; all down to the least are equally likely in their logarithms."""
FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX)
WINDOW = 512
"""Pixels of a copy, before it is made soft."""
SOFT, GRAINY, GRAIN, HALF_CHROMA = 0.25, 0.5, 3.0, 0.33
"""Shares of soft and of grainy copies, the largest grain, in levels, and the share with half of the chroma."""
IS_HALF_CHROMA, IS_SOFT, IS_FINE, IS_COARSE = 1, 2, 4, 8
"""What each adds to the kind of a copy, which is 0 as it is and 1 when it is shrunk; grain is fine or coarse."""
Pixels = NDArray[np.uint8]


def shrunk(image: Image.Image, scale: float, resample: Image.Resampling) -> Image.Image:
    """Return an image so many times smaller."""
    return image.resize((round(image.width / scale), round(image.height / scale)), resample)


def copy_of(photo: Image.Image, least: float, native: float, rng: np.random.Generator) -> tuple[Pixels, int]:
    """Return a part of a photograph `[h, w, 3]`, as it is, or at a random scale and changed at random, and its kind.

    Args:
        least: least scale.
        native: probability that the part is left as it is.
    """
    if native and rng.random() < native:
        return np.asarray(window_of(photo, 1, rng)), 0
    kind = 1
    scale = float(np.exp(rng.uniform(*np.log((least, LARGEST)))))
    image = shrunk(window_of(photo, scale, rng), scale, FILTERS[rng.integers(len(FILTERS))])
    if rng.random() < SOFT:
        image = shrunk(image, rng.uniform(0.5, 0.8), Image.Resampling.BICUBIC)
        kind += IS_SOFT
    if rng.random() < GRAINY:
        pixels = np.asarray(image).astype(np.float32)
        grain = rng.normal(size=(*pixels.shape[:2], 1)) + rng.uniform(0, 1) * rng.normal(size=pixels.shape)
        amount = rng.uniform(0, GRAIN)
        kind += IS_FINE if amount < GRAIN / 2 else IS_COARSE
        noisy = pixels + amount * grain
        image = Image.fromarray(np.floor(noisy.clip(0, 255) + 0.5).clip(0, 255).astype(np.uint8))
    if rng.random() < HALF_CHROMA:
        return np.asarray(half_chroma(image)), kind + IS_HALF_CHROMA
    return np.asarray(image), kind


def window_of(photo: Image.Image, scale: float, rng: np.random.Generator) -> Image.Image:
    """Cut a window at a random place, `WINDOW` pixels wide once it is shrunk."""
    width, height = (min(size, round(WINDOW * scale)) for size in photo.size)
    left, top = rng.integers(photo.width - width + 1), rng.integers(photo.height - height + 1)
    return photo.crop((left, top, left + width, top + height))


def half_chroma(image: Image.Image) -> Image.Image:
    """Return an image whose chroma was stored at half of its size."""
    luma, *chroma = image.convert("YCbCr").split()
    coarse = [
        shrunk(channel, 2, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR) for channel in chroma
    ]
    return Image.merge("YCbCr", (luma, *coarse)).convert("RGB")


def crops(pixels: Pixels, side: int, count: int, rng: np.random.Generator) -> Pixels:
    """Cut square crops at random places."""
    rows = rng.integers(0, pixels.shape[0] - side, count)
    columns = rng.integers(0, pixels.shape[1] - side, count)
    return np.stack([pixels[r : r + side, c : c + side] for r, c in zip(rows, columns, strict=True)])


def main() -> None:
    """Read the photographs and write the crops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folders of JPEG files")
    parser.add_argument("--out", type=Path, default=Path("photos.npz"))
    parser.add_argument("--crops", type=int, default=2400, help="crops of each photograph")
    parser.add_argument("--copies", type=int, default=32, help="copies of each photograph, which share its crops")
    parser.add_argument("--side", type=int, default=32, help="pixels of a crop")
    parser.add_argument("--least", type=float, default=1.2, help="least scale")
    parser.add_argument("--native", type=float, default=0.2, help="share of copies that are not shrunk")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    files = {path.stem: path for folder in args.folders for path in sorted(folder.rglob("*.jpg"))}
    rng, parts, owners, kinds = np.random.default_rng(args.seed), [], [], []
    names = [(name, licence) for licence, group in PHOTOS.items() for name in group]
    missing = [name for name, _ in names if name not in files]
    if missing:
        parser.error(f"these photographs are missing: {', '.join(missing)}")
    for index, (name, _) in enumerate(names):
        photo = Image.open(files[name]).convert("RGB")
        each = args.crops // args.copies
        for _ in range(args.copies):
            copy, kind = copy_of(photo, args.least, args.native, rng)
            parts.append(crops(copy, args.side, each, rng))
            kinds += [kind] * each
        owners += [index] * each * args.copies
    np.savez(
        args.out, x_train=np.concatenate(parts), photo_train=np.array(owners, np.int16),
        kind_train=np.array(kinds, np.int16),
        photo_names=np.array([name for name, _ in names]), photo_licences=np.array([licence for _, licence in names]),
    )  # fmt: skip
    print(f"{args.out}: {len(owners)} crops of {len(names)} photographs")


if __name__ == "__main__":
    main()
