"""The tour of `pointillist demo`: train on handwritten digits, evaluate, sample, and show it all on one page."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import time
from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pointillist.analysis import explain
from pointillist.analysis.evaluation.likelihood import Evaluation, evaluate
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.errors import ConfigError
from pointillist.files.writing import write_text
from pointillist.images.visualization import Axes, Chart, animate, heat_map, html, image_grid, named_grid, save_png
from pointillist.model.folder.building import build
from pointillist.model.folder.generation import GenerationConfig
from pointillist.model.folder.opening import load_weights
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.system import describe_machine, describe_versions, today
from pointillist.training import TrainConfig, train
from pointillist.zoo import list_pretrained

DATA, STEPS = "uci-digits", 1200
# chosen on the validation images alone
NETWORK: dict[str, Any] = {"channels": 48, "layers": 6, "head_channels": 64, "first_kernel": 7, "dropout": 0.25}
TRAINING: dict[str, Any] = {"batch_size": 32, "optimizer.lr": 2e-3, "optimizer.ema": 0.999, "machine.precision": "fp32"}
PAGE, RESULTS, _STAMP = "index.html", "results.json", "demo.json"
LIVE, _PAINTS = "dungeons.html", "dungeons"  # a page that paints without a server, and its model
_INTO = 6  # samples into an outline
_SHOWN = (0, 2, 3, 5, 6, 8)  # classes whose first test image is analysed; the third has a report


def prompted_models() -> list[Path]:
    """List the folders of the pretrained models whose example prompts are shown; the first stands at the top."""
    folders = {model.name: model.folder for model in list_pretrained()}
    return [folders[name] for name in ("scenes", "icons", "outline-to-tile") if name in folders]


def written_files(*, live: bool = False) -> list[str]:
    """Name what a demo writes; `live` where it writes a page that paints."""
    samples = [f"{folder.name}.png" for folder in prompted_models()]
    pages = ["digit.html", LIVE] if live else ["digit.html"]
    return [PAGE, "digits.png", "digits.gif", "maps.png", *pages, *samples, RESULTS, "model", "run", _STAMP]


def run_demo(
    out: str | Path = "demo",
    *,
    seed: int = 0,
    steps: int = STEPS,
    threads: int = 1,
    console: Console | None = None,
    command: str = "pointillist demo",
    export: Callable[[str, Path], object] | None = None,
) -> dict[str, Any]:
    """Run the whole demo in a folder; an interrupted run with the same settings is resumed.

        run_demo("demo", seed=0, steps=1200)["bits_per_dim"]  # the page is demo/index.html

    Args:
        out: the folder; the files of an older demo in it are replaced.
        seed, steps: of the training; the seed also gives the samples.
        threads: CPU threads; 0 leaves the choice to torch. One gives the same numbers for any number of cores.
        console: where progress is printed; None for nowhere.
        command: the command that reproduces the run, for the page.
        export: writes a bundled model as a page that paints; None leaves it out.

    Returns:
        The numbers, as in `results.json`.

    Raises:
        ConfigError: if a setting is invalid or `out` holds other files.
        Interrupted: after Ctrl-C, with the training state saved.
    """
    if steps < 1 or seed < 0:
        raise ConfigError(f"`steps` (={steps}) must be 1 or more, and `seed` (={seed}) 0 or more.")
    say = (console or Console(quiet=True)).print
    out, splits, started = Path(out), load_data(DATA), time.perf_counter()
    model = _train(out, splits, {"steps": steps, "seed": seed, "machine.threads": threads}, console)
    results: dict[str, Any] = {"command": command, "seed": seed, "steps": steps}
    results |= {"training_seconds": round(time.perf_counter() - started), "machine": describe_machine()}
    results |= {"threads": torch.get_num_threads(), "versions": describe_versions(), "date": today()}
    test = splits.get("test")
    say(f"evaluate   {len(test)} test images, unused in training")
    results |= _measure(model, splits.get("train"), test)
    say(f"           {results['bits_per_dim']:.4f} bits/dim")
    load_weights(out / "run").save_pretrained(out / "model")  # with the training record of the best step
    results |= _compare(model, load_weights(out / "model"), test)
    say(f"sample     8 digits of each class; analyse {len(_SHOWN)} test digits")
    _draw_digits(out, model, test, seed)
    commands = {}
    for folder in prompted_models():
        say(f"sample     from prompts: {folder.name}")
        commands[folder.name] = _draw_prompts(folder, out, seed)
    if export is not None:
        say(f"export     a page that paints: {_PAINTS}")
        export(_PAINTS, out / LIVE)
    write_text(out / RESULTS, json.dumps(results, indent=2) + "\n")
    write_text(out / PAGE, _page(out, results, commands))
    return results


def _train(out: Path, splits: DataSplits, settings: dict[str, Any], console: Console | None) -> PixelModel:
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
    for path in (out / name for name in written_files(live=True)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    write_text(out / _STAMP, stamp)
    return False


def _measure(model: PixelModel, images: ImageDataset, test: ImageDataset) -> dict[str, Any]:
    """Evaluate on the test images, in all and by class, and under two baselines."""
    result, levels = evaluate(model, test), model.image.levels
    by_class = [result.nats_per_image[np.asarray(test.labels) == number] for number in range(len(test.classes))]
    bits = [Evaluation.of(nats, result.dims).bits_per_dim for nats in by_class]
    seen, unseen = (part.batch(range(len(part))).levels for part in (images, test))
    results = {name: getattr(result, name) for name in ("bits_per_dim", "interval", "nats", "dims")}
    results |= {"per_class": dict(zip(test.classes, bits, strict=True)), "uniform_bits": math.log2(levels)}
    results |= {"frequency_bits": frequency_bits(seen, unseen, levels), "parameters": model.num_parameters()}
    return results | {"train_images": len(images), "test_images": len(test), "levels": levels}


def frequency_bits(train_levels: np.ndarray, test_levels: np.ndarray, levels: int) -> float:
    """Compute bits/dim of test levels `n c h w` under the frequencies of others at each sub-pixel, plus one each."""
    counts = np.stack([(train_levels == level).sum(0) for level in range(levels)]) + 1
    return float(-np.take_along_axis(np.log2(counts / counts.sum(0)), test_levels, axis=0).mean())


def _compare(model: PixelModel, loaded: PixelModel, test: ImageDataset) -> dict[str, Any]:
    """Compare the model with the saved one, to the bit, and two engines on the same random numbers."""
    batch = test.batch(range(64))
    with torch.inference_mode():
        log_probs = [m.log_prob(m.check(batch.levels), batch.labels) for m in (model, loaded)]
    uniforms, levels = np.random.default_rng([0, 2]).random((4, *model.image.shape)), []
    results: dict[str, Any] = {"best_validation": float(loaded.training_record["valid_bits_per_dim"])}
    for engine in ("numpy", "naive"):
        started = time.perf_counter()
        levels.append(sample(loaded, 4, label=[0, 1, 2, 3], uniforms=uniforms, engine=engine).levels)
        results[f"{engine}_seconds"] = time.perf_counter() - started
    equal = {"reloaded_is_equal": torch.equal(*log_probs), "engines_are_equal": np.array_equal(levels[0], levels[1])}
    return results | equal


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


def _draw_prompts(folder: Path, out: Path, seed: int) -> str:
    """Sample the first example prompts of a pretrained model, in its styles; return the command that samples them."""
    config = GenerationConfig.read(folder)
    if config.hints:
        return _draw_hints(folder, config, out, seed)
    styles, prompts = config.labels[:4], config.prompts[: 8 if config.labels else 4]
    columns, count, styled = (prompts, 1, f" --label {','.join(styles)}") if styles else (["", "", "", ""], 4, "")
    labels = [style for style in styles for _ in prompts] or None
    texts = [*prompts] * len(styles) or [prompt for prompt in prompts for _ in columns]
    samples = sample(load_weights(folder), len(texts), label=labels, text=texts, seed=seed)
    save_png(named_grid(samples.array, styles or prompts, columns, columns=len(columns)), out / f"{folder.name}.png")
    return f'pointillist sample {folder.name} --text "{"; ".join(prompts)}"{styled} -n {count} --seed {seed}'


def _draw_hints(folder: Path, config: GenerationConfig, out: Path, seed: int) -> str:
    """Sample into the example outlines of a pretrained model; return the command that does so for one of them."""
    hints = np.array([hint.levels for hint in config.hints])
    array = sample(load_weights(folder), _INTO * len(hints), hint=hints.repeat(_INTO, 0)[:, None], seed=seed).array
    outlines = np.where(hints[..., None] > 0, (0, 0, 0, 255), 255)
    array = np.insert(array, range(0, len(array), _INTO), outlines, axis=0)
    names, columns = [hint.name for hint in config.hints], ["outline", *[""] * _INTO]
    save_png(named_grid(array, names, columns, columns=len(columns)), out / f"{folder.name}.png")
    return f"pointillist sample {folder.name} --hint outline.png -n {_INTO} --seed {seed}"


def _page(out: Path, results: dict[str, Any], commands: dict[str, str]) -> str:
    """Render the page; its pictures are in it, and the report of a digit stands next to it."""
    texts = {name: escape(_text(value)) for name, value in results.items()}
    baselines = {"every level equally likely": results["uniform_bits"]}
    baselines |= {"independent pixels, by how often each level occurs": results["frequency_bits"]}
    animation = (out / "digits.gif").read_bytes()
    first, *others = (_figure(out / f"{k}.png", f"Samples of {k} from prompts", c) for k, c in commands.items())
    return Template((files("pointillist.commands") / "demo.html").read_text(encoding="utf-8")).substitute(
        texts | {"style": html.base_style(), "folder": escape(shlex.quote(str(out)))},
        first=first,
        prompts="".join(others),
        live=_live(out / LIVE),
        table=html.table((k.replace("_", " "), _text(v)) for k, v in results.items()),
        animation=html.data_uri(animation, "gif"),
        last_frame=html.last_frame(animation),
        scores=_bars(baselines | {"this model": results["bits_per_dim"]}),
        classes=_bars(results["per_class"]),
        curve=_training_curve(out / "run" / "metrics.jsonl").svg(),
        digits=_figure(out / "digits.png", "New digits in ten columns", "A column for each class, 0 to 9."),
        maps=_figure(out / "maps.png", "Maps of six test digits", "Entropy and surprisal of each pixel, in bits."),
        image_bytes=round(results["bits_per_dim"] * results["dims"] / 8),
        plain_bytes=round(math.ceil(results["uniform_bits"]) * results["dims"] / 8),
        verdict="the same digits" if results["engines_are_equal"] else "other digits: please report this",
    )


def _text(value: Any) -> str:
    """Render a result in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, tuple):
        return " to ".join(map(_text, value))
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _live(page: Path) -> str:
    """Show the page that paints, if any."""
    if not page.exists():
        return ""
    words = "The page below paints without a server. Draw on it and press <i>Paint</i>, or walk through an endless map."
    frame = f'<iframe class="live" src="{page.name}" title="The studio of dungeons, live" loading="lazy"></iframe>'
    link = f'<p><a href="{page.name}">Open it alone</a></p>'
    return f"<section><h2>Draw, and let a model complete it</h2><p>{words}</p>{frame}{link}</section>"


def _figure(path: Path, alt: str, caption: str) -> str:
    picture = f'<img src="{html.data_uri(path.read_bytes(), "png")}" alt="{escape(alt)}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _bars(rows: dict[str, float]) -> str:
    """Render bits/dim as bars."""
    item = '<li><span>{}</span><i style="width:{:.1f}%"></i><b>{:.2f}</b></li>'
    return "".join(item.format(escape(name), 70 * value / max(rows.values()), value) for name, value in rows.items())


def _training_curve(path: Path) -> Chart:
    """Plot bits/dim by step, logarithmic: training as a thin line, validation as a strong one."""
    metrics = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    trained, valid = ([(m["step"], m[k]) for m in metrics if k in m] for k in ("bits_per_dim", "valid_bits_per_dim"))
    steps, bits = zip(*trained, *valid, strict=True)
    last, low, high = max(*steps, 2), math.floor(min(bits)), math.floor(max(bits)) + 1
    axes = Axes(40, 28, 466, 260, (1, last), (low, high), x_map=math.log)
    marks = axes.y_ticks([(tick, str(tick)) for tick in range(low, high + 1)], "bits/dim")
    marks += axes.x_ticks([(1, "1"), (last, f"{last:,}")], "steps")
    marks += [axes.path(trained, "thin"), axes.path(valid, "strong")]
    return Chart(480, 302, f"Bits per dimension in training, from {bits[0]:.2f} to {min(bits):.2f}", tuple(marks))
