"""Settings of `evaluate`, `detect`, `explain` and `bench`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pointillist.commands.settings import (
    BATCH_SIZE,
    DEVICE,
    FLAG,
    FORCE,
    MODEL,
    ONLY_JSON,
    PRINT_JSON,
    SETS,
    Option,
    Panel,
    Settings,
    argument,
    option,
    sampling_option,
)

_ENGINE = Option("NAME", "auto (the integer program, if any), integer; torch for floating point.")
_METRIC = ("condition_metrics",)
_METRICS, _FITTING, _OUTPUT = Panel("Condition metrics"), Panel("The detector"), Panel("Output")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Settings):
    """Settings of `evaluate`."""

    module: ClassVar[str] = "measurement.evaluate"
    merged: ClassVar[str] = ".csv"
    plain_only: ClassVar[str] = (
        "mixture max_images per_image as_json condition_metrics retrieval_candidates retrieval_repeats "
        "captions captions_file caption_prior memorization codec force"
    )

    model: str = MODEL.field()
    data: str = argument("DATA", "Images, as for train; read as the model's own kind.")
    mixture: tuple[str, ...] = option(
        (), "MODEL", "Evaluate the mixture with this model, exact; repeatable.", flags=("--with",)
    )
    split: str | None = option(None, "NAME", "train, valid, test or all. Default: test, else valid, else all.")
    max_images: int | None = option(None, "N", "Evaluate at most N images, drawn at random with seed 0.", low=1)
    batch_size: Any = BATCH_SIZE.sampling_field(64)
    per_image: Path | None = option(
        None, "CSV", "Also write nats and bits/dim of each image, with its file if any; a job goes on after a stop."
    )
    as_json: bool = ONLY_JSON.field(False)
    no_labels: bool = option(False, FLAG, "Do not condition on labels.")
    text: str | None = option(None, "PROMPT", "Condition every image on this prompt.")
    set: tuple[str, ...] = SETS.field(())
    device: str = DEVICE.field("auto")
    order: Any = sampling_option(
        None, "NAME", "Pixel generation order; average (over its orders, exact), or each. Default: its first."
    )
    guidance: Any = sampling_option(
        1.0, "X", "Evaluate the guided distribution with scale X (0 = unconditional, 1 = off)."
    )
    condition_metrics: bool = _METRICS.option(
        False, FLAG, "Bits saved by each condition, Bayes classification, caption retrieval."
    )
    retrieval_candidates: int = _METRICS.option(
        50, "N", "Captions to rank, the true one included.", low=2, needs=_METRIC
    )
    retrieval_repeats: int = _METRICS.option(1, "N", "Draws of the other captions; 0 ranks none.", low=0, needs=_METRIC)
    captions: tuple[str, ...] = _METRICS.option(
        (), "TEXT", "Rank these captions for each image; semicolons separate them; repeatable."
    )
    captions_file: Path | None = _METRICS.option(None, "FILE", "Captions to rank, one on each line.")
    caption_prior: str | None = _METRICS.option(
        None, "NUMBERS", "Prior of each caption, in proportion to 2,1,1. Default: uniform."
    )
    memorization: int = _METRICS.option(0, "N", "Compare N samples with training images.", low=0)
    codec: bool = option(False, FLAG, "Also compress the images: bits/dim of the archive and of its likelihood.")
    engine: Any = _ENGINE.sampling_field("auto")
    force: bool = option(False, FLAG, "Replace an existing CSV.")


@dataclass(frozen=True, kw_only=True)
class ExplainSettings(Settings):
    """Settings of `explain`."""

    model: str = MODEL.field()
    image: str = argument("IMAGE", "An image file, or images as for evaluate, with --index.")
    out: Path | None = option(
        None, "HTML", "Page to write. Default: report.html, or the next free report-N.html.", flags=("--out", "-o")
    )
    index: int | None = option(None, "N", "Number of the image among several, from 0.", low=0)
    split: str | None = option(None, "NAME", "Split of several images, as for evaluate.")
    label: str | None = option(None, "NAME", "Label of the image; default: the label in the data.")
    text: str | None = option(None, "PROMPT", "Prompt; default: the caption in the data.")
    exchange: tuple[str, ...] = option(
        (), "WORD=OTHER", "Compare a word of the prompt with another in its place, as red=blue; repeatable."
    )
    attributes: tuple[str, ...] = option(
        (), "NAME=VALUE", "Attribute, as hair=red; repeatable.", flags=("--attribute",)
    )
    no_labels: bool = option(False, FLAG, "Ignore the labels in the data.")
    calibration_images: int | None = option(
        None, "N", "Also test the calibration of the model, on up to N images of the data.", low=1
    )
    calibration_data: str | None = option(None, "DATA", "Images on which to test the calibration, as for evaluate.")
    what_if: tuple[str, ...] = option(
        (), "ROW,COLUMN=LEVEL", "Level to set, at a position from 0 (or ROW,COLUMN,CHANNEL=LEVEL); repeatable."
    )
    continuations: int = option(4, "N", "Images to paint on from each --what-if.", low=0)
    max_attributions: int | None = option(
        None, "N", "Pixels whose gradients are stored; default: as many as take seconds.", low=0
    )
    maps: Path | None = option(None, "DIR", "Folder in which to write each view as a PNG file.")
    seed: int = option(0, "N", "Seed of continuations and calibration.", low=0)
    order: Any = sampling_option(None, "NAME", "Pixel generation order of the model; default: its first.")
    engine: Any = _ENGINE.sampling_field("auto")
    as_json: bool = ONLY_JSON.field(False)
    set: tuple[str, ...] = SETS.field(())
    device: str = DEVICE.field("auto")
    force: bool = FORCE.field(False)


@dataclass(frozen=True, kw_only=True)
class DetectSettings(Settings):
    """Settings of `detect`."""

    module: ClassVar[str] = "measurement.detect"
    merged: ClassVar[str] = ".csv"
    plain_only: ClassVar[str] = (
        "fit fit_split neighbours background windows heatmaps sheet csv as_json top fail_on_anomaly force"
    )

    model: str = argument("MODEL", "A model of normal images: folder, name, hf:USER/MODEL.")
    data: str = argument("DATA", "Images to judge; a folder is read a batch at a time.")
    fit: str | None = _FITTING.option(None, "NORMAL", "Fit on these normal images, unseen in training.")
    fit_split: str | None = _FITTING.option(
        None, "NAME", "Split of NORMAL: train, valid, test or all. Default: valid, else all."
    )
    neighbours: str | None = _FITTING.option(
        None, "NORMAL", "With --fit: measure distances to these, training images too: adds a statistic."
    )
    false_alarms: float | None = option(
        None,
        "X",
        "Share of normal images that may be called anomalous. Default: the detector's, or 0.05.",
        parameter="contamination",
    )
    detector: Path | None = _FITTING.option(None, "DIR", "Folder of the detector. Default: MODEL.")
    background: str | None = _FITTING.option(None, "MODEL", "Model of noise-mutated images: adds a ratio.")
    engine: Any = _FITTING.sampling_option("auto", "NAME", "With --fit: auto, integer or torch, as for evaluate.")
    split: str | None = option(None, "NAME", "Of DATA that has splits: train, valid, test or all (default).")
    windows: bool = option(False, FLAG, "Keep larger images as they are, and score them by windows.")
    heatmaps: Path | None = _OUTPUT.option(None, "DIR", "Write the heat map over each image as PNG.")
    sheet: Path | None = _OUTPUT.option(
        None, "PNG", "Write a sheet of the most anomalous images: image, heat map and mask."
    )
    csv: Path | None = _OUTPUT.option(None, "CSV", "Write a line for each image.", parameter="csv_path")
    as_json: bool = replace(ONLY_JSON, panel=_OUTPUT).field(False)
    top: int = _OUTPUT.option(20, "N", "Lines of the table.", low=1)
    fail_on_anomaly: bool = option(False, FLAG, "Exit with 1 if an image is called anomalous.")
    batch_size: Any = BATCH_SIZE.sampling_field(64)
    set: tuple[str, ...] = SETS.field(())
    device: str = DEVICE.field("auto")
    force: bool = replace(FORCE, panel=_OUTPUT).field(False)


@dataclass(frozen=True, kw_only=True)
class BenchSettings(Settings):
    """Settings of `bench`."""

    model: str = argument("MODEL", "A trained model, such as a folder or a bundled name.", "digits")
    engines: str = option("integer,numpy,torch", "NAME,NAME", "Engines to compare; naive takes long.")
    batch_sizes: str = option("1,16", "N,N", "Images of one call.")
    rounds: int = option(5, "N", "Timed calls of each; the median is printed.", low=1)
    as_json: bool = PRINT_JSON.field(False)
