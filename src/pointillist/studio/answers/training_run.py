"""A training run as the studio shows it: its folder is read again for each request, and nothing is written to it.

A watcher follows it, and loads each new checkpoint into a model of the pool.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pointillist.errors import ConfigError, DataError, is_number
from pointillist.files.arrays import CONFIG, WEIGHTS
from pointillist.files.reading import parse_object, read_text
from pointillist.studio import schemas
from pointillist.studio.errors import RequestError
from pointillist.studio.model_pool import PooledModel

METRICS, SETTINGS, NEWEST, SHEETS = "metrics.jsonl", "run.toml", "last", "samples"
_MOST_POINTS = 1000  # of a curve

Stamp = tuple[int, int]
"""Times at which the settings and the weights of a checkpoint were written."""


class TrainingRun:
    """The folder of a run that `pointillist train` writes.

    Args:
        folder: the folder; it may not exist yet.

    ```python
    run = TrainingRun(TrainingRun.check("runs/digits"))
    run.state("digits", checkpoint=None).valid[-1].bits_per_dim
    ```
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def check(folder: str | Path) -> Path:
        """Return the folder of a run.

        Raises:
            ConfigError: if it holds none.
        """
        folder = Path(folder)
        if not (folder / METRICS).is_file() and not (folder / SETTINGS).is_file():
            raise ConfigError(
                f"`run` (={folder}) has neither {METRICS} nor {SETTINGS}: "
                "give a folder that `pointillist train` writes."
            )
        return folder

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def newest(self) -> Path:
        """Model folder of the newest checkpoint."""
        return self.folder / NEWEST

    def stamp(self) -> Stamp | None:
        """Return when the newest checkpoint was written; None before the first."""
        try:
            return (self.newest / CONFIG).stat().st_mtime_ns, (self.newest / WEIGHTS).stat().st_mtime_ns
        except OSError:
            return None

    def state(self, model: str, checkpoint: int | None) -> schemas.RunState:
        """Read what the run has written.

        Args:
            model: id of the model in the pool that follows the run.
            checkpoint: step of the checkpoint that this model holds.
        """
        records = list(self._records())
        speeds = [record.speed for record in records if record.speed is not None]
        return schemas.RunState(
            name=self.name[:500],
            model=model,
            train=_curve([(record.step, record.bits_per_dim) for record in records]),
            valid=_curve([(record.step, record.valid_bits_per_dim) for record in records]),
            images_per_second=speeds[-1] if speeds else None,
            age=self._age(),
            checkpoint=checkpoint,
            sheets=self._sheets(),
        )

    def sheet(self, step: int) -> Path:
        """Return the file of a sample sheet.

        Raises:
            RequestError: if there is none of that step.
        """
        path = self.folder / SHEETS / f"step-{step:07d}.png"
        if not path.is_file():
            raise RequestError(404, "not_found", f"There is no sample sheet of step {step}: `sheets` lists the steps.")
        return path

    def _records(self) -> Iterator[_Metrics]:
        """Yield the lines of the metrics that can be read: the last one may be half written."""
        try:
            lines = read_text(self.folder / METRICS).splitlines()
        except DataError:
            return
        for line in lines:
            try:
                record = parse_object(line, METRICS, "train again")
            except DataError:
                continue
            if isinstance(record.get("step"), int):
                yield _Metrics(record["step"], *(_finite(record.get(name)) for name in _Metrics._fields[1:]))

    def _age(self) -> float | None:
        """Return the seconds since the run wrote its newest metrics."""
        try:
            return max(0.0, time.time() - (self.folder / METRICS).stat().st_mtime)
        except OSError:
            return None

    def _sheets(self) -> list[int]:
        """List the steps of the sample sheets, in ascending order."""
        steps = (path.stem.removeprefix("step-") for path in (self.folder / SHEETS).glob("step-*.png"))
        return sorted(int(step) for step in steps if step.isdecimal() and step.isascii() and len(step) < 16)


class _Metrics(NamedTuple):
    """Numbers of a line of the metrics; None for one that it does not have."""

    step: int
    speed: float | None
    bits_per_dim: float | None
    valid_bits_per_dim: float | None


def _finite(value: Any) -> float | None:
    return float(value) if is_number(value) and math.isfinite(value) else None


def _curve(points: Sequence[tuple[int, float | None]]) -> list[schemas.CurvePoint]:
    """Make a curve of the steps that have a number, thinned to a number of points that a page can draw."""
    result = [schemas.CurvePoint(step=step, bits_per_dim=bits) for step, bits in points if bits is not None]
    stride = max(1, -(-len(result) // _MOST_POINTS))
    return result[::-1][::stride][::-1]  # the newest point is always there


_INTERVAL = 1.0  # seconds between looks at the folder
_WATCHED_SECONDS = 15.0  # seconds after the last request within which somebody still watches
_SHARE = 0.2  # of the time at most that is spent on loading: the training may need the processor


class RunWatcher:
    """A thread that loads the newest checkpoint of a run whenever there is another, while somebody watches.

    Args:
        run: the run.
        entry: the model that holds its newest checkpoint.
        limits: limits for the warm-up run.
    """

    run: TrainingRun
    entry: PooledModel

    def __init__(self, run: TrainingRun, entry: PooledModel, limits: schemas.Limits) -> None:
        self.run, self.entry, self._limits = run, entry, limits
        self._stopped = threading.Event()
        self._last_request = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="watching a run", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, after what is being loaded."""
        self._stopped.set()

    def state(self) -> schemas.RunState:
        """Describe the run, and the checkpoint that is loaded."""
        self._last_request = time.monotonic()
        return self.run.state(self.entry.id, self.entry.step)

    def _watch(self) -> None:
        before: Stamp | None = None
        loaded: Stamp | None = None
        while not self._stopped.is_set():
            result = self.run.stamp()
            started = time.monotonic()
            # settled: a checkpoint is several files, and its weights are written last
            if result is not None and result == before and result != loaded and self._is_watched(loaded):
                self.entry.load(self._limits)
                loaded = result
            before = result
            self._stopped.wait(max(_INTERVAL, (time.monotonic() - started) * (1 / _SHARE - 1)))

    def _is_watched(self, loaded: Stamp | None) -> bool:
        """Return true if somebody asked lately. The first checkpoint is loaded in any case."""
        return loaded is None or time.monotonic() - self._last_request < _WATCHED_SECONDS
