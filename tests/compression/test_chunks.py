"""Arrays in Zarr: values and types come back, in Zarr, whole and in chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.compression import Archive
from pointillist.compression.about import ValueMap
from pointillist.compression.models import as_integer_model
from pointillist.errors import ArchiveError, DataError, ShapeError
from tests.portable.networks import integer_case

TYPES = ("u1", "i1", "u2", "i2", "u4", "i8")


@given(st.data())
@settings(deadline=None)
def test_values_come_back(data: st.DataObject) -> None:
    """Of any type, from any first value on, with gaps or without; also through JSON."""
    dtype = np.dtype(data.draw(st.sampled_from(TYPES)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    info = np.iinfo(dtype)
    low = int(rng.integers(max(info.min, -(2**40)), min(info.max, 2**40) - 100, endpoint=True))
    step, count = data.draw(st.sampled_from([1, 1, 7, 50])), data.draw(st.integers(0, 3000))
    span = min(60_000, (min(info.max, 2**40) - low) // step)
    values = (low + step * rng.integers(0, data.draw(st.integers(0, span)), count, endpoint=True)).astype(dtype)
    chosen = ValueMap.choose(values, 65_536)
    levels = chosen.to_levels(values)
    assert not levels.size or 0 <= levels.min() <= levels.max() < 65_536
    again = ValueMap.from_json(chosen.to_json()).to_values(levels)
    assert again.dtype == dtype.newbyteorder("<")
    assert np.array_equal(again, values)


def test_gaps_that_pay_are_a_table() -> None:
    """A scan in steps of 50 is coded by the numbers of its steps; noise that fills its range is not."""
    rng = np.random.default_rng(0)
    scan = (50 * np.rint(rng.normal(100, 20, (64, 64)))).astype(np.int16)
    assert ValueMap.choose(scan, 65_536).table is not None
    assert ValueMap.choose(np.rint(rng.normal(3000, 100, (64, 64))).astype(np.int16), 65_536).table is None
    with pytest.raises(DataError, match="are more than the 16 levels"):
        ValueMap.choose(scan, 16)
    with pytest.raises(DataError, match="float64"):
        ValueMap.choose(scan / 2, 65_536)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        ["<f4", 0],
        ["<u2", "0"],
        ["<u2", 1 << 70],
        ["<u2", 0, "x"],
        ["<u2", 0, "eJxLTEoGAAJNASc="],
        ["<u2", 0, 3],
    ],
)
def test_values_of_strangers_are_an_error(value: Any) -> None:
    """One sentence, never another exception."""
    with pytest.raises(ArchiveError, match="no valid values"):
        ValueMap.from_json(value)
    with pytest.raises(ArchiveError, match="level without a value"):
        ValueMap("<u2", 5, np.array([5, 9])).to_values(np.array([2]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of 65,536 levels."""
    path = tmp_path_factory.mktemp("sixteen-bits") / "model"
    integer_case("sixteen-bits")[0].save_pretrained(path)
    return str(path)


@pytest.mark.parametrize(("dtype", "chunks"), [("<u2", (1, 9, 8)), ("<i2", (3, 9, 11)), ("|u1", (2, 5, 4))])
def test_zarr(folder: str, dtype: str, chunks: tuple[int, ...], tmp_path: Path) -> None:
    """Whole arrays and chunks that the edge cuts; another process would find the codec by its entry point."""
    zarr = pytest.importorskip("zarr", minversion="3")
    from pointillist.compression.arrays.zarr_codec import Pointillist

    rng = np.random.default_rng(0)
    x = (100 + np.rint(rng.normal(0, 30, (3, 9, 11))).cumsum(2)).clip(0, 250).astype(dtype)
    x[0, 0, 0] = np.iinfo(dtype).min
    stored = zarr.create_array(str(tmp_path / "x.zarr"), data=x, chunks=chunks, compressors=Pointillist(folder))
    assert np.array_equal(stored[:], x)
    opened = zarr.open_array(str(tmp_path / "x.zarr"), mode="r")
    assert opened.dtype == x.dtype
    assert np.array_equal(opened[1, 2:7, 3:], x[1, 2:7, 3:])


@pytest.mark.parametrize("dtype", ["<u2", ">i2", ">u4"])
def test_bytes_and_axes_in_any_order(folder: str, dtype: str) -> None:
    """Big-endian types and the order of Fortran, in arrays and in chunks, also of no axis and of no values."""
    zarr = pytest.importorskip("zarr", minversion="3")
    from pointillist.compression.arrays.zarr_codec import Pointillist

    whole = np.random.default_rng(0).integers(0, 300, (2, 6, 5)).astype(dtype)
    for x in (whole, np.asfortranarray(whole), whole[:, ::2], whole[0, 0, 0].reshape(()), whole[:0]):
        chunks = tuple(max(1, n) for n in x.shape)
        stored = zarr.create_array({}, shape=x.shape, dtype=x.dtype, chunks=chunks, compressors=Pointillist(folder))
        stored[...] = x
        assert np.array_equal(stored[...], x)


def test_chunks_that_do_not_fit_are_a_sentence(folder: str) -> None:
    """Floats, also NaN, numbers beyond 64 bits with a sign, and a chunk of another array."""
    zarr = pytest.importorskip("zarr", minversion="3")
    from pointillist.compression.arrays.zarr_codec import Pointillist

    for values in (np.full((2, 2), np.nan), np.ones((2, 2), np.complex64), np.ones((2, 2), np.uint64)):
        with pytest.raises(DataError, match="cannot become levels"):
            zarr.create_array({}, data=values, compressors=Pointillist(folder))
    store: dict[str, Any] = {}
    for name, data in (("a", np.ones((2, 3), np.uint16)), ("b", np.ones((2, 2), np.int16))):
        zarr.create_array(store, name=name, data=data, compressors=Pointillist(folder))
    store["a/c/0/0"] = store["b/c/0/0"]
    with pytest.raises(ArchiveError, match="holds 4 values of type int16, not 6 of type uint16"):
        zarr.open_array(store, path="a", mode="r")[:]


def test_chunks_of_any_axes(folder: str) -> None:
    """Round trips of chunks of any number of axes, and a damaged chunk."""
    pytest.importorskip("zarr", minversion="3")
    from pointillist.compression.arrays.zarr_codec import decode_array, encode_array

    model, rng = as_integer_model(folder), np.random.default_rng(0)
    for shape in ((7,), (4, 5), (2, 4, 5), (2, 1, 3, 4)):
        x = rng.integers(-5, 5, shape).astype(np.int16)
        coded = encode_array(x, model)
        assert np.array_equal(decode_array(coded, model).reshape(shape), x)
    for position in range(0, len(coded), 5):
        damaged = bytearray(coded)
        damaged[position] ^= 64
        with pytest.raises(ArchiveError):
            decode_array(bytes(damaged), model)


def test_colours_stand_last() -> None:
    """A model of RGB takes arrays whose last axis is the channels."""
    pytest.importorskip("zarr", minversion="3")
    from pointillist.compression.arrays.zarr_codec import decode_array, encode_array

    model = as_integer_model("photos")
    x = np.random.default_rng(0).integers(100, 120, (2, 6, 5, 3), np.uint8)
    assert np.array_equal(decode_array(encode_array(x, model), model).reshape(x.shape), x)
    with pytest.raises(ShapeError, match="the 3 channels"):
        encode_array(x[..., 0], model)


def test_files_of_16_bits(folder: str, tmp_path: Path) -> None:
    """Negative values with gaps, by the command line; a 16-bit PNG comes back to the pixel."""
    from PIL import Image

    from pointillist.commands.archives import CompressSettings, DecompressSettings, compress, decompress

    x = (10 * np.rint(np.random.default_rng(0).normal(-100, 20, (2, 64, 64)))).astype(np.int16)
    np.save(tmp_path / "scan.npy", x)
    png = (30_000 + 10 * x[0]).astype(np.uint16)  # of which a table of the values that occur is worth its bytes
    Image.fromarray(png).save(tmp_path / "scan.png")
    for name, out in (("scan.npy", "back.npz"), ("scan.png", "back")):
        archive = tmp_path / f"{name}.pxl"
        compress(CompressSettings(model=folder, files=(tmp_path / name,), out=str(archive)))
        decompress(DecompressSettings(archive=str(archive), model=folder, out=str(tmp_path / out)))
    back = np.load(tmp_path / "back.npz")["x"]
    assert back.dtype == np.int16
    assert np.array_equal(back, x)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "back" / "scan.png")), png)
    assert "values" in Archive(tmp_path / "scan.png.pxl", folder).metadata["files"][0][2]
    assert (tmp_path / "scan.npy.pxl").stat().st_size < (tmp_path / "scan.npy").stat().st_size
