"""What a run tells: a progress bar, lines in `metrics.jsonl`, and a halt when the loss goes wrong."""

from __future__ import annotations

import json
import math
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pointillist.errors import MissingExtraError, TrainingError


class MetricsLogger:
    """Writes metrics and shows progress; only the main process has one."""

    def __init__(self, folder: Path | None, total: int, step: int, console: Console | None, tensorboard: bool) -> None:
        self.path = None if folder is None else folder / "metrics.jsonl"
        self.console = console
        self.progress: Progress | None = None
        self.task: TaskID | None = None
        self.total = total
        self.step = step
        self._board = _board(folder) if tensorboard and folder is not None else None
        if self.path is not None:
            _forget_after(self.path, step)

    def __enter__(self) -> MetricsLogger:
        if self.console is not None:
            self.progress = _bar("training", self.console)
            self.progress.start()
            self.task = self.progress.add_task("training", total=self.total, completed=self.step, status="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
        if self._board is not None:
            self._board.close()

    def advance(self, step: int, bits: float, images_per_second: float) -> None:
        """Show the state after `step` steps."""
        if self.progress is not None and self.task is not None:
            status = f"{bits:.4f} bits/dim  {images_per_second:.0f} images/s"
            self.progress.update(self.task, completed=step, status=status)

    def write(self, **record: Any) -> None:
        """Add one line to `metrics.jsonl` (and TensorBoard)."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if self._board is not None:
            for name, value in record.items():
                if name != "step" and isinstance(value, (int, float)):
                    self._board.add_scalar(name, value, record["step"])

    def say(self, text: str) -> None:
        """One line for the reader."""
        if self.console is not None:
            self.console.print(text, highlight=False)


def _bar(what: str, console: Console) -> Progress:
    return Progress(
        TextColumn(what),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=4,
    )


class DivergenceGuard:
    """Stops a run whose loss is not finite, or whose running mean is far worse than guessing at random."""

    def __init__(self, levels: int, window: int = 50) -> None:
        self.limit = 1.5 * math.log2(levels) + 0.5
        self.recent: deque[float] = deque(maxlen=window)

    def check(self, bits: float, step: int, images: list[int], last_good: str) -> None:
        """Take in the loss of a step, in bits/dim.

        Raises:
            TrainingError: with the step, the batch and the last good checkpoint.
        """
        shown = ", ".join(map(str, images[:8])) + (", ..." if len(images) > 8 else "")
        where = f"at step {step:,} (images {shown}); the last good checkpoint is {last_good}. Lower `lr` or use fp32."
        if not math.isfinite(bits):
            raise TrainingError(f"The loss became {bits} {where}")
        self.recent.append(bits)
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) == self.recent.maxlen and mean > self.limit:
            raise TrainingError(
                f"The loss diverged: {mean:.2f} bits/dim over {len(self.recent)} steps, "
                f"where guessing gives {(self.limit - 0.5) / 1.5:.2f}, {where}"
            )


def _forget_after(path: Path, step: int) -> None:
    """A resumed run repeats steps after its checkpoint: drop their old lines."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue  # a line that a kill cut short
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("`tensorboard = true`", "tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"))
