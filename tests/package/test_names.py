"""No name passes unread: names, numbers and shapes that mean nothing are one sentence, with what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.errors import choices

SMALL: dict[str, Any] = {"shape": (1, 8, 8), "channels": 4, "layers": 1}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pixelcnn++", "pixelcnn-pp"),
        ("PixelCNN", "pixelcnn"),
        ("gated_pixelcnn", "gated-pixelcnn"),
        ("PixelSnail", "pixelsnail"),
    ],
)
def test_a_network_is_named_as_people_name_it(name: str, meant: str) -> None:
    with pytest.raises(pt.ConfigError, match=f"did you mean '{meant}'"):
        pt.build(name, shape=(1, 8, 8))


def test_unknown_names_list_the_known() -> None:
    """Of every registry: likelihoods, presets, orders, engines, attributes, jobs, examples, text encoders."""
    with pytest.raises(pt.ConfigError, match="did you mean 'mixture'"):
        pt.build("pixelcnn", likelihood="mixtures", **SMALL)
    with pytest.raises(pt.ConfigError, match="choose one of auto, bernoulli"):
        pt.build("pixelcnn", likelihood="nonsense", **SMALL)
    with pytest.raises(pt.ConfigError, match="did you mean 'tiny'"):
        pt.build("pixelcnn", shape=(1, 8, 8), preset="tinny")
    with pytest.raises(pt.ConfigError, match="did you mean 'raster'"):
        pt.build("pixelcnn", orders="rastr", **SMALL)
    with pytest.raises(pt.EngineError, match="did you mean 'numpy'"):
        pt.sample("digits", 1, engine="numpi")
    with pytest.raises(pt.ConfigError, match="did you mean 'minilm'"):
        pt.build("pixelcnn", text="minilmm:folder", **SMALL)
    with pytest.raises(pt.ConfigError, match="did you mean 'label'"):
        pt.build("pixelcnn", conditions={"labels": {"classes": 3}}, **SMALL)
    with pytest.raises(pt.ConfigError, match="did you mean 'sample'"):
        pt.jobs.run("sampl", out="x", tasks=1)
    assert choices("x", ["a", "b"]) == "choose one of a, b."


@pytest.mark.parametrize("seed", [1.9, True, np.float32(2.5), "a", -1, 2**53])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    for draw in (lambda: pt.sample("digits", 1, seed=seed), lambda: pt.World("dungeons", seed=seed)):
        with pytest.raises(pt.ConfigError, match=r"`seed` \(=.*must be a whole number, 0 to 9,007"):
            draw()


def test_whole_numbers_are_whole_numbers() -> None:
    """Those of numpy are."""
    assert pt.sample("digits", np.int16(1), seed=np.int64(3), batch_size=np.uint8(2)).seed == 3
    known = np.ones((28, 28), bool)
    known[0] = False
    image = np.zeros((28, 28), np.uint8)
    for values in ({"batch_size": 1.5}, {"threads": "x"}, {"best_of": 2.0}, {"batch_size": True}):
        with pytest.raises(pt.ConfigError, match="must be a whole number, 1 "):
            pt.sample("digits", 1, label=3, **values)
    for values in ({"particles": 1.5}, {"moves": -1}, {"first": "a"}):
        with pytest.raises(pt.ConfigError, match="must be a whole number"):
            pt.inpaint("digits", image, known, n=1, **values)
    for values in ({"temperature": "a"}, {"top_p": None}, {"guidance": "2"}):
        with pytest.raises(pt.ConfigError, match=r"`(temperature|top_p|guidance)` \(="):
            pt.sample("digits", 1, **values)
    with pytest.raises(pt.ConfigError, match="`batch_size`"):
        pt.evaluate("digits", image, batch_size="x")
    with pytest.raises(pt.ConfigError, match="a class name or a number"):
        pt.sample("digits", 1, label=True)


def test_a_shape_of_numpy_is_no_shape() -> None:
    """Channels come first; a position is enough."""
    with pytest.raises(pt.ConfigError, match=r"did you mean \(3, 32, 32\)"):
        pt.build("pixelcnn-pp", shape=(32, 32, 3))
    for shape in (32, "1,8,8", (8, 8), (1.5, 8, 8), (1, 8, "a")):
        with pytest.raises(pt.ConfigError, match=r"`shape` \(="):
            pt.build("pixelcnn", shape=shape)
    assert pt.build("pixelcnn", (1, 8, 8), channels=4, layers=1).image.shape == (1, 8, 8)
    with pytest.raises(TypeError, match=r"`compress` takes .* without a name: name the others"):
        pt.compress(*range(10))


def test_models_by_name_and_in_memory(tmp_path: Path) -> None:
    """`export` takes an open model; `train` says what it trains; an empty name is none."""
    model = pt.load("digits")
    written = pt.export(model, c=tmp_path / "c")
    assert written.files.keys() == pt.export("digits", c=tmp_path / "c").files.keys()
    data = pt.load_data("uci-digits")
    with pytest.raises(pt.ConfigError, match="has no weights to train in place"):
        pt.train("digits", data)  # type: ignore[arg-type]
    for empty in ("", " "):
        with pytest.raises(pt.CheckpointError, match="There is no model"):
            pt.load(empty)
        with pytest.raises(pt.ConfigError, match="is empty"):
            model.save_pretrained(empty)


def test_a_table_is_no_source(tmp_path: Path) -> None:
    """A `DataFrame` is indexed by its columns."""

    class Table:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, name: str) -> Any:
            return {"a": [1]}[name]

    with pytest.raises(pt.DataError, match="is a Table, which has no item 0"):
        pt.load_data(Table())


def test_a_rate_that_is_too_large_is_named() -> None:
    """The weights overflow: the rate did it, not the file."""
    data = pt.load_data("uci-digits").train
    model = pt.build("pixelcnn", shape=data.spec, channels=4, layers=1)
    with pytest.raises(pt.TrainingError, match=r"`optimizer.lr` \(=1e\+09\) is too large"):
        pt.train(model, data, {"steps": 1, "batch_size": 8, "optimizer.lr": 1e9})
