"""Archives: what goes in comes out, for every network, condition, order and size, at the cost that the model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.compression import Archive, compress, decompress
from pointillist.compression.codec import CHECK, PACKED, Codec, RangeEncoder
from pointillist.compression.container import crc32c, crc32c_in_python
from pointillist.compression.models import as_integer_model
from pointillist.engine.head.frequencies import Frequencies
from pointillist.engine.head.range_decoder import EncoderState, RangeDecoder, encode_in_python
from pointillist.engine.library import KERNELS, load_library
from pointillist.errors import ArchiveError, CheckpointError, ConfigError, EngineError, ShapeError
from tests.portable.networks import CASES, few_images, integer_case

OVERHEAD = 16 + 2
"""Bytes of an archive of one image beyond its coded bits."""


@given(st.data())
@settings(deadline=None)
def test_the_range_coder_returns_every_symbol(data: st.DataObject) -> None:
    """Also with frequencies of 1 beside nearly all, at the first and the last level, and after uniform symbols."""
    precision, levels = data.draw(st.sampled_from([(16, 2), (16, 3), (16, 256), (24, 257), (24, 1000)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(1, 40))
    weights = rng.dirichlet(np.full(levels, 10.0 ** rng.uniform(-3, 1)))
    frequencies = rng.multinomial((1 << precision) - levels, weights, size=n) + 1
    symbols = rng.choice([0, levels - 1, int(rng.integers(levels))], n)
    ends = np.take_along_axis(frequencies.cumsum(1), symbols[:, None], 1)[:, 0]
    sizes = np.take_along_axis(frequencies, symbols[:, None], 1)[:, 0]
    encoder = RangeEncoder()
    encoder.add_uniform(symbols % 7, 7)
    encoder.add_intervals(ends - sizes, sizes, precision)
    payload = encoder.finish()
    decoder = RangeDecoder(payload)
    assert (decoder.uniform(n, 7) == symbols % 7).all()
    assert (decoder.levels(Frequencies(frequencies), len(frequencies), precision) == symbols).all()
    assert decoder.is_exhausted
    assert not decoder.is_wrong
    bits = n * np.log2(7) - np.log2(sizes / (1 << precision)).sum()
    assert 8 * len(payload) <= bits + 64


@pytest.mark.parametrize("name", ["gated-pixelcnn", "photographs"])
def test_the_stage_is_the_same_by_any_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the likelihood of the model; without the library in C it is refused."""
    integer_model, x = integer_case(name)[1], few_images(name)
    codec, none = Codec(integer_model, learn=True), np.full(len(x), -1)
    record, likelihood = codec.encode(x, none), Codec(integer_model, learn=False).encode(x, none).bits
    assert record.bits == pytest.approx(likelihood, abs=4 * x.size * 2.0**-20)  # logarithms in C have steps of 2^-20
    monkeypatch.setenv(KERNELS, "plain")
    assert codec.encode(x, none).content == record.content
    monkeypatch.setenv(KERNELS, "none")
    with pytest.raises(EngineError, match="the library in C"):
        codec.decode([replace(record, content=b"\3\0\0word")])
    with pytest.raises(EngineError, match="the library in C"):
        Codec(integer_model, learn=True)


@given(st.integers(0, 2**32), st.sampled_from([2, 200, 1 << 23, (1 << 24) - 2]))
@settings(deadline=None)
def test_python_and_c_write_the_same_words(seed: int, largest: int) -> None:
    """Also where many words wait for a carry: at the end of the range of a large symbol."""
    if load_library() is None:
        pytest.skip("this platform lacks the library in C")
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, largest, rng.integers(80), endpoint=True)
    starts = np.where(
        rng.random(len(sizes)) < 0.5, (1 << 24) - sizes, rng.integers(0, (1 << 24) - sizes, endpoint=True)
    )
    encoder, state = RangeEncoder(), EncoderState(0, 2**64 - 1, 0, 0)
    for part in np.array_split(np.arange(len(sizes)), 3):
        encoder.add_intervals(starts[part], sizes[part], 24)
    words = encode_in_python(state, starts, sizes).astype("<u4").tobytes()
    payload = encoder.finish()
    assert payload[: len(words)] == words
    assert len(payload) <= len(words) + 4 * (state.waiting + 2)


def test_the_crc_is_that_of_castagnoli() -> None:
    """With the known check value, and the same in Python as in C."""
    data = np.random.default_rng(0).bytes(1000)
    assert crc32c(b"123456789") == crc32c_in_python(b"123456789") == 0xE3069283
    assert crc32c(data) == crc32c_in_python(data)


@pytest.mark.parametrize("name", CASES)
def test_images_come_back(name: str) -> None:
    """Of every network and likelihood, in every order, in records of one image and of all, by the stage too."""
    _, integer_model, x = integer_case(name)
    levels = x.numpy().astype(np.int64 if integer_model.image.is_deep else np.uint64)
    for order in integer_model.orders:
        for per_record, learn in ((1, False), (None, False), (None, True)):
            archive = compress(integer_model, levels, order=order, per_record=per_record, learn=learn)
            assert np.array_equal(decompress(archive, integer_model), levels)


@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelcnn-pp"])
def test_labels_condition_the_code(name: str) -> None:
    """The size is that of the likelihood given the labels, which come back too."""
    model, integer_model, x = integer_case(name)
    labels = ["dog", None, 0]
    archive = Archive(compress(integer_model, x, label=labels), integer_model)
    (part,) = archive.parts()
    assert part.decoded is not None
    assert part.decoded.labels.tolist() == [1, -1, 0]
    assert np.array_equal(part.decoded.levels, x.numpy())
    bits = -float(model.integer_model().log_prob(x, label=labels).sum()) / np.log(2) + len(x) * np.log2(3)
    assert bits <= 8 * len(compress(integer_model, x, label=labels)) <= bits + 8 * (OVERHEAD + 4)


def test_the_class_of_a_large_picture_is_chosen() -> None:
    """The one by which it takes the fewest bits; small pictures have none."""
    model, integer_model, _ = integer_case("photographs")
    pictures = [np.asarray(pt.sample(model, 1, size=(128, 136), label=label, seed=3).levels)[0] for label in (0, 1)]
    archive = Archive(compress(integer_model, [*pictures, pictures[0][:, :20, :20]]), integer_model)
    labels = [label for part in archive.parts() if part.decoded is not None for label in part.decoded.labels.tolist()]
    assert labels == [0, 1, -1]
    for picture, found in zip(pictures, archive, strict=False):
        assert np.array_equal(picture, found)
    for label in (None, 0, 1):
        each = len(compress(integer_model, pictures, label=[-1 if label is None else label] * 2))
        assert each >= sum(map(len, [compress(integer_model, pictures)])), label


def test_an_archive_costs_what_the_likelihood_says() -> None:
    """At most 18 bytes more for one image, and little for many."""
    model, integer_model, x = integer_case("gated-256")
    bits = -model.integer_model().log_prob(x) / np.log(2)
    for image, own in zip(x, bits, strict=True):
        assert own / 8 <= len(compress(integer_model, image, learn=False)) <= own / 8 + OVERHEAD + 4
    many = x.repeat(200, 1, 1, 1)
    assert len(compress(integer_model, many, verify=False, learn=False)) <= 1.005 * 200 * bits.sum() / 8 + 32


@given(st.data())
@settings(deadline=None)
def test_images_of_any_sizes_come_back(data: st.DataObject) -> None:
    """Whole where the model knows any size, else in tiles of its own; also in several threads."""
    name = data.draw(st.sampled_from(["pixelcnn", "gated-256"]))
    _, integer_model, _ = integer_case(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 13), st.integers(1, 13)), min_size=1, max_size=5))
    images = [
        rng.integers(0, integer_model.image.levels, (1, *size)) for size in sizes for _ in range(rng.integers(1, 4))
    ]
    per_record = data.draw(st.sampled_from([None, 1, 2]))
    archive = compress(integer_model, images, per_record=per_record)
    assert compress(integer_model, images, per_record=per_record, threads=3) == archive
    opened = Archive(archive, integer_model, threads=data.draw(st.sampled_from([1, 2])))
    assert len(opened) == len(images)
    assert opened.sub_pixels == sum(image.size for image in images)
    for found, image in zip(opened, images, strict=True):
        assert np.array_equal(found, image)
    chosen = data.draw(st.integers(-len(images), len(images) - 1))
    assert np.array_equal(opened[chosen], images[chosen])


def test_the_rest_of_a_tile_costs_nothing() -> None:
    """Pixels beyond a picture are not coded."""
    _, integer_model, x = integer_case("gated-256")
    pixel = x[:1, :, :1, :1]
    assert len(compress(integer_model, pixel)) <= OVERHEAD + 2 + 4


def test_the_model_is_found_or_named(tmp_path: Path) -> None:
    """Another model is rejected, and one without an integer program says how to make it."""
    model, integer_model, x = integer_case("pixelcnn", fresh=True)
    other = integer_case("pixelcnn-codes")[1]
    archive = compress(model, x)
    assert compress(integer_model, x) == archive
    model.save_pretrained(tmp_path / "model")
    assert np.array_equal(decompress(archive, tmp_path / "model"), x.numpy())
    with pytest.raises(ArchiveError, match=f"{integer_model.fingerprint[:8]}.*{other.fingerprint[:8]}"):
        decompress(archive, other)
    with pytest.raises(ArchiveError, match="No bundled model is"):
        decompress(archive)
    with pytest.raises(CheckpointError, match="no model"):
        compress("nowhere", x)
    pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny").save_pretrained(tmp_path / "float")
    with pytest.raises(ConfigError, match="quantize"):
        compress(tmp_path / "float", x)


def test_images_that_do_not_fit_are_rejected() -> None:
    """Levels, channels, types, labels: one sentence each."""
    _, integer_model, x = integer_case("pixelcnn")
    with pytest.raises(ShapeError, match="must lie in 0 to 3"):
        compress(integer_model, x + 1 + x.max())
    with pytest.raises(ShapeError, match="integers"):
        compress(integer_model, x.float())
    with pytest.raises(ShapeError, match=r"\(n, 1, h, w\)"):
        compress(integer_model, x.repeat(1, 3, 1, 1))
    with pytest.raises(ConfigError, match="trained without labels"):
        compress(integer_model, x, label=1)
    with pytest.raises(ConfigError, match="2 values"):
        compress(integer_case("pixelcnn-pp")[1], integer_case("pixelcnn-pp")[2], label=["cat", "dog"])


def test_an_empty_archive() -> None:
    """No images are an archive too."""
    _, integer_model, _ = integer_case("pixelcnn")
    archive = compress(integer_model, np.zeros((0, 1, 4, 4), np.int64))
    assert len(Archive(archive, integer_model)) == 0
    assert decompress(archive, integer_model) == []


def test_the_check_symbol_shows_another_model() -> None:
    """Levels that a program of other numbers would give are never returned."""
    assert CHECK == 1 << 16
    model, integer_model, x = integer_case("pixelcnn", fresh=True)
    archive = compress(integer_model, x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.9)
    changed = pt.quantize_integer(model, x)
    object.__setattr__(changed, "fingerprint", integer_model.fingerprint)
    with pytest.raises(ArchiveError, match="damaged"):
        decompress(archive, changed)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_noise_is_stored(data: st.DataObject) -> None:
    """Pictures that the model would make larger take their raw size: with labels, in tiles, for any levels."""
    name = data.draw(st.sampled_from(["pixelcnn", "gated-256", "pixelcnn-pp", "gated-pixelcnn"]))
    _, integer_model, _ = integer_case(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = (integer_model.image.channels, data.draw(st.integers(20, 60)), data.draw(st.integers(20, 60)))
    last = data.draw(st.booleans())  # the last level has the largest share
    images = (
        np.full((2, *shape), integer_model.image.levels - 1)
        if last
        else rng.integers(0, integer_model.image.levels, (2, *shape))
    )
    labels = data.draw(st.sampled_from([None, ["dog", None]])) if integer_model.classes else None
    archive = compress(integer_model, images, label=labels, per_record=data.draw(st.sampled_from([None, 1])))
    assert np.array_equal(decompress(archive, integer_model), images)
    raw = images.size * np.log2(integer_model.image.levels) / 8
    assert len(archive) <= raw + 2 * (OVERHEAD + 4) + 24


def test_repetitions_are_packed() -> None:
    """Enlarged pictures of 8 and 16 bits take a sixth of their bytes; a record that lies about them is rejected."""
    for name, levels in (("photos-grey", 256), ("grey16", 65_536)):
        small = np.random.default_rng(0).integers(0, levels, (1, 1, 16, 16))
        picture = small.repeat(4, 2).repeat(4, 3)
        archive = compress(name, picture)
        assert np.array_equal(decompress(archive, name), picture)
        assert len(archive) < picture.size * levels.bit_length() / 8 / 6
        codec = Codec(as_integer_model(name))
        record = codec.encode(picture, [None])
        content = record.content
        assert content[:1] == PACKED
        for wrong in (content[:-4], content[:5] + content[9:], content + b"abcd", PACKED * 6, content[:-8] + bytes(8)):
            (outcome,) = codec.decode([replace(record, content=wrong)])
            assert isinstance(outcome, ArchiveError)
        (outcome,) = codec.decode([replace(record, size=(64, 60))])
        assert isinstance(outcome, ArchiveError)
