"""The tour of `pointillist demo`: train on handwritten digits, evaluate, sample, and show it all on one page."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import torch
from rich.console import Console

from pointillist.analysis import explain
from pointillist.analysis.evaluation.likelihood import Evaluation, evaluate
from pointillist.commands.report import Facts, fact_text, lines_of, text_of
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.errors import ConfigError
from pointillist.files.writing import write_text
from pointillist.images.visualization import Axes, Chart, animate, heat_map, html, image_grid, save_png
from pointillist.model.folder.building import build
from pointillist.model.folder.opening import load_weights
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.system import describe_machine, describe_versions, today
from pointillist.training import TrainConfig, train

DATA, STEPS = "uci-digits", 1200
# chosen on the validation images alone
NETWORK: Facts = {"channels": 48, "layers": 6, "head_channels": 64, "first_kernel": 7, "dropout": 0.25}
TRAINING: Facts = {"batch_size": 32, "machine.precision": "fp32", "optimizer.name": "adam"}
PAGE, RESULTS, _STAMP = "index.html", "results.json", "demo.json"
_SHOWN = (0, 2, 3, 5, 6, 8)  # classes whose first test image is analysed; the third has a report


WRITTEN = (PAGE, "digits.png", "digits.gif", "maps.png", "digit.html", RESULTS, "model", "run", _STAMP)
"""Names of what a demo writes."""


def run_demo(
    out: str | Path = "demo",
    *,
    seed: int = 0,
    steps: int = STEPS,
    threads: int = 1,
    console: Console | None = None,
    command: str = "pointillist demo",
) -> Facts:
    """Run the whole demo in a folder; an interrupted run with the same settings is resumed.

        run_demo("demo", seed=0, steps=1200)["bits_per_dim"]  # the page is demo/index.html

    Args:
        out: the folder; the files of an older demo in it are replaced.
        seed, steps: of the training; the seed also gives the samples.
        threads: CPU threads; 0 measures whether one or all are faster. One gives the same numbers on any number of
            cores.
        console: where progress is printed; None for nowhere.
        command: the command that reproduces the run, for the page.

    Returns:
        The numbers, as in `results.json`.

    Raises:
        ConfigError: if a setting is invalid or `out` holds other files.
        Interrupted: after Ctrl-C, with the training state saved.
    """
    if steps < 1 or seed < 0:
        raise ConfigError(f"`steps` (={steps}) must be 1 or more, and `seed` (={seed}) 0 or more.")
    say = (console or Console(quiet=True)).print
    out, splits = Path(out), load_data(DATA)
    model = _train(out, splits, {"steps": steps, "seed": seed, "machine.threads": threads}, console)
    results: Facts = {"command": command, "seed": seed, "steps": steps}
    timed = [row for row in _metrics(out) if "speed" in row]  # of all parts of a training that was interrupted
    seconds = sum(timed[0]["images"] / row["speed"] for row in timed)
    results |= {"training_seconds": round(seconds), "machine": describe_machine()}
    results |= {"threads": torch.get_num_threads(), "versions": describe_versions(), "date": today()}
    test = splits.get("test")
    say(f"evaluate   {len(test)} test images, unused in training")
    results |= _measure(model, splits.get("train"), test)
    say(f"           {results['bits_per_dim']:.4f} bits/dim")
    load_weights(out / "run").save_pretrained(out / "model")  # with the training record of the best step
    say(f"sample     8 digits of each class; analyse {len(_SHOWN)} test digits")
    _draw_digits(out, model, test, seed)
    write_text(out / RESULTS, json.dumps(results, indent=2) + "\n")
    write_text(out / PAGE, _page(out, results))
    return results


def _train(out: Path, splits: DataSplits, settings: Facts, console: Console | None) -> PixelModel:
    """Train the model, in a new run or in one of the same settings that was interrupted."""
    resume = _open(out, json.dumps([settings, NETWORK, TRAINING, describe_versions()]))
    torch.manual_seed(settings["seed"])
    data, steps = splits.get("train"), settings["steps"]
    model = build("gated-pixelcnn", shape=data.spec, classes=data.classes, **NETWORK)
    intervals = {"intervals.evaluate": max(1, steps // 16), "intervals.save": max(1, steps // 8)}
    config = {**TRAINING, **settings, **intervals, "machine.device": "cpu", "out": out / "run"}
    model = train(model, splits, TrainConfig.from_dict(config), resume=resume, console=console).model
    shutil.rmtree(out / "run" / "state", ignore_errors=True)  # nothing is left to resume
    return model


def _open(out: Path, stamp: str) -> bool:
    """Return True for an unfinished run of the same settings; else remove the files of an older demo."""
    before = (out / _STAMP).read_text(encoding="utf-8") if (out / _STAMP).is_file() else None
    if before is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"`out` (={out}) holds files that no demo has written: choose a new folder.")
    if before == stamp and any((out / "run" / "state").glob("step-*")):
        return True
    for path in (out / name for name in WRITTEN):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    write_text(out / _STAMP, stamp)
    return False


def _measure(model: PixelModel, images: ImageDataset, test: ImageDataset) -> Facts:
    """Evaluate on the test images, in all and by class, and under two baselines."""
    result, levels = evaluate(model, test), model.image.levels
    by_class = [result.nats_per_image[np.asarray(test.labels) == number] for number in range(len(test.classes))]
    bits = [Evaluation.of(nats, result.dims).bits_per_dim for nats in by_class]
    seen, unseen = (part.batch(range(len(part))).levels for part in (images, test))
    results: Facts = {name: getattr(result, name) for name in ("bits_per_dim", "nats", "dims")}
    results["interval_95"] = list(result.interval)
    results |= {"per_class": dict(zip(test.classes, bits, strict=True)), "uniform_bits": math.log2(levels)}
    results |= {"frequency_bits": frequency_bits(seen, unseen, levels), "parameters": model.num_parameters()}
    return results | {"train_images": len(images), "test_images": len(test), "levels": levels}


def frequency_bits(train_levels: np.ndarray, test_levels: np.ndarray, levels: int) -> float:
    """Compute bits/dim of test levels `n c h w` under the frequencies of others at each sub-pixel, plus one each."""
    counts = np.stack([(train_levels == level).sum(0) for level in range(levels)]) + 1
    return float(-np.take_along_axis(np.log2(counts / counts.sum(0)), test_levels, axis=0).mean())


def _draw_digits(out: Path, model: PixelModel, test: ImageDataset, seed: int) -> None:
    """Sample digits of each class, as a sheet and an animation; map some test digits, and report on one of them."""
    classes, labels = list(model.config.classes), np.asarray(test.labels)
    array = sample(model, 8 * len(classes), label=8 * classes, seed=seed).array
    save_png(image_grid(array, captions=8 * classes, columns=len(classes)), out / "digits.png")
    order = model.generation_rank(*model.image.shape[1:])
    animate(array[: len(classes)], out / "digits.gif", order=order, columns=5, scale=12, background="#17161b")
    first = [test.batch([int(np.flatnonzero(labels == number)[0])]).levels[0] for number in _SHOWN]
    reports = [explain(model, levels, classes[number]) for levels, number in zip(first, _SHOWN, strict=True)]
    maps = [r.maps.entropy.sum(0) for r in reports] + [r.maps.surprisal.sum(0) for r in reports]
    captions = [f"{kind} {classes[number]}" for kind in ("entropy", "surprisal") for number in _SHOWN]
    save_png(heat_map(np.stack(maps), top=5.0, captions=captions, columns=len(_SHOWN)), out / "maps.png")
    explain(out / "model", first[2], classes[_SHOWN[2]]).save(out / "digit.html")  # whose commands name the folder


def _page(out: Path, results: Facts) -> str:
    """Render the page; its pictures are in it, and the report of a digit stands next to it."""
    texts = {name: escape(text_of(value)) for name, value in results.items()}
    baselines = {"every level equally likely": results["uniform_bits"]}
    baselines |= {"independent pixels, by how often each level occurs": results["frequency_bits"]}
    animation = (out / "digits.gif").read_bytes()
    return Template((files("pointillist.commands") / "demo.html").read_text(encoding="utf-8")).substitute(
        texts
        | {"interval_95": fact_text("interval_95", results["interval_95"])}
        | {"style": html.base_style(), "folder": escape(shlex.quote(str(out)))},
        table=html.table(lines_of(results)),
        animation=html.data_uri(animation, "gif"),
        last_frame=html.last_frame(animation),
        scores=_bars(baselines | {"this model": results["bits_per_dim"]}),
        classes=_bars(results["per_class"]),
        curve=_training_curve(_metrics(out)).svg(),
        digits=_figure(out / "digits.png", "New digits in ten columns", "A column for each class, 0 to 9."),
        maps=_figure(out / "maps.png", "Maps of six test digits", "Entropy and surprisal of each pixel, in bits."),
        image_bytes=round(results["bits_per_dim"] * results["dims"] / 8),
        plain_bytes=round(math.ceil(results["uniform_bits"]) * results["dims"] / 8),
    )


def _figure(path: Path, alt: str, caption: str) -> str:
    picture = f'<img src="{html.data_uri(path.read_bytes(), "png")}" alt="{escape(alt)}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _bars(rows: dict[str, float]) -> str:
    item = '<li><span>{}</span><i style="width:{:.1f}%"></i><b>{:.2f}</b></li>'
    return "".join(item.format(escape(name), 70 * value / max(rows.values()), value) for name, value in rows.items())


def _metrics(out: Path) -> list[Facts]:
    lines = (out / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _training_curve(metrics: list[Facts]) -> Chart:
    """Plot bits/dim by step, logarithmic: training as a thin line, validation as a strong one."""
    trained, valid = ([(m["step"], m[k]) for m in metrics if k in m] for k in ("bits_per_dim", "valid_bits_per_dim"))
    steps, bits = zip(*trained, *valid, strict=True)
    last, low, high = max(*steps, 2), math.floor(min(bits)), math.floor(max(bits)) + 1
    axes = Axes(40, 28, 466, 260, (1, last), (low, high), x_map=math.log)
    marks = axes.y_ticks([(tick, str(tick)) for tick in range(low, high + 1)], "bits/dim")
    marks += axes.x_ticks([(1, "1"), (last, f"{last:,}")], "steps")
    marks += [axes.path(trained, "thin"), axes.path(valid, "strong")]
    return Chart(480, 302, f"Bits per dimension in training, from {bits[0]:.2f} to {min(bits):.2f}", tuple(marks))
