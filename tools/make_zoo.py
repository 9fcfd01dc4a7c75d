"""Make a bundled model from a finished run: `python tools/make_zoo.py NAME RUN DATA [MEASURED_RUN MEASURED_DATA]`.

Rounds the weights to int8, samples a sheet, makes the integer program, evaluates the rounded model (not the run)
with the commands on its card, and writes `src/pointillist/zoo/NAME`. Facts that only a person knows (data, licence,
limits) are in `docs/evidence/zoo.toml`: look at the sheet and correct the limits. Two evaluations run at a time: set
`OMP_NUM_THREADS` to half of the cores. A run whose last part saw the test images is not evaluated: `MEASURED_RUN`, the
run before that part, is, and the card says so.

`python tools/make_zoo.py NAME DATA` makes the integer program of a bundled model anew, from its training images, and
changes nothing else. `python tools/make_zoo_page.py` lists the programs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pointillist as pt
from int8_weights import pack_encoders, pack_folder, round_weights
from pointillist.commands.training import add_integer_program
from pointillist.conditioning import hint_rule
from pointillist.files.arrays import CARD, PROGRAM_TENSORS, WEIGHTS
from pointillist.files.writing import write_text
from pointillist.images import to_picture
from pointillist.images.visualization import image_grid, save_png
from pointillist.images.visualization.pixels import sequential_colors
from pointillist.model.folder.generation import GenerationConfig
from pointillist.model.portable import save
from pointillist.model.training_record import TrainingRecord
from pointillist.zoo import ZOO

FACTS = Path(__file__).parents[1] / "docs" / "evidence" / "zoo.toml"
SHEET, EACH, TOGETHER, BESIDE = "samples.png", 4, 2, 12
CALIBRATION = 64
"""Training images that the units of an integer program are chosen on."""


def bundle(name: str, run: Path, data: str, zoo: Path = ZOO, measured: tuple[str, str] | None = None) -> Path:
    """Write the folder of a bundled model, and return it.

    Args:
        measured: the run that is evaluated, and its data, if they are others.
    """
    about = tomllib.loads(FACTS.read_text(encoding="utf-8"))[name]
    trained = pt.load(run)
    # the first layer is a prediction where levels are relative to one
    model = round_weights(trained, bf16=("backbone.first.weight",) if trained.config.local_gain else ())
    model.training_record = public(trained.training_record)
    folder = zoo / name
    model.generation_config = settings_of(
        about, GenerationConfig.read(folder) if folder.is_dir() else GenerationConfig()
    )
    model.save_pretrained(folder)
    pack_folder(folder)
    make_program(name, data, zoo)
    drawn = surprisals(folder, data) if about.get("sheet") == "surprisal" else sheet(model, about, data)
    save_png(indexed(drawn), folder / SHEET)
    commands = about["evaluate"]
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(TOGETHER) as pool:
        subject, images = folder, data
        if measured is not None:
            subject, images = Path(temporary), measured[1]
            round_weights(pt.load(measured[0])).save_pretrained(subject)
        lines = list(zip(commands, pool.map(lambda command: evaluate(subject, images, command), commands), strict=True))
    write_text(folder / CARD, card(name, about, model, lines, folder, seconds_of(run), measured))
    return folder


def settings_of(about: dict[str, Any], bundled: GenerationConfig) -> GenerationConfig:
    """Return the settings of sampling of a model: those of its facts, with the hints and pictures of its folder."""
    named = {name: about[name] for name in vars(GenerationConfig()) if name in about}
    return GenerationConfig(**{"hints": bundled.hints, "pictures": bundled.pictures, **named})


def make_program(name: str, data: str, zoo: Path = ZOO) -> Path:
    """Write the integer program of a bundled model, calibrated on its training images, and return its folder."""
    folder = zoo / name
    model = pt.load(folder)
    add_integer_program(model, data, CALIBRATION, [])
    save(pack_encoders(model.integer_model()), folder)
    return folder


def public(record: TrainingRecord) -> TrainingRecord:
    """Return a training record without the folders of the machine on which it ran."""
    record = record.model_copy(deep=True)
    settings = record.record
    source = settings.get("data", {}).get("source")
    if source is not None:
        settings["data"]["source"] = Path(source).name
    settings.get("train", {}).pop("out", None)
    if settings.get("model", {}).get("init_from") is not None:
        settings["model"]["init_from"] = Path(settings["model"]["init_from"]).name
    return record


def sheet(model: pt.PixelModel, about: dict[str, Any], data: str) -> Any:
    """Draw a sheet: `EACH` samples of each prompt or label, or of the outlines of test images."""
    how: dict[str, Any] = {"seed": 0}
    has_hint = "hint" in model.config.conditions
    prompts = about.get("prompts") or about.get("labels")
    if prompts and not has_hint:
        each = [one for one in prompts for _ in range(EACH)]
        condition = {"text" if "prompts" in about else "label": each}
        samples = pt.sample(model, len(each), **condition, **how).array
        return image_grid(samples, captions=each, columns=2 * EACH)
    if not has_hint:
        return image_grid(pt.sample(model, EACH, **how).drawn(), columns=EACH)
    settings = model.training_record.data
    options = {k: v for k, v in settings.items() if k != "source"}
    tiles = pt.load_data(data, pt.DataOptions(**options), spec=model.image, classes=model.config.classes).get("test")
    x = tiles.batch(np.random.default_rng(0).permutation(len(tiles))[:8]).levels
    hints = hint_rule(model.conditions.hint_reader).of(x, model.image).repeat(EACH, 0)
    samples = pt.sample(model, len(hints), hint=hints, **how).array
    rows = [np.concatenate([model.to_images(x[i : i + 1]), samples[i * EACH : (i + 1) * EACH]]) for i in range(len(x))]
    captions = ["real", *["sample"] * EACH] * len(x)
    return image_grid(np.concatenate(rows), captions=captions, columns=2 * (1 + EACH))


def surprisals(folder: Path, data: str) -> Any:
    """Draw validation images, each beside the bits of its pixels: for a codec, whose samples are noise."""
    model = pt.load(folder)
    images = pt.load_data(data, spec=model.image, classes=model.classes).valid
    pictures, captions = [], []
    for x in images.batch(np.random.default_rng(0).permutation(len(images))[:BESIDE]).levels:
        maps, grey = pt.explain(model, x).maps, to_picture(model.image, x)
        pictures += [grey.repeat(3, -1), sequential_colors(maps.surprisal.sum(0), np.log2(model.image.levels))]
        captions += ["image", f"{maps.bits / x.size:.2f} bits a pixel"]
    return image_grid(np.stack(pictures), captions=captions, columns=6)


def indexed(image: Image.Image) -> Image.Image:
    """Return the same picture as indices of its colours, if they are few: a smaller file."""
    colours = image.convert("RGB").getcolors(256)
    return image if colours is None else image.convert("P", palette=Image.Palette.ADAPTIVE, colors=len(colours))


def evaluate(folder: Path, data: str, options: list[str]) -> str:
    """Return the output of `pointillist evaluate` for the rounded weights, without its time."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pointillist", "evaluate", str(folder), str(Path(data).resolve()), *options]
        run = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    kept = [line for line in run.stdout.splitlines() if not line.startswith(("time ", "model ", "data "))]
    return "\n".join(line.rstrip() for line in kept)


def seconds_of(run: Path) -> float | None:
    """Return the time of all steps of a run, interruptions excluded, in seconds; None without metrics."""
    try:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return None
    before = total = 0.0
    for images, speed in ((line["images"], line["speed"]) for line in lines if line.get("speed")):
        total, before = total + max(0.0, images - before) / speed, images  # the mean speed since the start or a resume
    return total


def card(
    name: str,
    about: dict[str, Any],
    model: pt.PixelModel,
    lines: list[tuple[list[str], str]],
    folder: Path,
    seconds: float | None,
    measured: tuple[str, str] | None,
) -> str:
    """Write the model card; the figures are those of another run, before the last part, if one was measured."""
    record, image = model.training_record, model.image
    settings = ", ".join(
        f"{key.replace('_', '-')} {value:g}" for key, value in model.generation_config.sampling.items()
    )
    source = record.data.get("source", "DATA")
    usual = f"pointillist train {source} --config recipes/zoo/{name}.toml --out runs/{name}"
    training = "`, then\n`".join(about.get("train", [usual]))
    has_prompts = "prompts" in about and "hint" not in model.config.conditions
    named = '--text "..."' if has_prompts else "--label 3" if "labels" in about else "--hint outline.png"
    asks = about.get("options", named)
    shown = (
        "images that were not trained on, and the bits of each pixel, dark for few and light for 16"
        if about.get("sheet") == "surprisal"
        else settings or "the model as it is"
    )
    took = "" if seconds is None else f", {seconds / 3600:.1f} hours"
    versions = f"pointillist {record.pointillist}, torch {record.torch}"
    made = ", ".join(filter(None, [record.date, record.platform, versions]))
    subject = (
        "every figure here is of these weights"
        if measured is None
        else "the last part of the training saw the test images, so every figure here is of the weights before it"
    )
    evaluated = f"{name} {source}" if measured is None else f"runs/{Path(measured[0]).name} {Path(measured[1]).name}"
    figures = "\n\n".join(
        f"```text\n$ pointillist evaluate {evaluated} {' '.join(options)}\n{text}\n```" for options, text in lines
    )
    return f"""---
license: {about["licence"]}
library_name: pointillist
pipeline_tag: {"text-to-image" if has_prompts else "unconditional-image-generation"}
tags: [pointillist, {model.config.model_type}]
---

# {name}: {about["title"]}

![Samples]({SHEET})

`{about.get("use", f"pointillist sample {name} {asks} -n 8")}`, or `pt.load("{name}")`. The sheet: {shown}, seed 0.

## Model

A `{model.config.model_type}` of {model.num_parameters():,} parameters, {image.mode} {image.height}x{image.width} with
{image.levels} levels. Conditions: {", ".join(model.config.describe_conditions()) or "none"}. The matrices are
rounded to int8, {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB; {subject}. The integer program
beside them, {(folder / PROGRAM_TENSORS).stat().st_size / 1e6:.1f} MB, is the model in integers, calibrated on
{CALIBRATION} training images; `pointillist sample` runs it, without torch.

## Data

{about["data"]} Licence: {about["licence"]}.

## Training

`{training}`: {record.step or 0:,} steps{took}
({made}). All settings are in `config.json` under `training`.

## Figures

{figures}

"Saved by" is the number of bits per image that a condition saves. "Samples to train" compares samples with training
images, pixel by pixel and without the background; "held out to train" does so for unseen images. Samples that agree
more than those are copies.

## Limits

{about["limits"]}
"""


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(make_program(sys.argv[1], sys.argv[2]))
    else:
        name, run, data, *measured = sys.argv[1:]
        print(bundle(name, Path(run), data, measured=(measured[0], measured[1]) if measured else None))
