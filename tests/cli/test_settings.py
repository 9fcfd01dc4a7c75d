"""Settings of commands: their defaults, those of a job, and their names in messages, as options and in Python."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import pointillist
import pointillist as pt
from pointillist.commands.archives import CompressSettings
from pointillist.commands.cli.app import Commands
from pointillist.commands.cli.messages import for_command_line
from pointillist.commands.jobs.settings import JOBS
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings
from pointillist.commands.settings import Settings, settings_of
from pointillist.sampling.config import SamplingConfig

from .helpers import fails, write_images

_DEFAULTS = {field.name: field.default for field in fields(SamplingConfig)}


@pytest.mark.parametrize(
    "config", [SampleSettings, InpaintSettings, EvaluateSettings, ExplainSettings, DetectSettings, CompressSettings]
)
def test_settings_of_sampling_have_its_defaults(config: type[Settings]) -> None:
    """A setting that `SamplingConfig` has too has its default there, or none: then it is the model's."""
    shared = [setting for setting in settings_of(config) if setting.name in _DEFAULTS]
    assert shared
    for setting in shared:
        assert setting.default in (None, _DEFAULTS[setting.name]), setting.name


@pytest.mark.parametrize("config", JOBS.values())
def test_a_job_has_the_settings_of_its_command(config: type[Settings]) -> None:
    """All but some that exist."""
    names = [setting.name for setting in settings_of(config)]
    left_out = config.plain_only.split()
    assert set(left_out) <= set(names)
    assert [setting.name for setting in settings_of(config, job=True)] == [n for n in names if n not in left_out]


def test_types_are_those_of_sampling() -> None:
    """A setting without an annotation has the type of the field; what may be many there is typed once here."""
    types = {setting.name: setting.type for setting in settings_of(SampleSettings)}
    assert types["guidance"] == float | None
    assert types["batch_size"] is int
    assert types["negative_prompt"] == str | None
    assert types["rules"] == str | None


PACKAGE = Path(pointillist.__file__).parent


def command(name: str) -> Any:
    return Commands(name="pointillist").get_command(None, name)


@pytest.mark.parametrize(
    ("name", "sentence", "spelled"),
    [
        ("train", "skip it with `skip_bad`", "skip it with `--skip-bad`"),
        ("train", "give `size=32`", "give `--size 32`"),
        ("train", "`optimizer.lr`, `lr`, `train.lr`", "`--lr`, `--lr`, `train.lr`"),
        ("train", "`valid_fraction=0.1`", "`--set data.valid_fraction=0.1`"),
        ("train", "`ordered` differs", "`--categorical-levels` differs"),
        ("evaluate", "`size=32` or `skip_bad`", "`--set data.size=32` or `--set data.skip_bad`"),
        ("sample", "`batch_size=4`, `n` or `size` (=2x2)", "`--batch-size 4`, `-n` or `--size` (=2x2)"),
        ("sample", "`attributes` has no `pip install x`", "`--attribute` has no `pip install x`"),
        ("sample", "`file_name` is none", "`file_name` is none"),
    ],
)
def test_settings_are_spelled_as_options(name: str, sentence: str, spelled: str) -> None:
    assert for_command_line(sentence, command(name)) == spelled


def test_a_command_names_its_own_options(tmp_path: Path) -> None:
    """The same error, from Python and from two commands."""
    folder = write_images(tmp_path / "pets")
    (folder / "cat" / "bad.png").write_bytes(b"no image")
    with pytest.raises(pt.DataError, match=r"skip such files with `skip_bad=True`"):
        pt.load_data(folder)
    assert "`--skip-bad`" in fails("train", folder)
    assert "`--set data.skip_bad=true`" in fails("info", f"{folder}/")


def test_the_package_names_no_options_of_the_command_line() -> None:
    """No message outside `cli/` and `commands/` has a flag in it, unless it is a whole command."""
    allowed = {"files/settings_tree.py"}  # those of one command
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        of_the_command_line = where.startswith(("cli/", "commands/")) and not where.startswith("commands/jobs/")
        if of_the_command_line or where in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                found += [f"{where}:{node.lineno}" for text in strings(node) if re.search(r"(?<![\w ])--[a-z]", text)]
    assert not found


def strings(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
