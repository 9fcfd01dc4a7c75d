"""Maps in every format: written and read again, of several sizes, with names, and from strangers."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.data import load_data
from pointillist.data.tilemaps import MAP_FORMATS, MapFiles, Tileset, plain_tileset
from pointillist.data.tilemaps.text_grids import read_legend, symbols_of
from pointillist.errors import DataError, PointillistError
from pointillist.images import ImageSpec

NAMES = ("outside", "wall", "floor", "a <door> & 'more'", "Wand")


def spec(levels: int = 5, names: tuple[str, ...] | None = NAMES) -> ImageSpec:
    return ImageSpec(channels=1, height=4, width=6, levels=levels, ordered=False, mode="codes", level_names=names)


def maps(count: int = 3, levels: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, levels, (count, 4, 6))


def tiles(levels: int = 5) -> Tileset:
    pixels = np.random.default_rng(1).integers(0, 256, (levels, 7, 5, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[2, 0, 0] = 0
    return Tileset(pixels)


def write(folder: Path, form: str, image: ImageSpec, levels: np.ndarray, tileset: Tileset | None) -> Path:
    folder.mkdir(exist_ok=True)
    files = MapFiles.of(image, tileset)
    for number, one in enumerate(levels):
        (folder / f"{number}.{form}").write_bytes(files.encode(one, form))
    for name, content in files.companions(form).items():
        (folder / name).write_bytes(content)
    return folder


def all_of(source: Path, **options: Any) -> Any:
    return load_data(source, valid_fraction=0.0, **options).get("all")


@pytest.mark.parametrize("form", MAP_FORMATS)
def test_maps_are_read_as_they_were_written(tmp_path: Path, form: str) -> None:
    """For the model whose levels they are: a folder, and a single file."""
    folder = write(tmp_path / "maps", form, spec(), maps(), tiles())
    found = all_of(folder, spec=spec(), tiles=tiles())
    assert np.array_equal(found.batch(range(3)).levels[:, 0], maps())
    assert found.spec == spec()
    one = all_of(folder / f"1.{form}", spec=spec(), tiles=tiles())
    assert np.array_equal(one.batch([0]).levels[0, 0], maps()[1])


@pytest.mark.parametrize("form", ["tmj", "tmx", "txt"])
def test_names_come_with_the_files(tmp_path: Path, form: str) -> None:
    """Training data need no model to have the same names in the same order, and Tiled's files the same tiles."""
    found = all_of(write(tmp_path / "maps", form, spec(), maps(), tiles()))
    assert found.spec == spec()
    assert np.array_equal(found.batch(range(3)).levels[:, 0], maps())
    if form != "txt":
        assert np.array_equal(found.tileset.tiles, tiles().tiles)


@pytest.mark.parametrize("form", MAP_FORMATS)
def test_many_levels(tmp_path: Path, form: str) -> None:
    """Levels without names, more than 256 of them."""
    levels = maps(2, 5000)
    image, pictures = spec(5000, None), tiles(5000)
    found = all_of(write(tmp_path / "maps", form, image, levels, pictures), spec=image, tiles=pictures)
    assert np.array_equal(found.batch(range(2)).levels[:, 0], levels)
    assert found._values.dtype == np.uint16


def test_drawn_maps_need_a_tileset(tmp_path: Path) -> None:
    """A PNG of tiles cut to `tile_size`; a picture that it did not draw is rejected."""
    folder = write(tmp_path / "maps", "png", spec(), maps(), tiles())
    tiles().picture().save(folder / "set.png")
    how = {"tileset": str(folder / "set.png"), "tile_size": "7x5", "level_names": NAMES}
    found = all_of(folder, mode="codes", **how)
    assert np.array_equal(found.batch(range(3)).levels[:, 0], maps())
    assert found.spec.level_names == NAMES
    with pytest.raises(DataError, match=r"set.png shows .* no tile of the set"):
        all_of(folder, mode="codes", **how | {"tileset": str(folder / "0.png")})


def test_sizes_are_brought_together(tmp_path: Path) -> None:
    """Smaller maps lie in the middle of the level `outside`, larger ones lose their border; the notes say so."""
    (tmp_path / "a.txt").write_text("#\n")
    (tmp_path / "b.txt").write_text("...\n.#.\n...\n")
    found = all_of(tmp_path)
    assert found.spec.level_names == ("#", ".", "outside")
    assert found.batch([0]).levels[0, 0].tolist() == [[2, 2, 2], [2, 0, 2], [2, 2, 2]]
    assert any("1x1 to 3x3 brought to 3x3" in note for note in found.notes)
    assert any("'outside'" in note for note in found.notes)
    cut = all_of(tmp_path, size=1)
    assert cut.batch([1]).levels[0, 0].tolist() == [[0]]
    assert cut.spec.level_names == ("#", ".")
    named = all_of(tmp_path, outside=".")
    assert named.batch([0]).levels[0, 0].tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    with pytest.raises(DataError, match="never scaled"):
        all_of(tmp_path, size=2, resize_mode="stretch")


def test_a_legend_names_and_orders_levels(tmp_path: Path) -> None:
    (tmp_path / "legend.toml").write_text('"." = "floor"\n"#" = "wall"\n"X" = "wall"\n')
    (tmp_path / "a.txt").write_text("#.\nX.\n")
    found = all_of(tmp_path)
    assert found.spec.level_names == ("floor", "wall")
    assert found.batch([0]).levels[0, 0].tolist() == [[1, 0], [1, 0]]
    (tmp_path / "other.toml").write_text('"#" = "stone"\n"." = "air"\nX = "ore"')
    assert all_of(tmp_path, level_names=str(tmp_path / "other.toml")).spec.level_names == ("stone", "air", "ore")
    (tmp_path / "b.txt").write_text("#?\n")
    with pytest.raises(DataError, match=r"has '\?' at row 0, column 1"):
        all_of(tmp_path)
    assert len(all_of(tmp_path, skip_bad=True)) == 1


def test_csv_of_names_and_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("wall,floor\nfloor,\n")
    assert all_of(tmp_path).spec.level_names == ("floor", "wall", "outside")
    (tmp_path / "a.csv").write_text("0,7\n-1,3\n")
    found = all_of(tmp_path, level_names=",".join("abcdefgh"))
    assert found.batch([0]).levels[0, 0].tolist() == [[0, 7], [8, 3]]
    assert found.spec.level_names == (*"abcdefgh", "outside")
    with pytest.raises(DataError, match="no level is called 'outside'"):
        all_of(tmp_path, spec=spec(8, tuple("abcdefgh")))
    (tmp_path / "a.csv").write_text("0,7\n1\n")
    with pytest.raises(DataError, match="rows of"):
        all_of(tmp_path)


def tiled(**changes: Any) -> dict[str, Any]:
    files = MapFiles.of(spec(), tiles())
    tree: dict[str, Any] = json.loads(files.encode(maps()[0], "tmj"))
    layer = {k: changes.pop(k) for k in ("data", "encoding", "compression") if k in changes}
    tree["layers"][0] |= layer
    return tree | changes


@pytest.mark.parametrize("pack", [lambda b: b, zlib.compress, gzip.compress], ids=["raw", "zlib", "gzip"])
def test_encodings_of_layers(tmp_path: Path, pack: Any) -> None:
    """Base64 in JSON and XML; a flipped tile is the tile; an upper layer hides the lower; no tile is outside."""
    cells = (maps()[0] + 1).astype("<u4")
    cells[0, 0] |= 0x8000_0000
    kind = {zlib.compress: "zlib", gzip.compress: "gzip"}.get(pack, "")
    data = base64.b64encode(pack(cells.tobytes())).decode()
    above = {"type": "tilelayer", "height": 4, "width": 6, "data": [5] + [0] * 23}
    tree = tiled(data=data, encoding="base64", compression=kind)
    tree["layers"] = [{"type": "group", "layers": tree["layers"]}, {"type": "objectgroup", "objects": []}]
    (tmp_path / "a.tmj").write_text(json.dumps(tree))
    assert np.array_equal(all_of(tmp_path).batch([0]).levels[0, 0], maps()[0])
    tree["layers"].append(above)
    (tmp_path / "a.tmj").write_text(json.dumps(tree))
    flat = all_of(tmp_path).batch([0]).levels[0, 0]
    assert flat[0, 0] == 4
    assert np.array_equal(flat.reshape(-1)[1:], maps()[0].reshape(-1)[1:])
    text = MapFiles.of(spec(), tiles()).encode(maps()[0], "tmx").decode()
    start, end = text.index("<data"), text.index("</data>")
    packed = f'<data encoding="base64"{f" compression={kind!r}" if kind else ""}>\n {data}\n'
    (tmp_path / "a.tmj").unlink()
    (tmp_path / "a.tmx").write_text(text[:start] + packed + text[end:])
    assert np.array_equal(all_of(tmp_path).batch([0]).levels[0, 0], maps()[0])


def test_infinite_maps_are_read_where_they_have_tiles(tmp_path: Path) -> None:
    """Chunks in any order, at negative places too, with empty cells around, in JSON and XML."""
    padded = np.zeros((8, 8), np.int64)
    padded[3:7, 1:7] = maps()[0] + 1
    chunks = [(-4, 12, padded[:, :4]), (0, 12, padded[:, 4:])][::-1]
    entries = [{"x": x, "y": y, "width": 4, "height": 8, "data": part.reshape(-1).tolist()} for x, y, part in chunks]
    tree = tiled(infinite=True)
    tree["layers"] = [{"type": "tilelayer", "width": 4, "height": 4, "chunks": entries}]
    (tmp_path / "a.tmj").write_text(json.dumps(tree))
    text = MapFiles.of(spec(), tiles()).encode(maps()[0], "tmx").decode().replace('infinite="0"', 'infinite="1"')
    start, end = text.index("<data"), text.index("</data>")
    rows = "".join(
        f'<chunk x="{x}" y="{y}" width="4" height="8">{",".join(map(str, part.reshape(-1)))}</chunk>'
        for x, y, part in chunks
    )
    (tmp_path / "b.tmx").write_text(f'{text[:start]}<data encoding="csv">{rows}{text[end:]}')
    for name in ("a.tmj", "b.tmx"):
        assert np.array_equal(all_of(tmp_path / name).batch([0]).levels[0, 0], maps()[0])


def test_a_tileset_in_its_own_file(tmp_path: Path) -> None:
    """A map in a folder refers to a tileset beside that folder, within the data; its tiles are the model's."""
    tree = tiled()
    own = tree["tilesets"][0]
    (tmp_path / "sets").mkdir()
    (tmp_path / "maps").mkdir()
    tiles().picture().save(tmp_path / "sets" / "tileset.png")
    (tmp_path / "sets" / "own.tsj").write_text(json.dumps({k: v for k, v in own.items() if k != "firstgid"}))
    tree["tilesets"] = [{"firstgid": 1, "source": "../sets/own.tsj"}]
    (tmp_path / "maps" / "a.tmj").write_text(json.dumps(tree))
    found = all_of(tmp_path)
    assert found.spec.level_names == NAMES
    assert np.array_equal(found.tileset.tiles, tiles().tiles)
    with pytest.raises(DataError, match="outside"):
        all_of(tmp_path / "maps")
    named = all_of(write(tmp_path / "csv", "csv", spec(), maps(), None), tileset=str(tmp_path / "sets" / "own.tsj"),
                   level_names=NAMES)  # fmt: skip
    assert np.array_equal(named.tileset.tiles, tiles().tiles)


def endless(*chunks: dict[str, Any]) -> dict[str, Any]:
    """Return an infinite map of chunks."""
    chunk = {"x": 0, "y": 0, "width": 1, "height": 2, "data": [1, 1]}
    layers = [{"type": "tilelayer", "chunks": [{**chunk, **changes} for changes in chunks]}]
    return tiled(infinite=True, layers=layers)


HOSTILE: dict[str, Any] = {
    "huge.tmj": tiled(width=10**6, height=10**6),
    "negative.tmj": tiled(width=-1),
    "float.tmj": tiled(width=6.5),
    "short.tmj": tiled(data=[1] * 23),
    "words.tmj": tiled(data=["x"] * 24),
    "large.tmj": tiled(data=[10**18] * 24),
    "unknown.tmj": tiled(data=[999] * 24),
    "bomb.tmj": tiled(
        data=base64.b64encode(zlib.compress(bytes(10**8))).decode(), encoding="base64", compression="zlib"
    ),
    "zstd.tmj": tiled(data="AAAA", encoding="base64", compression="zstd"),
    "broken.tmj": tiled(data="AAAA", encoding="base64", compression="zlib"),
    "infinite.tmj": tiled(infinite=True),
    "far.tmj": endless({"x": 0}, {"x": 2**29}),
    "overlapping.tmj": endless(*[{"width": 4096, "height": 4096}] * 2),
    "nowhere.tmj": endless({"x": 10**12}),
    "chunk.tmj": endless({"data": [1]}),
    "hexagonal.tmj": tiled(orientation="hexagonal"),
    "layers.tmj": tiled(layers=None),
    "layer.tmj": tiled(layers=[1]),
    "escape.tmj": tiled(tilesets=[{"firstgid": 1, "source": "../../../etc/passwd"}]),
    "absolute.tmj": tiled(tilesets=[{"firstgid": 1, "source": "/etc/passwd"}]),
    "drive.tmj": tiled(tilesets=[{"firstgid": 1, "source": "C:\\sets\\a.tsx"}]),
    "picture.tmj": tiled(tilesets=[{"firstgid": 1, "image": "../../a.png", "tilewidth": 1, "tileheight": 1}]),
    "missing.tmj": tiled(tilesets=[{"firstgid": 1, "source": "none.tsx"}]),
    "count.tmj": tiled(tilesets=[{"firstgid": 1, "tilecount": 10**9}]),
    "class.tmj": tiled(tilesets=[{"firstgid": 1, "tiles": [{"id": 0, "type": "x" * 10_000}]}]),
    "id.tmj": tiled(tilesets=[{"firstgid": 1, "tiles": [{"id": 10**12, "type": "x"}]}]),
    "list.tmj": [1, 2],
    "laughs.tmx": '<?xml version="1.0"?><!DOCTYPE map [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><map>&b;</map>',
    "external.tmx": '<!DOCTYPE map SYSTEM "file:///etc/passwd"><map/>',
    "deep.tmx": "<map>" + "<group>" * 10_000,
    "encoding.tmx": '<?xml version="1.0" encoding="TF-8"?><map/>',
    "cut.tmx": '<map width="3" height="2"',
    "number.tmx": '<map width="9999999999999999999999" height="2"/>',
    "other.tmx": "<svg/>",
    "empty.tmx": '<map width="3" height="2"/>',
    "empty.csv": "",
    "large.csv": "1,99999\n",
    "long.csv": "x" * 600 + ",y\n",
    "empty.txt": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_maps_of_strangers_are_rejected(tmp_path: Path, name: str) -> None:
    """Whatever a file claims, the answer is one sentence that names it."""
    content = HOSTILE[name]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(PointillistError) as error:
        all_of(tmp_path / "in" / name)
    assert name in str(error.value)


def test_an_xml_map_of_tile_elements(tmp_path: Path) -> None:
    """The oldest encoding: an element for each cell."""
    cells = "".join(f'<tile gid="{gid}"/>' for gid in (1, 2, 0, 2, 1, 1))
    (tmp_path / "a.tmx").write_text(
        '<map width="3" height="2"><tileset firstgid="1" tilecount="2"/>'
        f'<layer width="3" height="2"><data>{cells}</data></layer></map>'
    )
    found = all_of(tmp_path)
    assert found.batch([0]).levels[0, 0].tolist() == [[0, 1, 2], [1, 0, 0]]
    assert found.spec.level_names is None


def test_symbols_are_distinct_and_depend_on_names_alone(tmp_path: Path) -> None:
    names = ("wall", "lamp", "lever", "L", "#", *map(str, range(300)))
    symbols = symbols_of(names)
    assert tuple(symbols.values()) == names
    assert len(symbols) == len(names)
    assert symbols["#"] in ("#", "wall")
    (tmp_path / "legend.toml").write_bytes(MapFiles(names, plain_tileset(len(names))).companions("txt")["legend.toml"])
    assert read_legend(tmp_path / "legend.toml") == symbols


def test_a_model_stores_names_and_tileset(tmp_path: Path) -> None:
    """Trained on maps, a model folder holds their names and tiles; the folder alone reads and writes maps."""
    data = load_data(write(tmp_path / "maps", "tmj", spec(), maps(8), tiles()), valid_fraction=0.0)
    model = pt.build("pixelcnn", shape=data.get("train").spec, preset="tiny")
    pt.train(model, data, {"steps": 1, "batch_size": 2, "out": tmp_path / "run"})
    again = pt.load(tmp_path / "run")
    assert again.image.level_names == NAMES
    assert again.tileset is not None
    assert np.array_equal(again.tileset.tiles, tiles().tiles)
    drawn = write(tmp_path / "drawn", "png", again.image, maps(), again.tileset)
    assert np.isfinite(pt.evaluate(again, drawn).bits_per_dim)
    other = spec(5, (*NAMES[:4], "other"))
    with pytest.raises(DataError, match="other names of levels"):
        pt.evaluate(again, load_data(write(tmp_path / "other", "tmj", other, maps(), tiles())))


def test_tilesets_are_cut_and_drawn() -> None:
    pictures = tiles(7)
    again = Tileset.from_picture(pictures.picture(), 7, "it")
    assert np.array_equal(again.tiles, pictures.tiles)
    levels = maps(2, 7)
    drawn = pictures.draw(levels)
    assert drawn.shape == (2, 28, 30, 4)
    assert np.array_equal(pictures.cut(drawn[1], "it"), levels[1])
    plain = plain_tileset(64)
    assert len(np.unique(plain.tiles[:, 0, 0], axis=0)) == 64
    with pytest.raises(DataError, match="no multiple"):
        pictures.cut(drawn[0][:-1], "it")
    with pytest.raises(DataError, match="does not divide"):
        Tileset.from_picture(Image.new("RGB", (5, 5)), 7, "it")


def test_mean_colours_are_those_of_opaque_pixels() -> None:
    """A transparent pixel changes the alpha alone, also of tiles that no factor makes square."""
    pixels = np.zeros((2, 3, 2, 4), np.uint8)
    pixels[0, 0] = (200, 100, 0, 255), (100, 0, 50, 255)
    pixels[1] = (9, 8, 7, 255)
    assert Tileset(pixels).mean_colours().tolist() == [[150, 50, 25, 85], [9, 8, 7, 255]]
