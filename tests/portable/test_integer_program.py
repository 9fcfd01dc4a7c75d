"""The integer program: the same integers over whole maps and step by step, stored and loaded without torch."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.distributions.transform import Transform
from pointillist.engine import executors
from pointillist.engine.head.frequencies import Frequencies, frequencies
from pointillist.engine.library import KERNELS, LEVELS, available_levels
from pointillist.engine.opcodes.base import prove_ranges
from pointillist.errors import EngineError
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.model.portable import ProgramModel, load, save
from pointillist.model.portable.files import has_program
from tests.equality import assert_close, equal
from tests.integer_draws import draw_encoded, draw_integers, encoded, intervals_of, steps_of
from tests.portable.networks import CASES, check_steps, few_images, integer_case
from tests.tolerances import DOUBLE, FORMULA

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("executor", ["numpy", "auto"])
@pytest.mark.parametrize("name", CASES)
def test_whole_maps_and_steps_agree(name: str, executor: str) -> None:
    """Frequencies of all sub-pixels at once are those of one after the other, to the bit, in every order."""
    model, integer_model, _ = integer_case(name)
    x = few_images(name)
    for order_name in integer_model.orders:
        order = integer_model.order(order_name)
        inputs = model.integer_model().encode(None, len(x), (x.shape[2], x.shape[3]), order)
        check_steps(integer_model, x, inputs, order, intervals_of(integer_model, x, inputs, order), executor)


@cache
def visits(name: str) -> list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Return rows at which a stepper begins and stops, the levels, and their intervals by numpy, in raster order."""
    _, integer_model, x = integer_case(name)
    rng, order = np.random.default_rng(0), integer_model.order()
    pixels, result = order.array_to_raster(x.numpy()).copy(), []
    for first, stop in ((0, 3), (1, 4), (1, 2), (0, pixels.shape[2])):
        if result:
            pixels[:, :, first:] = rng.integers(0, integer_model.image.levels, pixels[:, :, first:].shape)
        intervals = intervals_of(integer_model, order.array_from_raster(pixels), None, order, executor="numpy")
        starts, sizes = (order.array_to_raster(array) for array in intervals)
        result.append((first, stop, pixels.copy(), starts, sizes))
    return result


@pytest.mark.parametrize("executor", ["numpy", "auto", "torch"])
@pytest.mark.parametrize("name", [name for name in CASES if "scale" not in name and name != "parallel-conditions"])
def test_states_are_restored(name: str, executor: str) -> None:
    """Back at an earlier row, other levels give the integers of another image, to the bit, twice from one state."""
    _, integer_model, x = integer_case(name)
    order = integer_model.order()
    steps = steps_of(integer_model, len(x), x.shape[2:], None, order, executor=executor)
    saved: dict[int, Any] = {}
    for first, stop, pixels, starts, sizes in visits(name):
        if first in saved:
            steps.restore(saved[first])
        while not steps.done and steps.site[0] < stop:
            row, column, channel = steps.site
            if row not in saved or (column, channel) == (next(iter(order.row(row, pixels.shape[3]))), 0):
                saved[row] = steps.save()
            at = (slice(None), channel, row, column)
            for array, wanted in zip(steps.distribution().interval(pixels[at]), (starts, sizes), strict=True):
                assert np.array_equal(array, wanted[at])
            steps.observe(pixels[at])
    assert steps.done
    steps.restore(saved[1])
    assert not steps.done


@pytest.mark.parametrize("name", CASES)
def test_compiled_code_gives_the_bits_of_numpy(name: str) -> None:
    """Scores and samples, for other sizes and batches, and any number of threads."""
    _, integer_model, x = integer_case(name)
    rng = np.random.default_rng(0)
    sizes = [tuple(x.shape[2:])] if integer_model.fixed_size else [(1, 1), (3, 2), (4, 9)]
    for batch, size in zip((1, 3, 7), sizes, strict=False):
        levels = rng.integers(0, integer_model.image.levels, (batch, integer_model.image.channels, *size))
        due = intervals_of(integer_model, levels, executor="numpy")
        uniforms = rng.random(levels.shape)
        drawn, nats = draw_integers(integer_model, uniforms, executor="numpy")
        for threads in (1, 3):
            assert np.array_equal(due, intervals_of(integer_model, levels, executor="auto", threads=threads))
            found, found_nats = draw_integers(integer_model, uniforms, executor="auto", threads=threads)
            assert np.array_equal(found, drawn)
            np.testing.assert_allclose(found_nats, nats, rtol=FORMULA)


@pytest.mark.parametrize("executor", ["numpy", "auto", "torch"])
@pytest.mark.parametrize("name", CASES)
def test_parameters_give_the_frequencies(name: str, executor: str) -> None:
    """The tables of all levels, from the parameters of whole images, have the intervals of their levels."""
    _, integer_model, _ = integer_case(name)
    levels = few_images(name)
    for order in map(integer_model.order, integer_model.orders):
        by = replace(integer_model, executor=executor)
        params = np.moveaxis(by.distributions(levels, None, order).params, 1, 3)
        starts, sizes = intervals_of(integer_model, levels, order=order)
        for channel in range(levels.shape[1]):
            table = frequencies(integer_model.program(order).head, params, levels.transpose(0, 2, 3, 1), channel)
            start, size = Frequencies(table).interval(levels[:, channel])
            assert np.array_equal(start, starts[:, channel])
            assert np.array_equal(size, sizes[:, channel])


@cache
def by_numpy(name: str) -> tuple[Any, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the intervals of the images of a case, uniforms of their shape, and the draws from them, by numpy."""
    integer_model, x = integer_case(name)[1], few_images(name)
    uniforms = np.random.default_rng(3).random(x.shape)
    return (
        intervals_of(integer_model, x, executor="numpy"),
        uniforms,
        draw_integers(integer_model, uniforms, executor="numpy"),
    )


@pytest.mark.parametrize("kernels", LEVELS)
@pytest.mark.parametrize("name", CASES)
def test_all_kernels_give_the_same_bits(name: str, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole images, one sub-pixel after the other, and draws, by the kernels of each instruction set."""
    if kernels not in available_levels():
        pytest.skip(f"this processor has no {kernels}")
    _, integer_model, _ = integer_case(name)
    x, order = few_images(name), integer_model.order()
    due, uniforms, (drawn, nats) = by_numpy(name)
    monkeypatch.setenv(KERNELS, kernels)
    assert np.array_equal(due, intervals_of(integer_model, x, executor="compiled"))
    inputs = encoded(integer_model, len(x), (x.shape[2], x.shape[3]), order)
    check_steps(integer_model, x, inputs, order, due, "compiled")
    for threads in (1, 2):
        found = draw_integers(integer_model, uniforms, executor="compiled", threads=threads)
        assert np.array_equal(found[0], drawn)
        assert np.array_equal(found[1], nats)


@pytest.mark.parametrize("width", [9, 28, 33])
@pytest.mark.parametrize(("network", "channels"), [("gated-pixelcnn", 72), ("gated-pixelcnn", 64), ("pixelcnn-pp", 40)])
def test_rows_as_tiles_read_them_give_the_same_bits(
    network: str, channels: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows shorter than a tile, longer than two, and no multiple of one; inputs that leave a rest, or two."""
    torch.manual_seed(0)
    model = pt.build(network, shape=(1, 4, width), levels=16, channels=channels, layers=2).eval()
    x = torch.randint(0, 16, (3, 1, 4, width))
    integer_model, uniforms = pt.quantize_integer(model, x), np.random.default_rng(1).random(x.shape)
    found = []
    for kernels in available_levels():
        monkeypatch.setenv(KERNELS, kernels)
        drawn = draw_integers(integer_model, uniforms, executor="compiled")
        found.append((*drawn, *intervals_of(integer_model, x.numpy(), executor="compiled")))
    assert all(np.array_equal(a, b) for each in found for a, b in zip(found[0], each, strict=True))


@pytest.mark.parametrize(
    ("spread", "least", "most"), [(0.0, 1, 2**18), (2.0, 2**18, 2**23), (600.0, 2**24 - 255, 2**24)]
)
def test_levels_are_found_among_many(spread: float, least: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flat and steep distributions of 256 levels, one of which may have all but the least: kernels equal numpy."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=(1, 5, 6), levels=256, preset="tiny").eval()
    *_, bias = (p for p in model.parameters() if p.shape == (256,))
    with torch.no_grad():
        bias.copy_(spread * torch.randn(256))
    x = torch.randint(0, 256, (9, 1, 5, 6))
    integer_model = pt.quantize_integer(model, x)
    expected = intervals_of(integer_model, x.numpy(), executor="numpy")
    uniforms = np.random.default_rng(1).random(x.shape)
    drawn, nats = draw_integers(integer_model, uniforms, executor="numpy")
    assert least <= intervals_of(integer_model, drawn, executor="numpy")[1].max() <= most
    for kernels in available_levels():
        monkeypatch.setenv(KERNELS, kernels)
        assert np.array_equal(expected, intervals_of(integer_model, x.numpy(), executor="compiled"))
        levels, own = draw_integers(integer_model, uniforms, executor="compiled")
        assert np.array_equal(levels, drawn)
        assert np.array_equal(own, nats)


@pytest.mark.parametrize(
    "transform",
    [
        Transform(guidance=3.0),
        Transform(temperature=0.7),
        Transform(temperature=0.0),
        Transform(top_p=0.8),
        Transform(guidance=0.3, temperature=1.3, top_p=0.5),
    ],
)
@pytest.mark.parametrize("name", ["gated-pixelcnn", "gated-256", "pixelcnn-pp-rgb", "gated-binary"])
def test_transforms_in_c_draw_what_numpy_draws(name: str, transform: Transform) -> None:
    """With guidance, temperature and top-p, with conditions, for any number of threads."""
    _, integer_model, x = integer_case(name)
    if transform.is_guided and not integer_model.classes:
        transform = transform.unguided()
    given: dict[str, Any] = {"label": [0, 1, None]} if integer_model.classes else {}
    uniforms = np.random.default_rng(4).random(tuple(x.shape))
    drawn, nats = draw_integers(integer_model, uniforms, transform=transform, executor="numpy", **given)
    for threads in (1, 2):
        found = draw_integers(
            integer_model, uniforms, transform=transform, executor="compiled", threads=threads, **given
        )
        assert np.array_equal(found[0], drawn)
        assert np.array_equal(found[1], nats)


def test_numpy_runs_without_a_library(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence says so, and the bits are the same; a name of kernels that are not here is an error."""
    _, integer_model, x = integer_case("pixelcnn")
    due = intervals_of(integer_model, x.numpy())
    executors._warn_once.cache_clear()
    monkeypatch.setenv(KERNELS, "none")
    assert np.array_equal(due, intervals_of(integer_model, x.numpy()))
    assert np.array_equal(due, intervals_of(integer_model, x.numpy()))
    assert [KERNELS in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(EngineError, match=KERNELS):
        intervals_of(integer_model, x.numpy(), executor="compiled")
    monkeypatch.setenv(KERNELS, "sse9")
    with pytest.raises(EngineError, match="sse9"):
        intervals_of(integer_model, x.numpy())


@pytest.mark.parametrize("name", CASES)
def test_the_likelihood_is_near_that_of_the_model(name: str) -> None:
    """On the images of the calibration: the integers approximate the network."""
    model, _exact, x = integer_case(name)
    with torch.no_grad():
        bits = np.abs(model.log_prob(x).numpy() - model.integer_model().log_prob(x)).mean() / (x[0].numel() * np.log(2))
    assert bits < 0.05


@pytest.mark.parametrize("name", CASES)
def test_a_batch_does_not_matter(name: str) -> None:
    """Each image alone gives the bits that it has in a batch."""
    _, integer_model, x = integer_case(name)
    together = integer_model.log_prob_map(x.numpy())
    alone = np.concatenate([integer_model.log_prob_map(x.numpy()[i : i + 1]) for i in range(len(x))])
    assert np.array_equal(together, alone)


def test_threads_share_a_program(tmp_path: Path) -> None:
    """Also while one of them lowers it."""
    _, integer_model, x = integer_case("pixelcnn")
    due = integer_model.log_prob_map(x.numpy())
    save(integer_model, tmp_path)
    for _ in range(5):
        shared = load(tmp_path)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(shared.log_prob_map, [x.numpy()[:count] for count in [1, 2, 3, 4] * 4]))
        assert all(np.array_equal(one, due[: len(one)]) for one in found)


@pytest.mark.parametrize("name", CASES)
def test_a_stored_model_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    """Its likelihood, its fingerprint, and its samples."""
    _, integer_model, x = integer_case(name)
    kept = save(integer_model, tmp_path)
    found = load(tmp_path)
    assert found.fingerprint == kept.fingerprint == save(found, tmp_path / "again").fingerprint
    assert np.array_equal(found.log_prob_map(x.numpy()), integer_model.log_prob_map(x.numpy()))
    uniforms = np.random.default_rng(0).random(x.shape)
    levels, nats = draw_integers(found, uniforms)
    assert np.array_equal(levels, draw_integers(integer_model, uniforms)[0])
    np.testing.assert_allclose(nats, found.log_prob(levels), rtol=FORMULA)


def test_samples_carry_the_likelihood_of_the_exact_model() -> None:
    """The nats of `engine="integer"` are those of `model.integer_model()`, with conditions and known pixels."""
    model, _, x = integer_case("gated-pixelcnn")
    settings: dict[str, Any] = {"seed": 0, "engine": "integer", "label": [0, 1, None]}
    for more in ({}, {"guidance": 2.0}, {"temperature": 0.5}, {"order": "raster-tr"}, {"batch_size": 2}):
        found = pt.sample(model, 3, **settings, **more)
        due = model.integer_model().log_prob(found.levels, label=[0, 1, None], order=more.get("order"))
        assert_close(found.nats, due, rtol=DOUBLE, atol=DOUBLE)
    found = pt.sample(model, 3, **settings)
    assert equal(found.levels, pt.sample(model, 3, **settings, batch_size=1).levels)
    evaluation = pt.evaluate(model, x, engine="integer")
    assert evaluation.nats == pytest.approx(-float(model.integer_model().log_prob(x).mean()))
    known = np.zeros(x.shape[2:], bool)
    known[:2] = True
    completions = pt.inpaint(model, x[0], known=known, n=2, engine="integer", seed=1)
    assert equal(completions.levels[:, :, :2], x[:1, :, :2].expand(2, -1, -1, -1))


def test_stored_programs_run_without_torch(tmp_path: Path) -> None:
    """Loading, scoring and sampling import no torch."""
    model, _, x = integer_case("gated-pixelcnn")
    expected = float(model.integer_model().log_prob(x.numpy()).sum())
    model.save_pretrained(tmp_path)
    np.save(tmp_path / "x.npy", x.numpy())
    code = f"""
import sys
import numpy as np
import pointillist.model.portable
integer_model = pointillist.model.portable.load({str(tmp_path)!r})
x = np.load({str(tmp_path / "x.npy")!r})
print(repr(float(integer_model.log_prob(x).sum())))
pointillist.sample({str(tmp_path)!r}, label=1)
assert "torch" not in sys.modules
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(found.stdout) == expected


def test_an_exact_model_belongs_to_its_weights(tmp_path: Path) -> None:
    """A changed model has none, and does not keep one in its folder."""
    model, _, _ = integer_case("pixelcnn", fresh=True)
    model.save_pretrained(tmp_path)
    assert pt.load(tmp_path).integer_model().fingerprint == model.integer_model().fingerprint
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(pt.EngineError, match="have changed"):
        model.integer_model()
    model.save_pretrained(tmp_path)
    assert not (tmp_path / PROGRAM).exists()
    with pytest.raises(pt.EngineError, match="quantize_integer"):
        pt.load(tmp_path).integer_model()
    with pytest.raises(pt.CheckpointError, match="no integer program"):
        load(tmp_path)


def test_the_scorer_is_the_integer_model_where_there_is_one() -> None:
    """By default where it belongs to the weights and knows the size; an engine of floats always gets the model."""
    model, _, _ = integer_case("gated-256", fresh=True)
    size = (model.image.height, model.image.width)
    for engine in ("auto", "integer"):
        assert isinstance(model.scorer(engine, size), ProgramModel)
    assert all(model.scorer(engine, size) is model for engine in ("torch", "numpy", "naive"))
    assert model.scorer("auto", (9, 9)) is model
    with pytest.raises(pt.ShapeError, match="9x9"):
        model.scorer("integer", (9, 9))
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert model.scorer() is model
    with pytest.raises(pt.EngineError, match="have changed"):
        model.scorer("integer")


def test_every_damage_is_an_error(tmp_path: Path) -> None:
    """A flipped bit of either file, a cut, another version, and a document that lies."""
    _, integer_model, _ = integer_case("pixelcnn")
    save(integer_model, tmp_path)
    for name in (PROGRAM, PROGRAM_TENSORS):
        whole = (tmp_path / name).read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:], b""):
            (tmp_path / name).write_bytes(damaged)
            with pytest.raises(pt.CheckpointError):
                load(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(pt.CheckpointError, match="without the rest of its program"):
            has_program(tmp_path)
        (tmp_path / name).write_bytes(whole)
    document = json.loads((tmp_path / PROGRAM).read_text())
    (tmp_path / PROGRAM).write_text(json.dumps(document | {"format_version": 2}))
    with pytest.raises(pt.CheckpointError, match="version"):
        load(tmp_path)


def test_sums_that_could_overflow_are_rejected() -> None:
    """The proof at load: weights and shifts bound every sum of 32 bits."""
    _, integer_model, _ = integer_case("pixelcnn")
    code = integer_model.programs[0].per_site
    prove_ranges(code)
    linear = next(i for i in code if i.opcode == "LINEAR")
    linear = type(linear)(
        **{**linear.__dict__, "constants": {**linear.constants, "shift": linear.constants["shift"] - 20}}
    )
    with pytest.raises(pt.EngineError, match="overflow"):
        prove_ranges((linear,))


@pytest.mark.parametrize("shape", [(1, 4, 1), (1, 1, 4), (1, 1, 1)])
@pytest.mark.parametrize("order", ["raster-tr", "raster-bl", "raster-br"])
def test_one_row_or_column_from_another_corner(shape: tuple[int, int, int], order: str) -> None:
    """A reflected axis of one pixel is a view with a negative stride, which torch does not take."""
    model = pt.build("gated-pixelcnn", shape=shape, levels=4, channels=4, layers=1, orders=(order,)).eval()
    integer_model = pt.quantize_integer(model, np.arange(math.prod(shape)).reshape(1, *shape) % 4)
    drawn = [
        draw_encoded(integer_model, np.full((2, *shape), 0.4), {}, model.order(), executor=each)[0]
        for each in ("numpy", "torch", "auto")
    ]
    assert all(np.array_equal(each, drawn[0]) for each in drawn)


def test_what_cannot_be_exact_is_named() -> None:
    """More levels than a softmax has frequencies for, and a data set without images."""
    fine = pt.build("gated-pixelcnn", shape=(1, 8, 8), levels=5000, likelihood="categorical", preset="tiny")
    fine.eval()
    with pytest.raises(pt.EngineError, match="up to 4,096 levels"):
        pt.quantize_integer(fine, torch.zeros(2, 1, 8, 8, dtype=torch.int64))
    gated = pt.build("gated-pixelcnn", shape=(1, 8, 8), levels=4, preset="tiny").eval()
    with pytest.raises(pt.DataError, match="empty"):
        pt.quantize_integer(gated, torch.zeros(0, 1, 8, 8, dtype=torch.int64))
    with pytest.raises(pt.EngineError, match="quantize"):
        pt.sample(gated, 1, engine="integer")


def test_frequencies_are_normalised() -> None:
    """For extreme logits and every number of levels: at least 1 each, and exactly the total."""
    _, integer_model, _ = integer_case("pixelcnn")
    rng = np.random.default_rng(0)
    for levels in (2, 3, 16, 256):
        head = replace(integer_model.programs[0].head, kind="categorical", levels=levels, precision=16)
        for scale in (0, 10, 1000, 2**24):
            logits = rng.integers(-scale, scale + 1, (200, levels)).astype(np.int32)
            found = frequencies(head, logits, np.zeros((200, 1), np.int64), 0)
            assert found.min() >= 1
            assert (found.sum(1) == 65536).all()
            assert (np.take_along_axis(found, logits.argmax(1)[:, None], 1)[:, 0] == found.max(1)).all()
