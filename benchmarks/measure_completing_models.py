"""Measure models that were trained to complete images (`--completion`): each line appears where its models are given.

    python benchmarks/measure_completing_models.py --model digits --plain runs/plain --data mnist.npz
    python benchmarks/measure_completing_models.py --binary runs/binary-known --orders runs/binary-s-curves \\
        --binary-data mnist_binary_static.npz

- `cost`: bits of whole test images, of the completing model over a plain one of the same length of training.
- `seam`: bits of the first known row under a hole in the middle, under the plain model, over those of the real images.
- `classifier`: the middle 14x14 pixels of test digits are filled anew, without the label and with it; how often a
  classifier, trained on real digits, is right, over how often it is right on the originals. The bound of what can be
  right without the label is another classifier, trained on real digits without their middle: the expected share of
  draws from its distribution, and of its best guesses.
- `halves`: nats of the hidden top, left and bottom half of static binarised MNIST, of the completing model in the order
  that `inpaint` takes, and of the best order of a model of several orders in which that half comes last.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from torch import Tensor, nn

import pointillist as pt
from pointillist.completion.api import complete_images
from pointillist.completion.methods import best_order, num_late

BATCH = 100


def middle(height: int, width: int) -> np.ndarray:
    """Mask of what is known around a hole of half the side in the middle."""
    known = np.ones((height, width), bool)
    known[height // 4 : height - height // 4, width // 4 : width - width // 4] = False
    return known


@torch.inference_mode()
def nats(model: pt.PixelModel, x: Tensor, label: Tensor | None = None, **how: object) -> Tensor:
    """Negative log-probability of each sub-pixel, in nats."""
    parts = range(0, len(x), BATCH)
    labels = [None if label is None else label[i : i + BATCH] for i in parts]
    maps = [-model.log_prob_map(x[i : i + BATCH], own, **how) for i, own in zip(parts, labels, strict=True)]
    return torch.cat(maps).double()


def cost(model: pt.PixelModel, plain: pt.PixelModel, x: Tensor) -> None:
    """Print the bits of whole images."""
    own, other = (float(nats(m, x).mean()) / math.log(2) for m in (model, plain))
    print(
        f"cost        {own:.5f} bits/dim over {other:.5f}: {own / other - 1:+.2%} of {len(x):,} images (floor +0.50%)"
    )


def fill(model: pt.PixelModel, x: Tensor, known: np.ndarray, labels: Tensor | None = None) -> Tensor:
    """Complete each image once, given its known pixels, and its label if there is one."""
    parts = [
        complete_images(
            model, x[i : i + BATCH].numpy(), known, "known", seed=i, threads=1,
            label=None if labels is None else labels[i : i + BATCH].tolist(),
        )
        for i in range(0, len(x), BATCH)
    ]  # fmt: skip
    return torch.cat([part.torch() for part in parts])


def seam(judge: pt.PixelModel, real: Tensor, filled: Tensor, name: str) -> None:
    """Print the bits of the row under the hole."""
    row = real.shape[2] - real.shape[2] // 4
    own, base = (float(nats(judge, x)[:, :, row].sum()) / math.log(2) / len(x) for x in (filled, real))
    print(f"seam        {own:.2f} bits over {base:.2f} when real, under {name}: ratio {own / base:.3f} (floor 1.10)")


def train_classifier(x: Tensor, labels: Tensor, classes: int, epochs: int = 3) -> nn.Module:
    """Train a small convolutional network on real images."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(x.shape[1], 24, 5, 2, 2), nn.ReLU(), nn.Conv2d(24, 48, 5, 2, 2), nn.ReLU(), nn.Flatten(),
        nn.LazyLinear(96), nn.ReLU(), nn.Linear(96, classes),
    )  # fmt: skip
    network(x[:1].float())
    steps = epochs * len(x) // 128
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(x), (128,))
        loss = nn.functional.cross_entropy(network(x[chosen].float() / x.max()), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def classifier(
    model: pt.PixelModel, data: pt.DataSplits, real: Tensor, labels: Tensor, filled: Tensor, known: np.ndarray
) -> None:
    """Print how often a classifier sees the right class, before and after."""
    train = data.train.batch(range(min(len(data.train), 20_000)))
    assert train.labels is not None
    x, targets, mask = torch.from_numpy(train.levels), torch.from_numpy(train.labels), torch.from_numpy(known)
    classes, top = int(targets.max()) + 1, x.max()
    network = train_classifier(x, targets, classes)
    blind = train_classifier(x * mask, targets, classes)
    everyone = torch.arange(len(labels))
    with torch.inference_mode():
        right = [
            float((network(x.float() / top).argmax(1) == labels).double().mean())
            for x in (real, filled, fill(model, real, known, labels))
        ]
        chances = blind((real * mask).float() / top).softmax(1)
    before, after, labelled = right
    print(
        f"classifier  {after:.1%} of {len(real)} filled images right, {before:.1%} of the originals: "
        f"{after / before:.1%} (floor 90%); filled with the label {labelled:.1%}: {labelled / before:.1%}"
    )
    guessed, drawn = (chances.argmax(1) == labels).double().mean(), chances[everyone, labels].double().mean()
    print(
        f"classifier  of what is known alone: draws right in {float(drawn):.1%}, best guesses in {float(guessed):.1%}"
    )


def halves(model: pt.PixelModel, orders: pt.PixelModel | None, x: Tensor) -> None:
    """Print the nats of each hidden half, and their mean."""
    height, width = x.shape[2:]
    result = []
    for name, hidden in (
        ("top", (slice(0, height // 2), slice(None))),
        ("left", (slice(None), slice(0, width // 2))),
        ("bottom", (slice(height // 2, None), slice(None))),
    ):
        known = np.ones((height, width), bool)
        known[hidden] = False
        whole = known[None]
        own = best_order(model, whole).name
        result.append(float(nats(model, x, known=known, order=own).flatten(1).sum(1).mean()))
        line = f"halves      {name:6s} {result[-1]:6.2f} nats, order {own}"
        if orders is not None:
            last = [o for o in orders.config.orders if not num_late(orders, whole, orders.order(o))]
            best = {
                o: float(nats(orders, x, order=o)[:, :, ~torch.from_numpy(known)].flatten(1).sum(1).mean())
                for o in last
            }
            order = min(best, key=best.__getitem__)
            line += f", best order {order} {best[order]:6.2f}"
        print(line)
    print(f"halves      mean   {np.mean(result):6.2f} nats of {len(x):,} images (goal 33)")


def main() -> None:
    """Measure what the given models allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "plain", "data", "binary", "orders", "binary-data"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--count", type=int, default=500)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.model and chosen.data:
        model = pt.load(chosen.model)
        plain = pt.load(chosen.plain) if chosen.plain else None
        data = pt.load_data(chosen.data, spec=model.image)
        batch = data.test.batch(range(min(chosen.count, len(data.test))))
        real = torch.from_numpy(batch.levels)
        if plain is not None:
            cost(model, plain, real)
        known = middle(*real.shape[2:])
        filled = fill(model, real, known)
        seam(plain or model, real, filled, chosen.plain or chosen.model)
        if batch.labels is not None:
            classifier(model, data, real, torch.from_numpy(batch.labels), filled, known)
    if chosen.binary and chosen.binary_data:
        model = pt.load(chosen.binary)
        data = pt.load_data(chosen.binary_data, spec=model.image)
        x = torch.from_numpy(data.test.batch(range(len(data.test))).levels)
        halves(model, pt.load(chosen.orders) if chosen.orders else None, x)


if __name__ == "__main__":
    main()
