"""Observed cells: tables, exact conditionals of scattered masks, soft data, grids in windows, maps of realisations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist import system
from pointillist.completion.canvas import fill_grid
from pointillist.completion.cells import ObservedCells, read_cells
from pointillist.completion.result import encode_gslib, level_probabilities, probability_maps
from pointillist.images import ImageSpec
from tests.equality import equal
from tests.laws.strategies import randomise_weights
from tests.tolerances import FORMULA, network_rounding

pytestmark = pytest.mark.proof
SLOW = pytest.mark.slow
NAMES = ("mud", "sand", "dune")
FACIES = ImageSpec(channels=1, height=3, width=3, levels=3, ordered=False, mode="codes", level_names=NAMES)
BINARY = ImageSpec.infer((1, 3, 3), 2)
LEFT_OUT = "leave it out, or give a larger"


def completing(image: ImageSpec, **settings: Any) -> pt.PixelModel:
    torch.manual_seed(0)
    settings = {"known": True} | settings
    model = pt.build("gated-pixelcnn", shape=image, channels=8, layers=2, **settings)
    return randomise_weights(model, 0.5).eval()


def table(folder: Path, text: str, name: str = "holes.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


TABLES = {
    "csv": "x,y,facies\n0,0,sand\n2,1,0\n",
    "semicolons": "\ufeffX; Y; Facies\n0.5;0.25;sand\n2.9;1;0\n",
    "rows": "row,column,value,z\n2,0,1,7\n1,2,mud,7\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    """Levels are numbers or names; y grows upwards and row downwards; coordinates lie within a cell."""
    cells = read_cells(table(tmp_path, TABLES[name]), FACIES)
    assert np.argwhere(cells.known).tolist() == [[1, 2], [2, 0]]
    assert cells.levels[0][cells.known].tolist() == [0, 1]
    assert cells.soft is None


def test_field_coordinates(tmp_path: Path) -> None:
    """Metres from a corner, in cells of 25; a column that is not read is named."""
    path = table(tmp_path, "easting,northing,facies,depth\n500130,4649999.9,sand,3\n500174,4650060,,4\n")
    cells = read_cells(path, FACIES, origin=(500_100, 4_649_990), cell=25)
    assert np.argwhere(cells.known).tolist() == [[2, 1]]
    assert [note.split(" of ")[0] for note in cells.notes] == ["1 row", "columns"]
    with pytest.raises(pt.ConfigError, match="`cell`"):
        read_cells(path, FACIES, cell=0)
    counted = table(tmp_path, "row,column,facies\n1,1,sand\n")
    with pytest.raises(pt.DataError, match="measure x and y: leave them out"):
        read_cells(counted, FACIES, cell=25)


def test_grids_that_are_written_are_read(tmp_path: Path) -> None:
    """A GSLIB grid as a map, and as cells of which negative ones are not known."""
    levels = np.array([[0, 1, 2], [2, 1, 0]])
    (tmp_path / "a.gslib").write_bytes(encode_gslib(levels, "pointillist"))
    data = pt.load_data(tmp_path / "a.gslib", valid_fraction=0)
    assert np.array_equal(data.get("all").batch([0]).levels[0, 0], levels)
    (tmp_path / "a.gslib").write_bytes(encode_gslib(np.where(levels == 1, -9, levels), "pointillist"))
    cells = read_cells(tmp_path / "a.gslib", FACIES, (2, 3))
    assert np.array_equal(cells.known, levels != 1)
    assert np.array_equal(cells.levels[0], np.where(levels == 1, 0, levels))
    (tmp_path / "b.gslib").write_text("wells\n1\nlevel\n0\n1\n")
    with pytest.raises(pt.DataError, match="its cells along x and y in its title"):
        pt.load_data(tmp_path / "b.gslib")


def test_tables_of_other_kinds(tmp_path: Path) -> None:
    """GSLIB, where negative levels are missing, and arrays; a grid of another size."""
    wells = table(tmp_path, "wells\n4\nX\nY\nZ\nFacies\n0 0 0 1\n2 1 0 0\n1 1 0 -999\n", "wells.dat")
    np.savez(tmp_path / "a.npz", x=np.array([0, 2]), y=np.array([0, 1]), facies=np.array(["sand", "mud"]))
    for path in (wells, tmp_path / "a.npz"):
        cells = read_cells(path, FACIES)
        assert np.argwhere(cells.known).tolist() == [[1, 2], [2, 0]]
        assert cells.levels[0][cells.known].tolist() == [0, 1]
    assert np.argwhere(read_cells(wells, FACIES, (10, 4)).known).tolist() == [[8, 2], [9, 0]]


def test_a_grid_of_many_levels_holds_no_soft_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no column has any: 65,536 levels took 512 KB a cell. Too large a grid is a sentence before it is made."""
    monkeypatch.setattr(system, "available_bytes", lambda: 10**9)
    many = ImageSpec(channels=1, height=3, width=3, levels=65_536, ordered=True, mode="codes")
    cells = read_cells(table(tmp_path, "row,column,level\n0,0,7\n"), many, (500, 500))
    assert cells.soft is None
    with pytest.raises(pt.DataError, match="a grid of 500x500 cells"):
        read_cells(table(tmp_path, "row,column,p_7\n0,0,0.5\n"), many, (500, 500))
    with pytest.raises(pt.DataError, match="a grid of 100,000x100,000 cells"):
        read_cells(table(tmp_path, "row,column,level\n0,0,1\n"), FACIES, (100_000, 100_000))


def test_soft_cells(tmp_path: Path) -> None:
    """A probability of one level leaves the rest to the others; equal data in one cell are one datum."""
    cells = read_cells(table(tmp_path, "x,y,facies,p_sand\n1,1,,0.8\n0,0,dune,\n0,0,2,\n"), FACIES)
    assert cells.soft is not None
    np.testing.assert_allclose(cells.soft[1, 1], [0.1, 0.8, 0.1])
    assert (np.delete(cells.soft.reshape(9, 3), 4, 0) == 1).all()
    assert cells.known.sum() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y,facies\n3,0,sand\n", f"row 1, lies at x 3, y 0, outside the grid of 3x3 cells: {LEFT_OUT}"),
        ("row,column,facies\n0,-1,sand\n", f"row 1, lies at row 0, column -1, outside .*{LEFT_OUT}"),
        ("x,y,facies\n1,1,sand\n1.2,1,mud\n", "rows 1 and 2, lie in one cell and differ"),
        ("x,y,facies,p_mud\n1,1,sand,\n1,1,,0.5\n", "rows 1 and 2, lie in one cell and differ"),
        ("x,y,facies\n1,1,clay\n", "level 'clay': it must be mud, sand, dune or a number from 0 to 2"),
        ("x,y,facies\n1,1,3\n", "level '3'"),
        ("x,y,facies\n1,1,0.5\n", "level '0.5'"),
        ("x,y,p_clay\n1,1,0.5\n", "level 'clay'"),
        ("x,y,p_mud,p_sand\n1,1,0.7,0.7\n", "sum to 1.4"),
        ("x,y,facies,p_mud\n1,1,sand,0.5\n", "give one of the two"),
        ("x,y,facies\n", "holds no cells"),
        ("x,y,facies\nhere,1,sand\n", "'here' where a number is needed"),
        ("x,y,facies\n1,nan,sand\n", "'nan' where a number is needed"),
        ("x,facies\n1,sand\n", "give row and column, or x and y"),
        ("x,y,row,column,facies\n1,1,1,1,sand\n", "and not both"),
        ("x,y,z,facies\n1,1,0,sand\n0,0,1,sand\n", "several values of z"),
        ("x,y,porosity,sand\n1,1,1,1\n", "no column of levels: call it value"),
        ("x,y,facies\n1,1\n", "has 2 columns, and the header 3"),
        ("", "the name of each column"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(pt.DataError, match=message):
        read_cells(table(tmp_path, text), FACIES)


def test_other_files_that_are_wrong(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2), y=np.zeros(3))
    with pytest.raises(pt.DataError, match="all of one length"):
        read_cells(tmp_path / "a.npz", FACIES)
    with pytest.raises(pt.DataError, match="not a GSLIB file"):
        read_cells(table(tmp_path, "title\nmany\n", "a.dat"), FACIES)
    with pytest.raises(pt.DataError, match=r"none\.csv does not exist: check the path"):
        read_cells(tmp_path / "none.csv", FACIES)
    with pytest.raises(pt.ConfigError, match="`known` is missing"):
        pt.inpaint(completing(BINARY), np.zeros((1, 3, 3), np.int64))


def every_filling(known: np.ndarray, levels: np.ndarray, count: int) -> np.ndarray:
    """List all grids `[n 1 h w]` that have the known levels."""
    unknown = np.argwhere(~known)
    numbers = np.indices((count,) * len(unknown)).reshape(len(unknown), -1).T
    grids = np.repeat(levels[None], len(numbers), 0)
    grids[:, 0, unknown[:, 0], unknown[:, 1]] = numbers
    return grids


@SLOW
@pytest.mark.parametrize("image", [BINARY, FACIES], ids=["binary", "facies"])
def test_the_conditional_of_scattered_masks_is_exact(image: ImageSpec) -> None:
    """For scattered masks of a 3x3 grid, all fillings have probability 1 together, and each its share of the draws."""
    model = completing(image)
    rng = np.random.default_rng(0)
    for count in (0, 1, 2, 4, 7):
        known = np.isin(np.arange(9), rng.permutation(9)[:count]).reshape(3, 3)
        if image.levels > 2 and count < 4:
            continue  # 2,187 grids or more
        levels = np.where(known, rng.integers(0, image.levels, (3, 3)), 0)[None]
        grids = every_filling(known, levels, image.levels)
        draws = pt.inpaint(model, ObservedCells(levels, known), n=600, seed=1)
        assert draws.method == "known"
        scorer = model.scorer("integer" if draws.engine == "integer" else "torch", (3, 3))
        inputs = model.conditions.inputs(count=len(grids), size=(3, 3), known=(grids, known))
        shares = np.exp(scorer.unchecked_log_prob_map(grids, inputs, model.order()).sum((1, 2, 3)))
        assert abs(shares.sum() - 1) < 1e-5
        index = {grid.tobytes(): i for i, grid in enumerate(grids)}
        numbers = [index[x.tobytes()] for x in draws.levels]  # a violated datum is no filling: a KeyError
        bound = network_rounding(model, draws.nats)
        np.testing.assert_allclose(draws.nats, np.log(shares[numbers]), rtol=0, atol=bound)
        observed = np.bincount(numbers, minlength=len(grids)) / len(draws)
        error = np.sqrt(shares * (1 - shares) / len(draws))
        assert (np.abs(observed - shares) < 5 * error + 2 / len(draws)).all()


@SLOW
def test_hard_data_are_never_violated(tmp_path: Path) -> None:
    """At any density, on a grid larger than the windows of training, whatever the temperature."""
    model, rng = completing(FACIES.resized(8, 8)), np.random.default_rng(1)
    for density in (0.01, 0.1, 0.5):
        levels, known = rng.integers(0, 3, (20, 17)), rng.random((20, 17)) < density
        rows = [f"{r},{c},{levels[r, c]}" for r, c in np.argwhere(known)]
        cells = read_cells(table(tmp_path, "\n".join(["row,column,facies", *rows])), model.image, (20, 17))
        draws = pt.inpaint(model, cells, n=4, seed=0, temperature=1.5)
        assert (draws.levels[:, 0, known] == levels[known]).all()
        assert draws.is_exact


NORMALISER = {1: 0.1, 3: 0.3}
"""In nats, by the strength of soft data: the normaliser is estimated by 3,000 particles, of which few have the levels
that strong data ask for."""


@SLOW
@pytest.mark.parametrize("engine", ["numpy", "integer"])
@pytest.mark.parametrize(("completes", "method"), [(True, "auto"), (True, "smc"), (False, "auto")])
@pytest.mark.parametrize("strength", [1, 3], ids=["mild", "strong"])
def test_soft_data_by_enumeration(strength: int, completes: bool, method: str, engine: str) -> None:
    """Draws follow p(unknown | known) times the factors; the nats are normalised; hard data stay."""
    model = completing(BINARY, known=completes)
    pt.quantize_integer(model, torch.from_numpy(np.random.default_rng(0).integers(0, 2, (16, 1, 3, 3))), images=16)
    known = np.zeros((3, 3), bool)
    known[1, 1] = known[2, 0] = True
    levels = known[None].astype(np.int64)
    soft = np.ones((3, 3, 2))
    soft[0, 0], soft[0, 2], soft[1, 0], soft[2, 2] = (0.1, 0.9), (0.9, 0.1), (0.3, 0.7), (0.2, 0.8)
    soft **= strength
    draws = pt.inpaint(model, ObservedCells(levels, known, soft), n=3000, method=method, seed=9, engine=engine)
    assert draws.method == "soft"
    assert not draws.is_exact
    assert 1 < draws.ess <= 3000
    grids = every_filling(known, levels, 2)
    scorer: Any = model.integer_model() if engine == "integer" else model
    how: dict[str, Any] = {"known": (grids, known) if engine == "integer" else known}
    how = how if completes and method == "auto" else {}
    with torch.no_grad():
        nats = torch.as_tensor(scorer.log_prob(grids, **how)).double().numpy()
    nats -= np.logaddexp.reduce(nats)
    cells = np.indices((3, 3))
    weights = np.exp(nats) * soft[cells[0], cells[1], grids[:, 0]].prod((1, 2))
    shares = weights / weights.sum()
    index = {grid.tobytes(): i for i, grid in enumerate(grids)}
    numbers = [index[x.tobytes()] for x in draws.levels]
    observed = np.bincount(numbers, minlength=len(grids)) / len(draws)
    # total variation: 0.04 is usual of 3,000 particles; of N draws of K kinds its mean is below sqrt(K / (2 pi N))
    assert np.abs(observed - shares).sum() / 2 < max(0.06, np.sqrt(len(grids) / (2 * np.pi * draws.ess)))
    np.testing.assert_allclose(draws.nats, np.log(shares[numbers]), rtol=0, atol=NORMALISER[strength])


def test_soft_data_that_do_not_fit() -> None:
    model, plain = completing(BINARY), pt.build("gated-pixelcnn", shape=BINARY, channels=8, layers=2)
    levels, known = np.zeros((1, 3, 3), np.int64), np.eye(3, dtype=bool)
    for soft, error in (
        (np.ones((3, 3)), "must be"),
        (-np.ones((3, 3, 2)), "from 0 on"),
        (np.zeros((3, 3, 2)), "above 0 at each pixel"),
    ):
        with pytest.raises(pt.PointillistError, match=error):
            pt.inpaint(model, levels, known, 2, soft=soft)
    soft = np.ones((3, 3, 2))
    soft[0, 1] = (0.2, 0.8)
    with pytest.raises(pt.ConfigError, match="the method sequential draws none"):
        pt.inpaint(plain, levels, known, 2, "sequential", soft=soft)
    soft[0, 1] = (0, 1e-300)
    with pytest.raises(pt.ConfigError, match="above 0 at each pixel"):
        pt.inpaint(model, levels, known, 2, soft=soft)
    soft[0, 1] = (0.2, 0.8)
    with pytest.raises(pt.ConfigError, match="cannot be used with `allowed`"):
        pt.inpaint(model, levels, known, 2, soft=soft, allowed=np.ones((3, 3, 2), bool))


@SLOW
def test_a_grid_in_windows() -> None:
    """A model of fixed size fills a larger grid window by window: data stay, and the bits are those of the windows."""
    model = completing(FACIES.resized(6, 6), position_channels=2)
    rng = np.random.default_rng(0)
    levels, known = rng.integers(0, 3, (1, 13, 11)), rng.random((13, 11)) < 0.1
    cells = ObservedCells(np.where(known, levels, 0), known)
    grids = fill_grid(model, cells, 3, seed=0)
    assert grids.levels.shape == (3, 1, 13, 11)
    assert (grids.levels[:, 0, known] == levels[0, known]).all()
    assert equal(grids.levels, fill_grid(model, cells, 3, seed=0).levels)
    assert set(grids.methods) == {"known"}
    with pytest.raises(pt.ShapeError):
        pt.inpaint(model, cells)


def test_maps_of_realisations() -> None:
    """Probabilities are shares of the realisations; known cells have no entropy; a mean for ordered levels alone."""
    model = completing(FACIES)
    known = np.eye(3, dtype=bool)
    draws = pt.inpaint(model, ObservedCells(known[None].astype(np.int64), known), n=40, seed=0)
    shares = level_probabilities(draws)
    np.testing.assert_allclose(shares.sum(0), 1)
    np.testing.assert_allclose(shares[2], (draws.levels[:, 0] == 2).mean(0))
    maps = probability_maps(shares, draws.image)
    assert set(maps) == {"probability-mud", "probability-sand", "probability-dune", "entropy", "most-probable"}
    assert (maps["entropy"][known] < 1e-12).all()
    assert (maps["most-probable"][known] == 1).all()
    draws = pt.inpaint(completing(BINARY), ObservedCells(known[None].astype(np.int64), known), n=9)
    grey = probability_maps(level_probabilities(draws), draws.image)
    np.testing.assert_allclose(grey["mean"], grey["probability-1"])
    np.testing.assert_allclose(grey["deviation"] ** 2, grey["mean"] * (1 - grey["mean"]), rtol=0, atol=FORMULA)
    lines = encode_gslib(np.array([[1, 2], [3, 4]]), "a").decode().splitlines()
    assert lines[1:] == ["1", "level", "3", "4", "1", "2"]
