"""Follow a training run: load each new checkpoint into a model of the pool."""

from __future__ import annotations

import threading
import time

from pointillist.studio import schemas
from pointillist.studio.answers.training_run import Stamp, TrainingRun
from pointillist.studio.model_pool import PooledModel

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
