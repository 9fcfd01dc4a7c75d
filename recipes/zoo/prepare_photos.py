"""Cut crops of photographs at several scales, to train the bundled model `photos`.

    python recipes/zoo/prepare_photos.py FOLDER... --out photos.npz

FOLDER holds JPEG files. Those of `PHOTOS` are read, and no others: their licences allow weights that are trained on
them to be shipped, and none of them is a photograph of the test patches. They are in Debian's packages
budgie-backgrounds and lomiri-wallpapers-16.04 (`apt-get download`, `dpkg-deb -x`).

Every photograph is shrunk at least 1.5 times, which removes most traces of JPEG. A fifth of the crops is soft instead,
as scanned film is: shrunk further, enlarged again, with grain.
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
SCALES = (1.5, 2.0, 3.0, 4.0)
FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX)
SIDE = 24
SOFT = 0.2
"""Share of soft crops."""
Pixels = NDArray[np.uint8]


def shrunk(image: Image.Image, scale: float, resample: Image.Resampling) -> Image.Image:
    """Return an image so many times smaller."""
    return image.resize((round(image.width / scale), round(image.height / scale)), resample)


def soft(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return an image without its finest details, with grain that all channels share in part."""
    enlarged = shrunk(shrunk(image, 3.0, Image.Resampling.LANCZOS), rng.uniform(0.5, 0.8), Image.Resampling.BICUBIC)
    pixels = np.asarray(enlarged).astype(np.float32)
    grain = rng.normal(size=(*pixels.shape[:2], 1)) + 0.5 * rng.normal(size=pixels.shape)
    noisy = pixels + rng.uniform(0, 2.5) * grain
    return Image.fromarray(np.floor(noisy.clip(0, 255) + 0.5).clip(0, 255).astype(np.uint8))


def crops(image: Image.Image, count: int, rng: np.random.Generator) -> Pixels:
    """Cut square crops at random places."""
    pixels = np.asarray(image)
    rows = rng.integers(0, pixels.shape[0] - SIDE, count)
    columns = rng.integers(0, pixels.shape[1] - SIDE, count)
    return np.stack([pixels[r : r + SIDE, c : c + SIDE] for r, c in zip(rows, columns, strict=True)])


def main() -> None:
    """Read the photographs and write the crops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folders of JPEG files")
    parser.add_argument("--out", type=Path, default=Path("photos.npz"))
    parser.add_argument("--crops", type=int, default=1200, help="crops of each photograph")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    files = {path.stem: path for folder in args.folders for path in sorted(folder.rglob("*.jpg"))}
    rng, parts, owners = np.random.default_rng(args.seed), [], []
    names = [(name, licence) for licence, group in PHOTOS.items() for name in group]
    missing = [name for name, _ in names if name not in files]
    if missing:
        parser.error(f"these photographs are missing: {', '.join(missing)}")
    for index, (name, _) in enumerate(names):
        photo = Image.open(files[name]).convert("RGB")
        sharp = round(args.crops * (1 - SOFT)) // len(SCALES)
        for scale in SCALES:
            resample = FILTERS[rng.integers(len(FILTERS))]
            parts.append(crops(shrunk(photo, scale, resample), sharp, rng))
        parts.append(crops(soft(photo, rng), args.crops - sharp * len(SCALES), rng))
        owners += [index] * args.crops
    np.savez(
        args.out, x_train=np.concatenate(parts), photo_train=np.array(owners, np.int16),
        photo_names=np.array([name for name, _ in names]), photo_licences=np.array([licence for _, licence in names]),
    )  # fmt: skip
    print(f"{args.out}: {len(owners)} crops of {len(names)} photographs")


if __name__ == "__main__":
    main()
