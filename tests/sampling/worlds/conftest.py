"""A tiny model of worlds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.model.training_record import TrainingRecord
from pointillist.sampling.rules.adjacency import pairs_to_record

LEVELS = ("wall", "floor", "key")


@pytest.fixture(scope="session", name="model")
def model_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny completing model of random weights, which are large enough that neighbours matter, with its program."""
    image = ImageSpec(channels=1, height=8, width=8, levels=3, ordered=False, mode="codes", level_names=LEVELS)
    model = pt.build("gated-pixelcnn", shape=image, channels=8, layers=2, known=True)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (12, 1, 8, 8))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)
    pt.quantize_integer(model, torch.from_numpy(x), images=12)
    pairs = np.ones((2, 3, 3), bool)
    pairs[:, 0, 2] = pairs[:, 2, 0] = False  # a key stands on floor
    model.training_record = TrainingRecord(adjacency=pairs_to_record(pairs))
    folder = tmp_path_factory.mktemp("worlds") / "model"
    model.save_pretrained(folder)
    return folder
