"""Files that are not there: every option that names a file to read says so, and not that its content is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointillist.commands.cli import app

from .helpers import fails, run

INPAINT = "inpaint digits --out o.npz"
TASKS = "--tasks 1 --out job"
FILES = [
    *(f"{INPAINT} --data gone.{ending}" for ending in ("csv", "dat", "npz", "png")),
    *(f"{INPAINT} gone.{ending} --region 14:,:" for ending in ("png", "npz", "csv", "tmx")),
    f"{INPAINT} a.png --mask gone.png",
    "inpaint dungeons a.png --region 14:,: --rules gone.toml --out o.npz",
    *(f"sample outline-to-tile -n 1 --hint gone.{ending}" for ending in ("png", "npy")),
    "sample outline-to-tile -n 1 --hint-from-image gone.png",
    "sample icons --texts gone.txt",
    "sample dungeons -n 1 --rules gone.toml",
    "sample icons -n 1 --condition vector=gone.npy",
    *(f"sample scenes -n 1 --text cat --out o.png --palette gone.{ending}" for ending in ("hex", "png", "json")),
    "world dungeons --size 1x1 --out w.csv --rules gone.toml",
    "export dungeons --c code --rules gone.toml",
    *(f"evaluate digits gone.{ending}" for ending in ("png", "npz", "parquet", "tmx")),
    "evaluate digits gone/folder",
    "evaluate icons few --captions-file gone.txt",
    *(f"explain digits gone.{ending} --index 0 --out o.html" for ending in ("png", "npz")),
    "explain digits few --index 0 --out o.html --calibration-data gone.npz",
    "detect digits few --detector d --fit gone",
    "detect digits few --detector d --fit few --neighbours gone",
    *(f"compress digits --out o.pxl gone.{ending}" for ending in ("png", "npz", "npy")),
    "decompress gone.pxl --out o",
    *(f"info gone.{ending}" for ending in ("png", "pxl", "npz", "tmx")),
    "info few --palette gone.hex",
    *(f"info few --tileset gone.{ending}" for ending in ("png", "tsx")),
    *(f"reproduce digits gone.{ending}" for ending in ("json", "png")),
    *("train gone", "train gone.npz", "train few --config gone.toml", "train few --palette gone.hex"),
    *(f"train few --tileset gone.{ending}" for ending in ("png", "tsx")),
    *(f"train few --level-names gone.{ending}" for ending in ("toml", "json")),
    "train few --hint-column gone/hints",
    "quantize digits gone --out o",
    f"jobs sample icons -n 4 --texts gone.txt {TASKS}",
    f"jobs sample outline-to-tile -n 4 --hint gone.png {TASKS}",
    f"jobs evaluate digits gone.npz {TASKS}",
    f"jobs compress digits gone {TASKS}",
    f"jobs inpaint digits gone --region 14:,: {TASKS}",
    f"jobs inpaint digits few --mask gone.png {TASKS}",
]


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


READS = ("FILE", "IMAGE", "TOML", "PNG", "DATA", "NORMAL", "PXL", "MANIFEST")
"""Parts of the name of a value that is read; those of outputs are told apart by `WRITES`."""
WRITES = {"--out", "--maps", "--animate", "--html", "--heatmaps", "--per-image", "--csv", "--report"}


@pytest.mark.parametrize(
    "command", ["explain digits {} --index 0", "train few --palette {}", "sample digits -n 1 --out={}", "info {}"]
)
def test_a_file_with_a_slash_is_no_folder(command: str) -> None:
    """As a shell has it; a folder with a slash is one, and a text may end in one."""
    assert fails(*command.format("a.png/").split()) == (
        "Error: a.png/ names a folder, and there is a file of that name: leave out the slash."
    )
    run("info", "few/")


def test_no_option_is_left_out() -> None:
    """Each option that names a file or images to read stands in the table above."""
    from typer.main import get_command

    commands = [line.split() for line in FILES]
    missing = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for kind, part in getattr(command, "commands", {"": command}).items():
            tried = [words for words in commands if words[: 2 if kind else 1] == [name, kind][: 2 if kind else 1]]
            for option in part.params:
                flag = next((f for f in option.opts if f.startswith("--")), None)
                reads = option.metavar and any(word in option.metavar for word in READS)
                if reads and flag and flag not in WRITES and not any(flag in words for words in tried):
                    missing.append(f"{name} {kind} {flag} {option.metavar}")
    assert missing == []
