"""Maps through the commands: what one writes every other reads; by `--rules` they obey a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from pointillist.data import load_data
from pointillist.data.tilemaps import plain_tileset
from pointillist.images import ImageSpec
from tests.cli.helpers import fails, files_in, run, train
from tests.tolerances import network_rounding

from ..laws.strategies import make_model, randomise_weights

NAMES = ("wall", "floor", "water")
FORMS = {"tmj": ["tileset.png"], "tmx": ["tileset.png"], "csv": [], "txt": ["legend.toml"], "png": []}


@pytest.fixture(scope="module", name="model")
def model_fixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model, trained on text grids of two sizes with a tileset."""
    folder = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(0)
    (folder / "maps").mkdir()
    for number in range(8):
        rows = ["".join(rng.choice(list("#.~"), 6)) for _ in range(5 - number % 2)]
        (folder / "maps" / f"{number}.txt").write_text("\n".join(rows) + "\n")
    (folder / "maps" / "legend.toml").write_text('"#" = "wall"\n"." = "floor"\n"~" = "water"\n')
    plain_tileset(3).picture().save(folder / "tiles.png")
    done = train(folder / "maps", "--tileset", folder / "tiles.png", "--set", "data.outside=wall", "--steps", "1",
                 "--out", folder / "run")  # fmt: skip
    assert "empty cells are the level 'wall'" in " ".join(done.stdout.split())
    return str(folder / "run")


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_of_maps(model: str, tmp_path: Path, form: str) -> None:
    """Every format gives the levels of the archive of the same seed, to `evaluate` too."""
    out = tmp_path / "maps"
    run("sample", model, "-n", 3, "--seed", 4, "--size", "7x9", "--format", form, "--out", out)
    assert files_in(out) == sorted([*(f"0000{i}.{form}" for i in range(3)), "metadata.jsonl", *FORMS[form]])
    archive = tmp_path / "same.npz"
    sampled = json.loads(run("sample", model, "-n", 3, "--seed", 4, "--size", "7x9", "--out", archive, "--json").stdout)
    with np.load(archive) as file:
        levels = file["levels"]
    loaded = pt.load(model)
    found = load_data(out, spec=loaded.image, tiles=loaded.tileset).get("all")
    assert np.array_equal(found.batch(range(3)).levels, levels)
    evaluated = json.loads(run("evaluate", model, out, "--json").stdout)
    within = network_rounding(loaded, sampled["bits_per_dim"])
    assert evaluated["bits_per_dim"] == pytest.approx(sampled["bits_per_dim"], abs=within)


def test_a_tileset_has_a_tile_for_each_level(tmp_path: Path) -> None:
    """`info` counts its tiles; one that has too few is refused."""
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "0.csv").write_text("0,1,2\n3,1,0\n")
    for count in (4, 2):
        plain_tileset(count).picture().save(tmp_path / f"{count}.png")
    tiles = json.loads(run("info", tmp_path / "maps", "--tileset", tmp_path / "4.png", "--json").stdout)["tileset"]
    assert tiles == "4 tiles of 16x16 pixels"
    assert "has 2 tiles, and the maps have 4 levels" in fails(
        "info", tmp_path / "maps", "--tileset", tmp_path / "2.png"
    )


@pytest.mark.parametrize("form", ["tmj", "tmx", "csv", "txt"])
def test_one_map(model: str, tmp_path: Path, form: str) -> None:
    """The ending of the path chooses the format; `explain` and `inpaint` read the file."""
    out = tmp_path / f"level.{form}"
    run("sample", model, "-n", 1, "--seed", 0, "--out", out)
    assert files_in(tmp_path) == sorted([out.name, *FORMS[form]])
    assert "already there" in fails("sample", model, "-n", 1, "--out", out)
    assert json.loads(run("explain", model, out, "--out", tmp_path / "a.html", "--json").stdout)["bits"] > 0
    filled = tmp_path / f"filled.{form}"
    run("inpaint", model, out, "--region", "1:3,1:4", "-n", 1, "--seed", 0, "--out", filled)
    spec = pt.load(model).image
    before, after = (load_data(p, spec=spec).get("all").batch([0]).levels for p in (out, filled))
    hole = np.zeros((5, 6), bool)
    hole[1:3, 1:4] = True
    assert np.array_equal(before[0, 0][~hole], after[0, 0][~hole])


def test_sheets_show_tiles(model: str, tmp_path: Path) -> None:
    """A sheet and a single picture are drawn with the tileset; so are completions and animations."""
    run("sample", model, "-n", 4, "--seed", 0, "--out", tmp_path / "sheet.png", "--animate", tmp_path / "a.gif")
    tiles = {tuple(tile[0, 0, :3]) for tile in plain_tileset(3).tiles}
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert tiles <= {colour for _, colour in sheet.convert("RGB").getcolors(1 << 20)}
    run("sample", model, "-n", 1, "--seed", 0, "--out", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as one:
        assert one.size == (6 * 16, 5 * 16)
    run("inpaint", model, tmp_path / "one.png", "--region", "1:3,1:4", "-n", 2, "--moves", 1, "--particles", 2, "--out",
        tmp_path / "fill.png", "--animate", tmp_path / "fill.gif")  # fmt: skip
    run("inpaint", model, tmp_path / "one.png", "--region", "1:3,:", "-n", 2, "--method", "sequential",
        "--format", "tmx", "--out", tmp_path / "filled")  # fmt: skip
    assert files_in(tmp_path / "filled") == ["00000.tmx", "00001.tmx", "metadata.jsonl", "tileset.png"]


def test_what_cannot_be_written_is_said(model: str, tmp_path: Path) -> None:
    assert "holds one map" in fails("sample", model, "-n", 2, "--out", tmp_path / "a.tmj")
    assert "must end in .tmx" in fails("sample", model, "-n", 1, "--format", "tmx", "--out", tmp_path / "a.tmj")
    assert "is for maps of tiles" in fails("sample", "digits", "-n", 1, "--out", tmp_path / "a.tmj")
    (tmp_path / "tileset.png").write_bytes(b"another")
    assert "tileset.png is already there" in fails("sample", model, "-n", 1, "--out", tmp_path / "a.tmj")
    assert not (tmp_path / "a.tmj").exists()
    run("sample", model, "-n", 1, "--out", tmp_path / "a.tmj", "--force")
    assert "and no hole" in fails("inpaint", model, tmp_path / "a.tmj", "--transparent", "--seamless", "x")
    assert "is a map" in fails("inpaint", model, tmp_path / "a.tmj", "--transparent")


LEVELS = ("wall", "floor", "door")
RULES = """border = ["wall"]
adjacency = {never = [["door", "door"]]}
[[counts]]
levels = ["floor"]
at_least = 4
[[fixed]]
row = 1
column = 1
level = "door"
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model of maps with named levels and random weights."""
    torch.manual_seed(0)
    image = ImageSpec(channels=1, height=6, width=6, levels=3, ordered=False, level_names=LEVELS)
    randomise_weights(make_model("gated-pixelcnn", image), 0.2).save_pretrained(tmp_path / "maps")
    return tmp_path / "maps"


def test_sample_by_rules(plain: Path, tmp_path: Path) -> None:
    """The maps obey the file; the share of accepted ones is printed."""
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    out = tmp_path / "maps.npz"
    arguments = ["sample", plain, "-n", 5, "--rules", tmp_path / "rules.toml", "--size", "6x8", "--seed", 0]
    text = run(*arguments, "--out", out).output
    assert "of the maps that were drawn obeyed them" in text
    with np.load(out) as archive:
        x = archive[archive.files[0]].reshape(5, 6, 8)
    assert (x[:, [0, -1]] == 0).all()
    assert (x[:, :, [0, -1]] == 0).all()
    assert (x[:, 1, 1] == 2).all()
    assert ((x == 1).sum((1, 2)) >= 4).all()
    assert not ((x[:, 1:] == 2) & (x[:, :-1] == 2)).any()
    found = json.loads(run(*arguments, "--out", tmp_path / "again.npz", "--json").output)
    assert 0 < found["rule_acceptance"] <= 1
    plain = json.loads(run("sample", plain, "-n", 1, "--out", tmp_path / "plain.npz", "--json").output)
    assert plain["rule_acceptance"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("border = ['wal']", "did you mean 'wall'?"),
        ("border = [7]", "The level 7 of a rule is not one of this model"),
        ("boarder = ['wall']", "`boarder` is not a rule: check its spelling"),
        ("mirror = 'z'", "`mirror` (='z') is not valid for a rule"),
        ("regions = [{levels = [0], rows = '4:2'}]", "`rows` (='4:2') of a region must be FIRST:END within 0:6"),
        ("fixed = [{row = 9, column = 0, level = 0}]", "lies outside the grid of 6x6: move it"),
        ("counts = [{levels = [0], at_least = 3, at_most = 2}]", "`at_least` (=3) of `counts` must be at most"),
        ("counts = [{levels = [0]}]", "`counts` has levels without a bound: give `at_least` or `at_most`"),
        ("counts = [{levels = [0], at_least = 37}]", "The rule `counts` 0 at least 37 cannot be met in a grid of 6x6"),
        ("adjacency = 'observed'", "which this model does not store"),
        ("adjacency = {right = [[0, 1]]}", "The rule `adjacency` cannot be met"),
        (
            "border = [0]\nfixed = [{row = 0, column = 0, level = 1}]",
            "The rule `border` 0 cannot be met with `fixed` 1",
        ),
        ("border = [", "is not valid TOML"),
    ],
)
def test_rules_that_are_wrong_are_sentences(plain: Path, tmp_path: Path, text: str, words: str) -> None:
    """Before anything is drawn, with exit code 2."""
    (tmp_path / "rules.toml").write_text(text, encoding="utf-8")
    assert words in fails("sample", plain, "-n", 1, "--rules", tmp_path / "rules.toml", "--out", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()
