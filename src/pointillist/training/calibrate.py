"""What captions and labels make of clusters, fitted to captions of subjects that were not seen; see `training.align`.

    log p(k | c) is proportional to s a . m_k + b_k + w (log p(k | label) - log p(k))

with a the vector of a caption and m_k the mean of a cluster; the last term where a label is told. Without a caption it
is log p(k), or log p(k | label).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning import NO_LABEL, ClusterListener

SHARP, STEPS = math.log(15.0), 300


def calibrate(
    listener: ClusterListener, said: Float[Tensor, "ways n d"], own: Int[Tensor, " n"], labels: Int[Tensor, " n"]
) -> None:
    """Fit s and b, and then w, which leaves what captions say by themselves as it is.

    Args:
        said: vectors of captions, each said in several ways.
        own: the cluster of their image.
        labels: of their image, or `NO_LABEL`.
    """
    device = listener.means.device
    said, own, labels = said.to(device), own.to(device).expand(len(said), -1), labels.to(device)
    likeness = said @ listener.means.detach().T
    sharpness = nn.Parameter(torch.full((1,), math.exp(SHARP), device=device))
    lifts = nn.Parameter(listener.shares.detach().clone())

    def by_caption() -> Tensor:
        return likeness * sharpness + lifts

    _minimise(by_caption, own, [{"params": [sharpness], "lr": 0.1}, {"params": [lifts], "lr": 0.01}])
    with torch.no_grad():
        listener.sharpness.copy_(sharpness)
        listener.lifts.copy_(lifts)
    labelled = labels != NO_LABEL
    if listener.by_label is None or listener.label_weight is None or not labelled.any():
        return
    logits, ratio = by_caption().detach()[:, labelled], listener.by_label.detach()[labels[labelled]]
    weight = nn.Parameter(torch.ones(1, device=device))
    _minimise(lambda: logits + weight * ratio, own[:, labelled], [{"params": [weight], "lr": 0.02}])
    with torch.no_grad():
        listener.label_weight.copy_(weight)


def count_labels(listener: ClusterListener, own: Int[Tensor, " n"], labels: Int[Tensor, " n"]) -> None:
    """Set log p(k | label) - log p(k), counted with as many images more as there are clusters, which have no label."""
    if listener.by_label is None:
        return
    shares, count = listener.shares.detach().cpu().double(), len(listener.shares)
    with torch.no_grad():
        for label in range(len(listener.classes)):
            counted = torch.bincount(own[labels == label], minlength=count)
            listener.by_label[label] = torch.log((counted + count * shares.exp()) / (counted.sum() + count)) - shares


def _minimise(logits: Callable[[], Tensor], truth: Tensor, groups: list[dict[str, Any]]) -> None:
    optimiser = torch.optim.Adam(groups)
    with torch.enable_grad():
        for _ in range(STEPS):
            loss = F.cross_entropy(logits().flatten(0, 1), truth.flatten())
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
