"""`pointillist bench` and `benchmarks/measure_speed.py`, and the smoke test that fails on a collapse only."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import pointillist as pt
from pointillist.system import single_threaded
from speed.roofline import Peaks
from speed.sampling import available_engines, measure_sampling
from speed.timing import MedianRange
from speed.training import measure_training, training_steps
from speed.workload import Workload
from tests.cli.helpers import fails, run
from tests.scripts import script

TINY = ["--set", "model.network.channels=4", "--set", "model.network.layers=2", "--size", "4x3", "--repeats", "1"]
PEAKS = Peaks(100.0, 400.0, 100.0, {}, {}, 400.0, {})
# half of the speedups that are required for 64 channels, 12 layers, 28x28, 256 levels, batch 1; of torch, which is for
# devices, half of the 27 that it had on 2026-12-01
COLLAPSED = {"integer": 1100 / 2, "numpy": 70 / 2, "torch": 27 / 2}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peaks of a machine, which take seconds to measure; they have a test of their own."""
    monkeypatch.setattr("speed.run.measure_peaks", lambda: PEAKS)


@pytest.mark.slow
def test_everything_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, picture = tmp_path / "speed.json", tmp_path / "speed.svg"
    cases = ["--batch-sizes", "1,3", "--engines", "naive,numpy", "--threads", "1,2"]
    script("measure_speed").main([*TINY, *cases, "--json", str(file), "--plot", str(picture)])
    shown = capsys.readouterr().out
    for word in ("x naive", "x bound", "recording", "dense masked", "sliced, NHWC, bf16", "GFLOP/s"):
        assert word in shown
    report = json.loads(file.read_text())
    rows = [(r["engine"], r["batch"], r["threads"]) for r in report["sampling"]]
    assert rows == [("naive", 1, 1), ("numpy", 1, 1), ("naive", 3, 1), ("numpy", 3, 1), ("numpy", 3, 2)]
    assert report["sampling"][1]["over_naive"]["median"] > 0
    assert report["startup"][0]["engine"] == "numpy"
    assert report["training"][0]["variant"] == "dense masked"
    assert report["cost"]["pixel_flops"] > 0
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch-sizes", "1;2"], "--batch-sizes"),
        (["--batch-sizes", "0"], "--batch-sizes"),
        (["--mode", "cmyk"], "cmyk"),
    ],
)
def test_wrong_options_are_a_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        script("measure_speed").main(["--size", "3", *arguments])
    assert words in capsys.readouterr().err


def test_times_of_the_command(tmp_path: Path) -> None:
    """`pointillist bench` times whole calls; an engine that does not run here is skipped with its sentence."""
    model = pt.build("pixelcnn", shape=(3, 3, 3), levels=4, channels=3, layers=1, head_channels=3)
    model.save_pretrained(tmp_path / "m")
    result = run("bench", tmp_path / "m", "--engines", "numpy,warp", "--rounds", 1, "--json")
    rows = json.loads(result.stdout)["times"]
    assert [(row["engine"], row["n"]) for row in rows] == [("numpy", 1), ("numpy", 16)]
    assert all(row["first_seconds"] > 0 and row["ms_per_image"] > 0 for row in rows)
    assert "Unknown `engine` 'warp'" in result.stderr
    assert "ms per image" in run("bench", tmp_path / "m", "--engines", "numpy", "--rounds", 1).output
    assert "--batch-sizes" in fails("bench", tmp_path / "m", "--batch-sizes", "0")


@pytest.mark.slow
def test_sampling_has_not_collapsed() -> None:
    """Ratios in one run do not depend on a slow machine; half of the required speedup allows for a noisy one."""
    workload = Workload(pt.build("gated-pixelcnn", shape=(1, 28, 28)).eval(), (28, 28))
    with single_threaded():
        engines = available_engines(workload, tuple(COLLAPSED))[0]
        rows = measure_sampling(workload, 1, engines, PEAKS, repeats=2)
    for row in rows[1:]:
        assert row.over_naive is not None
        assert row.over_naive.median > COLLAPSED[row.engine], row


@pytest.mark.slow
def test_training_has_not_collapsed() -> None:
    """Sliced, channels_last float32 over the dense masked network: at least 1.2 times."""
    with single_threaded():
        steps, _ = training_steps(pt.build("gated-pixelcnn", shape=(1, 28, 28), layers=3), 4)
        rows = measure_training(steps, 4, PEAKS, repeats=2)
    found = {row.variant: row.over_dense_masked.median for row in rows}
    assert found["sliced, NHWC"] > 1.2 / 2, found


PEER = """
from torch import nn

class GatedPixelCNN(nn.Conv2d):
    def __init__(self, in_channels, out_channels, n_gated, gated_channels, head_channels):
        super().__init__(in_channels, out_channels, 3, padding=1)
"""


def test_a_peer_is_timed_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module is loaded without its packages, which need more; else a sentence says what is missing."""
    two, four = (pt.build("gated-pixelcnn", shape=(1, 4, 3), levels=n, channels=4, layers=2) for n in (2, 4))
    assert "not installed" in training_steps(two, 2, peer=True)[1][0]
    assert "two levels" in training_steps(four, 2, peer=True)[1][0]
    folder = tmp_path / "pytorch_generative" / "models" / "autoregressive"
    folder.mkdir(parents=True)
    (tmp_path / "pytorch_generative" / "__init__.py").write_text("import nothing_of_this_name")
    (folder / "gated_pixel_cnn.py").write_text(PEER)
    monkeypatch.syspath_prepend(tmp_path)
    steps, skipped = training_steps(two, 2, peer=True)
    for name in [name for name in sys.modules if name.startswith("pytorch_generative")]:
        del sys.modules[name]
    rows = {row.variant: row for row in measure_training(steps, 2, PEAKS, repeats=1)}
    assert not skipped
    assert rows["pytorch-generative"].over_peer == MedianRange(1.0, 1.0, 1.0)
    assert rows["pytorch-generative"].gflop == pytest.approx(2 * 9 * 12 * 2 / 1e9)  # no gradient of the images
    assert rows["sliced"].of_peak == pytest.approx(rows["sliced"].gflop * rows["sliced"].images_per_second.median / 100)
