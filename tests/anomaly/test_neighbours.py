"""The distance to normal images: one more statistic, and never a way around valid p-values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

import pointillist as pt
from pointillist.anomaly.statistics import _COUNT, NearestImages
from tests.tolerances import network_rounding

from .helpers import samples, truth
from .test_detector import as_many_as_asked


def digits_without(digit: int, count: int) -> tuple[pt.PixelModel, dict[str, np.ndarray]]:
    """A model that knows nothing, and digits: `train`, `fit`, `test` of all classes but one, `odd` of that one."""
    data = pt.load_data("uci-digits").get("all")
    batch = data.batch(range(len(data)))
    normal = np.random.default_rng(0).permutation(np.flatnonzero(batch.labels != digit))
    parts = np.split(normal, [count, count + 120, count + 320])[:3]
    images = {name: batch.levels[part] for name, part in zip(("train", "fit", "test"), parts, strict=True)}
    model = pt.build("pixelcnn", shape=data.spec, channels=4, layers=1).eval()
    return model, {**images, "odd": batch.levels[batch.labels == digit]}


def test_distances_are_those_of_scikit_learn() -> None:
    """Euclidean for ordered levels, the number of other levels for names; a few images are all of them."""
    rng = np.random.default_rng(0)
    reference, images = rng.integers(0, 9, (40, 2, 3, 4)), rng.integers(0, 9, (7, 2, 3, 4))
    for ordered, metric, unit in ((True, "euclidean", 1), (False, "hamming", 24)):
        neighbours = NearestImages(reference.astype(np.uint8), ordered)
        search = NearestNeighbors(n_neighbors=_COUNT, metric=metric).fit(reference.reshape(40, -1))
        nearest = search.kneighbors(images.reshape(7, -1))[0] * unit
        np.testing.assert_allclose(neighbours.distances(images), nearest.mean(1))
    assert NearestImages(reference[:2], True).distances(images).shape == (7,)


def test_an_unseen_class_is_found_and_false_alarms_are_those_asked_for() -> None:
    """By a model that knows nothing, with training images as neighbours, which are one more statistic."""
    model, images = digits_without(4, 1_000)
    detector = pt.AnomalyDetector(model).fit(images["fit"], neighbours=images["train"])
    assert detector.neighbours_ is not None
    assert len(detector.neighbours_.reference) == 1_000
    assert detector.statistic_names_[-1] == "neighbours"
    plain = pt.AnomalyDetector(model).fit(images["fit"])
    assert plain.neighbours_ is None
    assert plain.statistic_names_ == detector.statistic_names_[:-1]
    area = []
    for each in (plain, detector):
        assert as_many_as_asked(each, images["test"]) > 0.01
        scores = [each.score_samples(images[name]) for name in ("test", "odd")]
        area.append((scores[0][:, None] > scores[1]).mean())  # the AUROC
    assert area[1] > max(area[0] + 0.05, 0.85)


def test_neighbours_that_are_the_normal_images_are_left_out() -> None:
    """Their distance would be 0, and every other normal image odd; what does not fit is one sentence."""
    model, x = truth(), samples(400, 0).numpy()
    detector = pt.AnomalyDetector(model).fit(x[:100], neighbours=x)
    assert detector.neighbours_ is not None
    assert len(detector.neighbours_.reference) == 300
    assert as_many_as_asked(detector, samples(400, 1)) > 0.01
    with pytest.raises(pt.DataError, match="`neighbours` are all among the normal images"):
        pt.AnomalyDetector(model).fit(x[:100], neighbours=x[:100])
    with pytest.raises(pt.ShapeError, match="`neighbours` must be images of 10x10"):
        pt.AnomalyDetector(model).fit(x[:100], neighbours=x[..., :7])


def test_of_splits_the_training_images_are_the_neighbours(tmp_path: Path) -> None:
    """Which the model may have seen: the distance does not ask it; they are stored with the detector."""
    digits = pt.load_data("uci-digits")
    assert digits.train is not None
    model = pt.build("pixelcnn", shape=digits.train.spec, channels=4, layers=1).eval()
    detector = pt.AnomalyDetector(model).fit(digits, neighbours=digits)
    assert detector.neighbours_ is not None
    assert len(detector.neighbours_.reference) == len(digits.train)
    again = pt.AnomalyDetector.load(detector.save(tmp_path), model)
    assert (again.score_samples(digits) == detector.score_samples(digits)).all()


def test_a_model_that_knows_nothing_is_named() -> None:
    """It needs more bits than a file format; a model of its own samples does not."""
    model, images = digits_without(1, 300)
    detector = pt.AnomalyDetector(model).fit(images["fit"])
    warning = detector.model_fit_.warning
    assert warning is not None
    assert "so it is far from trained" in warning
    with torch.no_grad():
        bits = -model.log_prob(images["fit"]).double().numpy() / np.log(2) / images["fit"][0].size
    assert detector.model_fit_.bits_per_dim == pytest.approx(bits.mean(), abs=network_rounding(model, bits))
    assert pt.AnomalyDetector(truth()).fit(samples(200, 0)).model_fit_.warning is None
