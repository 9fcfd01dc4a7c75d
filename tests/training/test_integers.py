"""The integer program with which a training ends: its cost, what it makes the default, and the sheets of a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import pointillist as pt
from pointillist.data import DataSplits
from pointillist.model.batches import BatchReader
from pointillist.model.folder.opening import open_any_program, open_program
from pointillist.model.portable.files import has_program
from pointillist.model.quantize_integer import make_integer_model, spread
from pointillist.model.training_record import IntegerCost, bits_text
from pointillist.sampling.config import choose_engine
from pointillist.training import Interrupted, integers
from pointillist.training.integers import measure_cost
from tests.equality import equal

from ..tolerances import DOUBLE
from .helpers import tiny_config, tiny_data, tiny_model
from .test_resume import interrupt_after


def trained(out: Path | None = None, **settings: Any) -> pt.TrainResult:
    """A tiny run on labelled digits."""
    data = tiny_data()
    return pt.train(tiny_model(data.train), data, tiny_config(out, **settings))


def refuse(*args: Any, **kwargs: Any) -> None:
    raise pt.EngineError("The integer program knows no such network: use another engine.")


def test_a_training_ends_with_its_program(tmp_path: Path) -> None:
    """The folder, the model in memory and its copy elsewhere sample by it; the card and the result state its cost."""
    screen, data = io.StringIO(), tiny_data()
    result = pt.train(
        tiny_model(data.train), data, tiny_config(tmp_path / "a"), console=Console(file=screen, width=200)
    )
    model, loaded = result.model, pt.load(tmp_path / "a")
    floats, integer = (pt.evaluate(loaded, data.valid, engine=engine).bits_per_dim for engine in ("torch", "integer"))
    assert result.integers_cost == pytest.approx(integer - floats, abs=DOUBLE)
    assert result.integers_cost != 0
    assert result.why_floats == ""
    assert loaded.integer_cost == IntegerCost(result.integers_cost, 12, "valid", True)
    assert f"integers   cost {loaded.integer_cost}" in screen.getvalue()
    assert f"The model in integers costs {loaded.integer_cost}. It samples and scores by default." in loaded.card
    assert repr(result).endswith(f"integers cost {bits_text(result.integers_cost)}, {tmp_path / 'a'})")
    model.save_pretrained(tmp_path / "b")
    images = [pt.sample(each, 2, label=1, seed=0) for each in (model, loaded, pt.load(tmp_path / "b"))]
    assert {each.engine for each in images} == {"integer"}
    assert all(equal(each.levels, images[0].levels) for each in images)
    assert open_program(tmp_path / "a", "auto") is not None
    assert "integers" not in loaded.training_record.model_fields_set
    assert not has_program(tmp_path / "a" / "last")


def test_costly_integers_are_not_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything computes in floating point and says why; by name, and for archives, the program is there."""
    monkeypatch.setattr(integers, "MAX_COST", -1.0)
    result = trained(tmp_path / "a")
    assert result.why_floats == f"its integers cost {bits_text(result.integers_cost or 0.0)}"
    model, data = pt.load(tmp_path / "a"), tiny_data()
    assert model.why_floats() == result.why_floats
    assert choose_engine(model) != "integer"
    assert pt.sample(model, 1, seed=0).engine != "integer"
    assert pt.evaluate(model, data.valid).engine != "integer"
    assert open_program(tmp_path / "a", "auto") is None
    assert open_program(tmp_path / "a", "integer") is not None
    assert pt.sample(model, 1, seed=0, engine="integer").engine == "integer"
    assert open_any_program(model).integer_cost == model.integer_cost
    assert pt.compress(model, np.zeros((1, 1, 8, 8), np.int64))
    assert "Floating point samples and scores by default." in (model.card or "")
    again = pt.quantize_integer(model, data)  # by request, whatever it costs
    assert pt.sample(model, 1, seed=0).engine == "integer"
    model.save_pretrained(tmp_path / "a")
    assert pt.load(tmp_path / "a").integer_model().fingerprint == again.fingerprint
    assert pt.load(tmp_path / "a").why_floats() == ""
    assert "Integer program" not in (pt.load(tmp_path / "a").card or "")


def test_where_no_program_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with the reason; the run ends as ever."""
    monkeypatch.setattr(integers, "make_integer_model", refuse)
    screen, data = io.StringIO(), tiny_data()
    result = pt.train(
        tiny_model(data.train), data, tiny_config(tmp_path / "a"), console=Console(file=screen, width=200)
    )
    assert result.integers_cost is None
    assert result.why_floats == "the integer program knows no such network"
    assert f"integers   none, so the model samples and scores in floating point: {result.why_floats}" in (
        screen.getvalue()
    )
    assert "no integer program" in repr(result)
    loaded = pt.load(tmp_path / "a")
    assert loaded.why_floats() == "this model has no integer program"
    assert "Integer program" not in (loaded.card or "")


@pytest.mark.parametrize("possible", [True, False])
def test_sheets_are_drawn_by_a_program_of_the_moment(
    tmp_path: Path, possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the averaged weights at that step; in floating point where none can be made."""
    if not possible:
        monkeypatch.setattr(integers, "make_integer_model", refuse)
    seen: list[tuple[int, str, str]] = []

    def write(model: pt.PixelModel, folder: Path, step: int) -> None:
        program = model.integer_model().source if possible else ""
        seen.append((step, pt.sample(model, 1, seed=0).engine, program))
        assert program in ("", model.fingerprint)

    data = tiny_data()
    config = tiny_config(tmp_path / "a", **{"intervals.sample": 4})
    pt.train(tiny_model(data.train), data, config, write_samples=write)
    assert [step for step, _, _ in seen] == [4, 8]
    assert all((engine == "integer") == possible for _, engine, _ in seen)
    assert len({program for _, _, program in seen}) == (2 if possible else 1)


def test_a_resumed_run_makes_its_program_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves none; the resumed run ends with that of a run in one go, and so does a run that had ended."""
    straight = trained(tmp_path / "a")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        with pytest.raises(Interrupted):
            trained(tmp_path / "b")
    assert not has_program(tmp_path / "b")
    data = tiny_data()
    for folder in ("b", "a"):
        result = pt.train(tiny_model(data.train, seed=1), data, tiny_config(tmp_path / folder), resume=True)
        assert result.integers_cost == straight.integers_cost
        assert (tmp_path / folder / "program.json").read_bytes() == (tmp_path / "a" / "program.json").read_bytes()
    longer = pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a", steps=16), resume=True)
    assert longer.model.why_floats() == pt.load(tmp_path / "a").why_floats() == ""


def test_changed_weights_have_no_program() -> None:
    """The program of the training is not taken for them."""
    model = trained().model
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    assert model.why_floats() == "the weights of the model have changed since its integer program was made"
    assert pt.sample(model, 1, seed=0).engine != "integer"


def test_the_cost_is_a_difference_on_the_same_images() -> None:
    """Of validation images, or of training images where there are none."""
    data = tiny_data(images=9, valid=5)
    model = tiny_model(data.train, dropout=0.0).eval()
    model.attach_integer_model(make_integer_model(model, data, images=64))
    assert model.why_floats() == ""
    for splits, images, split in ((data, data.valid, "valid"), (DataSplits(train=data.train), data.train, "train")):
        cost = measure_cost(model, splits)
        floats, exact = (pt.evaluate(model, images, engine=engine).bits_per_dim for engine in ("torch", "integer"))
        assert (cost.images, cost.split, cost.is_default) == (len(images or ()), split, True)
        assert cost.bits_per_dim == pytest.approx(exact - floats, abs=DOUBLE)
    assert not measure_cost(model, data, is_default=False).is_default


def test_images_of_a_calibration_are_spread_over_the_data() -> None:
    """Folders are sorted by class: every class is there; few images are all read once."""
    data = tiny_data(images=40).train
    model = tiny_model(data)
    levels = data.batch(np.arange(40)).levels

    def read(images: int) -> np.ndarray:
        return np.concatenate([x for x, _ in spread(BatchReader(model, data), images)])

    assert equal(read(40), levels)
    assert equal(read(64), levels)
    assert equal(read(4), levels[[0, 13, 26, 39]])
    assert equal(read(1), levels[:1])


def test_a_training_in_stages_ends_without_a_program(tmp_path: Path) -> None:
    """One sentence says why, and floating point samples."""
    data = tiny_data(images=4)
    model = pt.build("multiscale-pixelrnn", shape=data.train.spec, preset="tiny")
    result = pt.train(model, data, tiny_config(tmp_path / "a", steps=1))
    assert result.why_floats.startswith(
        "multiscale-pixelrnn generates an image in stages, and integer programs have one"
    )
    assert result.integers_cost is None
    with pytest.raises(pt.EngineError, match="generates an image in stages"):
        pt.quantize_integer(model, data)
    assert not (tmp_path / "a" / "program.json").exists()


def test_a_layer_that_is_silent_in_the_calibration_has_a_program() -> None:
    """All rectifiers of a layer are off for the images of the calibration; its grid is still in reach of its sums."""
    data = tiny_data(images=4)
    model = pt.build("pixelcnn", shape=data.train.spec, channels=4, layers=1, head_channels=4).eval()
    with torch.no_grad():
        model.backbone.last.bias.sub_(10.0)
    model.attach_integer_model(make_integer_model(model, data, images=64))
    assert abs(measure_cost(model, data).bits_per_dim) < 0.01
