"""Draw what a local gain does to a photograph: `python tools/make_local_gain.py KODAK`, for `docs/explanation`.

KODAK is `kodak24.npz`. Picture 23, shrunk four times, and its prediction; below, the gain, from half a level (black)
to 32 levels (white), and bits of each pixel by the bundled model `photos`, from 0 (black) to 18 (white).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import pointillist as pt
from pointillist.nn import LocalGain
from pointillist.nn.passes import FullPass

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "local-gain.png"
NUMBER, SHRINK, ENLARGE = 23, 4, 2
GAINS, BITS = (-1, 5), (0, 18)


def grey(values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Map numbers `[h, w]` to grey pixels."""
    share = (values - limits[0]) / (limits[1] - limits[0])
    return np.repeat((share.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, 2)


def main(source: str) -> None:
    """Compute and draw the four panels."""
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
    rows = [np.concatenate(panels[start : start + 2], 1) for start in (0, 2)]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width * ENLARGE, sheet.height * ENLARGE), Image.Resampling.NEAREST).save(FILE, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
