"""A model and pictures that the tests of jobs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "WORLD_SIZE", "POINTILLIST_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained model of grey 5x6 images with labels."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    image = pt.ImageSpec.infer((1, 5, 6), 8)
    settings = {"channels": 4, "layers": 2, "head_channels": 4, "orders": ("raster", "s-curve")[:1]}
    pt.build("gated-pixelcnn", shape=image, classes=("cat", "dog"), **settings).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Eleven pictures, one of which is cut off and one of another size."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(11):
        size = (7, 6) if number == 4 else (5, 6)
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(folder / f"{number:02d}.png")
    broken = folder / "07.png"
    broken.write_bytes(broken.read_bytes()[:40])
    return str(folder)
