"""Measure the cost of training each preset on one thread: `python benchmarks/measure_presets.py [WORD ...]`.

All presets take 15 minutes. Every row is measured in a process of its own, because peak memory does not come down,
and stored at once in `docs/evidence/presets.jsonl`. An existing row of the same size is not measured again, so a
stopped run can be continued; `--again` measures all.
Words choose rows: names of models, presets, images ("28 x 28 grey") and precisions. Run
`python tools/make_models.py --text` afterwards.

Speed is images a second of processor time over whole training steps (batch 16, forward, backward, Adam, average of
weights), the median; on an idle machine that is wall time. Memory is the peak of the process over what it had before
the model was built. The images are random: the cost does not depend on them.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

import pointillist as pt
from pointillist.networks import entry, names
from pointillist.system import describe_machine, today
from pointillist.training.setup import ExponentialMovingAverage, build_optimizer

ROWS = Path(__file__).parents[1] / "docs" / "evidence" / "presets.jsonl"
IMAGES = {"28 x 28 grey": (1, 28, 28), "32 x 32 RGB": (3, 32, 32)}
PRECISIONS = ("fp32", "bf16")
BATCH, STEPS, SECONDS = 16, 3, 4.0
KEY = ("model", "preset", "image", "precision")

Row = dict[str, Any]
Key = tuple[str, str, str, str]


def read() -> list[Row]:
    """The rows that were measured."""
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.exists() else []


def keys(words: Collection[str] = ()) -> list[Key]:
    """The keys of all rows; of each field those that are among the words, if any is."""
    every = [
        (m, p, i, precision) for m in names() for p in entry(m).presets for i in IMAGES for precision in PRECISIONS
    ]
    for field in range(len(KEY)):
        chosen = {key[field] for key in every} & set(words)
        every = [key for key in every if not chosen or key[field] in chosen]
    return every


def size(model: str, preset: str, image: str) -> int:
    """Parameters, without taking memory for them."""
    with torch.device("meta"):
        return build(model, preset, image).num_parameters()


def build(model: str, preset: str, image: str) -> pt.PixelModel:
    """A network with the likelihood of its presets, or else a softmax over 256 levels: the more expensive one."""
    likelihood = "categorical" if entry(model).likelihood == "auto" else "auto"
    return pt.build(model, shape=IMAGES[image], preset=preset, likelihood=likelihood)


def measure(model: str, preset: str, image: str, precision: str) -> Row:
    """Train for a few steps in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before = peak()
    net = build(model, preset, image).train()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    config = pt.TrainConfig.from_dict({"optimizer.name": "adam"}).optimizer
    optimiser, average = build_optimizer(net, config), ExponentialMovingAverage(net, config.ema)
    x = torch.randint(0, 256, (BATCH, *IMAGES[image]))
    seconds: list[float] = []
    while len(seconds) <= STEPS or sum(seconds) < SECONDS:
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            nats = -net(x).mean()
        optimiser.zero_grad()
        nats.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        optimiser.step()
        average.update(len(seconds))
        seconds.append(time.process_time() - started)
    row: Row = dict(zip(KEY, (model, preset, image, precision), strict=True))
    rate = BATCH / statistics.median(seconds[1:])  # the first step also chooses kernels
    row |= {"parameters": net.num_parameters(), "images_per_second": round(rate, 1)}
    row |= {"megabytes": round(peak() - before), "batch": BATCH, "load": round(os.getloadavg()[0], 1)}
    return row | {"date": today(), "machine": describe_machine()}


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(words: list[str], again: bool) -> None:
    """Measure what is missing, row by row."""
    known = {tuple(row[k] for k in KEY): row for row in read()}
    for key in keys(words):
        if not again and key in known and known[key]["parameters"] == size(*key[:3]):
            continue
        done = subprocess.run([sys.executable, __file__, "--row", *key], capture_output=True, text=True, check=True)
        known[key] = json.loads(done.stdout)
        print(*key, f"{known[key]['images_per_second']:,} images/s, {known[key]['megabytes']:,} MB", flush=True)
        rows = [known[k] for k in keys() if k in known]  # in the order of the registry
        ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--row"]:
        print(json.dumps(measure(*arguments[1:])))
    else:
        main([a for a in arguments if a != "--again"], "--again" in arguments)
