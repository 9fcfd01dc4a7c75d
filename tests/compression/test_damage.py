"""Damaged, truncated and hostile archives: a named error, or the right pixels; what is whole still comes out."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.compression import Archive, compress, decompress
from pointillist.compression.codec import Codec
from pointillist.compression.container import SIZED, Header, Record, encode_end, encode_var
from pointillist.compression.models import as_integer_model
from pointillist.compression.writer import SIDE
from pointillist.engine.head.range_decoder import RangeDecoder
from pointillist.errors import ArchiveError
from pointillist.images.pictures import tiles_of
from pointillist.model.portable import ProgramModel, load
from tests.integer_draws import encoded
from tests.portable.networks import integer_case

from .golden.make import ARCHIVES, HERE, MODELS


def small() -> tuple[ProgramModel, bytes, np.ndarray]:
    """An archive of three records, and its images."""
    _, integer_model, x = integer_case("pixelcnn")
    return integer_model, compress(integer_model, x, per_record=1), x.numpy()


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    """Anywhere in an archive of one record, in one with an index, and in metadata; and where bytes follow the end."""
    integer_model, indexed, x = small()
    named, other = (HERE / "named.pxl").read_bytes(), load(MODELS / ARCHIVES["one"][0])
    short = (indexed, integer_model), (compress(integer_model, x[:1]), integer_model), (named, other)
    for archive, integer_model in short:
        flipped = [(int.from_bytes(archive) ^ 1 << k).to_bytes(len(archive)) for k in range(8 * len(archive))]
        for wrong in [*flipped, *(archive[:length] for length in range(len(archive))), archive + b"\0"]:
            with pytest.raises(ArchiveError):
                decompress(wrong, integer_model)


@pytest.mark.parametrize("name", ["pixelcnn", "photographs", "gated-pixelcnn", "locally-masked-pixelcnn"])
def test_every_executor_decodes_the_same(name: str) -> None:
    """What was coded, what was cut off, and random bytes: the same pixels or errors, and the same state after them."""
    _, integer_model, x = integer_case(name)
    record = Codec(integer_model, learn=False).encode(x.numpy(), np.full(len(x), -1))
    chance = np.random.default_rng(0).bytes(len(record.content))
    for content in (record.content, record.content[:-4], chance, record.content[:8] + chance[8:], b"", b"\xff" * 16):
        outcomes = []
        for executor in ("auto", "numpy"):
            codec = Codec(replace(integer_model, executor=executor))
            (outcome,) = codec.decode([replace(record, content=content)])
            decoder = RangeDecoder(content)
            coded = np.ones((1, *codec.order.raster_size(*x.shape[2:])), bool)
            inputs = encoded(codec.integer_model, 1, tuple(x.shape[2:]), codec.order)
            levels = codec.integer_model.decode(coded, [decoder], np.zeros(1, int), inputs, codec.order)
            state = decoder.state
            place = (state.next, state.lower, state.range, state.point, state.is_wrong)
            outcomes.append((str(outcome), levels.tolist(), place if not state.is_wrong else None))
        assert outcomes[0] == outcomes[1]


@given(st.data())
@settings(deadline=None, max_examples=20)
def test_a_wrong_byte_loses_one_tile(data: st.DataObject) -> None:
    """Of a large picture, whose other tiles come out; in any threads, with the index and without it."""
    _, integer_model, _ = integer_case("pixelcnn")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    sizes = [(1, 3), (data.draw(st.sampled_from([1, 2])), data.draw(st.integers(513, 1200))), (2, 4)]
    images = [rng.integers(0, integer_model.image.levels, (1, *size)) for size in sizes]
    archive = compress(integer_model, images, verify=False)
    assert compress(integer_model, images, threads=2) == archive
    opened = Archive(archive, integer_model, threads=2)
    assert (len(opened), opened.sub_pixels) == (3, sum(image.size for image in images))
    assert all(np.array_equal(result, image) for result, image in zip(opened, images, strict=True))
    assert all(np.array_equal(opened[number], image) for number, image in enumerate(images))
    assert [(part.first, part.count) for part in opened.parts()] == [(0, 1), (1, 1), (2, 1)]
    shares: list[float] = []
    list(Archive(archive, integer_model, threads=2).parts(1, shares.append))
    count = tiles_of(*sizes[1], SIDE).count
    assert shares == [1 + (tile + 1) / count for tile in range(count)]
    place = data.draw(st.sampled_from([each for each in opened._places if each.entry.tile is not None]))
    damaged = bytearray(archive)
    damaged[place.start + place.entry.length - 9] ^= data.draw(st.integers(1, 255))
    parts = list(Archive(bytes(damaged), integer_model).parts())
    assert [part.error is None for part in parts] == [True, False, True]
    rows, columns = tiles_of(*sizes[1], SIDE).box(place.entry.tile)
    expected = images[1].copy()
    expected[:, rows, columns] = 0
    assert np.array_equal(parts[1].decoded.levels[0], expected)
    assert f"columns {columns.start} to {columns.stop - 1}" in str(parts[1].error)
    with pytest.raises(ArchiveError, match="misses 1 of its"):
        decompress(bytes(damaged), integer_model)


@given(st.data())
@settings(deadline=None)
def test_what_is_whole_comes_out(data: st.DataObject) -> None:
    """With the index, all records but the damaged one; without it, those before the damage. Never a wrong pixel."""
    integer_model, archive, x = small()
    opened = Archive(archive, integer_model)
    lengths = [entry.length for entry in opened.records]
    starts = np.cumsum([8, *lengths])
    hit = data.draw(st.integers(0, 2))
    damaged = bytearray(archive)
    damaged[data.draw(st.integers(int(starts[hit]), int(starts[hit + 1]) - 1))] ^= data.draw(st.integers(1, 255))
    assert len(Archive(bytes(damaged)).check_bytes()) == 1  # without the model
    parts = list(Archive(bytes(damaged), integer_model).parts())
    assert [part.record for part in parts if part.error is not None] == [hit]
    for part in parts:
        if part.decoded is not None:
            assert np.array_equal(part.decoded.levels, x[part.first : part.first + part.count])
    cut = archive[: int(starts[2]) + data.draw(st.integers(0, lengths[2] - 1))]
    truncated = Archive(cut, integer_model)
    assert truncated.damage is not None
    assert [part.first for part in truncated.parts() if part.error is None] == [0, 1]


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_an_archive_or_an_error(data: bytes) -> None:
    """Never another exception; also behind a right header."""
    integer_model, archive, _ = small()
    for candidate in (data, archive[:8] + data, archive[:-12] + data):
        with contextlib.suppress(ArchiveError):
            decompress(candidate, integer_model)


@pytest.mark.parametrize(("count", "size"), [(1, (1 << 20, 1 << 20)), (1 << 29, (3, 3)), (1, (0, 4)), (1, (4, 0))])
def test_a_declared_size_is_checked_before_anything_is_allocated(count: int, size: tuple[int, int]) -> None:
    """A record whose checksum is right may still lie about its pictures."""
    integer_model, _, _ = small()
    header = Header(bytes.fromhex(integer_model.fingerprint)).encode()
    archive = header + Record(SIZED, count, b"\0" * 8, size).encode(header) + encode_end(header, [])
    with pytest.raises(ArchiveError):
        decompress(archive, integer_model)


@pytest.mark.parametrize(
    "content", [b"\1" + b"\0" * 8, b"\2" + b"\xff" * 80, b"\1", b"\1" + b"\xff" * 80, b"\1" + b"\0" * 8000]
)
def test_stored_content_of_strangers_is_an_error(content: bytes) -> None:
    """A checksum may be right, and yet the content too short for its pictures, of another kind, or of other pixels."""
    _, integer_model, x = integer_case("pixelcnn")
    header = Header(bytes.fromhex(integer_model.fingerprint)).encode()
    size = (4000, 4000) if len(content) < 20 else tuple(x.shape[2:])
    archive = header + Record(SIZED, 1, content, size).encode(header) + encode_end(header, [])
    with pytest.raises(ArchiveError, match="damaged"):
        decompress(archive, integer_model)


def test_numbers_in_another_form_are_rejected() -> None:
    """One archive has one form: no padded numbers."""
    integer_model, archive, _ = small()
    first = archive[8]
    assert encode_var(first) == bytes([first])
    with pytest.raises(ArchiveError):
        decompress(archive[:8] + bytes([first | 0x80, 0]) + archive[9:], integer_model)


def test_total_size_is_limited() -> None:
    """`decompress` returns everything at once, so it asks before."""
    integer_model, archive, x = small()
    with pytest.raises(ArchiveError, match="max_sub_pixels"):
        decompress(archive, integer_model, max_sub_pixels=x.size - 1)


def damage_of(archive: bytes, rng: np.random.Generator) -> bytes:
    """Flip a bit, cut the end, overwrite 16 bytes, or leave out a range."""
    damaged, at = bytearray(archive), int(rng.integers(0, len(archive)))
    kind = rng.integers(0, 4)
    if kind == 0:
        damaged[at] ^= 1 << int(rng.integers(0, 8))
    elif kind == 1:
        del damaged[at:]
    elif kind == 2:
        damaged[at : at + 16] = rng.bytes(len(damaged[at : at + 16]))
    else:
        del damaged[at : at + int(rng.integers(1, 40))]
    return bytes(damaged)


def silent(archive: bytes, back: Any, levels: np.ndarray) -> None:
    """Damage an archive 300 times at random: each is an error, or leaves every pixel right."""
    rng, whole = np.random.default_rng(0), 0
    assert np.array_equal(back(archive), levels)
    for _ in range(300):
        with contextlib.suppress(ArchiveError):
            assert np.array_equal(back(damage_of(archive, rng)), levels)
            whole += 1
    assert whole < 30


@pytest.mark.parametrize("learn", [False, True])
def test_no_damage_of_16_bits_is_silent(learn: bool) -> None:
    """Of a scan, coded by the distributions alone or by the stage that learns."""
    scan = np.rint(np.random.default_rng(0).normal(30_000, 40, (1, 1, 20, 18))).astype(np.int64)
    model = as_integer_model("grey16")
    silent(compress(model, scan, learn=learn), lambda archive: decompress(archive, model), scan)


def test_no_damage_of_a_table_of_values_is_silent() -> None:
    """Of an array with a sign whose values are few of many, so that the archive holds a table."""
    chunks = pytest.importorskip(
        "pointillist.compression.arrays.zarr_codec", reason="the extra `zarr` is not installed"
    )
    rng, model = np.random.default_rng(0), as_integer_model("grey16")
    values = rng.choice(np.unique(rng.integers(-30_000, 30_000, 50)), (30, 30)).astype(np.int32)
    silent(chunks.encode_array(values, model), lambda archive: chunks.decode_array(archive, model), values.reshape(-1))


@pytest.mark.parametrize("step", [1, 32])
def test_a_stage_that_is_cut_is_an_error(step: int) -> None:
    """What it coded ends early, begins wrongly, or is chance, also its table: a sentence; another record is whole."""
    integer_model, x = integer_case("photographs")[1], integer_case("photographs")[2] // step * step
    codec, chance = Codec(integer_model), np.random.default_rng(0).bytes(1000)
    content = (record := codec.encode(x.numpy(), np.full(len(x), -1))).content
    assert content[1] == (step > 1)
    for wrong in (content[:-4], content[:3], b"\4" + content[1:], content[:3] + chance, content[:11] + chance):
        whole, damaged = codec.decode([record, replace(record, content=wrong)])
        assert np.array_equal(whole.levels, x)
        assert "the archive is damaged" in str(damaged)
