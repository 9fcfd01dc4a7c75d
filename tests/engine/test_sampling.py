"""Engines as objects: rows that are reported, stopping, threads, memory, weights that change."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.engine.batch import SampleBatch
from pointillist.engine.sampler import sample_batch
from pointillist.errors import EngineError
from pointillist.sampling.engines import create_stepper
from tests.equality import equal

SHAPE = (1, 6, 7)
ENGINES = ["integer", "numpy", "torch"]


@pytest.fixture
def model() -> pt.PixelModel:
    """Small, in single precision, with its integer program."""
    model = pt.build("gated-pixelcnn", shape=SHAPE, levels=5, channels=8, layers=2, classes=3).eval()
    pt.quantize_integer(model, torch.zeros(2, *SHAPE, dtype=torch.int64))
    return model


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_reported_in_order_with_what_is_painted(model: pt.PixelModel, engine: str) -> None:
    """Nothing below the row that is reported, whatever has been painted meanwhile."""
    seen: list[tuple[int, np.ndarray]] = []
    painted = pt.sample(
        model, 5, seed=1, engine=engine, on_row=lambda done, rows, levels: seen.append((rows, levels.copy())), threads=2
    )
    assert [rows for rows, _ in seen] == list(range(1, 7))
    for rows, levels in seen:
        assert equal(levels[:, :, :rows], painted.levels[:, :, :rows])
        assert not levels[:, :, rows:].any()


def long_batch(height: int) -> tuple[Any, SampleBatch]:
    """Return an integer program of any size, and four images of many rows."""
    model = pt.build("pixelcnn", shape=(1, 8, 8), levels=4, channels=16, layers=2).eval()
    program = pt.quantize_integer(model, torch.zeros(2, 1, 8, 8, dtype=torch.int64)).programs[0]
    shape = (4, 1, height, 8)
    return program, SampleBatch(np.zeros(shape, np.int64), np.zeros(shape, bool), np.random.random(shape), np.zeros(4))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_stops_all_threads(error: type[BaseException]) -> None:
    """Within a row, not at the end of a long run: an image of 20,000 rows is left unfinished."""
    program, batch = long_batch(20_000)

    def stop(rows: int) -> None:
        raise error("enough")

    threads = threading.active_count()
    with pytest.raises(error, match="enough"):
        sample_batch(program, {}, batch, on_row=stop, threads=2)
    assert batch.levels[:, :, 0].any()
    assert not batch.levels[:, :, -1].any()
    assert threading.active_count() == threads


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_painted_row_by_row_stops_at_once(model: pt.PixelModel, engine: str) -> None:
    """At the row that was reported, with what is known of it."""

    def stop(done: int, rows: int, levels: np.ndarray) -> None:
        if rows == 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pt.sample(model, 2, seed=0, engine=engine, on_row=stop)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_models_paint_at_once(engine: str) -> None:
    """Engines share nothing but code."""
    models = [pt.build(n, shape=(1, 9, 9), levels=4, channels=8, layers=2).eval() for n in ("pixelcnn", "row-lstm")]
    for model in models:
        pt.quantize_integer(model, torch.zeros(2, 1, 9, 9, dtype=torch.int64))
    alone = [pt.sample(m, 3, seed=5, engine=engine).levels for m in models]
    found: dict[tuple[int, int], torch.Tensor] = {}

    def work(index: int, turn: int) -> None:
        found[index, turn] = pt.sample(models[index], 3, seed=5, engine=engine).levels

    workers = [threading.Thread(target=work, args=(i % 2, i)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 6
    for (index, _), levels in found.items():
        assert equal(levels, alone[index])


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_changed_weights_are_noticed(model: pt.PixelModel, engine: str) -> None:
    """At the next row, however they were changed."""

    def step_through(change: Any) -> None:
        with torch.no_grad():
            stepper = create_stepper(model, model.encode(None, 2), 2, 2, 3, engine)
            for site in range(6):
                if site == 1:
                    change()
                stepper.params()
                stepper.observe(np.zeros(2, np.int64))

    step_through(lambda: None)
    first = next(model.parameters())
    state = {k: v.clone() for k, v in model.state_dict().items()}
    changes = [
        lambda: first.mul_(1.5),
        lambda: model.load_state_dict(state),
        lambda: setattr(first, "data", first.data + 1),
    ]
    for change in changes:
        with pytest.raises(EngineError, match=r"weights of the model have changed.*open a new engine"):
            step_through(change)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_does_not_fit_is_refused(model: pt.PixelModel, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, before memory is taken."""
    monkeypatch.setattr("pointillist.system.FEW_BYTES", 0)
    monkeypatch.setattr("pointillist.system.available_bytes", lambda: 60_000)  # 64 images and their uniforms fit
    with pytest.raises(
        EngineError, match=r"Sampling 64 images of 6x7 would take 0\.\d\d MiB.*what would fit: `batch_size=\d+`"
    ):
        pt.sample(model, 64, seed=0, engine=engine)
