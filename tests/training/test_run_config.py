"""The settings of a run as TOML: written, read again, overridden, refused by their dotted key, run in Python."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.files.arrays import read_config
from pointillist.files.settings_tree import expand, flatten, merge, nested, parse_assignment, parse_value, read_toml
from pointillist.training.config import TrainConfig
from pointillist.training.runs import from_config as module
from pointillist.training.runs.config import RunConfig
from pointillist.training.runs.from_config import prepare_run

from .helpers import assert_same_weights, tiny_data, weights


def test_what_is_written_is_read_again() -> None:
    tree = {
        "model": {"preset": "tiny", "network": {"channels": 8}},
        "data": {"source": "a b", "size": "48x64", "palette": 16},
        "train": {"steps": 3, "out": "runs/x", "batch_size": 8},
    }
    run = RunConfig.from_dict(tree)
    assert run.data.size == (48, 64)
    assert RunConfig.from_dict(tomllib.loads(run.to_toml("how to run it"))) == run
    assert run.to_toml("one\ntwo").startswith("# one\n# two\n[model]")


@pytest.mark.parametrize(("size", "expected"), [(32, (32, 32)), ("32", (32, 32)), ("4x6", (4, 6)), ([4, 6], (4, 6))])
def test_any_spelling_of_a_size(size: Any, expected: tuple[int, int]) -> None:
    assert RunConfig.from_dict({"data": {"size": size}}).data.size == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("true", True), ("[1, 2]", [1, 2]), ('"a"', "a"), ("cat", "cat"), ("48x64", "48x64"),
        ("", ""), ("a=b", "a=b"), ("1\nx = 2", "1\nx = 2"),
    ],
)  # fmt: skip
def test_values_are_toml_or_bare_words(text: str, value: Any) -> None:
    assert parse_value(text) == value
    assert parse_assignment(f"train.x={text}") == ("train.x", value.strip() if isinstance(value, str) else value)


@given(st.text())
def test_any_text_is_some_value(text: str) -> None:
    parse_value(text)


def test_later_trees_win_setting_by_setting() -> None:
    first, second = {"a": {"x": 1, "y": [1]}}, {"a": {"x": 2}, "b": {}}
    out = merge(first, second)
    assert out == {"a": {"x": 2, "y": [1]}, "b": {}}
    out = merge(out, nested("a.z.w", 5))
    assert out["a"]["z"] == {"w": 5}
    assert first == {"a": {"x": 1, "y": [1]}}


@given(st.dictionaries(st.sampled_from(["a.x", "a.y.z", "b", "c.d"]), st.integers()))
def test_dotted_keys_are_nested_tables(settings: dict[str, int]) -> None:
    assert dict(flatten(expand(settings))) == settings


def test_none_empties_what_may_be_empty() -> None:
    run = RunConfig.from_dict({"train": {"steps": "none"}, "data": {"binarise": "none"}})
    assert run.train.steps is None
    assert run.data.binarise == "none"


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"trian": {}}, ["`trian`", "`train`"]),
        ({"train": {"stpes": 1}}, ["`train.stpes`", "`train.steps`"]),
        ({"train": {"zzz": 1}}, ["`train.zzz`", "choose one of epochs"]),
        ({"train": 3}, ["`train` (=3)", "table"]),
        ({"train": {"optimizer": {"clip": "x"}}}, ["`train.optimizer.clip` (='x')", "number"]),
        ({"train": {"machine": {"precision": "fp8"}}}, ["`train.machine.precision` (='fp8')", "'fp32'"]),
        ({"train": {"lr": 1}}, ["`train.lr`", "`train.optimizer.lr`"]),
        ({"model": {"mixtures": 0}}, ["`model.mixtures` (=0)", "greater than or equal to 1"]),
        ({"model": {"network": {"layer": 1}}}, ["`model.network.layer`", "`model.network.layers`"]),
        ({"model": {"network": 1}}, ["`model.network` (=1)"]),
        ({"data": {"size": [0, 3]}}, ["`data.size`", "48x64"]),
        ({"data": {"size": True}}, ["`data.size` (=True)"]),
    ],
)
def test_faults_name_the_dotted_key(tree: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict(tree)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("text", ["train = 5", "[[train]]\nsteps = 1", "[train]\noptimizer = 3"])
def test_a_value_in_place_of_settings_is_named(text: str) -> None:
    """Options on top of it do not hide it."""
    with pytest.raises(ConfigError, match="must hold settings, as a TOML table"):
        merge(tomllib.loads(text), {"train": {"batch_size": 4, "optimizer": {"lr": 0.1}}})


@pytest.mark.parametrize("key", ["train.steps", "train.optimizer.lr"])
def test_true_is_not_a_number(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^`{key}` \(=True\) must be a number"):
        RunConfig.from_dict(expand({key: True}))


def test_true_is_not_a_number_in_python() -> None:
    """Nor in a table; a setting that is true or false takes it."""
    for wrong in ({"steps": True}, {"optimizer": {"lr": False}}):
        with pytest.raises(ConfigError, match="should be a number"):
            TrainConfig(**wrong)
    assert TrainConfig(quantization_aware=True).quantization_aware


def test_files_that_are_no_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_toml(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="as UTF-8 text"):
        read_toml(tmp_path / "bad.toml")
    for text in ("x=1", "train.lr", "=3", "train.=3"):
        with pytest.raises(ConfigError, match="--set"):
            parse_assignment(text)


NETWORK = {"channels": 4, "layers": 1, "head_channels": 4}
RUN = """
[model]
order_channels = 4
[model.network]
channels = 4
layers = 1
head_channels = 4
[data]
source = "uci-digits"
[train]
steps = 2
batch_size = 4
machine.threads = 1
machine.precision = "fp32"
"""


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_data", lambda source, options, spec, classes: tiny_data())


def test_a_run_file_trains_resumes_and_is_fine_tuned(tmp_path: Path) -> None:
    """The folder holds the model and all settings; overrides win; a resumed run continues."""
    (tmp_path / "a.toml").write_text(RUN)
    out = tmp_path / "run"
    result = pt.train_from_config(tmp_path / "a.toml", train={"out": out, "optimizer.lr": 0.5})
    assert (result.steps, result.folder) == (2, out)
    written = tomllib.loads((out / "run.toml").read_text())
    assert (written["train"]["optimizer"]["lr"], written["train"]["steps"]) == (0.5, 2)
    assert written["model"]["network"].items() >= NETWORK.items()
    assert list((out / "samples").glob("*.png"))
    assert "out" not in read_config(out)["training"]["record"]["train"]
    assert_same_weights(weights(pt.load(out)), weights(result.model))
    with pytest.raises(pt.ConfigError, match="already holds a run"):
        pt.train_from_config(tmp_path / "a.toml", train={"out": out})
    with pytest.raises(pt.ConfigError, match=r"`train\.optimizer\.lr` \(=1\) cannot change"):
        pt.train_from_config(resume=True, train={"out": out, "optimizer": {"lr": 1}})
    again = {"out": out, "steps": 3, "optimizer": {"lr": 0.5}}  # as the options that began the run
    assert pt.train_from_config(resume=True, train=again).steps == 3
    tuned = prepare_run(tmp_path / "a.toml", {"model.init_from": str(out), "train.out": tmp_path / "tuned"})
    assert tuned.source is not None
    assert tuned.config.model.network["channels"] == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "DATA is missing"),
        ({"train": {"lr": 1}}, "did you mean `train.optimizer.lr`"),
        ({"train": 3}, "must hold settings"),
        ({"resume": True}, "needs the folder"),
        ({"config": "missing.toml"}, "missing.toml does not exist"),
        ({"config": {"data.source": "x"}, "resume": True}, "cannot be used with `resume`"),
    ],
)
def test_wrong_settings_are_reported_before_images_are_read(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(pt.ConfigError, match=words):
        pt.train_from_config(**settings)


def test_a_run_is_named_after_its_images_and_its_model() -> None:
    run = prepare_run({"data": {"source": "folder/pets.npz"}, "train.steps": 3}, {"train.optimizer.lr": 0.5})
    assert run.out == Path("runs/pets-gated-pixelcnn")
    assert (run.config.train.steps, run.config.train.optimizer.lr) == (3, 0.5)
