"""What clusters tell of images by their captions: `python docs/measure_clusters.py DATA [COUNT ...]` prints a table.

640 training tiles are held out, split by name, as when `tiles` was chosen. Clusters are made on the others by the
settings of `recipes/zoo/tiles.toml` (`training/align.py`), and the own name of each held-out tile is ranked among 50:
by log p(k | c) of its cluster k, and by the vectors of caption and image themselves. Beside it, the mean of
-log p(k | c) told the own name, the label too, the label alone, and nothing, in bits.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import pointillist as pt
from pointillist.clusters import cluster_listener
from pointillist.data import ImageDataset
from pointillist.fidelity import rank_captions
from pointillist.telling import match_labels
from pointillist.training.align import align
from pointillist.training.recipe import RunConfig, read_toml

RECIPE = Path(__file__).parents[1] / "recipes" / "zoo" / "tiles.toml"
COUNTS = (128,)


def main(data: str, counts: tuple[int, ...]) -> None:
    """Print the table."""
    tree = read_toml(RECIPE)
    tree["data"]["valid_fraction"] = 0.09964
    run = RunConfig.from_dict(tree)
    train = pt.load_data(data, run.data.options).get("train")
    named = pt.load_data(data, run.data.options.model_copy(update={"text_from": "name"})).get("valid")
    torch.set_num_threads(run.train.threads)
    x = named.batch(np.arange(len(named))).levels
    config = run.train.model_copy(update={"precision": "bf16"})
    print("clusters | seconds | bits told name, name and label, label, nothing | first of 50, in five, mean reciprocal")
    print("         |         |                                                | rank: by cluster; by vectors")
    for count in counts:
        started = time.perf_counter()
        torch.manual_seed(run.train.seed)
        model = pt.build(
            "pixelcnn", image=train.spec, preset="tiny", text=run.model.text, classes=train.classes, clusters=count
        )
        align(model, train, config)
        seconds = time.perf_counter() - started
        listener = cluster_listener(model)
        assert listener is not None
        assert named.texts is not None
        names = sorted(set(named.texts))
        told, place = model.told(None, len(names), names), {name: i for i, name in enumerate(names)}
        prior, own = listener.log_prior(told), listener.of(x)
        labels, size = match_labels(model, named), len(named)
        asked = (None, named.texts), (labels, named.texts), (labels, None), (None, None)
        priors = [listener.log_prior(model.told(label, size, texts)) for label, texts in asked]
        costs = ", ".join(f"{-each.gather(1, own[:, None]).mean() / math.log(2):.2f}" for each in priors)
        with torch.no_grad():
            likeness = listener.vectors(x) @ listener.saying(*(told.parts[n].values for n in ("words", "text"))).T

        both = f"{ranked(named, prior[:, own].T, place)}; {ranked(named, likeness, place)}"
        print(f"{count:8} | {seconds:7.0f} | {costs} | {both}", flush=True)


def ranked(named: ImageDataset, scores: torch.Tensor, place: dict[str, int]) -> str:
    """Shares of images whose own name is first and among five, and the mean of 1 / rank, by scores `[n names]`."""
    numbers = scores.numpy()

    def asked_of(i: int, asked: Sequence[str]) -> np.ndarray:
        found: np.ndarray = numbers[i, [place[text] for text in asked]]
        return found

    ranking = rank_captions(asked_of, named, 50, 3, 0)[0]
    return " / ".join(f"{share.value:.3f}" for share in (ranking.top1, ranking.top5, ranking.mrr))


if __name__ == "__main__":
    main(sys.argv[1], tuple(map(int, sys.argv[2:])) or COUNTS)
