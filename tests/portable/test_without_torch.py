"""A stored integer program is loaded, scored, sampled and decoded where only a few packages can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist.portable
from pointillist.zoo import ZOO

NEEDED = (
    "numpy",
    "PIL",
    "safetensors",
    "pydantic",
    "filelock",
    "psutil",
)
"""What `docs/how-to/quantize.md` lists; the packages below come with them."""
WITH_THEM = ("pydantic_core", "annotated_types", "typing_extensions", "typing_inspection")
BEGIN = f"""
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

class Few(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        known = top in {(*NEEDED, *WITH_THEM, "pointillist")!r} or top in sys.stdlib_module_names or top.startswith("_")
        return super().find_spec(name, path, target) if known else None

sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Few]
"""


def run(program: str, folder: Path, *arguments: str) -> str:
    """Run a program in a process in which nothing but the needed packages can be imported."""
    found = subprocess.run(
        [sys.executable, "-c", BEGIN + program, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_program_is_loaded_scored_and_sampled(tmp_path: Path) -> None:
    """By class; the bits are those of this process."""
    out = run(
        "import numpy as np\n"
        "import pointillist.portable\n"
        f"integer_model = pointillist.portable.load({str(ZOO / 'digits')!r})\n"
        "levels, nats = integer_model.sample(np.random.default_rng(0).random((2, 1, 28, 28)), label=[3, None])\n"
        "np.save('levels.npy', levels)\n"
        "print(integer_model.fingerprint, repr(float(integer_model.log_prob(levels).sum())))\n",
        tmp_path,
    )
    integer_model = pointillist.portable.load(ZOO / "digits")
    due, _ = integer_model.sample(np.random.default_rng(0).random((2, 1, 28, 28)), label=[3, None])
    levels = np.load(tmp_path / "levels.npy")
    assert np.array_equal(levels, due)
    assert out.split() == [integer_model.fingerprint, repr(float(integer_model.log_prob(levels).sum()))]


def test_an_archive_is_decoded(tmp_path: Path) -> None:
    """Compressed here, decompressed there."""
    from pointillist.compression.api import compress

    levels, _ = pointillist.portable.load(ZOO / "digits").sample(np.random.default_rng(0).random((2, 1, 28, 28)))
    (tmp_path / "a.pxl").write_bytes(compress("digits", levels))
    run(
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from pointillist.compression.api import decompress\n"
        "np.save('levels.npy', np.stack([np.asarray(x) for x in decompress(Path('a.pxl').read_bytes())]))\n",
        tmp_path,
    )
    assert np.array_equal(np.load(tmp_path / "levels.npy").reshape(levels.shape), levels)


@pytest.mark.parametrize("package", ["torch", "scipy"])
def test_the_guard_can_fail(package: str, tmp_path: Path) -> None:
    """Another package cannot be imported in these processes."""
    with pytest.raises(AssertionError, match=f"No module named '{package}'"):
        run(f"import {package}", tmp_path)


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """A folder in which a process, and those that it starts, cannot import torch."""
    package = tmp_path / "hidden" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('torch is hidden', name='torch')\n")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def command(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run `pointillist` where torch is hidden; return what it prints."""
    path = os.pathsep.join([str(folder.parent / "hidden"), *filter(None, sys.path)])
    process = subprocess.run(
        [sys.executable, "-m", "pointillist", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.returncode == code, process.stderr
    return process.stdout


def test_torch_is_hidden(hidden: Path) -> None:
    """A command that needs torch fails, so that the tests below can fail."""
    assert command(hidden, "train", "uci-digits", "--steps", "1", "--out", "run", code=2) == ""


def test_samples_by_label_prompt_and_hint(hidden: Path) -> None:
    """Each is an integer model, and says so."""
    Image.new("1", (32, 32), 1).save(hidden / "outline.png")
    samples = [
        ["digits", "-n", "3", "--label", "each", "--temperature", "0.9"],
        ["icons", "-n", "2", "--text", "heart", "--label", "mdi", "--guidance", "2"],
        ["outline-to-tile", "--hint", "outline.png"],
        ["dungeons", "-n", "2", "--size", "9x7", "--out", "maps/", "--format", "tmj"],
    ]
    for options in samples:
        out = command(hidden, "sample", *options)
        assert "on every computer (integer program)" in out


def test_pictures_are_compressed_decompressed_and_described(hidden: Path) -> None:
    """They are those that went in."""
    levels, _ = pointillist.portable.load(ZOO / "digits").sample(np.random.default_rng(0).random((3, 1, 28, 28)))
    (hidden / "scans").mkdir()
    for number, image in enumerate(levels):
        Image.fromarray((image[0] * 17).astype(np.uint8)).save(hidden / "scans" / f"{number}.png")
    command(hidden, "compress", "digits", "scans", "--out", "scans.pxl")
    command(hidden, "jobs", "compress", "digits", "scans", "--tasks", "2", "--per-record", "2", "--out", "job")
    command(hidden, "jobs", "merge", "job", "--out", "job.pxl")
    for name in ("scans", "job"):
        assert "0.png, 1.png, 2.png" in command(hidden, "info", f"{name}.pxl")
        command(hidden, "decompress", f"{name}.pxl", "--out", f"{name}-out/")
        for number, image in enumerate(levels):
            picture = np.asarray(Image.open(hidden / f"{name}-out" / f"{number}.png"))
            assert np.array_equal(picture, image[0] * 17)


def test_a_job_samples(hidden: Path) -> None:
    """In processes of its own."""
    command(hidden, "jobs", "sample", "digits", "-n", "4", "--tasks", "2", "--out", "job")
    command(hidden, "jobs", "merge", "job", "--out", "job.npz")
    assert np.load(hidden / "job.npz")["levels"].shape == (4, 1, 28, 28)


def test_models_are_described(hidden: Path) -> None:
    """A bundled one, and the list of networks."""
    assert "label (10 classes)" in command(hidden, "info", "digits")
    assert "gated-pixelcnn" in command(hidden, "models")


BRIGHTNESS = """
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pointillist.conditioning import ConditionConfig, MaskedValue, PortableEncoder, register_condition
from pointillist.conditioning.portable import StoredEncoder, StoredWeights


class BrightnessReader:
    keyword = "brightness"

    def read(self, value, count, size):
        return MaskedValue(np.full(count, float(value or 0)), np.full(count, value is not None))

    def from_batch(self, batch, image):
        return self.read(None, len(batch), (1, 1))


@dataclass(frozen=True, eq=False)
class BrightnessFeatures(PortableEncoder):
    key: ClassVar[str] = "brightness"
    keyword: ClassVar[str] = "brightness"
    weights: StoredWeights
    reader: ClassVar[Any] = BrightnessReader()

    def features(self, values, known):
        columns = np.stack([values, known], 1)
        return columns @ self.weights["linear.weight"].T + self.weights["linear.bias"]

    def encode(self, arrays):
        return {"weights": self.weights.encode(arrays)}

    @classmethod
    def decode(cls, document, part, width, arrays):
        stored = StoredEncoder.parse(document, arrays)
        shapes = {"linear.weight": (width, 2), "linear.bias": (width,)}
        weights = {k: v for name, shape in shapes.items() for k, v in stored.weight(name, shape, arrays).items()}
        return cls(StoredWeights(weights))


@register_condition
class BrightnessConfig(ConditionConfig):
    kind: ClassVar[str] = "brightness"
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (BrightnessFeatures,)
    width: int = 8

    def encoders(self, image):
        from brightness_encoder import BrightnessEncoder

        return {"brightness": BrightnessEncoder(self.width)}
"""
ENCODER = """
import torch
from torch import nn

from brightness import BrightnessFeatures, BrightnessReader
from pointillist.conditioning import ConditionEncoder


class BrightnessEncoder(ConditionEncoder):
    keyword = "brightness"
    reader = BrightnessReader()

    def __init__(self, width):
        super().__init__()
        self.vector_width = width
        self.linear = nn.Linear(2, width)

    def forward(self, value):
        features = torch.stack([torch.where(value.known, value.values, 0.0), value.known], 1)
        return self.linear(features.to(self.linear.weight.dtype))[:, :, None, None]

    def portable(self, weights):
        return BrightnessFeatures(weights)
"""
MAKE = """
import sys

import torch

import brightness
import pointillist as pt

torch.manual_seed(0)
model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", conditions={"brightness": {"width": 8}}).eval()
pt.quantize_integer(model, torch.randint(0, 4, (4, 1, 4, 4)))
model.save_pretrained("m")
for value in (None, 0.25, 0.75):
    inputs = model.conditions.inputs(brightness=value)
    print(model.integer_model().encode(inputs, 1, (4, 4), model.order())["vector"].tolist())
"""


def test_a_condition_of_another_package_has_a_portable_half(tmp_path: Path) -> None:
    """Its settings name it; a stored program computes the same features without torch."""
    (tmp_path / "brightness.py").write_text(BRIGHTNESS)
    (tmp_path / "brightness_encoder.py").write_text(ENCODER)
    process = subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    out = run(
        "import sys\n"
        "sys.path.insert(0, '.')\n"
        "from importlib.machinery import PathFinder\n"
        "sys.meta_path.append(PathFinder)\n"
        "sys.modules['torch'] = None\n"
        "import brightness\n"
        "import pointillist.portable\n"
        "stored = pointillist.portable.load('m')\n"
        "for value in (None, 0.25, 0.75):\n"
        "    print(stored.inputs(1, (4, 4), stored.order(), brightness=value)['vector'].tolist())\n",
        tmp_path,
    )
    assert out == process.stdout
    assert len(set(out.splitlines())) == 3
