"""Run the demo: train, evaluate, save and reload, sample, compare, and render the page."""

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
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.demo import icons, prompt_samples
from pointillist.demo.figure_data import FigureData, collect_figure_data, cross_check
from pointillist.demo.page import render
from pointillist.demo.prompt_samples import PromptedImages
from pointillist.demo.results import NOT_SAME, SAME, DemoResults, frequency_bits, score_classes
from pointillist.demo.workspace import Workspace
from pointillist.errors import ConfigError
from pointillist.evaluation.likelihood import Evaluation, evaluate
from pointillist.files.writing import write_text
from pointillist.model.batches import match_labels
from pointillist.model.pixel_model import PixelModel
from pointillist.model.pretrained import build, load
from pointillist.system import __version__, describe_machine, describe_versions, today
from pointillist.training import TrainConfig, train

DATA = "uci-digits"
STEPS = 1200
PER_CLASS = 8
_NIGHT = "#17161b"  # background of the animation; that of the dark page
_SHOWN = (0, 2, 3, 5, 6, 8)  # classes of the test images that are analysed
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
    """Output of a demo.

    Attributes:
        workspace: its folder.
        results: its numbers.
        prompt_samples: files with samples from prompts, by the name of the pretrained model.
    """

    workspace: Workspace
    results: DemoResults
    prompt_samples: dict[str, Path]


def run_demo(
    out: str | Path = "demo",
    *,
    seed: int = 0,
    steps: int = STEPS,
    threads: int = 1,
    console: Console | None = None,
    command: str | None = None,
) -> DemoResult:
    """Run the whole demo in a folder; an interrupted run with the same settings is resumed.

        result = run_demo("demo", seed=0, steps=1200)
        result.results.bits_per_dim, result.workspace.page

    Args:
        out: the folder; the files of an older demo in it are replaced.
        seed: seed of weights, batches and samples.
        steps: number of training steps.
        threads: CPU threads; 0 leaves the choice to torch. One is fast enough for so small a model, and gives the same
            numbers for any number of cores.
        console: where progress is printed; None for nowhere.
        command: the command that reproduces the run, for the page.

    Raises:
        ConfigError: if a setting is invalid or `out` holds other files.
        Interrupted: after Ctrl-C, with the training state saved.
    """
    if steps < 1 or seed < 0:
        raise ConfigError(f"`steps` (={steps}) must be 1 or more, and `seed` (={seed}) 0 or more.")
    workspace = Workspace(Path(out))
    splits = load_data(DATA)
    model, seconds = _trained(workspace, splits, seed, steps, threads, console)
    run = {
        "seed": seed,
        "steps": steps,
        "batch_size": _TRAINING["batch_size"],
        "training_seconds": seconds,
        "command": command or f"pointillist demo --seed {seed} --steps {steps}",
    }
    loaded, figures, results = _measured(workspace, splits, model, run, _printer(console))
    prompted = _sample_prompts(workspace, seed, _printer(console))
    _publish(workspace, loaded, figures, results, prompted)
    return DemoResult(workspace, results, {icons.MODEL: workspace.prompt_samples(icons.MODEL), **prompted.grids})


def _measured(
    workspace: Workspace,
    splits: DataSplits,
    model: PixelModel,
    run: dict[str, Any],
    say: Callable[[str], None],
) -> tuple[PixelModel, FigureData, DemoResults]:
    """Evaluate, save and reload, sample and compare; return the reloaded model, the figure data and the results."""
    test = splits.get("test")
    say(f"evaluate   {len(test)} test images, unused in training")
    evaluation = evaluate(model, test)
    say(f"           {evaluation}")
    loaded, equal = _saved_and_reloaded(workspace, model, test)
    say(f"reload     {workspace.model}: {SAME if equal else NOT_SAME}")
    say(f"sample     {PER_CLASS} digits of each class; analyse {len(_SHOWN)} test digits")
    figures = collect_figure_data(loaded, test, seed=run["seed"], per_class=PER_CLASS, classes_shown=_SHOWN)
    results = DemoResults(
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
    return loaded, figures, results


def _trained(
    workspace: Workspace, splits: DataSplits, seed: int, steps: int, threads: int, console: Console | None
) -> tuple[PixelModel, float]:
    """Train the model; return it and the seconds of training, summed over interruptions."""
    settings = {
        "data": DATA,
        "seed": seed,
        "steps": steps,
        "model": _MODEL,
        "training": _TRAINING,
        "version": __version__,
    }
    resumable, before = workspace.open(settings)
    if console is not None and resumable:
        console.print(f"resuming the unfinished demo in {workspace.folder}", highlight=False)
    torch.manual_seed(seed)
    data = splits.get("train")
    model = build("gated-pixelcnn", image=data.spec, classes=data.classes, **_MODEL)
    intervals = {"evaluate": max(1, steps // 16), "save": max(1, steps // 8)}
    machine = {"threads": threads, "device": "cpu"}
    config = TrainConfig.from_dict(
        {**_TRAINING, "intervals": intervals, "machine": machine, "steps": steps, "seed": seed, "out": workspace.run}
    )
    started = time.perf_counter()
    done = False
    try:
        model = train(model, splits, config, resume=resumable, console=console).model
        done = True
    finally:
        seconds = before + time.perf_counter() - started
        workspace.record(settings, seconds=seconds, trained=done)
    workspace.delete_state()
    return model, seconds


def _saved_and_reloaded(workspace: Workspace, model: PixelModel, test: ImageDataset) -> tuple[PixelModel, bool]:
    """Save the model and load it again; return it, and True if a batch has equal log-likelihoods, to the bit."""
    load(workspace.run).save_pretrained(workspace.model)  # with the training record of the best step
    loaded = load(workspace.model)
    batch = test.batch(range(min(64, len(test))))
    labels = match_labels(model, test)[: len(batch)]
    with torch.inference_mode():
        return loaded, bool(torch.equal(model.log_prob(batch.levels, labels), loaded.log_prob(batch.levels, labels)))


def _sizes(model: PixelModel, splits: DataSplits) -> dict[str, Any]:
    """Return the sizes of the model and the data."""
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
    """Return hardware, software and date."""
    return {
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "versions": describe_versions(),
        "date": today(),
    }


def _context(model: PixelModel, splits: DataSplits, evaluation: Evaluation) -> dict[str, Any]:
    """Return the baselines, the validation result, and bits/dim of each class."""
    train_part, test = splits.get("train"), splits.get("test")
    levels = model.image.levels
    seen = train_part.batch(range(len(train_part))).levels.numpy()
    unseen = test.batch(range(len(test))).levels.numpy()
    return {
        "valid_bits_per_dim": float(model.training_record["valid_bits_per_dim"]),
        "uniform_bits": float(torch.tensor(levels, dtype=torch.float64).log2()),
        "frequency_bits": frequency_bits(seen, unseen, levels),
        "per_class": score_classes(evaluation, match_labels(model, test).numpy(), model.config.classes),
    }


def _sample_prompts(workspace: Workspace, seed: int, say: Callable[[str], None]) -> PromptedImages:
    """Sample from prompts by each pretrained model, and write the images."""
    say(f"sample     from prompts and styles: {icons.MODEL}")
    sheet = icons.sample_icons(seed)
    visualization.save_png(sheet.image(), workspace.prompt_samples(icons.MODEL))
    grids = {}
    for folder in prompt_samples.find_prompt_models():
        say(f"sample     from prompts: {folder.name}")
        grids[folder.name] = workspace.prompt_samples(folder.name)
        visualization.save_png(prompt_samples.sample_prompts(folder, seed), grids[folder.name])
    return PromptedImages(sheet, grids)


def _publish(
    workspace: Workspace, model: PixelModel, figures: FigureData, results: DemoResults, prompted: PromptedImages
) -> None:
    """Write the images, the results and the page; the page comes last, so that every file it names exists."""
    image = model.image
    samples, classes = figures.samples, model.config.classes
    by_row = [c * figures.per_class + r for r in range(figures.per_class) for c in range(len(classes))]
    names = [classes[int(samples.labels[i])] for i in by_row]
    visualization.save_png(
        visualization.image_grid(samples.array[by_row], captions=names, columns=len(classes)), workspace.samples
    )
    first = samples.array[:: figures.per_class]
    order = model.generation_rank(image.height, image.width)
    visualization.animate(first, workspace.animation, order=order, columns=5, scale=12, background=_NIGHT)
    captions = [f"{kind} {name}" for kind in ("entropy", "surprisal") for name in figures.image_classes]
    maps = np.concatenate([figures.entropy, figures.surprisal])
    scale_max = heat_map_max(image.levels)
    heat = visualization.heat_map(maps, top=scale_max, captions=captions, columns=len(figures.image_classes))
    visualization.save_png(heat, workspace.maps)
    write_text(workspace.results, results.to_json())
    lines = (workspace.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    animation = workspace.animation.read_bytes()
    page = render(results, figures, metrics, animation, image, scale_max, workspace.folder, prompted)
    write_text(workspace.page, page)


def heat_map_max(levels: int) -> float:
    """Return the end of the colour scale of both maps: the first whole number of bits above every entropy."""
    return float((levels - 1).bit_length())


def _printer(console: Console | None) -> Callable[[str], None]:
    return (lambda text: None) if console is None else (lambda text: console.print(text, highlight=False))
