"""A small network that reads a scene of `recipes/scenes` from its pixels, by which benchmarks judge samples.

Scenes that look the same are read as one: "a cat left of a dog", "a dog right of a cat" and "a cat and a dog" are the
things `cat` and `dog`, from left to right. A colour is read where a thing can have every colour.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "scenes"))

from captions import describe
from drawings import ARTISTS, BESIDE, COLOURS, GROUNDS, NUM_COLOURS, RECOLOURED, THINGS
from make_scenes import Row, columns
from scenes import PLACES, TIMES, Painter, draw_scene

BATCH, WIDTH, NOISE, PEAK, SILENT = 64, 40, 0.02, 3e-3, -1
NAMES = (*THINGS, *GROUNDS)
HEADS: dict[str, tuple[str, ...]] = {
    "thing": NAMES,
    "thing_colour": tuple(COLOURS),
    "second": ("", *THINGS),
    "second_colour": tuple(COLOURS),
    "count": ("1", "2", "3"),
    "relation": ("", "beside", "on", "under", "in front of", "behind", *BESIDE),
    "ground": ("", *GROUNDS),
    "ground_colour": tuple(COLOURS),
    "place": PLACES,
    "time": TIMES,
}
"""What is read, and its classes; "" is none."""
Record = Mapping[str, Any]
"""A row of the set of scenes: the names of its columns and their values."""


def canonical(record: Record) -> dict[str, str]:
    """Return the truth of a scene as it is read; a colour that is not read is ""."""
    result = {name: str(record[name]) for name in HEADS}
    if result["ground"] in THINGS:
        sides = [(result["thing"], result["thing_colour"]), (result["ground"], result["ground_colour"])]
        if result["relation"] == "right of":
            sides.reverse()
        (result["thing"], result["thing_colour"]), (result["second"], result["second_colour"]) = sides
        result |= {"ground": "", "ground_colour": "", "relation": "beside"}
    elif result["second"] and not result["ground"]:
        result["relation"] = "beside"
    for item in ("thing", "second", "ground"):
        if result[item] not in (*RECOLOURED, *GROUNDS):
            result[f"{item}_colour"] = ""
    return result


def to_classes(records: Sequence[Record]) -> dict[str, Int[Tensor, " n"]]:
    """Return the classes of each head, `SILENT` where a colour is not read."""
    truths = [canonical(record) for record in records]

    def class_of(head: str, value: str) -> int:
        return HEADS[head].index(value) if value in HEADS[head] else SILENT

    return {head: torch.tensor([class_of(head, truth[head]) for truth in truths]) for head in HEADS}


def records_of(table: Mapping[str, np.ndarray], rows: Sequence[int] | np.ndarray | None = None) -> list[dict[str, Any]]:
    """Return rows of the set of scenes as records, without their pixels."""
    names = [name for name in table if name not in ("x", "mask", "palette")]
    chosen = range(len(table["caption"])) if rows is None else rows
    return [{name: table[name][i] for name in names} for i in chosen]


class Reader(nn.Module):
    """Three blocks of convolutions, each halving the grid, a hidden layer, and a layer for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(NUM_COLOURS, 12)
        widths = (12, WIDTH, 2 * WIDTH, 3 * WIDTH)
        self.blocks = nn.Sequential(*(_block(*widths[i : i + 2]) for i in range(3)))
        self.hidden = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(3 * WIDTH * 16, 320), nn.ReLU())
        self.heads = nn.ModuleDict({head: nn.Linear(320, len(classes)) for head, classes in HEADS.items()})

    def forward(self, x: Int[Tensor, "n h w"]) -> dict[str, Tensor]:
        """Score the classes of each head, `[n classes]`."""
        features = self.hidden(self.blocks(self.embedding(x).permute(0, 3, 1, 2)))
        return {head: layer(features) for head, layer in self.heads.items()}

    @torch.no_grad()
    def read(self, levels: Int[Tensor, "n h w"]) -> list[dict[str, str]]:
        """Read scenes."""
        parts = [{head: scores.argmax(1) for head, scores in self(part).items()} for part in levels.long().split(256)]
        return [
            {head: HEADS[head][int(part[head][i])] for head in HEADS}
            for part in parts
            for i in range(len(part["thing"]))
        ]


def _block(before: int, after: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))


def fresh_scenes(
    painter: Painter, seed: int, artists: Collection[str] = ARTISTS
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield batches of new scenes, of all combinations, and their classes."""
    rng = np.random.default_rng(seed)
    while True:
        rows: list[Row] = []
        while len(rows) < BATCH:
            scene = draw_scene(rng)
            if scene.artist in artists:
                rows.append((painter.paint(scene), describe(scene, rng), scene, "", ""))
        table = columns(rows)
        yield torch.from_numpy(table["x"].astype(np.int64)), to_classes(records_of(table))


def train_reader(
    painter: Painter, steps: int, artists: Collection[str] = ARTISTS, reader: Reader | None = None, seed: int = 100
) -> Reader:
    """Train a reader, or one further, on fresh scenes with a share `NOISE` of the pixels at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = (reader or Reader()).train()
        optimizer = torch.optim.AdamW(reader.parameters(), PEAK, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps)
        for _, (x, classes) in zip(range(steps), fresh_scenes(painter, seed, artists), strict=False):
            noisy = torch.where(torch.rand(x.shape) < NOISE, torch.randint(0, NUM_COLOURS, x.shape), x)
            losses = [
                nn.functional.cross_entropy(scores, classes[head], ignore_index=SILENT, reduction="sum") / BATCH
                for head, scores in reader(noisy).items()
            ]
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()
            schedule.step()
    return reader.eval()


def judge(record: Record, seen: Mapping[str, str]) -> dict[str, bool]:
    """Return which of the attributes that a caption says a picture shows.

    The caption says the thing, and what it is on, under or next to: others cannot be judged.
    """
    truth, said = canonical(record), str(record["said"]).split("|")
    names, colours = ("thing", "second"), ("thing_colour", "second_colour")
    swapped = truth["relation"] == "beside" and "next" in said and seen["thing"] == truth["second"]
    at = {one: (names + colours)[i ^ 1 if swapped else i] for i, one in enumerate(names + colours)}
    result = {"thing": all(seen[at[name]] == truth[name] for name in names) and seen["count"] == truth["count"]}
    told = {"thing_colour": "thing colour" in said, "second_colour": "thing colour" in said}
    if str(record["ground"]) in THINGS:
        mine, other = ("second_colour", "thing_colour") if record["relation"] == "right of" else colours
        told = {mine: "thing colour" in said, other: "ground colour" in said}
    judged = [name for name in colours if truth[name] and told[name]]
    if judged:
        result["thing colour"] = all(seen[at[name]] == truth[name] for name in judged)
    if truth["ground"]:
        result["ground"] = seen["ground"] == truth["ground"]
        if "ground colour" in said:
            result["ground colour"] = seen["ground_colour"] == truth["ground_colour"]
    if truth["relation"] not in ("", "beside") and ("relation" in said or "next" in said):
        allowed = BESIDE if "next" in said else (truth["relation"],)
        result["relation"] = seen["relation"] in allowed
    elif truth["relation"]:
        result["relation"] = seen["relation"] == truth["relation"]
    for name in ("place", "time"):
        if name in said:
            result[name] = seen[name] == truth[name]
    return result | {"all": all(result.values())}


def can_be_judged(record: Record) -> bool:
    """Return True if the caption says the thing and, if any, what it is on, under or next to."""
    said = str(record["said"]).split("|")
    return "thing" in said and (not record["ground"] or "ground" in said)
