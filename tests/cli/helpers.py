"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from pointillist.commands.cli import app

TINY = [
    "--set", "model.network.channels=4", "--set", "model.network.layers=1", "--set", "model.network.head_channels=4",
    "--set", "model.order_channels=4", "--precision", "fp32", "--batch-size", "4", "--threads", "1",
]  # fmt: skip


def run(*args: Any) -> Any:
    """The result of a command that must succeed."""
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result


def fails(*args: Any) -> str:
    """What a command says that must end with one sentence and exit code 2."""
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 2, f"{result.exit_code}: {result.output}\n{result.exception!r}"
    assert "Traceback" not in result.output
    assert "validation error" not in result.output
    return " ".join(result.output.replace("│", " ").split())


def train(*args: Any) -> Any:
    """A training command of a tiny model."""
    return run("train", *args, *TINY)


def write_images(
    folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 8, size: tuple[int, int] = (5, 6)
) -> Path:
    """Class folders of small RGB pictures, a colour a class."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            array = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            array[..., number % 3] //= 4
            Image.fromarray(array).save(folder / name / f"{i}.png")
    return folder


def files_in(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
