"""How well a sprite model obeys its prompts: `python benchmarks/measure_tiles.py MODEL DATA` prints JSON.

The result of the bundled model is in `docs/evidence/zoo/tiles-prompts.json`; `tools/make_zoo_page.py` shows it.

Colours: 8 colour words x 6 nouns, none of which is a training name together, 4 samples of each. The mean colour of the
opaque pixels of a sample is compared with the mean of the training tiles that have the word in their name, below; the
nearest word must be the one that was asked for. Real tiles with one of the words say what can be expected. Samples of
the same prompts also tell how many are almost empty (fewer than 8 opaque pixels), and how many agree with a training
tile, or its mirror image, at 90 % of the pixels that are opaque in either.

Words, nouns and colours were fixed on 2026-11-25, from the training tiles alone, before any model was trained.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.cli.evaluate import resolve_data_options
from pointillist.evaluation.memorization import nearest_training_match
from pointillist.images import OPAQUE
from pointillist.system import describe_machine, today

COLOURS = {
    "red": (111, 31, 24),
    "green": (36, 76, 29),
    "blue": (57, 64, 105),
    "yellow": (124, 116, 48),
    "purple": (72, 38, 89),
    "white": (127, 127, 128),
    "black": (38, 37, 35),
    "brown": (73, 47, 23),
}
NOUNS = ("dragon", "shield", "snake", "wall", "spider", "potion")
EACH, GUIDANCES, ALMOST_EMPTY, COPY = 4, (1.0, 2.0, 3.0), 8, 0.9


def rgba_of(model: pt.PixelModel, levels: torch.Tensor) -> np.ndarray:
    """Colours `n h w 4` of palette indexes."""
    assert model.image.palette is not None
    return np.array(model.image.palette)[levels[:, 0].numpy()]


def nearest_word(rgba: np.ndarray) -> str | None:
    """The colour word of a picture `h w 4`; None for one that is almost empty."""
    opaque = rgba[rgba[..., 3] >= OPAQUE][:, :3]
    if len(opaque) < ALMOST_EMPTY:
        return None
    distance = ((np.array(list(COLOURS.values())) - opaque.mean(0)) ** 2).sum(1)
    return list(COLOURS)[int(distance.argmin())]


def asked_word(name: str) -> str | None:
    """The one colour word in a name."""
    found = set(re.findall(r"\w+", name.lower())) & set(COLOURS)
    return found.pop() if len(found) == 1 else None


def obeyed(pictures: np.ndarray, asked: list[str]) -> dict[str, Any]:
    """The share of pictures whose nearest word is the one that was asked for, of all and by word."""
    right = np.array([nearest_word(picture) == word for picture, word in zip(pictures, asked, strict=True)])
    words = {word: float(right[np.array(asked) == word].mean()) for word in dict.fromkeys(asked)}
    return {"count": len(right), "share": float(right.mean()), "by_word": words}


def measure(model: pt.PixelModel, splits: pt.DataSplits, *, seed: int = 0) -> dict[str, Any]:
    """Everything, for each guidance."""
    train, test = splits.get("train"), splits.get(splits.names[-1])
    prompts = [f"{word} {noun}" for word in COLOURS for noun in NOUNS]
    known = sorted(set(prompts) & {name.lower() for name in train.texts or ()})
    assert not known, f"{known} are training names"
    texts = [prompt for prompt in prompts for _ in range(EACH)]
    tiles = train.batch(np.arange(len(train))).levels
    found: dict[str, Any] = {"chance": 1 / len(COLOURS)}
    real = [i for i, name in enumerate(test.texts or ()) if asked_word(name)]
    if real:
        held = test.batch(real).levels
        words = [str(asked_word((test.texts or ())[i])) for i in real]
        found["real tiles"] = {**obeyed(rgba_of(model, held), words), **copies(model, held, tiles)}
    for guidance in GUIDANCES:
        painted = pt.sample(model, len(texts), text=texts, guidance=guidance, seed=seed).levels
        colours = obeyed(rgba_of(model, painted), [text.split()[0] for text in texts])
        found[f"guidance {guidance:g}"] = {**colours, **copies(model, painted, tiles)}
    return found


def copies(model: pt.PixelModel, levels: torch.Tensor, tiles: torch.Tensor) -> dict[str, float]:
    """The share that is almost empty, and that agrees with a training tile."""
    opaque = (rgba_of(model, levels)[..., 3] >= OPAQUE).sum((1, 2))
    near = nearest_training_match(levels, tiles, model.image)[0]
    return {"almost_empty": float((opaque < ALMOST_EMPTY).mean()), "copies": float((near >= COPY).mean())}


def main(source: str, data: str) -> None:
    """Print what a model does."""
    model = pt.load(source)
    options = resolve_data_options(model, data, ["data.caption_column=name"], labels=True)
    splits = pt.load_data(data, options, spec=model.image, classes=model.config.classes)
    where = {"model": Path(source).name, "seed": 0, "date": today(), "machine": describe_machine()}
    print(json.dumps({**where, **measure(model, splits)}, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
