"""Draw pictures of the documents: `python tools/make_pictures.py bits`, `scenes` or `local-gain KODAK`.

`bits`: the icon of `docs/explanation/bits.md`, black on white; what each of its pixels cost, from 0 (white) to `MOST`
bits (orange); and the pixels that cost more than next to nothing (orange) over the icon (grey).
`scenes`: samples of the first captions of held-out combinations, which nobody chose.
`local-gain`: picture 23 of KODAK (`kodak24.npz`), shrunk four times, and its prediction; below, the gain, from half a
level (black) to 32 levels (white), and bits of each pixel by the bundled model `photos`, from 0 (black) to 18 (white).
"""

from __future__ import annotations

import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import pointillist as pt
from pointillist.images.visualization.image_grid import font
from pointillist.images.visualization.pixels import INK, PAPER
from pointillist.nn import LocalGain
from pointillist.nn.passes import FullPass

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "scenes"))

from make_scenes import held_out_captions  # isort: skip

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SENTENCES, COLUMNS, SIDE, CELL, TOP, LETTERS = 12, 4, 160, (200, 242), 14, 27
PROMPT, LABEL, SEED = "heart", "tabler", 3  # of the page on bits
MOST, CHEAP, GAP = 4.0, 0.05, 2
ORANGE, WHITE = np.array([217, 72, 28]), np.array([255, 255, 255])
NUMBER, SHRINK = 23, 4
GAINS, BITS = (-1, 5), (0, 18)


def bits() -> None:
    """Draw where the bits of an icon lie."""
    icon = pt.sample("icons", 1, text=PROMPT, label=LABEL, seed=SEED)
    cost = pt.explain("icons", icon.levels, text=PROMPT, label=LABEL).maps.surprisal.reshape(icon.levels.shape[-2:])
    ink = np.asarray(icon.images[0])
    share = (cost / MOST).clip(0, 1)[..., None]
    dear = np.where((cost > CHEAP)[..., None], ORANGE, np.maximum(ink, 200)[..., None])
    gap = np.full((len(ink), GAP, 3), 255)
    panels = [np.repeat(ink[..., None], 3, 2), gap, WHITE * (1 - share) + ORANGE * share, gap, dear]
    save(np.concatenate(panels, 1).round().astype(np.uint8), 10, "bits")


def scenes() -> None:
    """Sample the first captions of held-out combinations, and draw the samples as they come."""
    sentences = held_out_captions(SENTENCES)
    images = pt.sample("scenes", SENTENCES, text=sentences, seed=1).images
    picture = Image.new("RGB", (COLUMNS * CELL[0], SENTENCES // COLUMNS * CELL[1]), PAPER)
    for i, (image, sentence) in enumerate(zip(images, sentences, strict=True)):
        left, top = i % COLUMNS * CELL[0] + CELL[0] // 2 - SIDE // 2, i // COLUMNS * CELL[1] + TOP
        picture.paste(image.resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, top))
        place, lines = (left + SIDE // 2, top + SIDE + TOP // 2), textwrap.fill(sentence, LETTERS)
        ImageDraw.Draw(picture).multiline_text(place, lines, INK, font(), anchor="ma", align="center")
    small = picture.quantize(256, dither=Image.Dither.NONE)  # the same colours, in half of the bytes
    small.save(PICTURES / "scenes.png", optimize=True)


def local_gain(source: str) -> None:
    """Draw what a local gain does to a photograph."""
    with np.load(source) as data:
        whole = data["landscape"][list(data["landscape_id"]).index(NUMBER)]
    picture = np.array(Image.fromarray(whole).reduce(SHRINK))
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].long()
    model = pt.load("photos")
    with torch.no_grad():
        prediction = LocalGain(channels=3, levels=256).predict("near", model.canvas(x), FullPass())[0]
        nats = -model.log_prob_map(x)[0].sum(0)
    base = ((prediction[:3] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    panels = [picture, base, grey(prediction[3].numpy(), GAINS), grey(nats.numpy() / math.log(2), BITS)]
    save(np.concatenate([np.concatenate(panels[start : start + 2], 1) for start in (0, 2)]), 2, "local-gain")


def grey(values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Map numbers `[h, w]` to grey pixels."""
    share = (values - limits[0]) / (limits[1] - limits[0])
    return np.repeat((share.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, 2)


def save(pixels: np.ndarray, enlarge: int, name: str) -> None:
    """Save pixels `[h, w, 3]`, enlarged without blurring."""
    sheet = Image.fromarray(pixels)
    size = (sheet.width * enlarge, sheet.height * enlarge)
    sheet.resize(size, Image.Resampling.NEAREST).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    {"bits": bits, "scenes": scenes, "local-gain": local_gain}[sys.argv[1]](*sys.argv[2:])
