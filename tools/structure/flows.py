"""Files that four commands enter: `evaluate`, `sample` from a text, one step of `train`, `explain`.

Each command runs twice in a process; the second run is traced by `sys.setprofile` in all threads, so imports,
compilation and caches are not counted. A file is entered when a function that it defines is called.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType


class Tracer:
    """Record the files of one package whose functions are called, in all threads that start after it was created.

    Args:
        root: folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve()) + os.sep
        self.active = False
        self.entered: set[str] = set()
        self._files: dict[str, str | None] = {}

    @contextmanager
    def installed(self) -> Iterator[Tracer]:
        """Watch new threads; the former profilers come back at the end."""
        before = threading.getprofile()
        threading.setprofile(self._on_event)
        try:
            yield self
        finally:
            threading.setprofile(before)  # type: ignore[arg-type]

    def trace(self, run: Callable[[], None]) -> set[str]:
        """Run twice, and return the files that the second run entered."""
        run()
        self.entered = set()
        before = sys.getprofile()
        self.active = True
        sys.setprofile(self._on_event)
        try:
            run()
        finally:
            sys.setprofile(before)
            self.active = False
        return self.entered

    def _on_event(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.active or event != "call" or frame.f_code.co_name == "<module>":
            return
        name = frame.f_code.co_filename
        if name not in self._files:
            inside = name.startswith(self.root)
            self._files[name] = name[len(self.root) :].replace(os.sep, "/") if inside else None
        file = self._files[name]
        if file is not None:
            self.entered.add(file)


def command(*arguments: str) -> None:
    """Run `pointillist ARGUMENTS` in this process."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(import_module("pointillist.cli").app, list(arguments))
    if result.exit_code != 0:
        raise SystemExit(f"pointillist {' '.join(arguments)}: {result.output}{result.exception or ''}")


def flows(folder: Path) -> dict[str, Callable[[], None]]:
    """Return the four commands by name; those that write, write to a new file or folder each time."""
    import numpy as np
    from PIL import Image

    pictures = folder / "two"
    pictures.mkdir()
    for name in ("a", "b"):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (28, 28)).astype(np.uint8)
        Image.fromarray(pixels).save(pictures / f"{name}.png")

    def writing(suffix: str, *arguments: str) -> Callable[[], None]:
        return lambda: command(*arguments, "--out", tempfile.mkdtemp(dir=folder) + "/out" + suffix)

    return {
        "evaluate": lambda: command("evaluate", "digits", str(pictures)),
        "sample": writing(".png", "sample", "emoji", "--text", "blue heart", "--seed", "0"),
        "train": writing("", "train", "uci-digits", "--steps", "1"),
        "explain": writing(".html", "explain", "digits", str(pictures / "a.png")),
    }


def files_entered(source: Path) -> dict[str, list[str]]:
    """Trace the four commands of the package in a folder, which must be the one that Python imports."""
    package = import_module("pointillist")
    if Path(str(package.__file__)).resolve().parent != source.resolve():
        raise SystemExit(f"`pointillist` is imported from {package.__file__}, not from {source}.")
    with tempfile.TemporaryDirectory() as folder, Tracer(source).installed() as tracer:
        return {name: sorted(tracer.trace(run)) for name, run in flows(Path(folder)).items()}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).parent))
    json.dump(files_entered(Path(sys.argv[1])), sys.stdout)
