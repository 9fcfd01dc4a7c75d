"""The folder of a demo: its files, and whether an unfinished run in it can be resumed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.errors import ConfigError
from pointillist.files.writing import write_text
from pointillist.zoo import list_pretrained

_STAMP = "demo.json"
_FILES = (
    "index.html",
    "results.json",
    "digits.png",
    "digits.gif",
    "maps.png",
    *(f"{model.name}.png" for model in list_pretrained()),
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
        """Page with all results."""
        return self.folder / "index.html"

    @property
    def results(self) -> Path:
        """Results as JSON."""
        return self.folder / "results.json"

    @property
    def samples(self) -> Path:
        """New digits, by class."""
        return self.folder / "digits.png"

    @property
    def animation(self) -> Path:
        """Animation of digits being sampled."""
        return self.folder / "digits.gif"

    @property
    def maps(self) -> Path:
        """Entropy and surprisal maps of test digits."""
        return self.folder / "maps.png"

    def prompt_samples(self, name: str) -> Path:
        """Samples from prompts by a pretrained model."""
        return self.folder / f"{name}.png"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.folder / "model"

    @property
    def run(self) -> Path:
        """Metrics and training state."""
        return self.folder / "run"

    def open(self, settings: dict[str, Any]) -> tuple[bool, float]:
        """Prepare the folder: keep an unfinished run of the same settings, else remove the files of an older demo.

        Returns:
            True if there is a run to resume, and the seconds it has taken so far.

        Raises:
            ConfigError: if the folder holds files that no demo has written.
        """
        stamp = self._stamp()
        if stamp is None and self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ConfigError(f"`out` (={self.folder}) holds files that no demo has written: choose a new folder.")
        resumable = (
            stamp is not None
            and stamp.get("settings") == settings
            and not stamp.get("trained")
            and any((self.run / "state").glob("step-*"))
        )
        seconds = float(stamp.get("seconds", 0.0)) if resumable and stamp is not None else 0.0
        if not resumable:
            self._clear()
        self.record(settings, seconds=seconds, trained=False)
        return resumable, seconds

    def record(self, settings: dict[str, Any], *, seconds: float, trained: bool) -> None:
        """Write the settings of the run and the seconds it has taken."""
        stamp = {"settings": settings, "seconds": round(seconds, 3), "trained": trained}
        write_text(self.folder / _STAMP, json.dumps(stamp, indent=2) + "\n")

    def delete_state(self) -> None:
        """Delete the training state of a finished run."""
        shutil.rmtree(self.run / "state", ignore_errors=True)

    def _stamp(self) -> dict[str, Any] | None:
        try:
            record = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _clear(self) -> None:
        """Remove the files that a demo writes, and nothing else."""
        for name in _FILES:
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
