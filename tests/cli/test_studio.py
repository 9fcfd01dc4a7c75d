"""`pointillist studio`: what it says, and when it ends."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

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
