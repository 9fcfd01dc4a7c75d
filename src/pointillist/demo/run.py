"""The demo, from nothing to a page: train, evaluate, save and reload, paint, compare, show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pointillist import visualization
from pointillist._version import __version__
from pointillist.checkpoint.files import write_text
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.demo import prompt_samples
from pointillist.demo.figure_data import FigureData, collect_figure_data, cross_check
from pointillist.demo.page import render
from pointillist.demo.results import NOT_SAME, SAME, DemoResults, class_bits, frequency_bits
from pointillist.demo.workspace import Workspace
from pointillist.errors import ConfigError
from pointillist.evaluation.likelihood import Evaluation, evaluate
from pointillist.model.dataset_conditions import match_labels
from pointillist.model.pixel_model import PixelModel
from pointillist.model.pretrained import PretrainedPixelModel, build, load
from pointillist.system.hardware import describe_machine, describe_versions, today
from pointillist.training import TrainConfig, train

DATA = "uci-digits"
STEPS = 1200
PER_CLASS = 8
_NIGHT = "#17161b"  # of the animation; the page's ground in the dark
_SHOWN = (0, 2, 3, 5, 6, 8)  # classes of the test images that are looked into
# chosen on the validation images alone
_MODEL: dict[str, Any] = {"channels": 48, "layers": 6, "head_channels": 64, "first_kernel": 7, "dropout": 0.25}
_TRAINING: dict[str, Any] = {
    "batch_size": 32,
    "optimizer.lr": 2e-3,
    "optimizer.ema": 0.999,
    "machine.precision": "fp32",
}


@dataclass(frozen=True)
class DemoResult:
    """What a demo made.

    Attributes:
        workspace: where it is.
        facts: its numbers.
        prompted: sheets of paintings from prompts, by the name of the shipped model.
    """

    workspace: Workspace
    facts: DemoResults
    prompted: dict[str, Path]


def run_demo(
    out: str | Path = "demo",
    *,
    seed: int = 0,
    steps: int = STEPS,
    threads: int = 1,
    console: Console | None = None,
    command: str | None = None,
) -> DemoResult:
    """Run the whole demo into a folder; an interrupted one with the same settings goes on where it stopped.

    Args:
        out: the folder; files of an older demo in it are replaced.
        seed: of weights, order and new images.
        steps: of the training.
        threads: CPU threads. One is quick enough for so small a model, gives the same numbers on every number of
            cores, and does not wait for cores that others use; 0 leaves the choice to torch.
        console: where to tell what is going on; None is silent.
        command: how this was started, for the page.

    Raises:
        ConfigError: if a setting is wrong or `out` holds something else.
        Interrupted: after Ctrl-C, with the state of the training saved.
    """
    if steps < 1 or seed < 0:
        raise ConfigError(f"`steps` (={steps}) must be 1 or more, and `seed` (={seed}) 0 or more.")
    place = Workspace(Path(out))
    splits = load_data(DATA)
    model, seconds = _trained(place, splits, seed, steps, threads, console)
    run = {
        "seed": seed,
        "steps": steps,
        "batch_size": _TRAINING["batch_size"],
        "training_seconds": seconds,
        "command": command or f"pointillist demo --seed {seed} --steps {steps}",
    }
    loaded, looks, facts = _measured(place, splits, model, run, _teller(console))
    sheets = _asked(place, seed, _teller(console))
    _publish(place, loaded, looks, facts, prompt_samples.section(sheets, seed))
    return DemoResult(place, facts, sheets)


def _measured(
    place: Workspace, splits: DataSplits, model: PretrainedPixelModel, run: dict[str, Any], say: Callable[[str], None]
) -> tuple[PixelModel, FigureData, DemoResults]:
    """Evaluate, save and reload, paint and compare: the reloaded model, what to show, and the numbers."""
    test = splits.get("test")
    say(f"evaluate   {len(test)} test images that training has not seen")
    evaluation = evaluate(model, test)
    say(f"           {evaluation}")
    loaded, equal = _saved_and_reloaded(place, model, test)
    say(f"reload     {place.model}: {SAME if equal else NOT_SAME}")
    say(f"paint      {PER_CLASS} digits of each class; {len(_SHOWN)} test digits looked into")
    looks = collect_figure_data(loaded, test, seed=run["seed"], per_class=PER_CLASS, classes_shown=_SHOWN)
    facts = DemoResults(
        **run,
        **_sizes(loaded, splits),
        bits_per_dim=evaluation.bits_per_dim,
        interval=evaluation.interval,
        nats=evaluation.nats,
        **_context(loaded, splits, evaluation),
        cross_check=cross_check(loaded, seed=run["seed"]),
        reloaded_equal=equal,
        **_circumstances(),
    )
    return loaded, looks, facts


def _trained(
    place: Workspace, splits: DataSplits, seed: int, steps: int, threads: int, console: Console | None
) -> tuple[PretrainedPixelModel, float]:
    """The trained model, and the seconds that took, over all sittings."""
    settings = {
        "data": DATA,
        "seed": seed,
        "steps": steps,
        "model": _MODEL,
        "training": _TRAINING,
        "version": __version__,
    }
    going_on, before = place.open(settings)
    if console is not None and going_on:
        console.print(f"an unfinished demo is in {place.folder}: going on with it", highlight=False)
    torch.manual_seed(seed)
    data = splits.get("train")
    model = build("gated-pixelcnn", image=data.spec, classes=data.classes, **_MODEL)
    intervals = {"evaluate": max(1, steps // 16), "save": max(1, steps // 8)}
    machine = {"threads": threads, "device": "cpu"}
    config = TrainConfig.from_dict(
        {**_TRAINING, "intervals": intervals, "machine": machine, "steps": steps, "seed": seed, "out": place.run}
    )
    started = time.perf_counter()
    done = False
    try:
        model = train(model, splits, config, resume=going_on, console=console).model
        done = True
    finally:
        seconds = before + time.perf_counter() - started
        place.note(settings, seconds=seconds, trained=done)
    place.forget_state()
    return model, seconds


def _saved_and_reloaded(
    place: Workspace, model: PretrainedPixelModel, test: ImageDataset
) -> tuple[PretrainedPixelModel, bool]:
    """Write the model's own folder and read it back; whether it scores a batch of images to the very same bit."""
    load(place.run).save_pretrained(place.model)  # with the record of the best step, not of the last
    loaded = load(place.model)
    batch = test.batch(range(min(64, len(test))))
    labels = match_labels(model, test)[: len(batch)]
    with torch.inference_mode():
        return loaded, bool(torch.equal(model.log_prob(batch.levels, labels), loaded.log_prob(batch.levels, labels)))


def _sizes(model: PixelModel, splits: DataSplits) -> dict[str, Any]:
    """What was trained, on how much."""
    return {
        "model_type": model.config.model_type,
        "parameters": model.num_parameters,
        "train_images": len(splits.get("train")),
        "valid_images": len(splits.get("valid")),
        "test_images": len(splits.get("test")),
        "levels": model.image.levels,
        "height": model.image.height,
        "width": model.image.width,
    }


def _circumstances() -> dict[str, Any]:
    """Where and when."""
    return {
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "versions": describe_versions(__version__),
        "date": today(),
    }


def _context(model: PretrainedPixelModel, splits: DataSplits, evaluation: Evaluation) -> dict[str, Any]:
    """What the score is compared with, and the score of each class."""
    train_part, test = splits.get("train"), splits.get("test")
    levels = model.image.levels
    seen = train_part.batch(range(len(train_part))).levels.numpy()
    unseen = test.batch(range(len(test))).levels.numpy()
    return {
        "valid_bits_per_dim": float(model.training_record["valid_bits_per_dim"]),
        "uniform_bits": float(torch.tensor(levels, dtype=torch.float64).log2()),
        "frequency_bits": frequency_bits(seen, unseen, levels),
        "per_class": class_bits(evaluation, match_labels(model, test).numpy(), model.config.classes),
    }


def _asked(place: Workspace, seed: int, say: Callable[[str], None]) -> dict[str, Path]:
    """Write sheets of paintings from prompts; their files by the name of the shipped model."""
    sheets = {}
    for folder in prompt_samples.prompted():
        say(f"paint      from prompts: {folder.name}")
        sheets[folder.name] = place.asked(folder.name)
        visualization.save_png(prompt_samples.paint(folder, seed), sheets[folder.name])
    if not sheets:
        say(f"paint      nothing from prompts: {prompt_samples.NONE}")
    return sheets


def _publish(place: Workspace, model: PixelModel, looks: FigureData, facts: DemoResults, prompted: str) -> None:
    """The pictures, the numbers and the page; the page comes last, so that what it names is there."""
    image = model.image
    painted, classes = looks.painted, model.config.classes
    by_row = [c * looks.per_class + r for r in range(looks.per_class) for c in range(len(classes))]
    names = [classes[int(painted.labels[i])] for i in by_row]
    visualization.save_png(
        visualization.image_grid(painted.array[by_row], captions=names, columns=len(classes)), place.sheet
    )
    first = painted.array[:: looks.per_class]
    order = model.places(image.height, image.width)
    visualization.animate(first, place.painting, order=order, columns=5, scale=12, background=_NIGHT)
    shown = [f"{kind} {name}" for kind in ("entropy", "surprise") for name in looks.shown_names]
    maps = np.concatenate([looks.entropy, looks.surprise])
    top = heat_top(image.levels)
    heat = visualization.heat_map(maps, top=top, captions=shown, columns=len(looks.shown_names))
    visualization.save_png(heat, place.maps)
    write_text(place.results, facts.to_json())
    lines = (place.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    write_text(place.page, render(facts, looks, metrics, place.painting.read_bytes(), image, top, prompted))


def heat_top(levels: int) -> float:
    """The end of the scale of both maps: the first whole number of bits that holds every entropy."""
    return float((levels - 1).bit_length())


def _teller(console: Console | None) -> Callable[[str], None]:
    return (lambda text: None) if console is None else (lambda text: console.print(text, highlight=False))
