"""Guides that begin with a visitor's files: each runs on a small set of that kind, and ends with what they came for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointillist.data.tilemaps import plain_tileset
from tests.docs.test_howto import BLOCK, ROOT, run_command, shorten

pytestmark = pytest.mark.proof


def images() -> None:
    """An array of RGB pictures."""
    np.savez("images.npz", x=np.random.default_rng(0).integers(0, 256, (48, 8, 8, 3), np.uint8))


def maps() -> None:
    """Forty maps of names, and a tile for each name."""
    rng = np.random.default_rng(0)
    Path("maps").mkdir()
    for number in range(40):
        cells = np.full((10, 10), "wall", dtype=object)
        cells[1:-1, 1:-1] = rng.choice(["floor", "floor", "wall"], (8, 8))
        cells[1, 1], cells[8, 8] = "start", "exit"
        Path(f"maps/{number:02}.csv").write_text("\n".join(",".join(row) for row in cells) + "\n")
    plain_tileset(4).picture().save("tiles.png")


def sprites() -> None:
    """Blobs with eyes and legs on transparent ground, in a few colours."""
    rng = np.random.default_rng(0)
    Path("sprites").mkdir()
    for number in range(30):
        picture = np.zeros((16, 16, 4), np.uint8)
        colour = (*rng.choice([40, 120, 220], 3), 255)
        picture[3:12, 4:12] = colour
        picture[12:15, 5:7] = picture[12:15, 9:11] = colour
        picture[5, 6] = picture[5, 9] = (255, 255, 255, 255)
        Image.fromarray(picture).save(f"sprites/{number:03}.png")


def parts() -> None:
    """Pictures of a ribbed surface, 120 good ones, and new ones of which two have a bright block."""
    rng = np.random.default_rng(0)
    for folder, count in (("good", 120), ("new", 12)):
        Path(folder).mkdir()
        for number in range(count):
            ribs = 120 + 40 * np.sin(np.arange(16) + rng.uniform(0, 6)) + rng.normal(0, 8, (16, 16))
            if folder == "new" and number < 2:
                ribs[5:10, 5:10] = 255
            Image.fromarray(ribs.clip(0, 255).astype(np.uint8)).save(f"{folder}/{number:03}.png")


def drawings() -> None:
    """Digits of pupils."""
    import pointillist as pt

    Path("drawings").mkdir()
    for number, picture in enumerate(pt.sample("digits", 4, seed=3).images):
        picture.save(f"drawings/{number}.png")


def scans() -> None:
    """Grey pictures of 8 bits."""
    Path("scans").mkdir()
    for number in range(3):
        grey = np.linspace(0, 255, 32 * 32).reshape(32, 32) + np.random.default_rng(number).normal(0, 6, (32, 32))
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(f"scans/{number}.png")


def classes() -> None:
    """Small pictures in folders by class."""
    rng = np.random.default_rng(0)
    for name in ("round", "square"):
        Path("drawings", name).mkdir(parents=True)
        for number in range(20):
            picture = rng.integers(0, 40, (8, 8), np.uint8)
            picture[2:6, 2:6] = 220
            if name == "round":
                picture[[2, 2, 5, 5], [2, 5, 2, 5]] = 0
            Image.fromarray(picture).save(f"drawings/{name}/{number:02}.png")


def count(pattern: str) -> int:
    return len(list(Path().glob(pattern)))


def is_page(name: str) -> bool:
    return "</html>" in Path(name).read_text(encoding="utf-8")


def has_map() -> bool:
    """Four maps with a border of walls, one start and one exit each, and one for Tiled."""
    names = ["exit", "floor", "start", "wall"]
    paths = sorted(Path("levels").glob("*.csv"))
    for path in paths:
        rows = [line.split(",") for line in path.read_text().split()]
        cells = np.array(rows)
        assert set(cells.reshape(-1)) <= set(names)
        assert ((cells == "start").sum(), (cells == "exit").sum()) == (1, 1)
        assert (cells[[0, -1]] == "wall").all()
        assert (cells[:, [0, -1]] == "wall").all()
    return len(paths) == 4 and json.loads(Path("level.tmj").read_text())["type"] == "map"


def has_threshold() -> bool:
    rows = csv.DictReader(Path("new.csv").read_text().splitlines())
    reported = {row["file"] for row in rows if float(row["p_value"]) <= 0.1}
    return {"000.png", "001.png"} <= reported and count("maps/*.png") == 12 and Path("worst.png").is_file()


VISITORS: dict[str, tuple[Callable[[], None], Callable[[], bool]]] = {
    "Train in a loop": (images, lambda: Path("bits.csv").exists() and Path("mine/model.safetensors").exists()),
    "From forty maps": (maps, has_map),
    "From three hundred sprites": (
        sprites,
        lambda: count("halves/*.png") == 4 == count("steps/*.png") and Path("night.json").exists(),
    ),
    "From 120 normal pictures": (parts, has_threshold),
    "A lesson": (drawings, lambda: is_page("digits.html") and is_page("why.html")),
    "A million images": (scans, lambda: len(np.load("many.npz")["levels"]) == 600),
    "A page, a module": (classes, lambda: Path("drawings.html").exists() and Path("drawings-in-c/example.c").exists()),
}


@pytest.mark.slow
@pytest.mark.parametrize("guide", VISITORS)
def test_a_visitor_gets_what_they_came_for(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks in order, with few steps; a block whose first line names a file is that file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKEND", "aot_eager")  # as `torch.compile` without a compiler of C++
    before, after = VISITORS[guide]
    before()
    scope: dict[str, object] = {}
    page = (ROOT / "docs" / "how-to" / "from_your_files.md").read_text(encoding="utf-8")
    (text,) = [section for section in page.split("\n## ") if section.startswith(guide)]
    for language, block in BLOCK.findall(shorten(text)):
        first = block.partition("\n")[0].removeprefix("# ").removeprefix("// ")
        if " " not in first and first.endswith((".py", ".mjs", ".toml")):
            Path(first).write_text(block, encoding="utf-8")
        elif language == "python":
            exec(compile(block, guide, "exec"), scope)
        else:
            assert language == "bash"
            for line in block.splitlines():
                run_command(line)
    assert after()
