"""`pointillist bench`, and the smoke test that fails on a collapse only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pointillist as pt
from pointillist.bench.roofline import Peaks
from pointillist.bench.sampling import available_engines, measure_sampling
from pointillist.bench.training import measure_training
from pointillist.bench.workload import Workload
from pointillist.system import single_threaded

from ..cli.helpers import fails, run

TINY = ["--set", "model.network.channels=4", "--set", "model.network.layers=2", "--size", "4x3", "--repeats", "1"]
# half of the speedups that issue and design require for 64 channels, 12 layers, 28x28, 256 levels, batch 1
COLLAPSED = {"numpy": 70 / 2, "cpu": 300 / 2}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peaks of a machine, which take seconds to measure; they have a test of their own."""
    peaks = Peaks(100.0, 100.0, {}, {}, 400.0, {})
    monkeypatch.setattr("pointillist.bench.run.measure_peaks", lambda: peaks)


@pytest.mark.slow
def test_everything_is_reported(tmp_path: Path) -> None:
    file, picture = tmp_path / "speed.json", tmp_path / "speed.svg"
    shown = run(
        "bench",
        *TINY,
        "--batch-sizes",
        "1,3",
        "--engines",
        "naive,numpy",
        "--threads",
        "1,2",
        "--json",
        file,
        "--plot",
        picture,
    ).output
    for word in ("x naive", "x bound", "recording", "dense masked", "sliced, NHWC, bf16", "GFLOP/s"):
        assert word in shown
    found = json.loads(file.read_text())
    assert [(r["engine"], r["batch"], r["threads"]) for r in found["sampling"]] == [
        ("naive", 1, 1), ("numpy", 1, 1), ("naive", 3, 1), ("numpy", 3, 1), ("numpy", 3, 2),
    ]  # fmt: skip
    assert found["sampling"][1]["over_naive"]["median"] > 0
    assert found["startup"][0]["engine"] == "numpy"
    assert found["training"][0]["variant"] == "dense masked"
    assert found["cost"]["pixel_flops"] > 0
    assert picture.read_text().startswith("<svg")
    assert "already there" in fails("bench", *TINY, "--json", file)


def test_a_trained_model_and_json_on_stdout(tmp_path: Path) -> None:
    pt.build("pixelcnn", shape=(3, 3, 3), levels=4, channels=3, layers=1, head_channels=3).save_pretrained(
        tmp_path / "m"
    )
    shown = run(
        "bench",
        tmp_path / "m",
        "--repeats",
        "1",
        "--train-batch-size",
        "0",
        "--no-startup",
        "--batch-sizes",
        "2",
        "--json",
        "-",
    )
    found = json.loads(shown.stdout)
    assert found["training"] == found["startup"] == []
    assert found["size"] == [3, 3]
    assert "trained" in fails("bench", tmp_path / "m", "--set", "model.network.layers=2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch-sizes", "1;2"], "--batch-sizes"),
        (["--batch-sizes", "0"], "--batch-sizes"),
        (["--engines", "warp"], "warp"),
        (["--mode", "cmyk"], "cmyk"),
        (["--set", "model.network.layer=2"], "layers"),
    ],
)
def test_wrong_arguments_are_a_sentence(arguments: list[str], words: str) -> None:
    assert words in fails("bench", "--size", "3", *arguments)


@pytest.mark.slow
def test_sampling_has_not_collapsed() -> None:
    """Ratios in one run do not depend on a slow machine; half of the required speedup allows for a noisy one."""
    workload = Workload(pt.build("gated-pixelcnn", shape=(1, 28, 28)).eval(), (28, 28))
    with single_threaded():
        engines = available_engines(workload, tuple(COLLAPSED))[0]
        rows = measure_sampling(workload, 1, engines, Peaks(100.0, 100.0, {}, {}, 400.0, {}), repeats=2)
    for row in rows[1:]:
        assert row.over_naive is not None
        assert row.over_naive.median > COLLAPSED[row.engine], row


@pytest.mark.slow
def test_training_has_not_collapsed() -> None:
    """Sliced, channels_last float32 over the dense masked network: at least 1.2 times."""
    with single_threaded():
        rows = measure_training(pt.build("gated-pixelcnn", shape=(1, 28, 28), layers=3), 4, repeats=2)
    found = {row.variant: row.over_dense_masked.median for row in rows}
    assert found["sliced, NHWC"] > 1.2 / 2, found
