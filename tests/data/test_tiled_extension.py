"""The extension of Tiled: each action on a real map, and its undo, in Tiled without a display."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.commands.inspection.info import write_example
from pointillist.data.tilemaps import MapFiles
from pointillist.sampling.rules.adjacency import pairs_from_record

pytestmark = pytest.mark.skipif(shutil.which("tiled") is None, reason="needs Tiled: `apt-get install tiled`")
SECONDS = 240
"""Time that Tiled has for all actions."""
WALLS = """
import json, sys
options = sys.argv
source = json.load(open({map!r}))
if options[1] == "inpaint":
    known = json.load(open(options[3]))
    size = known["width"], known["height"]
else:
    size = map(int, reversed(options[options.index("--size") + 1].split("x")))
width, height = size
source["layers"][0] |= {{"width": width, "height": height, "data": [2] * (width * height)}}
json.dump(source, open(options[options.index("--out") + 1], "w"))
"""
"""A command that answers in an instant, with walls."""


def drive(folder: Path, command: list[str]) -> dict[str, Any]:
    """Open a map of `dungeons` in Tiled, run the driver, and return its rows by name."""
    extensions = folder / "config" / "tiled" / "extensions"
    extensions.mkdir(parents=True)
    write_example("tiled-extension", extensions / "pointillist.js")
    shutil.copy(Path(__file__).with_name("tiled_driver.js"), extensions / "test_driver.js")
    script = folder / "command"
    script.write_text("#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in command) + ' "$@"\n')
    script.chmod(0o755)
    out = folder / "rows.jsonl"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "TMPDIR": str(folder)}
    environment |= {"POINTILLIST_TEST_OUT": str(out), "POINTILLIST_TEST_COMMAND": str(script)}
    start = ["tiled", str(folder / "map.tmj")]
    with subprocess.Popen(start, env=environment, start_new_session=True) as process:
        rows: list[str] = []
        try:
            until = time.monotonic() + SECONDS
            while not (rows and '"done"' in rows[-1]) and time.monotonic() < until and process.poll() is None:
                time.sleep(0.1)
                rows = out.read_text().splitlines() if out.exists() else []
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and the command that it may have started
    return {row["name"]: row for row in map(json.loads, rows)}


def write_map(folder: Path) -> pt.PixelModel:
    """Write a map that has no neighbours but observed ones, and its tileset."""
    model = pt.load("dungeons")
    levels = pt.sample(model, 1, size=(20, 24), rules=pt.Rules(adjacency="observed"), seed=3).levels[0, 0]
    files = MapFiles.of(model.image, model.tileset)
    for name, content in {"map.tmj": files.encode(levels, "tmj"), **files.companions("tmj")}.items():
        (folder / name).write_bytes(content)
    return model


def check_rows(rows: dict[str, Any]) -> None:
    """Each action changes what it should alone, and one undo takes it back."""
    assert list(rows) == ["start", "fill", "extend", "vary", "vary selection", "obey", "missing", "done"]
    before = grid(rows["start"]["after"])
    selected = np.zeros(before.shape, bool)
    selected[5:11, 4:12] = True
    left = np.zeros(before.shape, bool)
    left[:, :12] = True
    for name in ("fill", "extend", "vary", "vary selection", "obey"):
        assert rows[name]["error"] is None
        assert np.array_equal(grid(rows[name]["undone"]), before)
        after = grid(rows[name]["after"])
        if name == "extend":
            assert after.shape == (24, 29)
            assert (after != "None").all()
            after = after[:20, 2:26]
        same = {"vary": left & False, "vary selection": ~left, "extend": left | True}.get(name, ~selected)
        assert np.array_equal(after[same], before[same])
    for name in ("vary", "vary selection"):
        assert (grid(rows[name]["after"]) != before).any()
    assert "`nowhere-at-all` cannot be started: set the property `pointillist-command`" in rows["missing"]["error"]


def grid(state: dict[str, Any]) -> np.ndarray:
    return np.array(list(map(str, state["names"]))).reshape(state["height"], state["width"])


def test_actions_are_taken_back(tmp_path: Path) -> None:
    """With a command that answers at once: fill, extend, vary, obey, and a command that is missing."""
    write_map(tmp_path)
    (tmp_path / "walls.py").write_text(WALLS.format(map=str(tmp_path / "map.tmj")))
    rows = drive(tmp_path, [sys.executable, str(tmp_path / "walls.py")])
    check_rows(rows)
    assert (grid(rows["fill"]["after"])[5:11, 4:12] == "wall").all()


def test_a_map_becomes_a_scene_of_godot(tmp_path: Path) -> None:
    """By Tiled: every tile of the map is in the scene, at its row and column."""
    write_map(tmp_path)
    (tmp_path / "project.godot").touch()
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    command = ["tiled", "--export-map", "tscn", str(tmp_path / "map.tmj"), str(tmp_path / "map.tscn")]
    subprocess.run(command, env=environment, check=True, timeout=SECONDS)
    (numbers,) = re.findall(r"layer_0/tile_data = PackedInt32Array\((.*?)\)", (tmp_path / "map.tscn").read_text())
    places, tiles, rows = np.array(list(map(int, numbers.split(",")))).reshape(-1, 3).T
    levels = np.array(json.loads((tmp_path / "map.tmj").read_text())["layers"][0]["data"]).reshape(20, 24) - 1
    columns = 4  # of tileset.png
    assert np.array_equal((tiles >> 16) + columns * rows, levels[places >> 16, places & 0xFFFF])
    assert len(places) == levels.size


@pytest.mark.slow
def test_the_model_draws_in_tiled(tmp_path: Path) -> None:
    """With the command itself; by the rules there are no neighbours but observed ones."""
    model = write_map(tmp_path)
    rows = drive(tmp_path, [sys.executable, "-m", "pointillist"])
    check_rows(rows)
    names = list(model.image.level_names or ())
    levels = np.vectorize(names.index)(grid(rows["obey"]["after"]))
    right, down = pairs_from_record(model.training_record.adjacency, len(names))
    assert right[levels[:, :-1], levels[:, 1:]].all()
    assert down[levels[:-1], levels[1:]].all()
