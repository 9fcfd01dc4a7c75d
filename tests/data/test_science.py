"""DICOM and FITS, made by the test: the stored integers, exact through an archive, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.data.readers.science import read_science
from tests.cli.helpers import fails, run

RNG = np.random.default_rng(0)
SIGNED = RNG.normal(-300, 40, (9, 7)).round().astype(np.int16)
UNSIGNED = (RNG.normal(40_000, 40, (2, 6, 5))).round().astype(np.uint16)


def write_dicom(path: Path, array: np.ndarray, **changes: Any) -> None:
    """Write an array `[h, w]` or `[n, h, w]` of integers as DICOM, little-endian and not compressed."""
    pydicom = pytest.importorskip("pydicom", reason="the extra `science` is not installed")
    from pydicom.dataset import Dataset, FileMetaDataset

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    bits = 8 * array.itemsize
    data.Rows, data.Columns = array.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, int(array.dtype.kind == "i")
    data.RescaleSlope, data.RescaleIntercept = 2, -1024
    if array.ndim == 3:
        data.NumberOfFrames = len(array)
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    data.PixelData = content + bytes(len(content) % 2)
    data["PixelData"].VR = "OW"
    for name, value in changes.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)


def write_fits(path: Path, array: np.ndarray, **header: Any) -> None:
    """Write an array as the second unit of a FITS file, behind an empty one."""
    fits = pytest.importorskip("astropy.io.fits", reason="the extra `science` is not installed")
    unit = fits.ImageHDU(array)
    unit.header.update(header)
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)


WRITERS = pytest.mark.parametrize(("write", "ending"), [(write_dicom, "dcm"), (write_fits, "fits")])
Writer = Callable[..., None]


@WRITERS
@pytest.mark.parametrize("array", [SIGNED, UNSIGNED, UNSIGNED.astype(np.uint8)], ids=["signed", "unsigned", "bytes"])
def test_values_and_type_come_back(write: Writer, ending: str, array: np.ndarray, tmp_path: Path) -> None:
    """From the file, and through an archive by the bundled model of 16 bits."""
    path = tmp_path / f"scan.{ending}"
    write(path, array)
    stored = read_science(path)
    assert stored.dtype == array.dtype
    assert np.array_equal(stored, array.reshape(-1, *array.shape[-2:]))
    run("compress", "grey16", path, "--out", tmp_path / "scan.pxl")
    run("decompress", tmp_path / "scan.pxl", "--out", tmp_path / "back.npz")
    back = np.load(tmp_path / "back.npz")["x"]
    assert back.dtype == array.dtype
    assert np.array_equal(back, stored)


@WRITERS
def test_a_model_scores_them(write: Writer, ending: str, tmp_path: Path) -> None:
    """Without a sign, as the same array; values below 0 are rejected with the remedy."""
    write(tmp_path / f"a.{ending}", UNSIGNED)
    images = pt.load_data(tmp_path / f"a.{ending}", spec=pt.load("grey16").image).get("all")
    assert np.array_equal(images.batch([0, 1]).levels[:, 0], UNSIGNED)
    assert pt.evaluate("grey16", tmp_path / f"a.{ending}").bits_per_dim < 10
    write(tmp_path / f"b.{ending}", SIGNED)
    with pytest.raises(pt.DataError, match="shift the values to start at 0"):
        pt.evaluate("grey16", tmp_path / f"b.{ending}")


def test_offsets_and_scales_of_fits_are_not_applied(tmp_path: Path) -> None:
    """Compressed by tiles or not; floats are rejected."""
    fits = pytest.importorskip("astropy.io.fits", reason="the extra `science` is not installed")
    write_fits(tmp_path / "a.fits", SIGNED, BSCALE=0.5, BZERO=100.0)
    assert np.array_equal(read_science(tmp_path / "a.fits")[0], SIGNED)
    packed = fits.CompImageHDU(UNSIGNED[0], compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "b.fits")
    assert np.array_equal(read_science(tmp_path / "b.fits")[0], UNSIGNED[0])
    write_fits(tmp_path / "c.fits", SIGNED.astype(np.float32))
    assert "holds floats: scale them to integers first" in fails(
        "compress", "grey16", tmp_path / "c.fits", "--out", tmp_path / "c.pxl"
    )


def test_claims_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    """Sizes that are larger than the file or than memory, a file that is deflated, and colour."""
    pydicom = pytest.importorskip("pydicom", reason="the extra `science` is not installed")
    write_dicom(tmp_path / "large.dcm", SIGNED, Rows=65_535, Columns=65_535, NumberOfFrames=2_000_000)
    with pytest.raises(pt.DataError, match=r"large.dcm .* cut out a part of it"):
        read_science(tmp_path / "large.dcm")
    write_dicom(tmp_path / "short.dcm", SIGNED, Rows=60)
    write_dicom(tmp_path / "colour.dcm", SIGNED, SamplesPerPixel=3)
    with pytest.raises(pt.DataError, match="takes one channel of integers"):
        read_science(tmp_path / "colour.dcm")
    with pytest.raises(pt.DataError, match="it is damaged"):
        read_science(tmp_path / "short.dcm")
    data = pydicom.dcmread(tmp_path / "colour.dcm")
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "deflated.dcm")
    with pytest.raises(pt.DataError, match="is deflated as a whole"):
        read_science(tmp_path / "deflated.dcm")
    pytest.importorskip("astropy.io.fits", reason="the extra `science` is not installed")
    write_fits(tmp_path / "a.fits", SIGNED)
    one, many = (f"NAXIS1  = {count:20}".encode() for count in (SIGNED.shape[1], 70_000_000))
    claim = (tmp_path / "a.fits").read_bytes().replace(one, many)
    (tmp_path / "b.fits").write_bytes(claim)
    with pytest.raises(pt.DataError, match=r"damaged|no image"):
        read_science(tmp_path / "b.fits")
    (tmp_path / "c.fits").write_bytes(b"\x1f\x8b" + claim)
    with pytest.raises(pt.DataError, match="is not FITS, or compressed as a whole"):
        read_science(tmp_path / "c.fits")


@WRITERS
def test_damaged_files_are_read_or_end_with_one_sentence(write: Writer, ending: str, tmp_path: Path) -> None:
    """150 random damages each: bits, cuts and overwritten ranges."""
    write(tmp_path / f"a.{ending}", UNSIGNED)
    content = (tmp_path / f"a.{ending}").read_bytes()
    rng, sentences = np.random.default_rng(1), []
    for number in range(150):
        damaged = bytearray(content)
        at = int(rng.integers(0, len(damaged)))
        if number % 3 == 0:
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        elif number % 3 == 1:
            del damaged[at:]
        else:
            damaged[at : at + 8] = rng.bytes(8)
        path = tmp_path / f"b.{ending}"
        path.write_bytes(damaged)
        try:
            array = read_science(path)
        except pt.DataError as error:
            sentences.append(str(error))
        else:
            assert array.ndim == 3
    assert len(sentences) > 30
    assert not any("\n" in sentence for sentence in sentences)


def write_series(folder: Path, volume: np.ndarray, **changes: Any) -> None:
    """Write a slice a file, named against their order; `changes` of a slice are lists."""
    folder.mkdir()
    for i, array in enumerate(volume):
        facts = {"SeriesInstanceUID": "1.2.9", "InstanceNumber": 30 - i, "ImagePositionPatient": [3.0, 4.0, 2.5 * i]}
        facts |= {name: values[i] for name, values in changes.items()}
        write_dicom(folder / f"{7 - i}.dcm", array, **{name: each for name, each in facts.items() if each is not None})


def test_a_folder_of_slices_is_a_volume(tmp_path: Path) -> None:
    """In the order of positions, whatever the names and numbers; from the archive with type; scored as the array."""
    volume = np.random.default_rng(4).normal(700, 9, (5, 6, 7)).round().astype(np.uint16)
    write_series(tmp_path / "ct", volume)
    (tmp_path / "ct" / "notes.txt").write_text("no slice")
    assert np.array_equal(read_science(tmp_path / "ct"), volume)
    run("compress", "grey16", tmp_path / "ct", "--out", tmp_path / "ct.pxl")
    run("decompress", tmp_path / "ct.pxl", "--out", tmp_path / "back.npz")
    back = np.load(tmp_path / "back.npz")["x"]
    assert back.dtype == volume.dtype
    assert np.array_equal(back, volume)
    np.save(tmp_path / "ct.npy", volume)
    assert (
        pt.evaluate("grey16", tmp_path / "ct").bits_per_dim == pt.evaluate("grey16", tmp_path / "ct.npy").bits_per_dim
    )
    splits = pt.load_data(tmp_path / "ct", mode="codes", levels=65_536, ordered=True)
    assert len(splits.get("all")) == 5


def test_slices_without_positions_go_by_number(tmp_path: Path) -> None:
    """Numbers that run against the names; a position that one slice lacks does not count."""
    volume = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    write_series(tmp_path / "a", volume, ImagePositionPatient=[[0, 0, 1.0], None, [0, 0, 0.0]])
    assert np.array_equal(read_science(tmp_path / "a"), volume[::-1])


def test_oblique_slices_go_along_their_normal(tmp_path: Path) -> None:
    """Sagittal slices differ in x alone."""
    volume = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    positions = [[9.0 * i, 1.0, 2.0] for i in range(3)]
    write_series(
        tmp_path / "a", volume, ImagePositionPatient=positions, ImageOrientationPatient=[[0, 1, 0, 0, 0, 1]] * 3
    )
    assert np.array_equal(read_science(tmp_path / "a"), volume)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SeriesInstanceUID": ["1.2.9", "1.2.9", "1.2.8"]}, "not slices of one volume"),
        ({"PixelRepresentation": [1, 1, 0]}, "not slices of one volume"),
        ({"ImagePositionPatient": [[0, 0, 1.0], [0, 0, 2.0], [0, 0, 1.0]]}, "have no order"),
        ({"ImagePositionPatient": [None] * 3, "InstanceNumber": [1, 2, None]}, "have no order"),
        ({"NumberOfFrames": [1, 1, 2], "Rows": [4, 4, 4]}, "it is damaged"),
    ],
)
def test_mixed_and_double_slices_are_named(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """One sentence each, before an archive is begun."""
    write_series(tmp_path / "a", np.zeros((3, 4, 5), np.int16), **changes)
    assert sentence in fails("compress", "grey16", tmp_path / "a", "--out", tmp_path / "a.pxl")
    assert not (tmp_path / "a.pxl").exists()


def test_a_damaged_slice_is_named(tmp_path: Path) -> None:
    """And a slice of another size."""
    write_series(tmp_path / "a", np.zeros((3, 4, 5), np.int16))
    (tmp_path / "a" / "6.dcm").write_bytes((tmp_path / "a" / "6.dcm").read_bytes()[:-9])
    with pytest.raises(pt.DataError, match=r"6\.dcm .*damaged"):
        read_science(tmp_path / "a")
    write_dicom(tmp_path / "a" / "6.dcm", np.zeros((4, 6), np.int16), SeriesInstanceUID="1.2.9")
    with pytest.raises(pt.DataError, match=r"4x6 pixels and 4x5 pixels|4x5 pixels and 4x6 pixels"):
        read_science(tmp_path / "a")


def test_a_volume_of_slices_is_stored_in_zarr(tmp_path: Path) -> None:
    """In chunks that the edge cuts; a part of it is read through the codec."""
    zarr = pytest.importorskip("zarr", minversion="3", reason="the extra `zarr` is not installed")
    from pointillist.compression.arrays.zarr_codec import Pointillist

    volume = np.random.default_rng(5).normal(-300, 9, (5, 6, 7)).round().astype(np.int16)
    write_series(tmp_path / "ct", volume)
    path = str(tmp_path / "ct.zarr")
    zarr.create_array(path, data=read_science(tmp_path / "ct"), chunks=(2, 4, 7), compressors=Pointillist("grey16"))
    stored = zarr.open_array(path, mode="r")
    assert stored.dtype == np.int16
    assert np.array_equal(stored[1:4, 2:6, 3:], volume[1:4, 2:6, 3:])
