"""Measure `detect` on a class that the model has not seen, beside the simplest detector: small digits, no network.

    python benchmarks/measure_unseen_class.py                  # classes 1, 4 and 9, about a minute of training each
    python benchmarks/measure_unseen_class.py --classes 0 2 3  # others

For each class: a `tiny` model of 1,300 digits of the nine others, a detector fitted on 130, and the rest of the normal
digits against all of the class. AUROC of the detector with the training digits as neighbours, with half of the fitted
ones, and of its parts alone: the density of its statistics, -log p, the mean distance to five neighbours.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import pointillist as pt

TRAIN, FIT = 1_300, 130


def measure(digit: int, steps: int, seed: int) -> dict[str, float]:
    """Train, fit and judge with one class left out."""
    data = pt.load_data("uci-digits").get("all")
    batch = data.batch(range(len(data)))
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(batch.labels != digit))
    train, fit, test = (batch.levels[part] for part in np.split(normal, [TRAIN, TRAIN + FIT]))
    odd = batch.levels[batch.labels == digit]
    torch.manual_seed(seed)
    model = pt.build("gated-pixelcnn", shape=data.spec, preset="tiny")
    pt.train(model, train, {"steps": steps, "batch_size": 32, "seed": seed})
    detector = pt.AnomalyDetector(model).fit(fit, neighbours=train)
    half = pt.AnomalyDetector(model).fit(fit)

    def auroc(normal_scores: np.ndarray, odd_scores: np.ndarray) -> float:
        truth = np.r_[np.zeros(len(normal_scores)), np.ones(len(odd_scores))]
        return float(roc_auc_score(truth, -np.r_[normal_scores, odd_scores]))

    rows = [list(detector.records(images)) for images in (test, odd)]
    combination = detector.combination_
    parts = [[(r.score + combination.weight * r.statistics["neighbours"]) for r in part] for part in rows]
    single = {
        name: [np.array([-r.statistics[key] for r in part]) for part in rows]
        for name, key in (("-log p", "bits"), ("5 neighbours", "neighbours"))
    }
    return {
        "detector": auroc(*(np.array([r.score for r in part]) for part in rows)),
        "half as neighbours": auroc(half.score_samples(test), half.score_samples(odd)),
        "statistics of the model": auroc(*(np.array(part) for part in parts)),
        **{name: auroc(*scores) for name, scores in single.items()},
        "weight": combination.weight,
        "false alarms": float(np.mean([r.pred_label for r in rows[0]])),
    }


def main() -> None:
    """Measure the classes that are asked for, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[1, 4, 9])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for number, digit in enumerate(options.classes):
        row = measure(digit, options.steps, options.seed)
        if not number:
            print(f"| left out | {' | '.join(row)} |\n|{'---|' * (len(row) + 1)}")
        print(f"| {digit} | {' | '.join(f'{value:.3f}' for value in row.values())} |", flush=True)


if __name__ == "__main__":
    main()
