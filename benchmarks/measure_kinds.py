"""Share of samples that are of the kind in the prompt: `python benchmarks/measure_kinds.py MODEL DATA` prints JSON.

The result of the bundled model is in `docs/evidence/zoo/tiles-kinds.json`; `tools/make_zoo_page.py` shows it.

A small classifier learns 20 kinds of real training tiles, told by their folder and name. It then judges `EACH` samples
of each of 8 prompts at guidance 2. Its accuracy on samples, over its accuracy on all real test tiles of the 20 kinds,
is the figure: 1 would be samples that are recognised like real tiles. A classifier also sees texture and palette, so a
high figure does not mean that a person would name the thing: look at the sheets all the same.

Kinds, prompts and classifier were fixed on 2026-11-25, from the training tiles alone (each kind has 20 or more, no
prompt is a training name), before the training of the shipped model had ended. The number of steps was chosen on
the validation tiles (300 steps: 0.719 right, 600: 0.786, means over kinds 0.743 and 0.783); test tiles choose nothing.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import pointillist as pt
from pointillist.cli.evaluate import resolve_data_options
from pointillist.data import ImageDataset
from pointillist.system import describe_machine, today

# kind: a pattern of "category: folder, name"; a tile is of a kind if it fits that pattern alone
KINDS = {
    "wall": r"dungeon feature: wall",
    "floor": r"dungeon feature: floor",
    "water": r"dungeon feature: water",
    "tree": r"dungeon feature: trees",
    "altar": r"dungeon feature: altars",
    "door": r"dungeon feature: doors",
    "gateway": r"dungeon feature: gateways",
    "statue": r"(dungeon feature|monster): statues",
    "blood": r"misc: blood",
    "cloud": r"effect: .*\bclouds?\b",
    "dragon": r"monster: dragons",
    "demon": r"monster: demons",
    "skeleton": r"(monster: undead|unused: monsters)/skeletons",
    "zombie": r"monster: undead/zombies",
    "tentacle": r"monster: tentacles",
    "potion": r"item: potion",
    "amulet": r"item: amulet",
    "book": r"item: book",
    "weapon": r"item: weapon",
    "shield": r"(item: armour/shields|player part: hand2.*\bshields?\b)",
}
PROMPTS = {
    "red dragon": "dragon",
    "skeleton warrior": "skeleton",
    "kite shield": "shield",
    "blue potion": "potion",
    "flaming sword": "weapon",
    "stone wall": "wall",
    "green tree": "tree",
    "wooden door": "door",
}
EACH, GUIDANCE, BATCH, STEPS, WIDTH, SHIFT = 64, 2.0, 64, 600, 32, 2


def kind_of(category: str, caption: str) -> int | None:
    """The number of the one kind that a tile is of."""
    found = [i for i, pattern in enumerate(KINDS.values()) if re.match(pattern, f"{category}: {caption}")]
    return found[0] if len(found) == 1 else None


def tiles_of(model: pt.PixelModel, data: ImageDataset) -> tuple[Tensor, Tensor]:
    """Tiles of a kind `n 4 h w`, and the number of their kind."""
    assert data.labels is not None
    assert data.texts is not None
    categories = [data.classes[i] for i in data.labels]
    kinds = [kind_of(*of) for of in zip(categories, data.texts, strict=True)]
    rows = [i for i, kind in enumerate(kinds) if kind is not None]
    return pictures(model, data.batch(rows).levels), torch.tensor([kinds[i] for i in rows])


def pictures(model: pt.PixelModel, levels: Tensor) -> Tensor:
    """Palette indexes `n 1 h w` as what the classifier sees: colours times opacity, and opacity, in [0, 1]."""
    assert model.image.palette is not None
    rgba = (torch.tensor(model.image.palette) / 255)[levels[:, 0]].movedim(-1, 1)
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)


def network(kinds: int) -> nn.Module:
    """Four convolutions, each followed by a halving of the grid, and a mean over what is left."""
    widths = (4, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH)
    layers = [_block(*pair) for pair in pairwise(widths)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1], kinds))


def _block(before: int, after: int) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True))


def train(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = STEPS) -> nn.Module:
    """A classifier of pictures, taught with as many of each kind, mirrored and moved by up to `SHIFT` pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = network(len(KINDS)).train()
        counts = torch.bincount(y, minlength=len(KINDS))
        weights = 1 / counts[y].double()
        optimiser = torch.optim.AdamW(judge.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
        for _ in range(steps):
            rows = torch.multinomial(weights, BATCH, replacement=True)
            loss = nn.functional.cross_entropy(judge(_moved(x[rows])), y[rows], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return judge.eval()


def _moved(x: Tensor) -> Tensor:
    flips = torch.rand(len(x)) < 0.5
    x = torch.where(flips[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
    return torch.roll(x, (down, right), (2, 3))


@torch.no_grad()
def judged(judge: nn.Module, x: Tensor) -> Tensor:
    """The kinds that a classifier sees."""
    return torch.cat([judge(part).argmax(1) for part in x.split(256)])


def measure(
    model: pt.PixelModel, splits: pt.DataSplits, *, seed: int = 0, each: int = EACH, steps: int = STEPS
) -> dict[str, Any]:
    """Train the classifier, and let it judge real tiles and samples."""
    names = list(KINDS)
    known = {caption.split(", ")[-1].lower() for caption in splits.get("train").texts or ()} & set(PROMPTS)
    assert not known, f"{sorted(known)} are training names"
    judge = train(*tiles_of(model, splits.get("train")), seed=seed, steps=steps)
    found: dict[str, Any] = {"kinds": len(names), "chance": 1 / len(names)}
    for part in splits.names:
        x, y = tiles_of(model, splits.get(part))
        right = judged(judge, x) == y
        by_kind = {name: float(right[y == i].float().mean()) for i, name in enumerate(names) if (y == i).any()}
        asked = [by_kind[kind] for kind in PROMPTS.values() if kind in by_kind]
        means = {"of_asked_kinds": float(np.mean(asked))} if asked else {}
        found[part] = {"count": len(y), "share": float(right.float().mean()), **means, "by_kind": by_kind}
    texts = [prompt for prompt in PROMPTS for _ in range(each)]
    painted = pt.sample(model, len(texts), text=texts, guidance=GUIDANCE, seed=seed).levels
    right = judged(judge, pictures(model, painted)) == torch.tensor([names.index(PROMPTS[text]) for text in texts])
    by_prompt = dict(zip(PROMPTS, right.view(-1, each).float().mean(1).tolist(), strict=True))
    share = float(right.float().mean())
    found["samples"] = {"count": len(texts), "share": share, "by_prompt": by_prompt}
    found["samples_over_test"] = share / found["test"]["share"]
    half = 1.96 * (share * (1 - share) / len(texts)) ** 0.5  # normal 95 % interval of the samples alone
    found["interval_95"] = [(share + sign * half) / found["test"]["share"] for sign in (-1, 1)]
    return found


def main(source: str, data: str) -> None:
    """Print what a model does."""
    model = pt.load(source)
    options = resolve_data_options(model, data, ["data.caption_column=subcategory,name"], labels=True)
    splits = pt.load_data(data, options, spec=model.image, classes=model.config.classes)
    where = {"model": Path(source).name, "seed": 0, "date": today(), "machine": describe_machine()}
    print(json.dumps({**where, **measure(model, splits)}, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
