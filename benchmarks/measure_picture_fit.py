"""What numbers fitted to one picture would save: `python benchmarks/measure_picture_fit.py MODEL PHOTOGRAPH...`.

MODEL is `photos` or a model like it: RGB, a mixture, a window of 7x7; each view has the label by which it takes
the fewest bits. From the middle of each photograph three views of 384x256 are cut: the pixels of the file (native),
shrunk 2.5 times, and the same with half of the chroma. To the outputs of the model, in floats, are added

- offsets: one for each logit and log-scale of the mixture, 24 numbers;
- linear: to the means, a linear function of 24 neighbours less their prediction, for each channel, and of the earlier
  channels of the pixel less theirs, 219 numbers;
- both.

They are fitted to 20,000 random pixels by L-BFGS, and the figures, bits/dim, are of 20,000 others. Their own bytes are
not counted: at 10 bits a number, 243 numbers take 0.004 bits/dim of a picture of 512x384. Seed 0, one thread.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import pointillist as pt

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "zoo"))
from prepare_photos import half_chroma, shrunk

WIDTH, HEIGHT, SHRINK, EACH, ROUNDS = 384, 256, 2.5, 20_000, 40
REACH = 3
WINDOW = [(row, column) for row in range(-REACH, 0) for column in range(-REACH, REACH + 1)]
WINDOW += [(0, column) for column in range(-REACH, 0)]
FITS = {
    "as it is": (),
    "offsets": ("offsets",),
    "linear": ("means", "couplings"),
    "both": ("offsets", "means", "couplings"),
}


def views(path: Path) -> dict[str, Image.Image]:
    """Return the views of a photograph."""
    photo = Image.open(path).convert("RGB")
    small = shrunk(photo, SHRINK, Image.Resampling.LANCZOS)
    return {"native": middle(photo), "shrunk": middle(small), "half of the chroma": half_chroma(middle(small))}


def middle(image: Image.Image) -> Image.Image:
    """Cut the middle of an image."""
    left, top = (image.width - WIDTH) // 2, (image.height - HEIGHT) // 2
    return image.crop((left, top, left + WIDTH, top + HEIGHT))


class Fitted:
    """A picture, the parameters of a model for its pixels, and what is added to them."""

    def __init__(self, model: pt.PixelModel, image: Image.Image) -> None:
        x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].long()
        params = outputs(model, x)
        self.likelihood, self.mixtures = model.likelihood, params.shape[1] // 10
        order = torch.randperm((HEIGHT - REACH) * (WIDTH - 2 * REACH), generator=torch.Generator().manual_seed(0))
        chosen = order[: 2 * EACH]
        base, near = neighbours(x[0].float())
        self.x, self.params, self.base, self.near = (
            part.flatten(1).T[chosen] for part in (inner(x[0]), inner(params[0]), base, near)
        )
        self.whiten()

    def whiten(self) -> None:
        """Make the features uncorrelated in units of the model's scales, so that the fit converges."""
        scales = self.params[:, 4 * self.mixtures : 7 * self.mixtures].exp().mean(1, keepdim=True)
        relative = (self.near / scales).double()
        covariance = relative.T @ relative / len(relative)
        covariance += 1e-4 * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
        self.near = self.near @ torch.linalg.inv(torch.linalg.cholesky(covariance)).T.float()
        self.before = (self.x - self.base) / 127.5
        self.before = self.before / (self.before / scales).square().mean(0).sqrt()

    def bits(self, part: slice, added: dict[str, Tensor]) -> Tensor:
        """Return bits/dim of a part of the pixels."""
        params, near, before, count = self.params[part], self.near[part], self.before[part], self.mixtures
        offsets = added["offsets"]
        outputs = [params[:, :count] + offsets[:count]]
        for channel in range(3):
            mean = near @ added["means"][channel] + before[:, :channel] @ added["couplings"][channel, :channel]
            outputs.append(params[:, count * (1 + channel) : count * (2 + channel)] + mean[:, None])
        outputs += [params[:, 4 * count : 7 * count] + offsets[count:], params[:, 7 * count :]]
        log_prob = self.likelihood.log_prob(torch.cat(outputs, 1).T[None, :, :, None], self.x[part].T[None, :, :, None])
        return -log_prob.mean() / math.log(2)

    def fit(self, names: tuple[str, ...]) -> float:
        """Fit what is named, and return bits/dim of the other pixels."""
        added = {"offsets": torch.zeros(4 * self.mixtures), "means": torch.zeros(3, 72), "couplings": torch.zeros(3, 3)}
        if names:
            fitted = [added[name].requires_grad_() for name in names]
            optimizer = torch.optim.LBFGS(fitted, max_iter=ROUNDS, history_size=20, line_search_fn="strong_wolfe")

            def loss() -> Tensor:
                optimizer.zero_grad()
                result = self.bits(slice(EACH), added)
                torch.autograd.backward(result)
                return result

            optimizer.step(loss)
        with torch.no_grad():
            return float(self.bits(slice(EACH, None), added))


def outputs(model: pt.PixelModel, x: Tensor) -> Tensor:
    """Compute the outputs of the network, given the label by which an image takes the fewest bits."""
    with torch.no_grad():
        inputs = [model.conditions.inputs(label, 1) for label in model.classes or (None,)]
        found = [model.params(x, model.encode(each, 1, x.shape[2:])) for each in inputs]
        return max(found, key=lambda params: float(model.likelihood.log_prob(params, x).sum()))


def neighbours(levels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the prediction of each pixel of `[3, h, w]`, and its neighbours less the prediction."""

    def at(row: int, column: int) -> Tensor:
        rows, columns = levels.shape[1] + row, levels.shape[2] - REACH + column
        return levels[:, REACH + row : rows, REACH + column : columns]

    left, above, corner = at(0, -1), at(-1, 0), at(-1, -1)
    base = (left + above - corner).clamp(torch.minimum(left, above), torch.maximum(left, above))
    return base, torch.cat([at(row, column) - base for row, column in WINDOW]) / 127.5


def inner(x: Tensor) -> Tensor:
    """Leave out the pixels whose window is not whole."""
    return x[:, REACH:, REACH:-REACH]


def main() -> None:
    """Fit each view of each photograph, and print a table."""
    torch.set_num_threads(1)
    model, rows = pt.load(sys.argv[1]), []
    print(f"| view | {' | '.join(FITS)} |\n|---|{'---|' * len(FITS)}")
    for path in map(Path, sys.argv[2:]):
        for name, view in views(path).items():
            picture = Fitted(model, view)
            rows.append([picture.fit(names) for names in FITS.values()])
            print(f"| {path.stem}, {name} | {' | '.join(f'{each:.4f}' for each in rows[-1])} |", flush=True)
    print(f"| mean | {' | '.join(f'{each:.4f}' for each in np.mean(rows, 0))} |")


if __name__ == "__main__":
    main()
