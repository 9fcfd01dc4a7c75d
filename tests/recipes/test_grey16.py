"""The recipe of `grey16`: simulated images of 16 bits, and runs that begin."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.compression.arrays.zarr_codec import decode_array, encode_array
from pointillist.model.portable import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "recipes" / "zoo"


@pytest.fixture(scope="module")
def maker() -> Any:
    """The script that draws the images."""
    spec = importlib.util.spec_from_file_location("prepare_grey16", FOLDER / "prepare_grey16.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_images_have_every_contrast(maker: Any) -> None:
    """The same for a seed, of 16 bits, from flat ones to nearly the whole range."""
    images = maker.images(np.random.default_rng(0), 200)
    assert images.dtype == np.uint16
    assert images.shape == (200, 24, 24)
    assert np.array_equal(images, maker.images(np.random.default_rng(0), 200))
    spans = images.max((1, 2)).astype(int) - images.min((1, 2))
    assert spans.min() <= 2
    assert spans.max() > 20_000
    assert np.median(spans) > 100


def test_a_run_of_both_parts_makes_a_codec(maker: Any, tmp_path: Path) -> None:
    """A few steps; noise takes far less than 16 bits already, and comes back."""
    pytest.importorskip("zarr", minversion="3")
    images = maker.images(np.random.default_rng(0), 64)
    np.savez(tmp_path / "grey16.npz", x_train=images[:56], x_valid=images[56:])
    start: dict[str, Any] = {}
    for name in ("grey16", "grey16_second"):
        few = {"steps": 20, "intervals": {"evaluate": 20, "save": 20, "sample": 20, "valid_images": 8}}
        train = {**few, "out": str(tmp_path / name), "schedule": {"warmup": 5}}
        data = {"source": str(tmp_path / "grey16.npz")}
        pt.train_from_config(FOLDER / f"{name}.toml", data=data, train=train, **start)
        start = {"model": {"init_from": str(tmp_path / name)}}
    noise = np.rint(np.random.default_rng(1).normal(9000, 20, (40, 40))).astype(np.uint16)
    archive = encode_array(noise, load(tmp_path / "grey16_second"))
    assert 8 * len(archive) / noise.size < 9
    assert np.array_equal(decode_array(archive, load(tmp_path / "grey16_second")).reshape(noise.shape), noise)
