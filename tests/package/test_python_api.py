"""The Python API takes what a user would pass, answers in one sentence otherwise, and shows itself briefly."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from pointillist.files import progress


@pytest.fixture(scope="module")
def digits() -> pt.DataSplits:
    return pt.load_data("uci-digits")


@pytest.fixture(scope="module")
def model(digits: pt.DataSplits) -> pt.PixelModel:
    assert digits.train is not None
    settings = {"channels": 4, "layers": 1, "head_channels": 4}
    return pt.build("pixelcnn", shape=digits.train.spec, classes=digits.train.classes, **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: pt.PixelModel) -> Path:
    """A model folder."""
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    return path


def test_evaluate_takes_splits_names_and_levels(digits: pt.DataSplits, model: pt.PixelModel, folder: Path) -> None:
    """Of splits the natural one, which it names; the model may be a name or a folder."""
    expected = pt.evaluate(model, digits.test)
    for source in (digits, "uci-digits"):
        found = pt.evaluate(model, source)
        assert found.split == "test"
        assert "(test)" in str(found)
        assert found.nats == pytest.approx(expected.nats)
    assert pt.evaluate(folder, digits).nats == pytest.approx(expected.nats)
    assert pt.evaluate(str(folder), digits.valid).split is None
    assert digits.test is not None
    levels = digits.test.batch([0, 1]).levels
    assert pt.evaluate(model, levels).count == 2
    with pytest.raises(pt.PointillistError, match="to_levels"):
        pt.evaluate(model, levels[0])
    with pytest.raises(pt.DataError, match="does not exist"):
        pt.evaluate(model, "no-such-data")
    with pytest.raises(pt.ConfigError, match="`model` is a DataSplits"):
        pt.evaluate(digits, model)  # type: ignore[arg-type]


def test_all_images_of_splits(digits: pt.DataSplits, tmp_path: Path) -> None:
    """`all` is every image once, in the order of the source, with the names of the files."""
    assert len(digits.get("all")) == sum(len(digits.get(name)) for name in digits.names)
    for number in range(10):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
    splits = pt.load_data(tmp_path)
    assert splits.names == ("train", "valid")
    whole = splits.get("all")
    assert whole.batch(range(10)).levels[:, 0, 0, 0].tolist() == list(range(10))
    assert whole.files == tuple(f"{number}.png" for number in range(10))
    assert splits.valid is not None
    assert splits.valid.files == (f"{int(splits.valid.batch([0]).levels[0, 0, 0, 0])}.png",)
    with pytest.raises(pt.DataError, match="by hand: choose one of train, valid"):
        pt.DataSplits(train=splits.train, valid=splits.valid).get("all")


def test_sizes_and_shapes_are_taken_as_they_are_written(model: pt.PixelModel, folder: Path, tmp_path: Path) -> None:
    """A number, a text or a pair."""
    for size in (6, "6", (6, 6), "6x6"):
        assert pt.sample(model, 1, size=size, seed=0).levels.shape == (1, 1, 6, 6)
    assert pt.sample(folder, 2, seed=0).levels.shape == (2, 1, 8, 8)
    assert pt.build("pixelcnn", shape=model.image).image == model.image
    Image.new("L", (9, 7)).save(tmp_path / "a.png")
    assert pt.load_data(tmp_path, size=4).get("all").spec.shape == (1, 4, 4)
    for wrong in (0, -3, True, "big", (1, 2, 3), 2.5):
        with pytest.raises(pt.ConfigError, match="`size`"):
            pt.sample(model, 1, size=wrong)  # type: ignore[arg-type]


def test_train_reads_a_tensor_as_the_models_kind(model: pt.PixelModel, digits: pt.DataSplits) -> None:
    """As `evaluate` does: 17 levels are levels, not pictures."""
    assert digits.train is not None
    levels = torch.from_numpy(digits.train.batch(range(32)).levels)
    result = pt.train(model, levels, {"steps": 1, "batch_size": 4})
    assert result.lossless is not None
    assert 0 < result.lossless.bits_per_dim < 8
    assert result.advice


def test_everything_public_shows_itself_briefly(model: pt.PixelModel, digits: pt.DataSplits, folder: Path) -> None:
    """Under 200 characters on one line, and pictures where there are pictures."""
    assert digits.train is not None
    samples = pt.sample(model, 2, seed=0)
    things: list[Any] = [
        model, digits, digits.train, digits.train.batch([0, 1]), digits.train.spec, samples, pt.DataOptions(size=8),
        pt.evaluate(model, digits.train.subset(range(4))), pt.TrainConfig(steps=3), pt.SamplingConfig(),
        pt.receptive_field(model, 4, 4), pt.explain(model, digits.train.batch([0]).levels[0]),
        pt.train(model, digits, {"steps": 1}), pt.list_pretrained()[0],
        pt.load("outline-to-tile").image,
    ]  # fmt: skip
    for thing in things:
        shown = repr(thing)
        assert "\n" not in shown
        assert len(shown) < 220, shown
        assert type(thing).__name__ in shown
    assert samples._repr_png_()[:4] == b"\x89PNG"  # type: ignore[index]
    assert "17 levels" in repr(model)
    assert repr(pt.DataOptions(size=8)) == "DataOptions(size=(8, 8))"


def test_progress_is_shown_after_a_second_where_somebody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bar at a time; none without a terminal or notebook."""
    opened: list[str] = []
    monkeypatch.setattr(progress.Bar, "_open", lambda bar: opened.append(bar.description))
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.Bar("hidden", 2) as bar:
        clock[0] += 3
        bar.show(1)
    assert opened == []  # nobody sees stderr
    monkeypatch.setattr(progress, "is_seen", lambda: True)
    with progress.Bar("outer", 2) as bar:
        bar.show(1)
        assert opened == []  # too early
        clock[0] += 3
        with progress.Bar("inner", 2) as inner:
            clock[0] += 3
            inner.show(1)
        bar.show(2)
    assert opened == ["outer"]


def test_a_bar_appears_before_the_first_step_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a timer, which ends with the work."""
    opened: list[str] = []
    monkeypatch.setattr(progress.Bar, "_open", lambda bar: opened.append(bar.description))
    monkeypatch.setattr(progress, "is_seen", lambda: True)
    monkeypatch.setattr(progress, "PROGRESS_DELAY_S", 0.05)
    with progress.Bar("quick", 2):
        pass
    time.sleep(0.2)
    assert opened == []
    with progress.Bar("slow", 0):
        time.sleep(0.3)
    assert opened == ["slow"]


def test_long_work_follows_a_bar(monkeypatch: pytest.MonkeyPatch, model: pt.PixelModel, digits: pt.DataSplits) -> None:
    """`sample`, `evaluate` and `train` each report to one, without being asked."""
    shown: list[str] = []
    monkeypatch.setattr(progress.Bar, "show", lambda bar, *_: shown.append(bar.description))
    assert digits.test is not None
    pt.sample(model, 2, seed=0)
    pt.evaluate(model, digits.test.subset(range(2)))
    result = pt.train(model, digits.test.subset(range(4)), {"steps": 1, "batch_size": 2})
    assert result.why_floats == ""
    assert set(shown) == {"sampling", "evaluating", "training", "integer program"}


def test_notebooks_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        pass

    fake = type(sys)("IPython")
    fake.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert progress.is_seen()


def test_levels_of_a_sheet_are_not_read(tmp_path: Path, model: pt.PixelModel) -> None:
    """What `save_png` marks as a sheet is recognised, and one sentence says what to do."""
    from pointillist.images.visualization import save_png

    save_png(pt.sample(model, 4, seed=0).sheet(), tmp_path / "sheet.png")
    with pytest.raises(pt.DataError, match=r"sheet.png is a sheet of 4 images of 8x8 .*--out DIR/"):
        pt.load_data(tmp_path / "sheet.png")
    assert torch.is_tensor(pt.sample(model, 1).torch())
