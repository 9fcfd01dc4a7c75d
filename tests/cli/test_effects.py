"""No option without an effect: each changes an output, or a sentence says why not."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.archives import CompressSettings
from pointillist.commands.cli import app
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings, WorldSettings
from pointillist.commands.settings import Argument, Settings, settings_of

from .helpers import fails, run

HOW = {"threads", "batch_size", "device", "force", "as_json", "out", "form", "seed", "model", "engine"}
"""Settings of how and where, which change no picture and no number, or whose effect other tests measure."""

BASES: dict[str, tuple[type[Settings], list[str]]] = {
    "sample": (SampleSettings, ["digits", "-n", "2", "--seed", "1", "--out", "out.npz"]),
    "inpaint": (
        InpaintSettings,
        ["digits", "a.png", "--region", "14:,:", "-n", "2", "--seed", "1", "--out", "out.npz"],
    ),
    "world": (WorldSettings, ["dungeons", "--size", "1x1", "--chunk", "16", "--out", "out.csv"]),
    "evaluate": (EvaluateSettings, ["digits", "few"]),
    "explain": (ExplainSettings, ["digits", "few", "--index", "1", "--max-attributions", "0", "--out", "out.html"]),
    "detect": (DetectSettings, ["digits", "few", "--detector", "detector"]),
    "compress": (CompressSettings, ["digits", "few", "--out", "out.pxl"]),
}
VALUES: dict[str, Any] = {
    "sample": {
        "n": 3, "label": "3", "text": "heart", "texts": "texts.txt", "negative_prompt": "star", "best_of": 2,
        "attribute": "hair=red", "condition": "vector=1,2", "hint": "a.png", "hint_from_image": "a.png",
        "temperature": 0.5, "top_p": 0.5, "guidance": 2, "size": "30", "seamless": "x",
        "rules": "rules.toml", "order": "raster-br", "palette": "p.hex", "animate": "a.gif",
    },
    "inpaint": {
        "mask": "mask.png", "region": "20:,:", "transparent": None, "vary": 0.5, "pattern": "scattered",
        "canvas": "40x40", "at": "1,1", "seamless": "x", "n": 3, "method": "sequential", "label": "3",
        "text": "x", "guidance": 2, "temperature": 0.5, "particles": 8, "moves": 0, "order": "raster-br",
        "rules": "rules.toml", "animate": "a.gif", "data": "holes.csv", "size": "30x30", "condition": "vector=1",
        "maps": "maps", "origin": "1,2", "cell": 2, "palette": "p.hex",
    },
    "world": {"at": "3,1", "size": "1x2", "rules": "rules.toml", "label": "no such label", "chunk": 24},
    "evaluate": {
        "mixture": "digits", "split": "train", "max_images": 2, "per_image": "n.csv", "no_labels": None,
        "text": "x", "set": "data.size=20", "order": "raster-br", "guidance": 2, "condition_metrics": None,
        "retrieval_candidates": 3,
        "retrieval_repeats": 3, "captions": "a;b", "captions_file": "texts.txt", "caption_prior": "1,2",
        "memorization": 2, "codec": None,
    },
    "explain": {
        "index": 2, "split": "test", "label": "4", "text": "x", "exchange": "a=b", "attributes": "hair=red",
        "no_labels": None, "calibration_images": 2, "calibration_data": "few", "what_if": "3,4=7", "continuations": 2,
        "max_attributions": 3, "maps": "maps", "order": "raster-br", "set": "data.size=20",
    },
    "detect": {
        "fit": "few", "fit_split": "train", "false_alarms": 0.3, "background": "digits", "conditions": None,
        "split": "test", "windows": None, "heatmaps": "heat", "sheet": "s.png", "csv": "c.csv",
        "neighbours": "few", "top": 1, "fail_on_anomaly": None, "set": "data.size=20", "detector": "nowhere",
    },
    "compress": {"label": "3", "order": "raster-br", "per_record": 1, "verify": None, "tiles": None, "learn": None},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the commands read."""
    root = tmp_path_factory.mktemp("effects")
    write_files(root)
    return root


def write_files(root: Path) -> None:
    """Write pictures that `digits` painted, some of other colours, a detector, a palette, rules, texts."""
    samples = pt.sample("digits", 48, seed=3)
    noise = np.random.default_rng(0).integers(0, 16, (28, 28)) * 17
    for number, picture in enumerate([*samples.images[:3], Image.fromarray(noise.astype(np.uint8))]):
        (root / "few" / str(number % 2)).mkdir(parents=True, exist_ok=True)  # with labels, of which the last is odd
        picture.save(root / "few" / str(number % 2) / f"{number}.png")
    samples.images[5].save(root / "a.png")
    mask = np.zeros((28, 28), np.uint8)
    mask[20:, :9] = 255
    Image.fromarray(mask).save(root / "mask.png")
    pt.AnomalyDetector("digits", contamination=0.1).fit(samples.levels).save(root / "detector")
    (root / "p.hex").write_text("".join(f"{16 * i:02x}0000\n" for i in range(16)))
    (root / "rules.toml").write_text('border = ["wall"]\n')
    (root / "holes.csv").write_text("row,column,level\n3,4,15\n")
    (root / "texts.txt").write_text("heart\nstar\n")


def cases() -> Iterator[Any]:
    for command, (config, _) in BASES.items():
        for setting in settings_of(config):
            if not isinstance(setting.option, Argument) and setting.name not in HOW:
                yield pytest.param(command, setting.name, setting.flags[0], id=f"{command} {setting.flags[0]}")


def outcome(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """What a command prints, without times and paths, and the files that it leaves, which are removed."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code in (0, 1, 2), f"{printed.output}\n{printed.exception!r}"
    assert printed.exception is None or isinstance(printed.exception, SystemExit), repr(printed.exception)
    text = re.sub(r"[\d.,]+ (s\b|tiles/s|MB/s|kB|images/s)", "", printed.output)
    files = {}
    for path in sorted(path for path in Path().rglob("*") if path.is_file()):
        if before.get(path) != path.stat().st_mtime_ns:
            files[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
            path.unlink()
    for path in Path().iterdir():
        if path.is_dir() and not any(one.is_file() for one in path.rglob("*")):
            shutil.rmtree(path)
    return f"{printed.exit_code} {text}", files


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize(("command", "name", "flag"), [*cases()])
def test_an_option_changes_something(
    folder: Path, command: str, name: str, flag: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Output, files, or a sentence."""
    assert name in VALUES[command], f"{command} {flag} is new: give it a value in this test."
    monkeypatch.chdir(folder)
    value, base = VALUES[command][name], [command, *BASES[command][1]]
    more = [flag] if value is None else [flag, str(value)]
    plain, said = outcome(base), [*caplog.messages]
    caplog.clear()
    assert (plain, said) != (outcome([*base, *more]), [*caplog.messages]), (
        f"{' '.join(more)} changes nothing, in silence"
    )


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["sample", "digits", "--guidance", "2"], "--label"),
        (["sample", "dungeons", "--guidance", "0"], "--label"),
        (["inpaint", "digits", "a.png", "--region", "14:,:", "--pattern", "scattered"], "--vary"),
        (["inpaint", "digits", "a.png", "--region", "14:,:", "--at", "1,1"], "--canvas"),
        (["evaluate", "digits", "few", "--retrieval-candidates", "3"], "--condition-metrics"),
        (["evaluate", "digits", "few", "--retrieval-repeats", "3"], "--condition-metrics"),
        (["train", "uci-digits", "--resize-mode", "pad"], "--size"),
        (["train", "uci-digits", "--tile-size", "8"], "--tileset"),
    ],
)
def test_an_option_names_what_it_needs(arguments: list[str], needed: str) -> None:
    """Before work is done: its class of settings declares it."""
    sentence = fails(*arguments)
    assert "changes nothing without" in sentence
    assert needed in sentence


def test_settings_of_a_training_that_read_nothing_are_refused() -> None:
    """A mixture of a categorical likelihood; columns of a built-in data set."""
    assert "number of components of a mixture" in fails("train", "uci-digits", "--mixtures", "3", "--preset", "tiny")
    for flag in ("--caption-column", "--npz-key"):
        assert "names a part of an .npz or a table" in fails("train", "uci-digits", flag, "x")


def test_methods_and_formats_say_what_they_leave_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Particles of another method, windows of small images, a palette of levels."""
    monkeypatch.chdir(folder)
    hole = ["inpaint", "digits", "a.png", "--region", "14:,:", "-n", "1", "--out", "x.npz", "--force"]
    assert "`--particles` (=8) changed nothing: the method was known" in run(*hole, "--particles", "8").stderr
    assert "`--moves` (=0) changed nothing" in run(*hole, "--moves", "0").stderr
    assert "changed nothing" not in run(*hole).stderr
    detected = CliRunner().invoke(app, ["detect", "digits", "few", "--detector", "detector", "--windows"])
    assert "`--windows` changed nothing" in detected.stderr
    assert "changes nothing of an .npz" in fails(
        "sample", "scenes", "-n", "1", "--palette", "p.hex", "--out", "y.npz"
    ) or "must have" in fails("sample", "scenes", "-n", "1", "--palette", "p.hex", "--out", "y.npz")
