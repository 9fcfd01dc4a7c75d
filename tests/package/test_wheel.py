"""The package as a user gets it: a wheel, installed elsewhere, run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pointillist as pt
from pointillist.files.arrays import CARD, CONFIG, PROGRAM, PROGRAM_TENSORS, WEIGHTS

ROOT = Path(__file__).parents[2]
INSTALL = ("--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check")


def test_wheel_installs_elsewhere_and_runs(tmp_path: Path) -> None:
    """Built in isolation and put in an empty folder, the wheel brings its data, licence and types, and paints."""
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(ROOT)], tmp_path)
    (wheel,) = (tmp_path / "dist").glob("pointillist-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "pointillist/py.typed",
        "pointillist/data/builtin/uci_digits.npz",
        "studio/page/index.html",
        "licenses/LICENSE",
        "sboms/pointillist.cdx.json",
        *(
            f"zoo/{model.name}/{part}"
            for model in pt.list_pretrained()
            for part in (WEIGHTS, CONFIG, CARD, PROGRAM, PROGRAM_TENSORS)
        ),
    ):
        assert any(name.endswith(needed) for name in names), f"{needed} is not in the wheel"
    site = tmp_path / "site"
    run([sys.executable, "-m", "pip", "install", *INSTALL, "--target", str(site), str(wheel)], tmp_path)
    program = (
        "import pointillist as pt, pathlib; "
        f"assert pathlib.Path(pt.__file__).is_relative_to({str(site)!r}), pt.__file__; "
        "d = pt.load_data('uci-digits'); "
        "m = pt.build('gated-pixelcnn', shape=d.train.spec, classes=d.train.classes, channels=4, layers=2); "
        "print(pt.sample(m, 1, label='3', seed=0, engine='numpy').levels.shape)"
    )
    assert "8, 8" in run([sys.executable, "-c", program], tmp_path, PYTHONPATH=str(site))
    assert "gated-pixelcnn" in run([sys.executable, "-m", "pointillist", "models"], tmp_path, PYTHONPATH=str(site))


def run(command: list[str], folder: Path, **environment: str) -> str:
    result = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout
