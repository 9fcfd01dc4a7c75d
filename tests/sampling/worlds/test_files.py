"""Files of worlds: the formats hold the tiles, and a command that was killed goes on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointillist.commands.sampling import world as work
from pointillist.commands.sampling.settings import WorldSettings
from pointillist.data.tilemaps import MapFiles
from pointillist.errors import ConfigError
from pointillist.files.batch_output import batch_output
from pointillist.sampling.worlds import World

AT, SIZE, SIDE = (-2, 1), (3, 2), 8


def settings(model: Path, out: Path, **changes: object) -> WorldSettings:
    values = {"at": "-2,1", "size": "3x2", "chunk": SIDE, "seed": 5, **changes}
    return WorldSettings(model=str(model), out=str(out), **values)  # type: ignore[arg-type]


def tiles_of(model: Path) -> np.ndarray:
    return World(model, 5, chunk_size=SIDE).tiles(AT[1] * SIDE, AT[0] * SIDE, SIZE[0] * SIDE, SIZE[1] * SIDE)


def test_formats_hold_the_tiles(model: Path, tmp_path: Path) -> None:
    for ending in work.ENDINGS:
        work.world(settings(model, tmp_path / f"world.{ending}"))
    expected = tiles_of(model)
    assert np.array_equal(np.loadtxt(tmp_path / "world.csv", delimiter=",", dtype=int), expected)
    picture = Image.open(tmp_path / "world.png")
    drawn = MapFiles.of(World(model, 5).model.image, None).tileset.draw(expected.astype(np.int64))
    assert np.array_equal(np.asarray(picture.convert("RGBA")), drawn)
    tree = json.loads((tmp_path / "world.tmj").read_text(encoding="utf-8"))
    (layer,) = tree["layers"]
    assert tree["infinite"] is True
    assert (layer["startx"], layer["starty"]) == (AT[0] * SIDE, AT[1] * SIDE)
    result = np.full(expected.shape, -1)
    for chunk in layer["chunks"]:
        row, column = chunk["y"] - layer["starty"], chunk["x"] - layer["startx"]
        values = np.reshape(chunk["data"], (chunk["height"], chunk["width"])) - 1
        result[row : row + chunk["height"], column : column + chunk["width"]] = values
    assert np.array_equal(result, expected)
    assert (tmp_path / "tileset.png").is_file()
    assert not list(tmp_path.glob(".world*"))


def test_a_killed_command_goes_on_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "world.tmj", tmp_path / "killed" / "world.tmj"
    work.world(settings(model, whole, size="40x2"))
    command = [sys.executable, "-m", "pointillist", "world", str(model), "--seed", "5", "--at=-2,1", "--size", "40x2"]
    command += ["--chunk", str(SIDE), "--out", str(killed), "--json"]
    stored = killed.with_name(".world.tmj.partial") / "levels.bin"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = SIDE * SIDE * 2
    while process.poll() is None and not (stored.exists() and stored.stat().st_size > 4 * rows):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    with stored.open("ab") as file:
        file.write(b"\0" * 7)  # a row that was being written
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout)["resumed"] >= 1
    assert killed.read_bytes() == whole.read_bytes()
    assert not stored.parent.exists()


def test_stored_rows_of_another_world_are_not_taken(model: Path, tmp_path: Path) -> None:
    """Nor thrown away, unless that is asked for."""
    out = tmp_path / "world.csv"
    with batch_output(out, {"command": "world", "seed": 6}) as output:
        output.append([0])
    with pytest.raises(ConfigError, match="is unfinished, begun with"):
        work.world(settings(model, out))
    work.world(settings(model, out, force=True))
    assert np.array_equal(np.loadtxt(out, delimiter=",", dtype=int), tiles_of(model))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"at": "1"}, r"`--at` \(='1'\) must be the column and the row"), ({"size": "0x1"}, r"`size` \(='0x1'\)")],
)
def test_what_does_not_fit_is_rejected(model: Path, tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        work.world(settings(model, tmp_path / "world.csv", **changes))
    with pytest.raises(ConfigError, match=r"must end in \.tmj, \.png or \.csv"):
        work.world(settings(model, tmp_path / "world.gif"))
