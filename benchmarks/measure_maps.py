"""Measure a model of maps: bits a tile of held-out maps, copies of training maps among samples, and baselines.

    python benchmarks/measure_maps.py runs/dungeons dungeons.npz --samples 200
    python benchmarks/measure_maps.py runs/counted counted.npz --captions 300 --best-of 4
    python benchmarks/measure_maps.py runs/crawl-vaults crawl_vaults32.npz --samples 200 --baselines

A copy is a window of 16x16 cells that agrees in all cells with a window of a training map or of its mirror image.
Windows of one level alone are left out. The rate among samples is compared with the rate among real test maps.
`--captions N` draws maps of `N` captions of the split `--split` and counts in them by the code that made the captions,
`recipes/zoo/dungeons/rules.py`: the share whose counts are all right, and of each thing; of a model that reads no
captions it is chance. `parts` are those that the open floor of a sample falls into: a real map has one.

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.data import DataSplits, ImageDataset

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "zoo" / "dungeons"))
from generate import counts_of  # isort: skip
from rules import counts, parts  # isort: skip

WINDOW = 16


def window_hashes(maps: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """Hash every window of maps `[n h w]` that holds more than one level, uint64."""
    weights = np.random.default_rng(0).integers(1, 2**63, window * window, dtype=np.uint64) | np.uint64(1)
    result = []
    for levels in maps:
        cells = np.lib.stride_tricks.sliding_window_view(levels, (window, window)).reshape(-1, window * window)
        mixed = cells[(cells != cells[:, :1]).any(1)]
        result.append((mixed.astype(np.uint64) * weights).sum(1, dtype=np.uint64))
    return np.concatenate(result)


def copy_rate(maps: np.ndarray, train: np.ndarray, window: int = WINDOW) -> float:
    """Share of the windows of `maps` that occur in training maps or their mirror images."""
    known = np.unique(np.concatenate([window_hashes(train, window), window_hashes(train[..., ::-1], window)]))
    hashes = window_hashes(maps, window)
    return float(np.isin(hashes, known).mean()) if len(hashes) else 0.0


def levels_of(data: ImageDataset) -> np.ndarray:
    """Levels of all maps of a split, `[n h w]`."""
    return data.batch(range(len(data))).levels[:, 0]


def xz_bits(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Bits a tile of `xz -9e` on the test maps: by themselves, and after the training maps."""
    settings = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]

    def size(data: bytes) -> int:
        return len(lzma.compress(data, lzma.FORMAT_RAW, filters=settings))

    before, own = train.astype(np.uint8).tobytes(), test.astype(np.uint8).tobytes()
    return {"xz": 8 * size(own) / test.size, "xz_primed": 8 * (size(before + own) - size(before)) / test.size}


def judge(model: pt.PixelModel, data: ImageDataset, number: int, **how: Any) -> dict[str, Any]:
    """Draw a map of each of the first captions, or as many maps by a model that reads none, and compare the counts."""
    texts = [text for text in data.batch(range(len(data))).texts or () if text][:number]
    text = texts if "text" in model.config.conditions else None
    drawn = pt.sample(model, len(texts), text=text, seed=0, **how).levels[:, 0]
    right: dict[str, list[bool]] = defaultdict(list)
    for text, levels in zip(texts, drawn, strict=True):
        found, said = counts(levels), counts_of(text)
        for name, count in said.items():
            right[name].append(found[name] == count)
        right["all"].append(all(found[name] == count for name, count in said.items()))
    return {"captions": len(texts), **{name: float(np.mean(values)) for name, values in right.items()}}


def measure(model: pt.PixelModel, splits: DataSplits, samples: int, *, baselines: bool = False) -> dict[str, Any]:
    """Measure a model on the splits of its maps."""
    train, test = levels_of(splits.get("train")), levels_of(splits.get("test"))
    result: dict[str, Any] = {"bits_per_tile": pt.evaluate(model, splits.get("test")).bits_per_dim, "test": len(test)}
    if samples:
        drawn = pt.sample(model, samples, seed=0).levels[:, 0]
        result |= {"copies": copy_rate(drawn, train), "copies_of_test": copy_rate(test, train), "samples": samples}
        result["parts"] = float(np.mean([parts(levels)[0] for levels in drawn]))
        result["ratio"] = result["copies"] / max(result["copies_of_test"], 1e-9)
    return result | (xz_bits(train, test) if baselines else {})


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--captions", type=int, default=0)
    parser.add_argument("--split", default="test")
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--best-of", type=int, default=1)
    given = parser.parse_args()
    model = pt.load(given.model)
    recorded = model.training_record.data
    options = {k: v for k, v in recorded.items() if k not in ("source", "tileset")}
    splits = pt.load_data(given.data, pt.DataOptions(**options), spec=model.image)
    if given.captions:
        how = {name: getattr(given, name) for name in ("guidance", "temperature", "best_of")}
        print(json.dumps(judge(model, splits.get(given.split), given.captions, **how), indent=1))
        return
    print(json.dumps(measure(model, splits, given.samples, baselines=given.baselines), indent=1))


if __name__ == "__main__":
    main()
