"""The core without torch: what it makes is equal to the bit to what an environment with torch makes."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pointillist.errors import OF_TRAINING

ROOT = Path(__file__).parents[2]
HIDDEN = tuple(name for name in OF_TRAINING if name != "threadpoolctl")  # which scikit-learn brings

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
from pathlib import Path
import numpy as np
import pointillist as pt

def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

made = {}
digits = pt.sample("digits", 2, label=[3, 7], seed=0, guidance=2.0)
made["pictures"] = digest(digits.levels), digest(digits.nats)
icons = pt.sample("icons", text=["heart", "home"], seed=0, best_of=2)
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


def run(script: str, folder: Path, hidden: tuple[str, ...]) -> dict[str, Any]:
    """Run a script in a folder without some modules; return what it prints."""
    text = HIDE.format(hidden=hidden) + script
    folder.mkdir()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, cwd=folder)
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


def test_what_needs_torch_says_so(tmp_path: Path) -> None:
    """In a sentence that names the extra."""
    for name, message in run(REFUSED, tmp_path / "core", HIDDEN).items():
        assert "needs the extra `train`: run `pip install " in message, (name, message)


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
