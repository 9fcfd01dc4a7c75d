"""`pointillist studio` and the first second: what is said, when it ends, and what describing and sampling import."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from pointillist.commands.cli.app import COMMANDS
from pointillist.studio.http import server as home

from .helpers import fails, run

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """In a thread of its own: tests of the page may have left an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_without_any_model_it_ends() -> None:
    """Each has its sentence, the last one is of all; exit code 2, and no browser was opened."""
    said = apart(lambda: fails("studio", "nosuch", "neither"))
    assert "failed nosuch: " in said
    assert "failed neither: " in said
    assert "No model could be loaded" in said
    assert "http://" not in said


def test_a_port_that_is_taken_is_said_in_words() -> None:
    """Without the number that the system has for it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = apart(lambda: fails("studio", "nosuch", "--port", str(taken.getsockname()[1])))
    assert "(address already in use)" in said


def test_one_model_is_enough(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is said, the other one is shown, and the browser is opened for it."""
    servers: list[home.Server] = []
    settled: list[dict[str, Any]] = []

    class Kept(home.Server):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            servers.append(self)

    def browse(url: str) -> None:
        while not settled:
            with urllib.request.urlopen(f"{url}api/info") as answer:
                info = json.load(answer)
            if {one["state"] for one in info["models"]} <= {"ready", "failed"}:
                settled.append(info)
            time.sleep(0.05)
        servers[0].stop()

    monkeypatch.setattr(home, "Server", Kept)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", browse)
    said = apart(lambda: run("studio", "nosuch", model).output)
    assert "studio     http://127.0.0.1:" in said
    assert [one["state"] for one in settled[0]["models"]] == ["failed", "ready"]


def test_a_folder_without_a_run_is_rejected(tmp_path: Path) -> None:
    """Before anything is loaded."""
    assert "has neither metrics.jsonl nor run.toml" in fails("studio", "--run", tmp_path)


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
