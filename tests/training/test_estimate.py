"""`estimate_cost`: what a run would cost, without making it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import pointillist as pt
from pointillist.training.config import IntervalsConfig
from pointillist.training.state import Intervals

from .helpers import assert_same_weights, tiny_config, tiny_data, tiny_model, weights


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fraction of a second is timed instead of seconds: what is counted does not depend on it."""
    monkeypatch.setattr("pointillist.training.estimate.MIN_SECONDS", 0.1)


def test_an_estimate_counts_what_the_run_would_do(tmp_path: Path) -> None:
    """Steps, images, evaluations and sheets are those of the run; the model and the disk stay as they are."""
    data = tiny_data()
    model = tiny_model(data.train)
    before, folders = weights(model), []

    def write_samples(copy: pt.PixelModel, folder: Path, step: int) -> None:
        folders.append(folder)

    found = pt.estimate_cost(model, data, tiny_config(tmp_path / "run", steps=1000), write_samples=write_samples)
    assert (found.steps, found.batch_size) == (1000, 4)
    assert found.training_seconds == pytest.approx(999 * 4 / found.images_per_second)
    assert found.hours * 3600 == pytest.approx(
        found.first_step_seconds + found.training_seconds + found.evaluation_seconds
    )
    assert found.evaluation_seconds > 0
    assert found.first_step_seconds > 0
    assert found.peak_bytes > sum(p.nbytes for p in model.parameters())
    assert_same_weights(weights(model), before)
    assert len(folders) == 2
    assert not (tmp_path / "run").exists()
    assert not any(folder.exists() for folder in folders)


def test_without_validation_and_sheets_nothing_but_steps_is_counted() -> None:
    data = tiny_data()
    found = pt.estimate_cost(tiny_model(data.train), data.train, tiny_config(steps=3))
    assert found.evaluation_seconds == 0
    assert found.steps == 3


def test_a_batch_that_cannot_fit_is_refused_before_it_is_tried(monkeypatch: Any) -> None:
    data = tiny_data()
    monkeypatch.setattr("pointillist.system.free_bytes", lambda device: 1_000_000)
    monkeypatch.setattr("pointillist.system.FEW_BYTES", 0)
    monkeypatch.setattr("pointillist.model.memory._SMALL_STEP", 0)
    monkeypatch.setattr("pointillist.training.estimate._time_steps", lambda trainer: pytest.fail("it was tried"))
    with pytest.raises(pt.ConfigError, match=r"on 40 images .* what would fit: `batch_size=\d+`"):
        pt.estimate_cost(tiny_model(data.train), data, tiny_config(batch_size=40))


def test_actions_counted_are_those_that_are_due() -> None:
    for total, settings in [(8, {}), (97, {"evaluate": 10}), (3, {"save": 50}), (40, {"sample": 40})]:
        intervals = Intervals.from_config(IntervalsConfig(**settings), total)
        for every in (intervals.evaluate, intervals.save, intervals.sample):
            assert intervals.count(every) == sum(intervals.due(every, step) for step in range(1, total + 1))


def test_an_estimate_is_printed() -> None:
    found = pt.CostEstimate(1000, 16, 80.0, 2.0, 199.8, 30.0, 1_500_000_000, 20_000_000_000)
    assert re.search(
        r"80\.0 images/s.*\n.*1\.50 GB at most of 20\.0 GB free\n.*4 min: 3 min for 16,000 images", str(found)
    )


def test_networks_that_want_the_first_images_get_them() -> None:
    """Weight norm is initialised from data as in a run: without it the first step has other weights."""
    data = tiny_data()
    torch.manual_seed(0)
    model = pt.build("pixelcnn-pp", shape=data.train.spec, preset="tiny")
    found = pt.estimate_cost(model, data.train, tiny_config(steps=1))
    assert found.steps == 1
    assert model.needs_data_init
