"""The log of a run: lines before and after it, a progress bar, `metrics.jsonl`, TensorBoard, a check for divergence."""

from __future__ import annotations

import json
import math
from collections import deque
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console

from pointillist.analysis.evaluation.memorization import LosslessSize
from pointillist.data import DataSplits, ImageDataset
from pointillist.errors import MissingExtraError, TrainingError, counted
from pointillist.files.progress import Bar
from pointillist.model.config import default_local_gain
from pointillist.model.pixel_model import PixelModel
from pointillist.system import describe_threads
from pointillist.training.config import TrainConfig

FEW_IMAGES, FEW_STEPS = 1000, 1000
"""Below these, samples of pictures are texture: measured in docs/decisions, 0043."""


def describe(
    model: PixelModel, splits: DataSplits, config: TrainConfig, reason: str, accelerator: Accelerator
) -> list[str]:
    """Describe a run in a few lines: model, images, steps and machine.

    Args:
        reason: the reason for the precision, from `prepare`.
    """
    images, valid = splits.get("train"), splits.valid
    validation = f"{len(valid):,} for validation" if valid is not None else "none for validation"
    steps = config.total_steps(len(images))
    return [
        f"model      {model.config.model_type}, {model.num_parameters():,} parameters, {model.likelihood.name}",
        f"images     {len(images):,} of {images.name}, {validation}",
        f"           {_read_as(images)}",
        *(f"           {note}" for note in images.notes),
        f"training   {counted(steps, 'step')} of {config.batch_size} images, {config.machine.precision} "
        f"({reason}), {counted(accelerator.num_processes, 'process')} on {accelerator.device}, "
        f"{'' if config.machine.threads else 'at most '}{counted(torch.get_num_threads(), 'thread')}",
        *(f"           {note}" for note in describe_threads(config.machine.threads)),
        *(["           weights and features rounded as in the integer program"] if config.quantization_aware else []),
        *size_warnings(images, steps),
    ]


def _read_as(images: ImageDataset) -> str:
    """Say what was read: the kind of image, and what comes with it."""
    result = [str(images.spec)]
    if images.labels is not None:
        result.append(f"labels of {len(images.classes)} classes")
    if images.texts is not None:
        result.append("captions")
    annotations = images.annotations
    result += [f"attribute {name}" for name in annotations.values]
    result += [
        name for name, value in (("vectors", annotations.vectors), ("hints", annotations.hints)) if value is not None
    ]
    return ", ".join(result)


def size_warnings(images: ImageDataset, steps: int) -> list[str]:
    """Warn before a run of too few images or steps; empty where both are enough."""
    few = []
    if len(images) < FEW_IMAGES and not images.regions:  # windows are drawn afresh
        few.append(counted(len(images), "image"))
    if steps < FEW_STEPS:
        few.append(counted(steps, "step"))
    if not few:
        return []
    verb = "is" if few[0].startswith("1 ") and len(few) == 1 else "are"
    if images.spec.mode == "codes":
        return [f"warning    {' and '.join(few)} {verb} few: draw maps, and train longer if they break what yours obey"]
    return [
        f"warning    {' and '.join(few)} {verb} enough for colours and textures, not for shapes, "
        "which take thousands of images and steps"
    ]


def training_summary(
    model: PixelModel,
    images: ImageDataset,
    steps: int,
    best_step: int,
    bits_per_dim: float,
    lossless: LosslessSize | None,
) -> list[str]:
    """Compare a finished run with a lossless codec, and suggest what to try next."""
    lines, suggestions = [], []
    if lossless is not None:
        below = bits_per_dim < lossless.bits_per_dim
        lines.append(
            f"baseline   {'below' if below else 'not yet below'} lossless {lossless.codec}, "
            f"{lossless.bits_per_dim:.4f} bits/dim on "
            f"{'these validation images' if lossless.count > 1 else 'this validation image'}"
        )
        config = model.config
        fits = default_local_gain(config.model_type, model.image, "mixture", config.orders)
        if not below and fits and not config.local_gain:  # measured in docs/decisions, 0058
            suggestions.append(
                "`model.likelihood=mixture` with a local gain, with which photographs take far fewer steps"
            )
    if best_step < 0.8 * steps:  # it has learned its images by heart since
        suggestions.append(f"more images or `flip` (the best step was {best_step:,}, so a longer run would not help)")
    else:
        helped = best_step == steps
        why = "as the last steps still helped" if helped else f"though the last steps after {best_step:,} did not help"
        suggestions.append(f"a longer run (`steps={4 * steps}`), {why}")
        if len(images) < FEW_IMAGES and not images.regions:
            suggestions.append(f"more images than {len(images):,}")
    if steps < FEW_STEPS:
        suggestions.append("`preset=small`, which takes more steps in the same time")
    return [*lines, f"try next   {'; '.join(suggestions)}"]


class MetricsLogger:
    """A logger of metrics and progress, for the main process.

    Args:
        folder: folder of the run; None writes no file.
        total: steps of the run.
        step: steps already done. Metrics after this step, from before a resume, are removed.
        console: where progress is shown; None shows a bar on stderr.
        tensorboard: also write TensorBoard files to `folder`.

    Raises:
        MissingExtraError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None, total: int, step: int, console: Console | None, tensorboard: bool) -> None:
        self.path: Path | None = None if folder is None else folder / "metrics.jsonl"
        self.console = console
        self._bar = Bar("training", total, done=step, console=console)
        self._tensorboard = _tensorboard_writer(folder) if tensorboard and folder is not None else None
        if self.path is not None:
            _remove_after(self.path, step)

    def __enter__(self) -> MetricsLogger:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__()
        if self._tensorboard is not None:
            self._tensorboard.close()

    def update(self, step: int, status: str) -> None:
        """Move the progress bar to `step`, with the loss and the speed as its status."""
        self._bar.show(step, status)

    def log(self, **record: Any) -> None:
        """Append a line to `metrics.jsonl`, and to TensorBoard; `step` is one of its entries."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if self._tensorboard is not None:
            for name, value in record.items():
                if name != "step" and isinstance(value, (int, float)):
                    self._tensorboard.add_scalar(name, value, record["step"])

    def print(self, text: str | None) -> None:
        """Print a line, if any, above the progress bar."""
        if self.console is not None and text is not None:
            self.console.print(text, highlight=False)


class DivergenceGuard:
    """A check that the loss is finite, and that its running mean is not far above the loss of a uniform distribution.

    Args:
        levels: levels of a sub-pixel: a uniform distribution has `log2(levels)` bits/dim.
        window: steps of the running mean.
    """

    def __init__(self, levels: int, window: int = 50) -> None:
        self.uniform: float = math.log2(levels)
        self.limit: float = 1.5 * self.uniform + 0.5
        self.recent: deque[float] = deque(maxlen=window)

    def check(self, bits: float, step: int, images: list[int], last_checkpoint: str) -> None:
        """Check the loss of a step, in bits/dim.

        Args:
            images: indices of the images of the step, for the message.
            last_checkpoint: path of the last good checkpoint, for the message.

        Raises:
            TrainingError: naming the step, the images and the last checkpoint.
        """
        listed = ", ".join(map(str, images[:8])) + (", ..." if len(images) > 8 else "")
        where = (
            f"at step {step:,} (images {listed}); the last good checkpoint is {last_checkpoint}. "
            "Lower `optimizer.lr` or use fp32."
        )
        if not math.isfinite(bits):
            raise TrainingError(f"The loss became {bits} {where}")
        self.recent.append(bits)
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) == self.recent.maxlen and mean > self.limit:
            raise TrainingError(
                f"The loss diverged: {mean:.2f} bits/dim over {len(self.recent)} steps, "
                f"where a uniform distribution has {self.uniform:.2f}, {where}"
            )


def _remove_after(path: Path, step: int) -> None:
    """Remove the metrics of steps after a checkpoint, which a resumed run repeats."""
    if not path.exists():
        return
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                lines.append(line)
        except (ValueError, KeyError, TypeError):
            continue  # a line cut short when the process was killed
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _tensorboard_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("`tensorboard = true`", "tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"))
