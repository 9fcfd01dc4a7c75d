"""Kinds of picture files: their samples come back equal, or the file is refused by name; never another picture."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags

import pointillist as pt
from pointillist.compression import ArchiveWriter
from pointillist.compression.about import PictureFile
from pointillist.compression.codec import Codec
from pointillist.compression.container import Header
from pointillist.compression.files import extract, open_inputs
from pointillist.compression.models import as_integer_model
from pointillist.compression.pictures import read_levels, save_picture, to_picture
from pointillist.data.pixels import is_reduced, is_signed, is_white_zero, read_deep
from pointillist.errors import ArchiveError, DataError
from pointillist.images.pictures import read_chunks

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 1 << 16, (9, 7)).astype(np.uint16)
DEEP_COLOUR = RNG.integers(0, 1 << 16, (9, 7, 4)).astype(np.uint16)
GREY = RNG.integers(0, 250, (9, 7)).astype(np.uint8)
COLOUR = RNG.integers(0, 250, (9, 7, 3)).astype(np.uint8)
FILM = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
GEO = {33550: (30.0, 30.0, 0.0), 33922: (0.0, 0.0, 0.0, 500123.5, 4649776.2, 0.0), 34737: "WGS 84|", 42113: "-999"}


def write_ppm(path: Path, samples: np.ndarray, most: int) -> None:
    """Write a binary PGM or PPM file, whose samples end at `most`."""
    head = f"P{5 if samples.ndim == 2 else 6} {samples.shape[1]} {samples.shape[0]} {most}\n".encode()
    path.write_bytes(head + samples.astype(">u2" if most > 255 else "u1").tobytes())


def write_deep_png(path: Path, samples: np.ndarray, *further: tuple[bytes, bytes], kind: int = 2) -> None:
    """Write colour of 16 bits a channel, which Pillow does not write, without filters; 2 is RGB, 4 and 6 have alpha."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
        *further,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    file = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        file += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    path.write_bytes(file)


def write_deep_tiff(order: str) -> Callable[[Path], None]:
    """Return what writes an uncompressed TIFF of 16-bit RGB in strips of two rows, in an order of bytes."""

    def write(path: Path) -> None:
        height, width, _ = DEEP_COLOUR.shape
        strips = [part.tobytes() for part in np.split(DEEP_COLOUR[..., :3].astype(f"{order}u2"), range(2, height, 2))]
        starts = 8 + np.cumsum([0, *map(len, strips)])
        after = int(starts[-1])  # then the values of tags that take more than four bytes, and the directory
        lists = (struct.pack(f"{order}3H", 16, 16, 16), struct.pack(f"{order}{len(strips)}I", *starts[:-1]))
        lists = (*lists, struct.pack(f"{order}{len(strips)}I", *map(len, strips)))
        places = after + np.cumsum([0, *map(len, lists)])
        tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, places[0]), (259, 3, 1, 1), (262, 3, 1, 2)]
        tags += [(273, 4, len(strips), places[1]), (277, 3, 1, 3), (278, 3, 1, 2), (279, 4, len(strips), places[2])]
        directory = struct.pack(f"{order}H", len(tags))
        for tag, kind, count, value in tags:
            short = kind == 3 and count == 1
            directory += struct.pack(f"{order}HHI" + ("HH" if short else "I"), tag, kind, count, value, *[0] * short)
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", int(places[-1]))
        path.write_bytes(head + b"".join((*strips, *lists, directory, bytes(4))))

    return write


def tiff(samples: np.ndarray, **tags: int) -> Callable[[Path], None]:
    """Return what writes a TIFF file, with tags such as `t339=2`."""
    return lambda path: Image.fromarray(samples).save(path, tiffinfo={int(name[1:]): tag for name, tag in tags.items()})


KEPT: dict[str, tuple[str, Callable[[Path], None], np.ndarray]] = {
    "deep.png": ("grey16", lambda path: Image.fromarray(DEEP).save(path), DEEP),
    "deep.tif": ("grey16", tiff(DEEP), DEEP),
    "deep.pgm": ("grey16", lambda path: write_ppm(path, DEEP, 65_535), DEEP),
    "twelve.pgm": ("grey16", lambda path: write_ppm(path, DEEP % 4096, 4095), DEEP % 4096),
    "odd.pgm": ("grey16", lambda path: write_ppm(path, DEEP % 1001, 1000), DEEP % 1001),
    "grey.tif": ("grey16", tiff(GREY), GREY),
    "grey.png": ("photos-grey", lambda path: Image.fromarray(GREY).save(path), GREY),
    "grey.gif": ("photos-grey", lambda path: Image.fromarray(GREY).save(path), GREY),
    "white.tif": ("photos-grey", tiff(GREY, t262=0), GREY),  # 0 is white in the file, and Pillow inverts it twice
    "colour.png": ("photos", lambda path: Image.fromarray(COLOUR).save(path), COLOUR),
    "colour.ppm": ("photos", lambda path: write_ppm(path, COLOUR, 255), COLOUR),
    "colour.webp": ("photos", lambda path: Image.fromarray(COLOUR).save(path, lossless=True), COLOUR),
    "plain.pgm": ("grey16", lambda path: path.write_text("P2 2 1 1000 500 999"), np.uint16([[500, 999]])),
    "deep_colour.png": ("grey16", lambda path: write_deep_png(path, DEEP_COLOUR[..., :3]), DEEP_COLOUR[..., :3]),
    "deep_alpha.png": ("grey16", lambda path: write_deep_png(path, DEEP_COLOUR, kind=6), DEEP_COLOUR),
    "deep_colour.ppm": ("grey16", lambda path: write_ppm(path, DEEP_COLOUR[..., :3], 65_535), DEEP_COLOUR[..., :3]),
    "twelve.ppm": (
        "grey16",
        lambda path: write_ppm(path, DEEP_COLOUR[..., :3] % 4096, 4095),
        DEEP_COLOUR[..., :3] % 4096,
    ),
    "deep_colour.tif": ("grey16", write_deep_tiff("<"), DEEP_COLOUR[..., :3]),
    "deep_colour_motorola.tif": ("grey16", write_deep_tiff(">"), DEEP_COLOUR[..., :3]),
    "signed.tif": ("grey16", tiff(GREY, t339=2), GREY),
    "signed16.tif": ("grey16", tiff(DEEP, t339=2), DEEP.astype(np.int16).astype(np.int32)),
    "deep_white.tif": ("grey16", tiff(DEEP, t262=0), DEEP),
    "deep.jp2": ("grey16", lambda path: Image.fromarray(DEEP).save(path, irreversible=False), DEEP),
}
REFUSED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "deep_colour.png": ("photos", lambda path: write_deep_png(path, DEEP_COLOUR[..., :3]), "more than 8 bits"),
    "deep_colour.ppm": ("photos", lambda path: write_ppm(path, DEEP_COLOUR[..., :3], 65_535), "more than 8 bits"),
    "plain.ppm": ("grey16", lambda path: path.write_text("P3 1 1 1000 1 2 3"), "samples of kind RGB"),
    "grey_alpha.png": ("grey16", lambda path: write_deep_png(path, DEEP_COLOUR[..., :2], kind=4), "kind LA;16B"),
    "clear_colour.png": (
        "grey16",
        lambda path: write_deep_png(path, DEEP_COLOUR[..., :3], (b"tRNS", bytes(6))),
        "with transparency",
    ),
    "signed.tif": ("photos-grey", tiff(GREY, t339=2), "signed"),
    "wide.tif": ("grey16", tiff(DEEP.astype(np.int32)), "signed"),
    "float.tif": ("grey16", tiff(DEEP.astype(np.float32)), "kind 'F'"),
    "film.gif": (
        "photos-grey",
        lambda path: FILM[0].save(path, save_all=True, append_images=FILM[1:]),
        "several frames",
    ),
    "clear.gif": ("photos-grey", lambda path: FILM[0].save(path, transparency=int(GREY[0, 0])), "transparent"),
    "alpha.png": ("photos", lambda path: Image.fromarray(np.dstack([COLOUR, GREY])).save(path), "transparent"),
}


@pytest.mark.parametrize("name", KEPT)
def test_samples_come_back(name: str, tmp_path: Path) -> None:
    model, write, samples = KEPT[name]
    write(tmp_path / name)
    image = pt.load(model).image
    levels, file = read_levels(tmp_path / name, name, image)
    save_picture(to_picture(levels, image, file), tmp_path / "again.png", PictureFile.from_json(file.to_json()))
    with Image.open(tmp_path / name) as before, Image.open(tmp_path / "again.png") as again:
        assert (is_signed(again), is_white_zero(again)) == (is_signed(before), is_white_zero(before))
        shown = again.convert("L") if again.mode == "P" else again
        result = read_deep(tmp_path / "again.png", again) if is_reduced(again) else np.asarray(shown)
    assert result.dtype == samples.dtype
    assert np.array_equal(result, samples)


def test_low_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    """The reader of colour of 16 bits against rows of a PNG without filters."""
    write_deep_png(tmp_path / "a.png", DEEP_COLOUR[..., :3])
    with Image.open(tmp_path / "a.png") as opened:
        assert np.array_equal(read_deep(tmp_path / "a.png", opened), DEEP_COLOUR[..., :3])


def test_chunks_of_colour_and_size_come_back(tmp_path: Path) -> None:
    """Gamma and pixels of no absolute size are kept as bytes; the time of the file is named."""
    kept = ((b"gAMA", bytes([0, 0, 177, 143])), (b"pHYs", bytes([0, 0, 0, 2, 0, 0, 0, 1, 0])))
    write_deep_png(tmp_path / "a.png", DEEP_COLOUR[..., :3], *kept, (b"tIME", bytes(7)))
    image = pt.load("grey16").image
    levels, file = read_levels(tmp_path / "a.png", "a.png", image)
    assert file.dropped == {"tIME"}
    save_picture(to_picture(levels, image, file), tmp_path / "b.png", PictureFile.from_json(file.to_json()))
    chunks = read_chunks(tmp_path / "b.png")
    assert [(name, chunks[name.decode()]) for name, _ in kept] == [*kept]


@pytest.mark.parametrize("name", REFUSED)
def test_others_are_refused_by_name(name: str, tmp_path: Path) -> None:
    model, write, rule = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(DataError, match=rule) as error:
        read_levels(tmp_path / name, name, pt.load(model).image)
    assert name in str(error.value)


@pytest.mark.parametrize("rule", ["signed", "0 is white"])
def test_data_sets_refuse_pixels_that_would_be_misread(rule: str, tmp_path: Path) -> None:
    (tiff(GREY, t339=2) if rule == "signed" else tiff(DEEP, t262=0))(tmp_path / "a.tif")
    with pytest.raises(DataError, match=rule):
        pt.load_data(tmp_path)


@pytest.mark.parametrize("name", ["palette.png", "film.gif"])
def test_palettes_come_back_as_palettes(name: str, tmp_path: Path) -> None:
    picture = Image.fromarray(GREY % 40, "L").convert("P")
    picture.putpalette(RNG.integers(0, 256, 768).astype(np.uint8).tobytes())
    picture.save(tmp_path / name)
    image = pt.load("photos").image
    levels, file = read_levels(tmp_path / name, name, image)
    again = to_picture(levels, image, file)
    with Image.open(tmp_path / name) as before:
        assert (again.mode, before.mode) == ("P", "P")
        assert np.array_equal(np.asarray(again.convert("RGBA")), np.asarray(before.convert("RGBA")))


def test_a_scan_keeps_its_place_and_resolution(tmp_path: Path) -> None:
    """GeoTIFF tags come back in a TIFF file, resolution in a PNG."""
    image = pt.load("grey16").image
    Image.fromarray(DEEP).save(tmp_path / "geo.tif", tiffinfo=GEO, dpi=(300, 300))
    levels, file = read_levels(tmp_path / "geo.tif", "geo.tif", image)
    save_picture(to_picture(levels, image, file), tmp_path / "again.tif", PictureFile.from_json(file.to_json()))
    with Image.open(tmp_path / "again.tif") as again:
        assert np.array_equal(np.asarray(again), DEEP)
        assert {tag: again.tag_v2[tag] for tag in GEO} == GEO
        assert [round(side / 0.0254) for side in again.info["dpi"]] == [11_811] * 2  # pixels in a metre, as PNG counts
    Image.fromarray(DEEP).save(tmp_path / "a.png", dpi=(300, 72))
    levels, file = read_levels(tmp_path / "a.png", "a.png", image)
    save_picture(to_picture(levels, image, file), tmp_path / "b.png", file)
    with Image.open(tmp_path / "a.png") as before, Image.open(tmp_path / "b.png") as after:
        assert before.info["dpi"] == after.info["dpi"]


def directory(tag: int, kind: int, value: Any) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return one tag of a TIFF file, of any type."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = kind
    tags[tag] = value
    return tags


@pytest.mark.parametrize(
    ("tag", "kind", "value", "kept"),
    [
        (33550, TiffTags.DOUBLE, (1.5, 2.0), (1.5, 2.0)),
        (33550, TiffTags.RATIONAL, (1.5, 2.5), (1.5, 2.5)),
        (33550, TiffTags.SHORT, (1, 2), (1.0, 2.0)),
        (33550, TiffTags.DOUBLE, (np.nan, 1.0), None),
        (33550, TiffTags.ASCII, "abc", None),
        (33550, TiffTags.UNDEFINED, b"abc", None),
        (34735, TiffTags.SHORT, (1, 1, 0, 7), (1, 1, 0, 7)),
        (34735, TiffTags.LONG, (1, 70_000), None),
        (42113, TiffTags.ASCII, "-999", "-999"),
        (42112, TiffTags.ASCII, "<é>".encode("latin-1"), "<é>"),
        (42113, TiffTags.DOUBLE, (1.0,), None),
        (42113, TiffTags.UNDEFINED, b"\xff\x00", None),
    ],
)
def test_tags_of_any_type_lose_no_picture(tag: int, kind: int, value: Any, kept: Any, tmp_path: Path) -> None:
    """What is no GeoTIFF is left out; the rest comes back as GeoTIFF has it, and so do the pixels."""
    image = pt.load("grey16").image
    Image.fromarray(DEEP).save(tmp_path / "a.tif", tiffinfo=directory(tag, kind, value))
    levels, file = read_levels(tmp_path / "a.tif", "a.tif", image)
    stored = PictureFile.from_json(json.loads(json.dumps(file.to_json())))
    save_picture(to_picture(levels, image, stored), tmp_path / "b.tif", stored)
    with Image.open(tmp_path / "b.tif") as after:
        assert np.array_equal(np.asarray(after), DEEP)
        assert getattr(after, "tag_v2", {}).get(tag) == kept


def test_a_resolution_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    zero = TiffImagePlugin.IFDRational(0, 0)
    Image.fromarray(DEEP).save(tmp_path / "a.tif", dpi=(zero, zero))
    assert read_levels(tmp_path / "a.tif", "a.tif", pt.load("grey16").image)[1].blocks == {}


def test_a_palette_of_a_stranger_has_256_colours() -> None:
    """An archive that says "P" of a picture with more colours is damaged: no index wraps."""
    levels = RNG.integers(0, 256, (3, 20, 20))
    with pytest.raises(ArchiveError, match="colours of a picture with a palette"):
        to_picture(levels, pt.load("photos").image, PictureFile("a.png", "P"))


@pytest.mark.parametrize(
    "tags", [{"33550": "far"}, {"1": [1.0]}, {"42113": [1.0]}, {"33550": ["a"]}, {"34735": [0.5]}, {"33550": [10**400]}]
)
def test_tags_of_a_stranger_are_checked(tags: dict[str, object]) -> None:
    with pytest.raises(ArchiveError, match="facts of its files"):
        PictureFile.from_json(["a.tif", "L", {"tags": tags}])


@pytest.mark.parametrize("block", ["AAAA", "not base64"])
def test_a_damaged_resolution_is_named(block: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="pHYs"):
        save_picture(Image.fromarray(GREY), tmp_path / "a.png", PictureFile("a.png", blocks={"pHYs": block}))


def test_a_table_of_values_serves_arrays_too() -> None:
    """Few values far from each other take fewer bytes than the gaps between them would, and keep their type."""
    values = RNG.choice(RNG.integers(-30_000, 30_000, 50), (1, 1, 40, 40)).astype(np.int16)
    archive = pt.compress("grey16", values)
    again = pt.decompress(archive)
    assert again.dtype == np.int16
    assert np.array_equal(again, values)
    assert len(archive) < values.nbytes / 2


@pytest.mark.parametrize(("dtype", "name"), [(np.uint16, "npy"), (np.int16, "npy"), (">i4", "npy"), (np.uint16, "png")])
def test_the_header_of_a_picture_is_short(dtype: Any, name: str, tmp_path: Path) -> None:
    """Metadata of one picture without a table take no record: at most 24 bytes beside its pixels and a name."""
    values = (RNG.normal(-500 if np.dtype(dtype).kind == "i" else 500, 20, (40, 50))).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "a.png")
    inputs = open_inputs([tmp_path / f"a.{name}"], pt.load("grey16").image, "grey16")
    file = io.BytesIO()
    with ArchiveWriter(file, "grey16") as archive:
        archive.add_metadata(inputs.about.to_json())
        for levels in inputs:
            archive.add(levels)
    (tmp_path / "a.pxl").write_bytes(file.getvalue())
    content = Codec(as_integer_model("grey16")).encode(np.stack([*inputs]), [None]).content
    assert len(file.getvalue()) - len(content) <= 24 + (len("a.png") if name == "png" else 0)
    extract(tmp_path / "a.pxl", tmp_path / "b.npz")
    again = np.load(tmp_path / "b.npz")["x"]
    assert again.dtype == values.dtype
    assert np.array_equal(again.reshape(values.shape), values)


@pytest.mark.parametrize("numbers", [(13, 0), (32, 0)])
def test_an_array_of_a_stranger_has_a_type(numbers: tuple[int, int]) -> None:
    with pytest.raises(ArchiveError, match="type of its values"):
        pt.Archive(Header(bytes.fromhex(as_integer_model("grey16").fingerprint), array=numbers).encode() + b"\0")
