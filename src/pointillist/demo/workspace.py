"""The demo's folder: what is in it, and whether a run in it can go on."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.checkpoint.files import write_text
from pointillist.errors import ConfigError

_STAMP = "demo.json"
_OURS = (
    "index.html",
    "results.json",
    "digits.png",
    "painting.gif",
    "maps.png",
    "tiles.png",
    "emoji.png",
    "model",
    "run",
    _STAMP,
)


@dataclass(frozen=True)
class Workspace:
    """Paths of everything a demo writes."""

    folder: Path

    @property
    def page(self) -> Path:
        """The page that shows everything."""
        return self.folder / "index.html"

    @property
    def results(self) -> Path:
        """The numbers."""
        return self.folder / "results.json"

    @property
    def sheet(self) -> Path:
        """New digits, by class."""
        return self.folder / "digits.png"

    @property
    def painting(self) -> Path:
        """The animation."""
        return self.folder / "painting.gif"

    @property
    def maps(self) -> Path:
        """Entropy and surprise of test digits."""
        return self.folder / "maps.png"

    def asked(self, name: str) -> Path:
        """Paintings from prompts by a shipped model."""
        return self.folder / f"{name}.png"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.folder / "model"

    @property
    def run(self) -> Path:
        """Metrics and state of the training."""
        return self.folder / "run"

    def open(self, settings: dict[str, Any]) -> tuple[bool, float]:
        """Make the folder ready: keep an unfinished run of the same settings, clear away what an older demo left.

        Returns:
            Whether there is a run to go on with, and the seconds it has taken so far.

        Raises:
            ConfigError: if the folder holds something that no demo has written.
        """
        stamp = self._stamp()
        if stamp is None and self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ConfigError(f"`out` (={self.folder}) holds files that no demo has written: choose a new folder.")
        going_on = (
            stamp is not None
            and stamp.get("settings") == settings
            and not stamp.get("trained")
            and any((self.run / "state").glob("step-*"))
        )
        seconds = float(stamp.get("seconds", 0.0)) if going_on and stamp is not None else 0.0
        if not going_on:
            self._clear()
        self.note(settings, seconds=seconds, trained=False)
        return going_on, seconds

    def note(self, settings: dict[str, Any], *, seconds: float, trained: bool) -> None:
        """Remember what runs here and how long it has taken."""
        record = {"settings": settings, "seconds": round(seconds, 3), "trained": trained}
        write_text(self.folder / _STAMP, json.dumps(record, indent=2) + "\n")

    def forget_state(self) -> None:
        """A finished run needs no state to resume from."""
        shutil.rmtree(self.run / "state", ignore_errors=True)

    def _stamp(self) -> dict[str, Any] | None:
        try:
            record = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _clear(self) -> None:
        """Remove what a demo writes, and nothing else."""
        for name in _OURS:
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
