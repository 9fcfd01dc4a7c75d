"""Files that are not there: every reader says so, and not that their content is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .helpers import fails, run

FILES = (
    *(f"inpaint digits --out o.npz --data gone.{ending}" for ending in ("csv", "npz", "png")),
    "sample icons -n 1 --condition vector=gone.npy",
    "sample scenes -n 1 --text cat --out o.png --palette gone.hex",
    *(f"evaluate digits gone.{ending}" for ending in ("png", "parquet", "tmx")),
    "info few --tileset gone.tsx",
    "train few --config gone.toml",
)
"""A reader of each kind of file; `tests/hostile/sweep.py` tries every option."""


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
