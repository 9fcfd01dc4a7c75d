"""`train`: options, settings files, resuming, fine-tuning, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import pointillist as pt
from pointillist.commands.run_options import RunOption, config_field
from pointillist.commands.training import RUN_OPTIONS
from pointillist.conditioning import condition_kinds
from pointillist.training.runs.config import RunConfig
from tests.tolerances import rounding

from .helpers import TINY, fails, files_in, run, train, write_images


def settings(folder: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))


def test_a_run_leaves_a_model_with_all_its_settings(model: Path, pets: Path) -> None:
    loaded = pt.load(model)
    assert loaded.config.classes == ("cat", "dog")
    assert (loaded.image.mode, loaded.image.levels, loaded.image.shape) == ("grey", 8, (1, 5, 6))
    written = settings(model)
    assert written["data"]["source"] == str(pets)
    assert written["model"]["network"]["channels"] == 4
    assert written["train"]["out"] == str(model)
    record = loaded.training_record.record
    assert "out" not in record["train"]  # a model travels without the folder it was made in
    assert record["data"]["levels"] == 8
    assert list((model / "samples").glob("*.png"))


def test_epochs_are_not_overridden_in_silence(pets: Path) -> None:
    """Those of the command line win over the steps of a file; both at once are refused."""
    Path("run.toml").write_text(f'[data]\nsource = "{pets.as_posix()}"\n[train]\nsteps = 300\n')
    train("--config", "run.toml", "--epochs", "0.5", "--out", "r")
    written = settings(Path("r"))["train"]
    assert ("steps" not in written, written["epochs"]) == (True, 0.5)
    assert "changes nothing with `--steps`" in fails("train", pets, "--epochs", "1", "--steps", "2", "--out", "s")
    assert "finite" in fails("train", pets, "--epochs", "inf", "--out", "s")


def test_precedence_is_defaults_then_file_then_options_then_set(pets: Path) -> None:
    Path("run.toml").write_text(
        f'[data]\nsource = "{pets.as_posix()}"\n[train]\nsteps = 2\nseed = 3\n[train.optimizer]\nlr = 0.5\nclip = 0.7\n'
    )
    train("--config", "run.toml", "--lr", "0.25", "--seed", "4", "--set", "train.seed=5", "--out", "r")
    written = settings(Path("r"))["train"]
    optimizer = written["optimizer"]
    assert (written["steps"], optimizer["clip"], optimizer["lr"], written["seed"]) == (2, 0.7, 0.25, 5)
    assert optimizer["ema"] == 0.999


def test_the_written_settings_run_again_with_the_same_weights(model: Path) -> None:
    run("train", "--config", model / "run.toml", "--out", "again")
    assert Path("again/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_a_stopped_run_goes_on_exactly(pets: Path, tmp_path: Path) -> None:
    """Ctrl-C: the state is saved, the exit code is 130, and the resumed run ends with the same bytes."""
    common = ["train", str(pets), *TINY, "--steps", "60", "--set", "train.intervals.save=2"]
    run(*common, "--out", "whole")
    process = subprocess.Popen(
        [sys.executable, "-m", "pointillist", *common, "--out", "cut"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(Path("cut").glob("state/step-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "pointillist train --resume --out cut" in told
    run("train", "--resume", "--out", "cut")
    assert Path("cut/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_a_finished_run_can_be_made_longer(pets: Path) -> None:
    train(pets, "--steps", "2", "--out", "r")
    run("train", "--resume", "--out", "r", "--steps", "4")
    assert settings(Path("r"))["train"]["steps"] == 4
    assert json.loads(Path("r/config.json").read_text())["training"]["record"]["train"]["steps"] == 4


def test_resume_refuses_what_would_make_it_another_run(model: Path) -> None:
    before = (model / "run.toml").read_bytes()
    told = fails("train", "--resume", "--out", model, "--lr", "0.1")
    assert "`train.optimizer.lr` (=0.1)" in told
    assert "--init-from" in told
    assert "`--config`" in fails("train", "--resume", "--out", model, "--config", "x.toml")
    assert "--out" in fails("train", "--resume")
    assert "nowhere holds no run" in fails("train", "--resume", "--out", "nowhere")
    assert "nowhere holds no run" in fails("train", "--resume", "--preset", "tiny", "--out", "nowhere")
    assert (model / "run.toml").read_bytes() == before


def test_fine_tuning_keeps_vectors_of_known_classes(model: Path) -> None:
    data = write_images(Path("more"), ("bird", "cat"))
    shown = run(
        "train", data, "--init-from", model, "--out", "tuned", "--steps", "1", "--lr", "1e-12", "--threads", "1"
    ).output
    assert "classes kept: cat" in shown
    assert "new classes: bird" in shown
    old, new = pt.load(model), pt.load("tuned")
    assert new.config.classes == ("bird", "cat")
    assert new.image == old.image  # read as 8 grey levels without being told
    a, b = (m.conditions.encoders["label"].embedding_tables()["label"][0] for m in (old, new))
    within = rounding(a, terms=1)
    assert np.allclose(a[0].detach(), b[1].detach(), rtol=0, atol=within)  # cat
    assert np.allclose(a[2].detach(), b[0].detach(), rtol=0, atol=within)  # a new class starts as "no label"
    run("train", "--resume", "--out", "tuned", "--steps", "2")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--levels", "4"], ["levels 8", "have 4", "--levels"]),
        (["--mode", "rgb"], ["channels 1", "have 3", "--mode"]),
        (["--model", "pixelcnn"], ["gated-pixelcnn", "--model"]),
        (["--likelihood", "mixture"], ["categorical", "--likelihood"]),
    ],
)
def test_fine_tuning_refuses_what_does_not_fit(model: Path, pets: Path, options: list[str], words: list[str]) -> None:
    keep = [] if "--levels" in options else ["--levels", "8"]
    mode = [] if "--mode" in options else ["--mode", "grey"]
    told = fails("train", pets, "--init-from", model, "--out", "t", "--steps", "1", *keep, *mode, *options)
    assert all(word in told for word in words), told
    assert files_in(Path()) == []


def test_fine_tuning_refuses_another_size_with_learned_positions(sprites: Path) -> None:
    data = write_images(Path("wide"), size=(4, 4))
    told = fails("train", data, "--init-from", sprites, "--out", "t", "--steps", "1")
    assert "5x6" in told
    assert "4x4" in told
    assert not Path("t").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lr", "-1"], ["`train.optimizer.lr` (=-1.0)", "greater than 0"]),
        (["--set", "train.lrr=1"], ["`train.lrr`", "did you mean `train.optimizer.lr`?"]),
        (["--set", "lr"], ["--set", "'lr'", "train.optimizer.lr=1e-3"]),
        (
            ["--set", "train.optimizer.lr.x=1", "--lr", "1"],
            ["`train.optimizer.lr.x`", "`train.optimizer.lr` holds a value"],
        ),
        (["--size", "999999x999999"], ["memory"]),
        (["--device", "cuda:77"], ["cuda:77"]),
        (["--init-from", "missing"], ["'missing'", "folder"]),
        (["--batch-size", "5", "--grad-accumulation", "2"], ["`--batch-size` (=5)", "try `--batch-size 4`"]),
    ],
)
def test_wrong_settings_are_sentences_and_leave_nothing(pets: Path, options: list[str], words: list[str]) -> None:
    told = fails("train", pets, "--steps", "1", "--out", "r/s", *options)
    assert all(word in told for word in words), told
    assert files_in(Path()) == []


def test_a_folder_that_is_taken_is_refused(model: Path, pets: Path) -> None:
    assert "--resume" in fails("train", pets, "--out", model)
    pt.load(model).save_pretrained("plain")
    assert "--init-from plain" in fails("train", pets, "--out", "plain")
    Path("file").write_text("")
    assert "is a file" in fails("train", pets, "--out", "file")
    assert "file" in fails("train", pets, "--out", "file/below")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on file size are a thing of Unix")
def test_a_full_disk_is_a_sentence(pets: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from pointillist.commands.cli import main; main()"
    )
    command = [sys.executable, "-B", "-c", code, "train", str(pets), *TINY, "--steps", "1", "--out", "r"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    assert "space" in found.stderr
    assert not list(Path("r").glob("*.safetensors"))


@pytest.mark.parametrize("option", RUN_OPTIONS, ids=lambda option: option.flags)
def test_options_are_those_of_their_fields(option: RunOption) -> None:
    """Default, type and choices are those of the config class at the key; each has a description."""
    section: Any = RunConfig.from_dict({})
    *groups, name = option.key.split(".")
    if groups[:2] == ["model", "conditions"]:
        section, groups = condition_kinds()[groups[2]](), []
    for group in groups:
        section = getattr(section, group)
    field = config_field(option.key)
    assert field.default == getattr(section, name)
    assert re.fullmatch(r"\S.*\.", field.description), field.description
    if field.default is not None and not isinstance(field.default, tuple) and not field.is_union:
        assert isinstance(field.default, field.type if not issubclass(field.type, StrEnum) else str)
    if isinstance(field.type, type) and issubclass(field.type, StrEnum):
        assert tuple(field.type) == get_args(type(section).model_fields[name].annotation)


def test_the_preset_of_a_paper_is_below_the_file_and_the_options(tmp_path: Path) -> None:
    """Defaults < preset < --config < options; what came out is written to run.toml, whoever said it."""
    file = tmp_path / "a.toml"
    file.write_text(
        '[model]\ntype = "diagonal-bilstm"\npreset = "paper-mnist"\n[train]\nsteps = 1\noptimizer.ema = 0.9\n'
    )
    train("uci-digits", "--config", file, "--lr", "0.5", "--out", tmp_path / "run")
    settings = tomllib.loads((tmp_path / "run" / "run.toml").read_text())["train"]
    assert settings["batch_size"] == 4
    assert settings["optimizer"].items() >= {"name": "rmsprop", "ema": 0.9, "lr": 0.5}.items()
    assert settings["schedule"].items() >= {"name": "constant", "warmup": 0}.items()


def test_a_dry_run_tells_speed_and_hours_and_writes_nothing(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointillist.training.runs.from_config.MIN_SECONDS", 0.1)
    told = run("train", pets, *TINY, "--steps", "400", "--dry-run", "--out", "dry").stdout
    assert "images/s" in told
    assert "for 1,600 images, without validation and sample sheets" in told
    assert not Path("dry").exists()
    assert "`--dry-run` estimates the cost of a new run" in fails("train", "--dry-run", "--resume", "--out", "dry")


@pytest.mark.slow
def test_a_studio_beside_the_training_ends_with_it(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is printed first; during the training it shows the run, afterwards nobody answers."""
    found: list[dict[str, Any]] = []

    def browse(url: str) -> None:
        with urllib.request.urlopen(f"{url}api/info") as answer:
            found.append({"url": url, **json.load(answer)})

    monkeypatch.setattr("pointillist.commands.cli.training.open_browser", browse)
    said = train(pets, "--out", "watched", "--studio").output
    url = found[0]["url"]
    assert said.startswith(f"studio     {url}   (ends with the training)")
    assert found[0]["run"] == "watched"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url)
    assert "`--studio` watches a run" in fails("train", pets, "--studio", "--dry-run")


def test_an_option_that_set_overrides_is_named(pets: Path) -> None:
    """`--set` wins, as documented; an option of the same value is no news."""
    tell = partial(run, "train", pets, *TINY, "--steps", "1", "--dry-run", "--size", "4", "--set")
    assert "note       `--set data.size=3` overrides `--size 4`" in tell("data.size=3").stderr
    assert "overrides" not in tell("data.size=4").stderr
