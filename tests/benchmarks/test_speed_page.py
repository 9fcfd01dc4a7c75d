"""The speed page: each of its commands runs, and the page is made of what they write."""

from __future__ import annotations

import json
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
from speed.roofline import Peaks
from tests.scripts import script

FAST = ["--size", "4x3", "--repeats", "1", "--batch-sizes", "1", "--threads", "1", "--train-batch-size", "0"]


@pytest.mark.slow
@pytest.mark.proof
def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of small images if untrained, without the peaks of the machine; a row of each engine that is on no other page."""
    page = script("make_speed")
    monkeypatch.setattr("speed.run.measure_peaks", lambda: Peaks(100.0, 400.0, 100.0, {}, {}, 400.0, {}))
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    for name, arguments in page.RUNS.items():
        file = tmp_path / f"{name}.json"
        fast = FAST[2:] if name == "training-scenes" else FAST
        script("measure_speed").main([*shlex.split(arguments), *fast, "--no-startup", "--json", str(file)])
        page.keep_processor(name, json.loads(file.read_text(encoding="utf-8")))
    text = page.page()
    for name in page.BASE:  # networks that sample in stages have no integer program
        engines = ("torch", "numpy") if "multiscale" in name else ("integer", "torch", "numpy")
        assert all(f"| {name} | {engine} | 1 |" in text for engine in engines)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.skipif(find_spec("ziglang") is None, reason="needs the extra `runtime`")
def test_the_shares_of_a_call_are_measured() -> None:
    """The library that counts is built of the present source; of a small model each part is below the whole."""
    measure = script("measure_integers")
    model = pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=16, channels=8, layers=2).eval()
    report = measure.report_of(model, [2], repeats=2)
    parts = report["columns"][0]["milliseconds"]
    assert 0 < parts["LINEAR"] < parts["call"]
    assert measure.shares_table(report)[0] == "| part | batch 2 | share |"


def test_a_processor_has_its_newest_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second measurement on a processor replaces the first; another processor widens the range."""
    page = script("make_speed")
    monkeypatch.setattr(page, "FOLDER", tmp_path)

    def measured(machine: str, median: float) -> None:
        call = {"median": median, "low": median - 1, "high": median + 1}
        row: dict[str, Any] = {"engine": "numpy", "batch": 1, "threads": 1, "call_over_naive": call}
        page.keep_processor("pixelcnn", {"machine": machine, "date": "2026-11-30", "sampling": [row]})

    for machine, median in (("one, 2 cores", 50.0), ("one, 2 cores", 70.0), ("other, 2 cores", 90.0)):
        measured(machine, median)
    assert "| pixelcnn | numpy | 69 to 91 (70, 90) |" in page.page()
