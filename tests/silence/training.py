"""A law of training: one option more is another run, or it is said."""

from __future__ import annotations

import hashlib
import os
import random
import re
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from pointillist.cli import app

from .lab import Lab, NothingComparedError, SilentError, law, listening

TINY = [
    "--set", "model.network.channels=4", "--set", "model.network.layers=1", "--set", "model.network.head_channels=4",
    "--precision", "fp32", "--threads", "1",
]  # fmt: skip
OPTIONS: list[list[str]] = [
    ["--size", "4"], ["--window", "4"], ["--resize-mode", "stretch"], ["--mode", "rgb"], ["--palette", "3"],
    ["--levels", "4"], ["--categorical-levels"], ["--binarise", "static"], ["--binarise", "dynamic"], ["--flip"],
    ["--random-shift", "1"], ["--no-labels"], ["--likelihood", "mixture"], ["--mixtures", "3"],
    ["--position-channels", "2"], ["--hint-rule", "lowres:2"], ["--completion"], ["--orders", "raster,raster-tr"],
    ["--epochs", "3"], ["--batch-size", "3"], ["--grad-accumulation", "2"], ["--quantization-aware"], ["--lr", "0.01"],
    ["--seed", "9"], ["--model", "pixelcnn"], ["--text-encoder", "off"],
    ["--vector-column", "proportions"], ["--caption-column", "text"], ["--level-names", "a,b,c"], ["--steps", "3"],
]  # fmt: skip


def write_images(root: Path) -> None:
    """Write coloured pictures of two classes."""
    rng = np.random.default_rng(3)
    for number in range(12):
        path = root / "pictures" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 5)).astype(np.uint8)).save(path)


def trained(lab: Lab, words: list[str]) -> tuple[int, str, str]:
    """Train; return the exit code, what was said without times, and a hash of the weights."""
    root = lab.folder / "training"
    if not root.exists():
        root.mkdir()
        write_images(root)
    os.chdir(root)
    out = str(lab.path())
    run = ["train", "pictures", "--steps", "4", *TINY, *words, "--out", out]
    with listening() as said:
        done = CliRunner().invoke(app, run)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise SilentError(f"{' '.join(run)}: {done.exception!r}")
    weights = Path(out, "model.safetensors")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else ""
    text = re.sub(r"[\d.,]+ (s|minutes?|images/s|h|GB|MB)\b", "", done.output.replace(out, "OUT")) + " ".join(said)
    return done.exit_code, text, digest


@law(3)
def an_option_more(rng: random.Random, lab: Lab) -> None:
    """Beside up to one other."""
    *others, last = rng.sample(OPTIONS, rng.randint(1, 2))
    base = [word for option in others for word in option]
    first = trained(lab, base)
    if first[0]:
        raise NothingComparedError("the options contradict")
    second = trained(lab, [*base, *last])
    if first == second:
        raise SilentError(f"train {' '.join(base)}: {' '.join(last)} changes nothing, in silence")
