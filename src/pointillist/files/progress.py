"""Progress bars: shown on a terminal or in a notebook, once the work has taken a second, one at a time."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PROGRESS_DELAY_S = 1.0  # before a progress bar appears
_busy = threading.Lock()


class Bar:
    """A progress bar that appears only if the work takes longer than `PROGRESS_DELAY_S`, and only where it is seen.

    It appears by itself, also before the first step is done. The total may be set later, when it is known.

    Within another bar it stays silent.

    ```python
    with Bar("evaluating", len(images)) as bar:
        for done, image in enumerate(images):
            bar.show(done)
    ```
    """

    description: str
    total: int
    console: Console | None

    def __init__(self, description: str, total: int, *, done: int = 0, console: Console | None = None) -> None:
        self.description, self.total, self.console = description, total, console
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._alone = False
        self._done, self._status = float(done), ""
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Bar:
        self._alone = _busy.acquire(blocking=False)
        if self._alone and self._is_seen():
            self._timer = threading.Timer(PROGRESS_DELAY_S, self._appear)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._progress is not None:
                self._progress.stop()
        if self._alone:
            _busy.release()

    def show(self, done: int | float, status: str = "") -> None:
        """Show that `done` of the total are finished, and a few words on them."""
        self._done, self._status = done, status
        with self._guard:
            if self._progress is None:
                if not self._alone or time.monotonic() - self._started < PROGRESS_DELAY_S or not self._is_seen():
                    return
                self._open()
            if self._progress is not None and self._task is not None:
                self._progress.update(self._task, completed=done, total=self.total or None, status=status)

    def _appear(self) -> None:
        """Open the bar from the timer, unless the work has ended or shown it."""
        with self._guard:
            if self._progress is None and self._timer is not None:
                self._open()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TaskProgressColumn())
        times = (TextColumn("{task.fields[status]}"), TimeElapsedColumn(), TextColumn("ETA"), Remaining())
        console, stays = self.console or Console(stderr=True), self.console is not None
        self._progress = Progress(*columns, *times, console=console, transient=not stays)
        self._progress.start()
        self._task = self._progress.add_task(
            self.description, total=self.total or None, completed=int(self._done), status=self._status
        )

    def _is_seen(self) -> bool:
        return self.console is not None or is_seen()


def is_seen() -> bool:
    """Return True if somebody sees stderr: it is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    shell: Any = sys.modules.get("IPython")
    result = None if shell is None else shell.get_ipython()
    return type(result).__name__ == "ZMQInteractiveShell"
