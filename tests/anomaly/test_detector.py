"""The detector: valid p-values, both sides, invariances, scikit-learn's contract, and one sentence for each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import pointillist as pt
from pointillist.data import DataOptions
from pointillist.data.readers.image_folder import FolderStream
from tests.tolerances import network_rounding

from .helpers import samples, truth, with_patch


@pytest.fixture(scope="module")
def fitted() -> pt.AnomalyDetector:
    return pt.AnomalyDetector(truth()).fit(samples(400, 0))


def as_many_as_asked(detector: pt.AnomalyDetector, normal: Any) -> float:
    """Return the p-value of the number of false alarms, which is beta-binomial for exchangeable images."""
    held_out, alarms = len(detector.calibration_scores_), detector.predict(normal) < 0
    rank = int(detector.contamination * (held_out + 1))
    law = stats.betabinom(len(alarms), rank, held_out + 1 - rank)
    return 2 * float(min(law.cdf(alarms.sum()), law.sf(alarms.sum() - 1)))


def test_p_values_are_uniform_if_the_model_is_the_truth(fitted: pt.AnomalyDetector) -> None:
    """And the false alarms are those asked for: exact tests, which allow for the chance in the held-out images."""
    scores = fitted.score_samples(samples(400, 1))
    assert stats.ks_2samp(scores, fitted.calibration_scores_, method="exact").pvalue > 0.01
    assert as_many_as_asked(fitted, samples(400, 1)) > 0.01


def test_p_values_are_valid_for_a_model_that_is_wrong() -> None:
    """Real digits under an untrained model: odd to the model, but normal."""
    digits = pt.load_data("uci-digits").get("all")
    model = pt.build("pixelcnn", shape=digits.spec, channels=4, layers=1).eval()
    order = np.random.default_rng(0).permutation(len(digits))
    detector = pt.AnomalyDetector(model, density="kde").fit(digits.subset(order[:800]))
    assert as_many_as_asked(detector, digits.subset(order[800:])) > 0.01


def test_what_is_too_likely_is_odd_and_what_is_too_unlikely(fitted: pt.AnomalyDetector) -> None:
    """Two-sided, where the likelihood calls one of them most normal."""
    model = truth()
    likeliest = pt.sample(model, 8, seed=0, temperature=0.05).levels
    noise = torch.randint(4, (8, 1, 10, 10))
    normal = model.log_prob(samples(400, 0))
    assert (model.log_prob(likeliest) > normal.quantile(0.95)).all()
    assert (model.log_prob(noise) < normal.quantile(0.05)).all()
    assert (fitted.predict(likeliest) == -1).all()
    assert (fitted.predict(noise) == -1).all()


def test_a_planted_patch_is_found(fitted: pt.AnomalyDetector) -> None:
    """The image is odd, the map points at the patch, and the mask covers part of it."""
    records = list(fitted.records(with_patch(samples(100, 1), 3, 4)))
    whole = list(fitted.records(samples(100, 1)))
    assert np.mean([record.pred_label for record in records]) > 8 * np.mean([record.pred_label for record in whole])
    odd = [record for record in records if record.pred_label]
    near = [2 <= record.location[0] <= 6 and 3 <= record.location[1] <= 7 for record in odd]
    assert np.mean(near) > 0.85
    assert np.mean([record.pred_mask[2:7, 3:8].any() for record in odd]) > 0.7
    assert np.mean([record.pred_mask.any() for record in whole]) < 0.12
    record = max(records, key=lambda one: one.pred_score)
    assert record.anomaly_map.shape == record.pred_mask.shape == (10, 10)
    assert record.overlay().size == (10, 10)
    assert record.heat().width > 10
    assert set(record.to_dict()) >= {
        "file",
        "p_value",
        "score",
        "top_statistic",
        "location",
        "pred_score",
        "pred_label",
    }


def test_the_scale_of_the_maps_does_not_depend_on_the_image(fitted: pt.AnomalyDetector) -> None:
    """One colour, one number of standard deviations."""
    records = list(fitted.records(torch.cat([samples(2, 1), torch.randint(4, (2, 1, 10, 10))])))
    assert len({(record.top, record.mask_threshold) for record in records}) == 1


@pytest.mark.parametrize("batch_size", [3, 500])
def test_scores_do_not_depend_on_the_batch_nor_on_the_order(fitted: pt.AnomalyDetector, batch_size: int) -> None:
    """Neither those of the images that are scored, nor those of the normal ones."""
    order = np.random.default_rng(batch_size).permutation(400)
    other = pt.AnomalyDetector(truth(), batch_size=batch_size).fit(samples(400, 0)[order])
    x, few = samples(400, 1), order[:90]
    expected = fitted.score_samples(x)[few]
    assert other.score_samples(x[few]) == pytest.approx(expected, abs=network_rounding(fitted.model, expected))
    assert (other.predict(x[few]) == fitted.predict(x)[few]).all()
    top = fitted.heat_scale_.top
    assert other.heat_scale_.top == pytest.approx(top, abs=network_rounding(fitted.model, top))


def test_scores_do_not_depend_on_the_threads(fitted: pt.AnomalyDetector) -> None:
    """With two as with one."""
    alone = fitted.score_samples(samples(60, 1))
    torch.set_num_threads(2)
    try:
        assert fitted.score_samples(samples(60, 1)) == pytest.approx(alone, abs=network_rounding(fitted.model, alone))
    finally:
        torch.set_num_threads(1)


def test_larger_images_are_scored_by_windows() -> None:
    """What is planted in one corner is found there; the threshold holds for whole images."""
    model = truth()
    x = torch.cat([torch.cat([samples(200, s) for s in (5, 6)], 3), torch.cat([samples(200, s) for s in (7, 8)], 3)], 2)
    detector = pt.AnomalyDetector(model).fit(x[:120])
    assert detector.image_size_ == (20, 20)
    odd = x[120:].clone()
    odd[:, :, 14:19, 13:18] = torch.randint(4, (80, 1, 5, 5))
    assert (detector.predict(x[120:]) < 0).mean() < 0.2
    assert (detector.predict(odd) < 0).mean() > 0.6
    records = [record for record in detector.records(odd) if record.pred_label]
    assert records[0].z_map.shape == (20, 20)
    assert np.mean([record.location[0] > 11 and record.location[1] > 10 for record in records]) > 0.8
    with pytest.raises(pt.ShapeError, match="10x10 do not fit this detector, which was fitted on 20x20"):
        detector.predict(samples(4, 1))


def test_a_folder_is_read_batch_by_batch(
    fitted: pt.AnomalyDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the names of the files, in alphabetical order, and the same scores."""
    pictures = truth().image.to_pil(samples(30, 1))
    for number, picture in enumerate(pictures):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        picture.save(tmp_path / f"{number % 3}" / f"{number:02}.png")
    sizes = []
    read = FolderStream.batches
    monkeypatch.setattr(FolderStream, "batches", lambda self, n: (sizes.append(len(b)) or b for b in read(self, n)))
    detector = clone(fitted).set_params(batch_size=8)
    detector.__dict__ |= {k: v for k, v in vars(fitted).items() if k.endswith("_")}
    records = list(detector.records(tmp_path))
    assert sizes == [8, 8, 8, 6]
    assert [record.name for record in records] == sorted(record.name for record in records)
    numbers = [int(record.name[2:4]) for record in records]
    scores = fitted.score_samples(samples(30, 1))[numbers]
    within = network_rounding(fitted.model, scores)
    assert [record.score for record in records] == pytest.approx(scores, abs=within)
    one = detector.explain(tmp_path / records[0].name)
    assert one.score == pytest.approx(records[0].score, abs=within)
    assert detector.explain(pictures[numbers[0]]).score == pytest.approx(records[0].score, abs=within)
    assert detector.score_samples(str(tmp_path)) == pytest.approx(scores, abs=within)


def test_mistakes_are_one_sentence(fitted: pt.AnomalyDetector, tmp_path: Path) -> None:
    """Wrong settings, sizes, kinds, and nothing at all."""
    model, x = truth(), samples(400, 0)
    with pytest.raises(pt.ConfigError, match=r"`contamination` \(=0\) must be above 0"):
        pt.AnomalyDetector(model, contamination=0).fit(x)
    with pytest.raises(pt.ConfigError, match=r"`density` .* one of auto, gaussian, kde"):
        pt.AnomalyDetector(model, density="svm").fit(x)  # type: ignore[arg-type]
    with pytest.raises(pt.ConfigError, match="`smoothing`"):
        pt.AnomalyDetector(model, smoothing=-1).fit(x)
    with pytest.raises(pt.ConfigError, match="`batch_size`"):
        pt.AnomalyDetector(model, batch_size=0).fit(x)
    with pytest.raises(pt.ConfigError, match="`background` is a model of grey 10x10, 5 levels"):
        pt.AnomalyDetector(model, background=truth(5)).fit(x)
    with pytest.raises(pt.DataError, match=r"100 normal images are too few.* needs at least 198"):
        pt.AnomalyDetector(model, contamination=0.01).fit(x[:100])
    with pytest.raises(pt.DataError, match="no images"):
        fitted.predict(tmp_path)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nthe rest is missing")
    with pytest.raises(pt.DataError, match=r"torn\.png cannot be read as an image"):
        fitted.predict(tmp_path)
    for nothing in ([], x[:0]):
        with pytest.raises(pt.DataError, match="There is no image"):
            fitted.predict(nothing)
    with pytest.raises(pt.DataError, match="A dict is not a source of images"):
        fitted.predict({"images": x})
    assert len(fitted.predict(pt.sample(model, 2, seed=0))) == 2  # a sequence of pictures
    with pytest.raises(pt.ShapeError, match="must be"):
        fitted.predict(x[0, 0])
    with pytest.raises(pt.ShapeError, match=r"must be \(n, 1, h, w\)"):
        fitted.predict(torch.zeros(2, 3, 10, 10, dtype=torch.int64))
    with pytest.raises(pt.DataError, match="Levels from 0 to 9"):
        fitted.predict(torch.arange(100).view(1, 1, 10, 10) % 10)
    with pytest.raises(pt.ShapeError, match="12x12"):
        fitted.predict(torch.zeros(1, 1, 12, 12, dtype=torch.int64))
    with pytest.raises(pt.ShapeError, match="2 images are given where one is needed"):
        fitted.explain(x[:2])
    with pytest.raises(pt.ConfigError, match="'dynamic'"):
        FolderStream(tmp_path, DataOptions(binarise="dynamic"), model.image)


def test_the_contract_of_scikit_learn(fitted: pt.AnomalyDetector) -> None:
    """Parameters, clones, pipelines, signs; and its own checks, as far as they do not pass rows of numbers."""
    detector = pt.AnomalyDetector(truth(), contamination=0.1)
    name = "AnomalyDetector"
    for check in (
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    ):
        check(name, detector)
    assert clone(detector).get_params() == detector.get_params()
    with pytest.raises(NotFittedError):
        detector.predict(samples(4, 1))
    with pytest.raises(NotFittedError):
        clone(fitted).score_samples(samples(4, 1))
    x = samples(400, 1)
    decision = fitted.decision_function(x)
    assert decision == pytest.approx(fitted.score_samples(x) - fitted.offset_)
    assert (fitted.predict(x) == np.where(decision < 0, -1, 1)).all()
    assert ((fitted.p_value(x) <= 0.05) == (fitted.predict(x) == -1)).all()
    assert fitted.statistics(x).shape == (400, len(fitted.statistic_names_))
    to_levels = FunctionTransformer(truth().to_levels)
    piped = make_pipeline(to_levels, clone(fitted)).fit(truth().to_images(samples(400, 0)))
    assert (piped.predict(truth().to_images(x)) == fitted.predict(x)).all()
    assert set(detector.fit_predict(samples(400, 0))) == {-1, 1}


def test_a_detector_is_stored_and_belongs_to_its_model(fitted: pt.AnomalyDetector, tmp_path: Path) -> None:
    """Loaded without fitting, to the bit; another model, a torn or edited file: one sentence."""
    x = samples(50, 1)
    fitted.save(tmp_path)
    loaded = pt.AnomalyDetector.load(tmp_path, truth())
    assert (loaded.score_samples(x) == fitted.score_samples(x)).all()
    assert loaded.offset_ == fitted.offset_
    assert (loaded.explain(x[0]).z_map == fitted.explain(x[0]).z_map).all()
    assert loaded.get_params() == fitted.get_params()
    with pytest.raises(pt.CheckpointError, match="fitted with another model"):
        pt.AnomalyDetector.load(tmp_path, pt.build("pixelcnn", shape=(1, 10, 10), levels=4, channels=8, layers=2))
    with pytest.raises(pt.CheckpointError, match="without a background model"):
        pt.AnomalyDetector.load(tmp_path, truth(), background=truth())
    with pytest.raises(pt.CheckpointError, match=r"contains no anomaly_detector\.json"):
        pt.AnomalyDetector.load(tmp_path / "elsewhere", truth())
    settings = tmp_path / "anomaly_detector.json"
    text = settings.read_text()
    settings.write_text(text.replace('"contamination": 0.05', '"contamination": 0.3'))
    with pytest.raises(pt.CheckpointError, match="other settings"):
        pt.AnomalyDetector.load(tmp_path, truth())
    settings.write_text(text.replace('"format_version": 4', '"format_version": 9'))
    with pytest.raises(pt.CheckpointError, match="upgrade pointillist"):
        pt.AnomalyDetector.load(tmp_path, truth())
    settings.write_text(text)
    tensors = tmp_path / "anomaly_detector.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-16])
    with pytest.raises(pt.CheckpointError, match="damaged"):
        pt.AnomalyDetector.load(tmp_path, truth())


def test_a_background_model_is_stored_by_its_fingerprint(tmp_path: Path) -> None:
    """It must be given again."""
    other = pt.build("pixelcnn", shape=(1, 10, 10), levels=4, channels=4, layers=1).eval()
    detector = pt.AnomalyDetector(truth(), background=other).fit(samples(100, 0))
    detector.save(tmp_path)
    loaded = pt.AnomalyDetector.load(tmp_path, truth(), background=other)
    assert (loaded.score_samples(samples(9, 1)) == detector.score_samples(samples(9, 1))).all()
    with pytest.raises(pt.CheckpointError, match="give it as `background`"):
        pt.AnomalyDetector.load(tmp_path, truth())
    with pytest.raises(pt.CheckpointError, match="another background model"):
        pt.AnomalyDetector.load(tmp_path, truth(), background=truth())


def test_unordered_levels_and_names_of_models(tmp_path: Path) -> None:
    """A model of codes, given by its folder; PIL images of grey levels."""
    model = truth(ordered=False)
    model.save_pretrained(tmp_path)
    detector = pt.AnomalyDetector(str(tmp_path)).fit(samples(100, 0, ordered=False))
    assert "pit_mean" not in detector.statistic_names_
    assert (detector.predict(samples(50, 1, ordered=False)) == 1).mean() > 0.7
    grey = pt.AnomalyDetector(truth()).fit(samples(100, 0))
    assert len(grey.predict([Image.new("L", (10, 10))] * 2)) == 2


def test_splits_are_fitted_on_their_validation_images(tmp_path: Path) -> None:
    """Neither on training images nor on those to score; images without splits are all normal."""
    rng = np.random.default_rng(0)
    x, split = rng.integers(0, 2, (160, 4, 4)), np.repeat(["train", "valid", "test"], [40, 80, 40])
    np.savez(tmp_path / "splits.npz", x=x, split=split)
    np.savez(tmp_path / "whole.npz", x=x)
    splits = pt.load_data(tmp_path / "splits.npz")
    model = pt.build("pixelcnn", shape=splits.get("valid").spec, channels=4, layers=1).eval()
    for source, count in ((splits, 80), (tmp_path / "splits.npz", 80), (tmp_path / "whole.npz", 160)):
        detector = pt.AnomalyDetector(model).fit(source)
        assert len(detector.calibration_scores_) == count // 2
        assert len(detector.score_samples(source)) > 0


@pytest.mark.parametrize("density", ["auto", "gaussian", "kde"])
def test_equal_normal_images_are_a_sentence(density: str) -> None:
    """Sixty times one image: there is nothing that varies."""
    images = samples(60, 0)
    equal = images[:1].repeat(60, 1, 1, 1)
    with pytest.raises(pt.DataError, match="all equal"):
        pt.AnomalyDetector(truth(), density=density).fit(equal)
