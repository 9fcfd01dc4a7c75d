"""The interface of `evaluate`; its values are tested in `laws/`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis.evaluation.likelihood import Evaluation
from pointillist.data.dataset import DataSource
from pointillist.engine.weights import inference_mode
from pointillist.files.progress import Bar
from pointillist.model.batches import match_labels
from tests.cli.helpers import run
from tests.laws.strategies import randomise_weights
from tests.tolerances import printed


def labelled(classes: tuple[str, ...] = ("cat", "dog")) -> pt.PixelModel:
    """A labelled grey model of 3x2 images with 5 levels."""
    return randomise_weights(pt.build("pixelcnn", shape=(1, 3, 2), levels=5, channels=4, layers=1, classes=classes))


def dataset(classes: tuple[str, ...] = ("dog", "cat"), levels: int = 5, count: int = 7) -> pt.ImageDataset:
    """Images whose classes are numbered in another order than the model's."""
    values = np.random.default_rng(0).integers(0, levels, (count, 1, 3, 2), dtype=np.uint8)
    spec = pt.ImageSpec.infer((1, 3, 2), levels)
    return pt.ImageDataset(
        values, spec, labels=np.arange(count) % len(classes), classes=classes, source=DataSource(notes=("a note",))
    )


def test_a_data_set_brings_its_own_labels_by_name() -> None:
    """Class 0 of the data is class 1 of the model."""
    model, data = labelled(), dataset()
    assert match_labels(model, data).tolist() == [1, 0, 1, 0, 1, 0, 1]
    levels = data.batch(range(7)).levels
    by_hand = pt.evaluate(model, levels, [1, 0, 1, 0, 1, 0, 1])
    found = pt.evaluate(model, data)
    np.testing.assert_array_equal(found.nats_per_image, by_hand.nats_per_image)
    assert found.notes == ("a note",)
    assert not np.allclose(found.nats_per_image, pt.evaluate(model, data, label=0).nats_per_image)


def test_an_unknown_class_is_an_error() -> None:
    """With the remedy."""
    with pytest.raises(pt.ConfigError, match="Class 'owl' of the images is not one of the model's"):
        pt.evaluate(labelled(), dataset(("dog", "owl")))


def test_data_of_another_kind_is_an_error() -> None:
    """Levels that mean something else; another size of a model with positions."""
    with pytest.raises(pt.DataError, match=r"levels: 4 where the model has 5; .*`load_data"):
        pt.evaluate(labelled(), dataset(levels=4))
    fixed = pt.build("pixelcnn", shape=(1, 2, 2), levels=5, channels=3, layers=1, position_channels=1)
    with pytest.raises(pt.ShapeError, match="Size 3x2 does not fit"):
        pt.evaluate(fixed, dataset())


def test_what_is_not_a_batch_of_levels_is_an_error() -> None:
    """Shape, dtype, range, nothing at all."""
    model = labelled()
    zeros = torch.zeros(2, 1, 3, 2, dtype=torch.int64)
    for x, error, words in (
        (zeros[0], pt.ShapeError, r"must be \(n, c, h, w\)"),
        (zeros.float(), pt.DataError, "must be integers"),
        (zeros.bool(), pt.DataError, "must be integers"),
        (zeros + 5, pt.DataError, "Levels from 5 to 5 must lie in 0 to 4"),
        (zeros - 1, pt.DataError, "must lie in 0 to 4"),
        (zeros.expand(2, 3, 3, 2), pt.ShapeError, r"must be \(n, 1, h, w\)"),
        (zeros[:0], pt.DataError, "no image to evaluate"),
    ):
        with pytest.raises(error, match=words):
            pt.evaluate(model, x)
    with pytest.raises(pt.ConfigError, match=r"`batch_size` \(=0\)"):
        pt.evaluate(model, zeros, batch_size=0)
    assert pt.evaluate(model, zeros.numpy().astype(np.uint8)).count == 2


def test_a_folder_is_scored_as_by_the_command(tmp_path: Path) -> None:
    """As a whole, where the model was not trained on it: no tenth of it is held out."""
    for number, picture in enumerate(pt.sample("digits", 5, seed=1).images):
        picture.save(tmp_path / f"{number}.png")
    evaluation = pt.evaluate("digits", tmp_path)
    assert (evaluation.count, evaluation.split) == (5, "all")
    shown = json.loads(run("evaluate", "digits", tmp_path, "--json").stdout)
    assert (shown["count"], shown["nats"]) == (5, evaluation.nats)


def test_one_image_has_no_interval() -> None:
    """NaN, not a warning."""
    found = pt.evaluate(labelled(), torch.zeros(1, 1, 3, 2, dtype=torch.int64))
    assert all(math.isnan(end) for end in found.interval)


def test_numbers_of_an_evaluation() -> None:
    """Mean nats, bits per dimension, normal interval; a line to print."""
    found = Evaluation.of(np.array([1.0, 2.0, 3.0]), dims=4)
    assert found.nats == 2.0
    assert found.bits_per_dim == pytest.approx(2 / 4 / math.log(2))
    low, high = found.interval
    assert high - low == pytest.approx(2 * 1.959964 / math.sqrt(3) / 4 / math.log(2), rel=printed(6))
    assert "0.7213 bits/dim" in str(found)
    assert "3 images of 4 dims" in str(found)


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images done, of all."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(Bar, "show", lambda bar, done: calls.append((done, bar.total)))
    pt.evaluate(labelled(), torch.zeros(5, 1, 3, 2, dtype=torch.int64), batch_size=2)
    assert calls == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_also_after_an_error(training: bool) -> None:
    """Within the block: evaluation, no gradients."""
    model = labelled().train(training)

    def fail() -> None:
        with inference_mode(model):
            assert not model.training
            assert torch.is_inference_mode_enabled()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert model.training == training


def test_dropout_is_off_while_evaluating() -> None:
    """A model in training mode is evaluated as it will be used."""
    model = randomise_weights(
        pt.build("pixelcnn", shape=(1, 3, 2), levels=5, channels=4, layers=2, dropout=0.5)
    ).train()
    x = torch.randint(0, 5, (4, 1, 3, 2))
    assert np.array_equal(pt.evaluate(model, x).nats_per_image, pt.evaluate(model, x).nats_per_image)
