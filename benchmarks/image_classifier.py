"""A small convolutional classifier of real images, by which benchmarks judge samples."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BATCH, WIDTH, SHIFT = 64, 48, 2


def network(channels: int, classes: int) -> nn.Module:
    """Four convolutions, each followed by a halving of the grid, and a mean over what is left."""
    widths = (channels, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH)
    blocks = [_block(*pair) for pair in pairwise(widths)]
    return nn.Sequential(
        *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1], classes)
    )


def _block(before: int, after: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True))


def train_classifier(
    x: Float[Tensor, "n c h w"], y: Int[Tensor, " n"], *, classes: int, steps: int, seed: int = 0
) -> nn.Module:
    """Train on images in [0, 1], as many of each class, moved by up to `SHIFT` pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = network(x.shape[1], classes).train()
        weights = 1 / torch.bincount(y, minlength=classes)[y].double()
        optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for _ in range(steps):
            rows = torch.multinomial(weights, BATCH, replacement=True)
            down, right = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
            moved = torch.roll(x[rows], (down, right), (2, 3))
            loss = nn.functional.cross_entropy(classifier(moved), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval()


@torch.no_grad()
def top_classes(classifier: nn.Module, x: Float[Tensor, "n c h w"], k: int = 5) -> Int[Tensor, "n k"]:
    """Return the `k` most likely classes of each image, best first; all where there are fewer."""
    scores = torch.cat([classifier(part) for part in x.split(256)])
    return scores.topk(min(k, scores.shape[1]), 1).indices


class Discriminant(nn.Module):
    """A linear discriminant of histograms of gradients (Dalal and Triggs 2005): fitted in seconds, for many classes."""

    bins, cell, shrinkage = 8, 4, 0.1

    def __init__(self, x: Float[Tensor, "n 1 h w"], y: Int[Tensor, " n"], *, classes: int) -> None:
        super().__init__()
        features = self.features(x)
        self.mean, self.scale = features.mean(0), features.std(0) + 1e-6
        z = (features - self.mean) / self.scale
        counts = torch.bincount(y, minlength=classes).double()
        centres = torch.zeros(classes, z.shape[1], dtype=z.dtype).index_add_(0, y, z) / counts[:, None]
        within = z - centres[y]
        covariance = within.T @ within / len(z)
        sphere = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=z.dtype)
        covariance = (1 - self.shrinkage) * covariance + self.shrinkage * sphere
        self.weight = torch.linalg.solve(covariance, centres.T)
        self.bias = -0.5 * (centres.T * self.weight).sum(0)

    def features(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n f"]:
        """Compute orientations of gradients and brightness in overlapping cells, and the image in half size."""
        padded = nn.functional.pad(x, (1, 1, 1, 1))[:, 0]
        across, down = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2], padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
        place = torch.atan2(down, across).remainder(torch.pi) / torch.pi * self.bins
        distance = (place[:, None] - torch.arange(self.bins)[:, None, None]).abs()
        distance = torch.minimum(distance, self.bins - distance)
        histogram = torch.hypot(across, down)[:, None] * (1 - distance).clamp(min=0)
        maps = nn.functional.pad(torch.cat([histogram, x], 1), [self.cell // 2] * 4)
        cells = nn.functional.avg_pool2d(maps, 2 * self.cell, self.cell).add(1e-3).sqrt()
        half = nn.functional.avg_pool2d(x, 3, 1, 1)[:, :, ::2, ::2]
        return torch.cat([cells.flatten(1), half.flatten(1)], 1).double()

    def forward(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n k"]:
        """Return a score of each class."""
        return (self.features(x) - self.mean) / self.scale @ self.weight + self.bias
