"""Maps of spreadsheets, and the tileset of the maps that were read in those that are written."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.data.tilemaps import MapFiles, Tileset, plain_tileset
from pointillist.data.tilemaps.text_grids import read_csv_map

from ..cli.helpers import fails, run


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_the_separator_is_the_one_of_the_file(separator: str, tmp_path: Path) -> None:
    for number in range(4):
        rows = [["0", "1", "2"], ["1", "-1", "1"], ["0", "0", str(number)]]
        (tmp_path / f"{number}.csv").write_text("\r\n".join(separator.join(row) for row in rows) + "\r\n")
    data = pt.load_data(tmp_path).get("all")
    assert data.spec.shape == (1, 3, 3)
    assert data.batch([0]).levels[0, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0;1,2\n1;1,1\n", "between its cells: write one separator"),
        ("0,1\n0.5,1\n", "the number '0.5', which cannot be a level"),
        ("0,1\n-5,1\n", "the number '-5', which cannot be a level"),
        ("0,nan\n1,1\n", "the number 'nan', which cannot be a level"),
        (f"0,{'9' * 20}\n1,1\n", "which cannot be a level"),
        ("0,1,1\n1,wall,0\n", "'wall' among numbers"),
        ("0 1 2\n1 1 1\n", "'0 1 2' in a cell: separate cells by commas"),
        ("0|1\n1|0\n", "in a cell: separate cells by commas"),
        ("x,y,level\n0,0,1\n0,1,2\n", "the names 'x, y, level' above numbers"),
        ("", "is empty: write a row of cells"),
    ],
)
def test_what_spreadsheets_leave_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(pt.DataError, match=sentence):
        pt.load_data(tmp_path)


@pytest.mark.parametrize("ending", ["", ",", ", "])
def test_a_comma_at_the_end_of_all_rows_separates_nothing(ending: str, tmp_path: Path) -> None:
    """As some editors write it; numbers stay numbers beside empty cells."""
    (tmp_path / "a.csv").write_text("".join(f"{row}{ending}\n" for row in ("0,1,2", "1,11,0")))
    read = read_csv_map(tmp_path / "a.csv", "a.csv")
    assert (read.names, read.cells.tolist()) == (None, [[0, 1, 2], [1, 11, 0]])
    (tmp_path / "a.csv").write_text(f"0,,2{ending}\n1,11,0{ending}\n")
    assert read_csv_map(tmp_path / "a.csv", "a.csv").cells.tolist()[0][:3] == [0, -1, 2]


def test_names_are_names(tmp_path: Path) -> None:
    """With numbers among them, too, if they are several."""
    (tmp_path / "a.csv").write_text("wall;floor\nfloor;3\n")
    assert pt.load_data(tmp_path).get("all").spec.level_names == ("3", "floor", "wall")


def test_names_stay_alphabetical_when_a_map_brings_another(tmp_path: Path) -> None:
    """A tileset is drawn in that order, which the page of maps promises; a legend has an order of its own."""
    (tmp_path / "0.csv").write_text("exit,wall\nfloor,wall\n")
    (tmp_path / "1.csv").write_text("grass,wall\nfloor,wall\n")
    data = pt.load_data(tmp_path)
    assert data.get("all").spec.level_names == ("exit", "floor", "grass", "wall")
    assert data.get("all").batch([1]).levels[0, 0].tolist() == [[2, 3], [1, 3]]
    assert "4 named levels: exit, floor, grass, wall" in data.get("all").notes
    legend = tmp_path / "text"
    legend.mkdir()
    (legend / "legend.toml").write_text('"#" = "wall"\n"." = "floor"\n')
    (legend / "0.txt").write_text("#.\n##\n")
    assert pt.load_data(legend).get("all").spec.level_names == ("wall", "floor")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of Tiled: maps that name `tiles.tsx`, whose picture has four columns and unused tiles."""
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((8, 16, 4), np.uint8)
    for number in range(8):
        row, column = divmod(number, 4)
        pixels[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] = (20 * number, 90, 200, 255)
    folder = tmp_path / "maps"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "tiles.png")
    classes = {5: "wall", 2: "floor", 7: "door"}
    tiles = "".join(f'<tile id="{i}" type="{name}"><properties/></tile>' for i, name in classes.items())
    (folder / "tiles.tsx").write_text(
        '<tileset name="t" tilewidth="4" tileheight="4" tilecount="8" columns="4">'
        f'<image source="tiles.png" width="16" height="8"/>{tiles}</tileset>'
    )
    rng = np.random.default_rng(0)
    for number in range(12):
        rows = ",\n".join(",".join(str(g) for g in rng.choice([6, 3, 8], 4)) for _ in range(4))
        (folder / f"{number}.tmx").write_text(
            '<map orientation="orthogonal" width="4" height="4" tilewidth="4" tileheight="4" infinite="0">'
            '<tileset firstgid="1" source="tiles.tsx"/>'
            f'<layer name="l" width="4" height="4"><data encoding="csv">{rows}</data></layer></map>'
        )
    return folder


def test_new_maps_name_the_tileset_of_those_that_were_read(project: Path) -> None:
    """In its folder and in one below it, with its numbers; elsewhere they get a copy, aloud."""
    splits = pt.load_data(project)
    tileset = splits.train.tileset
    assert tileset is not None
    assert tileset.source == "tiles.tsx"
    names = splits.train.spec.level_names
    assert names is not None
    assert dict(zip(names, tileset.numbers, strict=True)) == {"wall": 5, "floor": 2, "door": 7}
    model = pt.build("pixelcnn", shape=splits.train.spec, channels=4, layers=1)
    model.tileset = tileset
    model.save_pretrained("model")
    stored = pt.load("model").tileset
    assert stored is not None
    assert (stored.source, stored.numbers) == (tileset.source, tileset.numbers)
    for out, source in (("maps/new.tmx", "tiles.tsx"), ("maps/new/", "../tiles.tsx")):
        run("sample", "model", "-n", "1", "--seed", "1", "--format", "tmx", "--out", out)
        file = Path(out) if out.endswith(".tmx") else Path(out, "00000.tmx")
        (element,) = ET.parse(file).getroot().iterfind("tileset")
        assert element.attrib == {"firstgid": "1", "source": source}
        assert not (file.parent / "tileset.png").exists()
    written = pt.load_data(project / "new.tmx", spec=model.image).get("all").batch([0]).levels[0]
    assert np.array_equal(written, pt.sample("model", 1, seed=1).levels[0])
    Path("elsewhere").mkdir()
    run("sample", "model", "-n", "1", "--seed", "1", "--out", "elsewhere/new.tmx")
    assert Path("elsewhere/tileset.png").exists()
    assert "tiles.tsx" not in Path("elsewhere/new.tmx").read_text()


def test_a_source_of_a_stranger_is_checked(tmp_path: Path) -> None:
    """What the text of the picture claims is a name and a number for each tile, or nothing."""
    tiles = plain_tileset(3)
    path = tmp_path / "tileset.png"
    for source, numbers, kept in (
        ("tiles.tsx", (4, -1, 2), True),
        ("tiles.tsx", (4, 1), False),
        ("tiles.tsx", (4, 1, 70_000), False),
        ("a\nb", (4, 1, 2), False),
        ("x" * 9999, (4, 1, 2), False),
    ):
        Tileset(tiles.tiles, source, numbers).write(path)
        read = Tileset.read(path, 3)
        assert (read.source, read.numbers) == ((source, numbers) if kept else ("", ()))
        assert np.array_equal(read.tiles, tiles.tiles)


def test_an_empty_cell_is_one_again(tmp_path: Path) -> None:
    """A level without a tile, such as the outside, is no tile in the map."""
    (tmp_path / "tiles.tsx").touch()
    spec = pt.ImageSpec(channels=1, height=2, width=2, levels=3, ordered=False)
    files = MapFiles.of(spec, Tileset(plain_tileset(3).tiles, "tiles.tsx", (4, 0, -1)), tmp_path)
    assert b'"data": [5, 1, 0, 5]' in files.encode(np.array([[0, 1], [2, 0]]), "tmj")


def test_paths_take_lists_and_maps_are_looked_at(project: Path) -> None:
    """`from = ["a", "b"]`, as every other rule; `info --tileset`."""
    rules = pt.Rules(paths=[{"from": ["stairs up"], "to": "stairs down", "through": ["floor"]}])
    assert rules.paths[0].start == ("stairs up",)
    assert rules.paths[0].end == ("stairs down",)
    Path("csv").mkdir()
    Path("csv/a.csv").write_text("0,1\n1,0\n")
    assert "codes, 2 x 2" in run("info", "csv", "--tileset", str(project / "tiles.tsx")).output
    assert "is how images are read" in fails("info", "digits", "--tileset", "x.png")


def test_counts_have_limits() -> None:
    """Before work is spent: candidates, moves, chunks, sides, and what a world takes on the disk."""
    assert "1 to 10,000" in fails("sample", "digits", "-n", "1", "--label", "3", "--best-of", "1000000")
    known = np.ones((28, 28), bool)
    known[0] = False
    with pytest.raises(pt.ConfigError, match=r"`moves`.*0 to 10,000"):
        pt.inpaint("digits", np.zeros((28, 28), np.uint8), known, n=1, method="smc", moves=10**9)
    with pytest.raises(pt.ConfigError, match="at most 65,536 pixels a side"):
        pt.sample("dungeons", 1, size=(1, 10**6))
    with pytest.raises(pt.ConfigError, match="`chunk_size`"):
        pt.World("dungeons", 1, chunk_size=10**5)
    assert "would take" in fails("world", "dungeons", "--size", "100000x100000", "--out", "w.csv")
