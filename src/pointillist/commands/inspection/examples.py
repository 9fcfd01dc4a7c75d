"""Example files that come with the package: images to try things with, rules for maps, an extension of Tiled."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from pointillist.commands.inspection.settings import ExampleSettings
from pointillist.commands.paths import reject_existing
from pointillist.data.readers.standard import uci_digits
from pointillist.errors import ConfigError, check_name

EXAMPLES = {
    "tile": "tile.png: a 32x32 tile with transparency, for hints",
    "photo": "photo.png: a 64x64 part of a photograph",
    "digits": "digits/: 200 digits of 8x8 pixels as PNG files, in a folder for each class",
    "rules": "rules.toml: rules for maps of the bundled model `dungeons`",
    "tiled-extension": "pointillist.js: fill, extend and vary maps in Tiled, by calling this command",
}
"""Name and description of each example; the description begins with the default path."""

_FOLDER = Path(str(files("pointillist.data"))) / "builtin"
_PER_CLASS = 20


def example(settings: ExampleSettings) -> Path | None:
    """Write an example that does not exist yet, and return its path; None without a name.

    Raises:
        ConfigError: if there is no such example, or its path is taken.
    """
    if settings.name is None:
        return None
    target = settings.path or default_path(settings.name)
    if settings.name != "digits":
        reject_existing(target, settings.force)
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is already there: give the path of a new folder.")
    write_example(settings.name, target)
    return target


def default_path(name: str) -> Path:
    """Return the path to which an example is written by default.

    Raises:
        ConfigError: if there is no such example.
    """
    check_name("There is no example", name, EXAMPLES)
    return Path(EXAMPLES[name].partition(":")[0])


def write_example(name: str, path: Path) -> None:
    """Write an example: a file, or for `digits` a folder.

    ```python
    write_example("tile", Path("tile.png"))
    ```

    Raises:
        ConfigError: if there is no such example.
    """
    source = _FOLDER / default_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name != "digits":
        shutil.copyfile(source, path)
        return
    digits = uci_digits()
    assert digits.labels is not None
    for label in range(10):
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        for number, row in enumerate(np.flatnonzero(digits.labels == label)[:_PER_CLASS]):
            grey = (digits.values[row, 0].astype(np.int64) * 255 // 16).astype(np.uint8)
            Image.fromarray(grey).save(path / str(label) / f"{number:02d}.png")
