"""Measure anomaly detection in both directions: `POINTILLIST_DATA=DIR python benchmarks/anomaly.py --cache DIR`.

Trains the models that it needs by the run configs of `recipes/anomaly`, at most 40 minutes each on one thread, into the
cache; an interrupted training is resumed. `--model mnist=digits` takes a ready model instead, `--no-train` leaves out
pairs without one. Statistics and smoothing were chosen on the pairs marked *dev* and on normal images alone. Each line
of `results.jsonl` is one score on one pair; the table is printed.

Scores, all high for odd images: `detector`, `raw` (-log p), `typicality` (distance of -log p from the mean of normal
images), `ratio` (to the background model), `neighbours` (distance to five normal images, no model),
`complexity` (minus the bits of DEFLATE, no model), `padim`, `patchcore`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import pointillist as pt
from anomaly_peers import measures, padim, patchcore, pixel_measures
from anomaly_sets import PAIRS, Pair, few, normal_set
from pointillist.analysis.evaluation.memorization import deflate_bits
from pointillist.anomaly.statistics import NearestImages, Scorer
from pointillist.engine.weights import inference_mode

RECIPES = Path(__file__).parents[1] / "recipes" / "anomaly"
MUTATION_RATE = 0.2  # of the background model: Ren et al. 2019 take 0.1 to 0.3
NATS_PER_BIT = math.log(2)


def main() -> None:
    """Run the pairs that are asked for, and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    options.cache.mkdir(parents=True, exist_ok=True)
    ready = dict(one.split("=", 1) for one in options.model)
    rows: list[dict[str, Any]] = []
    for pair in PAIRS:
        if options.pairs and not any(part in pair.name for part in options.pairs.split(",")):
            continue
        models = [_model(pair, kind, ready, options) for kind in ("normal", "background")]
        if models[0] is None:
            print(f"{pair.name}: no model")
            continue
        rows += judge(pair, models[0], models[1], options.count, options.seed)
        with (options.cache / "results.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    print_table(rows)


def judge(
    pair: Pair, model: pt.PixelModel, background: pt.PixelModel | None, count: int, seed: int
) -> list[dict[str, Any]]:
    """Measure every score on one pair, with at most `count` images of each kind."""
    normal, all_odd = normal_set(pair.normal), pair.odd()
    fit = normal.fit[few(normal.fit, max(count, 200), seed)]
    test = normal.test[few(normal.test, count, seed)]
    chosen = few(all_odd, count, seed)
    odd = all_odd[chosen]
    normal_levels = as_levels(model, fit, pair.windows)
    detector = pt.AnomalyDetector(model, background=background).fit(normal_levels)
    nearest = NearestImages(normal_levels.numpy(), model.image.ordered)
    levels = {"test": as_levels(model, test, pair.windows), "odd": as_levels(model, odd, pair.windows)}
    records = {name: list(detector.records(x)) for name, x in levels.items()}

    def statistic(name: str) -> dict[str, np.ndarray]:
        return {part: np.array([one.statistics[name] for one in result]) for part, result in records.items()}

    scores = {
        "detector": {name: np.array([-record.score for record in records[name]]) for name in records},
        "raw": statistic("bits"),  # standardised, which changes no rank
        "typicality": {name: abs(bits) for name, bits in statistic("bits").items()},
        "neighbours": {name: nearest.distances(x.numpy()) for name, x in levels.items()},
        "complexity": {name: -deflate_bits(x.numpy()) for name, x in levels.items()},
    }
    if background is not None:
        scores["ratio"] = statistic("background")
    maps = {"padim": padim(fit, np.concatenate([test, odd])), "patchcore": patchcore(fit, np.concatenate([test, odd]))}
    for name, result in maps.items():
        peaks = result.reshape(len(result), -1).max(1)
        scores[name] = {"test": peaks[: len(test)], "odd": peaks[len(test) :]}
    facts = {"pair": pair.name, "dev": pair.is_dev, "seed": seed, "normal": len(test), "odd": len(odd)}
    rows = [{**facts, "score": name, **measures(s["test"], s["odd"])} for name, s in scores.items()]
    rows[0]["false_alarms"] = float(np.mean([record.pred_label for record in records["test"]]))
    rows[0]["relative_speed"] = relative_speed(model, levels["test"][:64])
    rows[0]["density"] = detector.density_.kind
    if pair.masks is not None:
        masks = pair.masks()[chosen].astype(bool)
        ours = [np.stack([record.anomaly_map for record in records[name]]) for name in ("test", "odd")]
        for row in rows:
            if row["score"] == "detector":
                row |= pixel_measures(*ours, masks)
            elif row["score"] in maps:
                row |= pixel_measures(maps[row["score"]][: len(test)], maps[row["score"]][len(test) :], masks)
    return rows


def as_levels(model: pt.PixelModel, pictures: np.ndarray, windows: bool = False) -> torch.Tensor:
    """Convert grey pictures `n h w` to images of a model of any kind, and of its size unless it reads windows."""
    image = model.image
    kind = {"grey": "L", "rgb": "RGB"}.get(image.mode, "RGBA")
    size = image.width, image.height
    shown = [Image.fromarray(picture) for picture in pictures]
    shown = [one if windows or one.size == size else one.resize(size, Image.Resampling.BOX) for one in shown]
    return model.to_levels([one.convert(kind) for one in shown])


def relative_speed(model: pt.PixelModel, x: torch.Tensor) -> float:
    """Return images/s of all statistics over images/s of `log_prob` alone: the median of five turns."""
    scorer = Scorer(model=model)
    shares = []
    for _ in range(5):
        started = time.perf_counter()
        _bits(model, x)
        middle = time.perf_counter()
        list(scorer.score(x))
        shares.append((middle - started) / (time.perf_counter() - middle))
    return float(np.median(shares))


def _bits(model: pt.PixelModel, x: torch.Tensor) -> np.ndarray:
    with inference_mode(model):
        parts = [-model.log_prob(part).double() / NATS_PER_BIT for part in x.split(64)]
    return torch.cat(parts).numpy()


def _model(pair: Pair, kind: str, ready: dict[str, str], options: argparse.Namespace) -> pt.PixelModel | None:
    """Load a model of a normal set, or train it; None where there is none to be had."""
    name = pair.normal if kind == "normal" else f"{pair.normal}-background"
    if name in ready:
        return pt.load(ready[name])
    out = options.cache / name
    if not (out / "finished").exists():
        if options.no_train or (kind == "background" and pair.normal in ready):
            return None
        train(pair, kind, out)
    return pt.load(out)


def train(pair: Pair, kind: str, out: Path) -> None:
    """Train the model of a normal set, or go on with it, by the run config of the pair."""
    out.parent.mkdir(parents=True, exist_ok=True)
    source = out.parent / f"{pair.normal}.npz"
    if not source.exists():
        np.savez_compressed(source, x=normal_set(pair.normal).train)
    settings: dict[str, Any] = {"out": str(out)}
    if kind == "background":
        settings["augmentation.mutation_rate"] = MUTATION_RATE
    resume = any(out.rglob("state.json"))  # none, if it ended before the first checkpoint
    print(f"{'resuming' if resume else 'training'} {out.name}", flush=True)
    if resume:
        pt.train_from_config(resume=True, train={"out": str(out)})
    else:
        pt.train_from_config(RECIPES / f"{pair.recipe}.toml", data={"source": str(source)}, train=settings)
    (out / "finished").touch()


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the table in Markdown."""
    print("| pair | score | AUROC (95 %) | AUPR | FPR at 95 % TPR | false alarms at 5 % | pixel AUROC, AUPRO | speed |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        alarms = f"{row['false_alarms']:.3f}" if "false_alarms" in row else ""
        pixels = f"{row['pixel_auroc']:.3f}, {row['aupro']:.3f}" if "aupro" in row else ""
        speed = f"{row['relative_speed']:.2f}x" if "relative_speed" in row else ""
        area = f"{row['auroc']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        name = f"{row['pair']}{' (dev)' if row['dev'] else ''}"
        cells = (name, row["score"], area, f"{row['aupr']:.3f}", f"{row['fpr95']:.3f}", alarms, pixels, speed)
        print(f"| {' | '.join(cells)} |")
    digits = [row["auroc"] for row in rows if row["pair"].startswith("digits ->") and row["score"] == "detector"]
    if digits:
        print(f"\nmean AUROC of the detector over {len(digits)} digits left out: {np.mean(digits):.3f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/anomaly"), help="folder of models and results")
    parser.add_argument("--pairs", default="", help="parts of the names of pairs, with commas; default: all")
    parser.add_argument("--count", type=int, default=1_000, help="normal and odd test images, at most")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of images")
    parser.add_argument("--model", action="append", default=[], metavar="SET=MODEL", help="a ready model; repeatable")
    parser.add_argument("--no-train", action="store_true", help="leave out what has no model")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
