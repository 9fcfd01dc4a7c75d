"""Files that are not there: every reader says so, and not that their content is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .helpers import fails, run

FILES = (
    *(f"inpaint digits --out o.npz --data gone.{ending}" for ending in ("csv", "dat", "npz", "png")),
    "inpaint digits a.png --mask gone.png --out o.npz",
    "sample outline-to-tile -n 1 --hint gone.npy",
    "sample icons --texts gone.txt",
    "sample icons -n 1 --condition vector=gone.npy",
    *(f"sample scenes -n 1 --text cat --out o.png --palette gone.{ending}" for ending in ("hex", "png", "json")),
    "export dungeons --c code --rules gone.toml",
    *(f"evaluate digits gone.{ending}" for ending in ("png", "npz", "parquet", "tmx")),
    "explain digits few --index 0 --out o.html --calibration-data gone.npz",
    "decompress gone.pxl --out o",
    *(f"info few --tileset gone.{ending}" for ending in ("png", "tsx")),
    "reproduce digits gone.json",
    *("train few --config gone.toml", "train few --level-names gone.toml", "train few --hint-column gone/hints"),
    "jobs inpaint digits few --mask gone.png --tasks 1 --out job",
)
"""Each reader of files, at one option; `tests/hostile/sweep.py` tries every option."""


@pytest.fixture(autouse=True)
def pictures() -> None:
    """Write a picture and a folder of them, where the commands run."""
    picture = Image.fromarray(np.zeros((28, 28), np.uint8))
    picture.save("a.png")
    Path("few").mkdir()
    picture.save("few/0.png")


@pytest.mark.parametrize("command", FILES)
def test_a_missing_file_is_called_missing(command: str) -> None:
    said = fails(*command.split())
    assert "gone" in said
    assert "does not exist" in said


@pytest.mark.parametrize(
    "command", ["explain digits {} --index 0", "train few --palette {}", "sample digits -n 1 --out={}", "info {}"]
)
def test_a_file_with_a_slash_is_no_folder(command: str) -> None:
    """As a shell has it; a folder with a slash is one, and a text may end in one."""
    assert fails(*command.format("a.png/").split()) == (
        "Error: a.png/ names a folder, and there is a file of that name: leave out the slash."
    )
    run("info", "few/")
