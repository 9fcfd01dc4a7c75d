"""The cost of a run of a hierarchy, stage by stage, from the first steps of each; nothing is written."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
import psutil
import torch
from rich.console import Console

from pointillist.data import DataSplits
from pointillist.hierarchy.config import TOKENIZER
from pointillist.hierarchy.data import Pyramid, encoded, read_codes, read_images
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.hierarchy.tokenizers.training import TokenizerTrainer
from pointillist.hierarchy.train import HierarchyTraining
from pointillist.system import free_bytes, measure_peak_memory
from pointillist.training.estimate import MIN_SECONDS, MIN_STEPS, CostEstimate

ENCODED = 64
"""Images that an untrained tokenizer encodes for the estimate of the stages above it."""


def estimate_stages(
    training: HierarchyTraining, stage: str | None = None, console: Console | None = None
) -> Iterator[tuple[str, CostEstimate]]:
    """Estimate the cost of each stage, with untrained tokenizers, whose codes cost as much as codes of trained ones.

    Yields:
        The name of a stage, and its cost.

    Raises:
        ConfigError, DataError: as `HierarchyTraining.train`; also if a stage would not fit in memory.
    """
    run = training.run
    if run.tokenizers:
        images = read_images(run)
        pyramids, tokenizers = _untrained(training, images)
    else:
        images, tokenizers, pyramids = DataSplits(), [], read_codes(run)
    for name in training.chosen(stage):
        if name.startswith(TOKENIZER):
            yield name, _tokenizer_cost(training, name, images, tokenizers)
        else:
            yield name, training.stage_run(name, pyramids, tokenizers).estimate_cost(console)


def _untrained(training: HierarchyTraining, images: DataSplits) -> tuple[dict[str, Pyramid], list[Tokenizer]]:
    """Encode the images by new tokenizers: the first, and those repeated, as an estimate needs no true codes."""
    tokenizers: list[Tokenizer] = []
    some = images.get("train").subset(np.arange(min(ENCODED, len(images.get("train")))))
    for name in [n for n in training.run.stages if n.startswith(TOKENIZER)]:
        grids = encoded(some, tokenizers).codes[-1] if tokenizers else some
        finer = tokenizers[-1] if tokenizers else None
        trainer = training.tokenizer_trainer(name, DataSplits(train=grids), finer)
        trainer.check_memory()  # before large images are encoded
        tokenizers.append(trainer.tokenizer.cpu().eval())
    result: dict[str, Pyramid] = {}
    for split in ("train", "valid"):
        if split in images.names:
            part = images.get(split)
            few = encoded(part.subset(np.arange(min(ENCODED, len(part)))), tokenizers)
            result[split] = few.take(np.arange(len(part)) % len(few))
    return result, tokenizers


def _tokenizer_cost(
    training: HierarchyTraining, name: str, images: DataSplits, tokenizers: list[Tokenizer]
) -> CostEstimate:
    """Time the first steps of a tokenizer, and an evaluation."""
    names = [n for n in training.run.stages if n.startswith(TOKENIZER)]
    finer = tokenizers[: names.index(name)]
    splits = {s: encoded(images.get(s), finer).codes[-1] if finer else images.get(s) for s in images.names}
    free = free_bytes(torch.device("cpu"))
    trainer = training.tokenizer_trainer(
        name, DataSplits(train=splits["train"], valid=splits.get("valid")), finer[-1] if finer else None
    )
    trainer.check_memory()
    before = psutil.Process().memory_info().rss
    seconds, peak = measure_peak_memory(lambda: _time_steps(trainer))
    evaluation = 0.0
    if trainer.valid_data is not None:
        started = time.perf_counter()
        trainer.evaluate()
        evaluation = (time.perf_counter() - started) * trainer.intervals.count(trainer.intervals.evaluate)
    step = statistics.median(seconds[1:] or seconds)
    return CostEstimate(
        steps=trainer.total,
        batch_size=trainer.batch_size,
        images_per_second=trainer.batch_size / step,
        first_step_seconds=seconds[0],
        training_seconds=(trainer.total - 1) * step,
        evaluation_seconds=evaluation,
        peak_bytes=before + peak,
        free_bytes=free,
    )


def _time_steps(trainer: TokenizerTrainer) -> list[float]:
    seconds: list[float] = []
    while trainer.progress.step < trainer.total and (len(seconds) < MIN_STEPS or sum(seconds) < MIN_SECONDS):
        started = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - started)
    return seconds
