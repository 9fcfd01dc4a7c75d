"""The first second: commands that describe do not import torch, and sampling imports nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pointillist.commands.cli.app import COMMANDS

_PROGRAM = """
import sys
forbidden = sys.argv[1].split(",")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in forbidden):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Finder())
from pointillist.commands.cli.app import app
for command in sys.argv[2:]:
    try:
        app(command.split(), prog_name="pointillist")
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
"""
_UNUSED = "accelerate,transformers,datasets,pandas,matplotlib,torch._dynamo,torch._inductor,huggingface_hub.hf_api"


def without(modules: str, *commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a fresh process in which some modules must not be imported."""
    program = [sys.executable, "-c", _PROGRAM, modules, *commands]
    return subprocess.run(program, capture_output=True, text=True, cwd=folder)


def test_describing_does_not_wait_for_torch(tmp_path: Path) -> None:
    """Help of every command, the list of models, and `info` of every bundled model."""
    bundled = ("digits", "dungeons", "icons", "scenes", "outline-to-tile")
    commands = ["--help", "--version", *(f"{name} --help" for name in COMMANDS), "models", "models --json"]
    commands += [f"info {name}" for name in bundled] + ["info digits --json"]
    done = without("torch", *commands, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gated-pixelcnn" in done.stdout


def test_sampling_imports_what_it_uses(tmp_path: Path) -> None:
    """No training framework, no compiler of torch, no client of the hub."""
    done = without(_UNUSED, "sample digits -n 1 --label 3 --seed 0 --engine numpy --size 28", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    unused = f"{_UNUSED},torch,urllib.request,pointillist.images.visualization.chart"
    done = without(unused, "sample digits -n 1 --label 3 --seed 0", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_conditions_do_not_wait_for_torch(tmp_path: Path) -> None:
    """A class, a prompt, the picture of a hint: the integer program has their encoders."""
    Image.new("L", (32, 32), 255).save(tmp_path / "outline.png")
    commands = [
        "sample digits -n 1 --label 3 --seed 0 --out a.png",
        "sample outline-to-tile -n 1 --text dragon --label monster --seed 0 --out b.png",
        "sample outline-to-tile -n 2 --hint outline.png --seed 0 --out c.png",
    ]
    done = without("torch", *commands, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.png").read_bytes() != (tmp_path / "c.png").read_bytes()


@pytest.mark.parametrize("module", ["torch", "accelerate"])
def test_a_forbidden_import_is_found(module: str, tmp_path: Path) -> None:
    """The tests above can fail."""
    assert f"{module} is imported" in without(module, "train uci-digits --dry-run --steps 1", folder=tmp_path).stderr
