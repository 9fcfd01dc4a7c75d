"""Memory is compared with what is free before it is spent, by every command that can ask for more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import pointillist as pt
from pointillist import system
from pointillist.analysis import ImageQuery, counterfactual
from pointillist.commands.cli import app
from pointillist.completion.canvas import extend, make_seamless
from pointillist.compression.files import open_inputs
from pointillist.images import ImageSpec, dequantise, quantise
from speed.timing import measure_peak_memory

from ..cli.helpers import fails, run

FREE = 2**30


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gibibyte is free."""
    monkeypatch.setattr(system, "available_bytes", lambda: FREE)


@pytest.mark.parametrize("engine", ["integer", "numpy"])
def test_particles(little_memory: None, engine: str) -> None:
    """A thousand million of them, of any engine."""
    pt.sample("digits", 1, seed=0, engine="numpy").images[0].save("a.png")
    command = ["inpaint", "digits", "a.png", "--region", "3:5,:", "--method", "smc", "--engine", engine]
    shown = fails(*command, "--particles", 10**9, "--out", "b.png")
    assert "`--particles` (=1000000000)" in shown
    assert "only 80% of the available 1.0 GiB" in shown


def test_a_long_map_is_not_explained() -> None:
    """Each pixel has views."""
    Path("wide.csv").write_text(",".join("0" * 70_000) + "\n")
    assert "1x70000" in fails("explain", "dungeons", "wide.csv", "--out", "a.html")
    model = pt.load("digits")
    with pytest.raises(pt.ShapeError):
        pt.explain(model, torch.zeros(1, 400, 400, dtype=torch.long))


def test_gradients_of_a_large_image_are_compared_with_memory(little_memory: None) -> None:
    """Before the first view, where the page itself could show the image."""
    model = pt.build("gated-pixelcnn", shape=(1, 28, 28), preset="base")
    with pytest.raises(pt.ShapeError, match=r"The gradients of 1 image of 250x250 would take .* one image of `size="):
        pt.explain(model, torch.zeros(1, 250, 250, dtype=torch.long))


@pytest.mark.parametrize("levels", [2, 16, 17, 256])
def test_tables_of_levels_are_the_formula(levels: int) -> None:
    """Large arrays of bytes go through a table; small and wide ones do not."""
    values = np.arange(256, dtype=np.uint8)
    for function in (quantise, dequantise):
        assert np.array_equal(
            function(np.tile(values, 3), levels), np.tile(function(values.astype(np.int64), levels), 3)
        )


def test_an_array_is_compressed_without_wide_copies() -> None:
    """From opening to the last image, an array takes its own bytes and little more."""
    values = np.zeros((20_000, 28, 28), np.uint8)
    values[:, 3:9, 4:8] = 255
    np.save("a.npy", values)
    image = pt.load("digits").image

    def read() -> int:
        return sum(levels.size for levels in open_inputs([Path("a.npy")], image))

    sub_pixels, peak = measure_peak_memory(read)
    assert sub_pixels == values.size
    assert peak < 3 * values.nbytes


def test_archives_become_arrays_of_the_same_values() -> None:
    """Pictures and levels, through the command."""
    levels = pt.sample("digits", 5, seed=2, engine="numpy").levels[:, 0].astype(np.uint8)
    for name, values in (("levels", levels), ("pictures", dequantise(levels, 16))):
        np.savez(f"{name}.npz", **{"levels" if name == "levels" else "x": values})
        run("compress", "digits", f"{name}.npz", "--out", f"{name}.pxl")
        run("decompress", f"{name}.pxl", "--out", f"{name}-again.npz")
        with np.load(f"{name}-again.npz") as archive:
            assert archive["x"].dtype == np.uint8
            assert np.array_equal(archive["x"], values)
    assert isinstance(pt.load("digits").image, ImageSpec)


@pytest.mark.parametrize(
    ("size", "words"), [("20000x20000", "320,000x320,000"), ("4200x10", "side of more than 65,535"), ("100x100", "")]
)
def test_a_picture_of_a_map_that_no_viewer_opens(size: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a level is sampled."""
    monkeypatch.setattr(system, "available_bytes", lambda: 2**40)
    monkeypatch.setattr("pointillist.sampling.draws.Draws.draw", lambda *_, **__: pytest.fail("it was sampled"))
    command = ["sample", "dungeons", "-n", 1, "--size", size, "--out", "a.png"]
    if words:
        assert words in fails(*command)
    else:
        with pytest.raises(pytest.fail.Exception):
            CliRunner().invoke(app, [str(word) for word in command], catch_exceptions=False)


@pytest.mark.parametrize("n", [10**9, 10**18])
def test_images_that_are_held_at_once(n: int) -> None:
    """Samples in Python, completions and continuations are returned whole; a command writes batch by batch."""
    model = pt.load("digits")
    x, known = torch.zeros(1, 28, 28, dtype=torch.long), np.zeros((28, 28), bool)
    query = ImageQuery.of(model, x)
    for call in (
        lambda: pt.sample(model, n),
        lambda: pt.sample(model, n, engine="numpy", label=3),
        lambda: pt.sample(model, n, size=(40, 40)),
        lambda: pt.vary(model, x, 0.3, n=n),
        lambda: pt.inpaint(model, x, known, n=n),
        lambda: make_seamless(model, x, "x", n=n),
        lambda: extend(model, x, (40, 40), n=n),
        lambda: counterfactual(query, {(3, 3, 0): 1}, n=n),
    ):
        with pytest.raises(pt.DataError, match=f"{n:,} images at once would take .* ask for fewer"):
            call()
