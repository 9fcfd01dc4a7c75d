"""Laws of options: one more, beside any others, changes an output or the weights, or a sentence says why not."""

from __future__ import annotations

import hashlib
import os
import random
import re
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from pointillist.commands.cli import app
from tests.cli import test_effects as effects

from .lab import Lab, NothingComparedError, SilentError, law, listening

TOGETHER = 2
"""Most further options of the command to which one is added."""
HARMLESS = {
    "sample": [["--batch-size", "1"], ["--threads", "2"], ["--json"], ["--force"]],
    "inpaint": [["--threads", "2"], ["--json"], ["--force"]],
    "evaluate": [["--batch-size", "1"], ["--json"]],
    "detect": [["--batch-size", "3"], ["--json"]],
    "compress": [["--threads", "2"], ["--json"], ["--force"], ["--verify"]],
    "world": [["--json"], ["--force"]],
}
"""Options that must not change a file."""


def folder_of(lab: Lab) -> Path:
    """Return the folder of the files, which is written once."""
    root = lab.folder / "effects"
    if not root.exists():
        root.mkdir()
        effects.write_files(root)
    return root


def outcome(words: list[str]) -> tuple[str, dict[str, str]]:
    """Return the outcome of a command, and what it says beside what it prints."""
    with listening() as said:
        printed, files = effects.outcome(words)
    return f"{printed} {' '.join(said)}", files


def words_of(command: str, name: str) -> list[str]:
    """Return an option with its value."""
    config, _ = effects.BASES[command]
    setting = next(one for one in effects.settings_of(config) if one.name == name)
    value = effects.VALUES[command][name]
    return [setting.flags[0]] if value is None else [setting.flags[0], str(value)]


def names_of(command: str) -> list[str]:
    """Return the options of a command that have a value in `test_effects`."""
    settings = {one.name for one in effects.settings_of(effects.BASES[command][0])}
    return sorted(name for name in effects.VALUES[command] if name not in effects.HOW and name in settings)


@law(12)
def an_option_more(rng: random.Random, lab: Lab) -> None:
    """Beside up to two others."""
    os.chdir(folder_of(lab))
    command = rng.choice(
        ["sample"] * 4 + ["inpaint"] * 4 + ["world", "evaluate", "evaluate", "explain", "detect", "compress"]
    )
    names = names_of(command)
    *others, last = rng.sample(names, rng.randint(1, TOGETHER) + 1)
    base = [command, *effects.BASES[command][1], *(word for name in others for word in words_of(command, name))]
    first = outcome(base)
    if not first[0].startswith("0"):
        raise NothingComparedError("the options contradict")
    if first == outcome([*base, *words_of(command, last)]):
        raise SilentError(f"{' '.join(base)}: {' '.join(words_of(command, last))} changes nothing, in silence")


@law(5)
def an_option_of_how(rng: random.Random, lab: Lab) -> None:
    """Batches, threads, JSON and `--force` change no file, beside any other option."""
    os.chdir(folder_of(lab))
    command = rng.choice(sorted(HARMLESS))
    names = names_of(command)
    others = rng.sample(names, rng.randint(0, TOGETHER))
    base = [command, *effects.BASES[command][1], *(word for name in others for word in words_of(command, name))]
    first = outcome(base)
    if not first[0].startswith("0"):
        raise NothingComparedError("the options contradict")
    how = rng.choice(HARMLESS[command])
    second = outcome([*base, *how])
    if first[1] != second[1]:
        raise SilentError(f"{' '.join(base)}: {' '.join(how)} changes {sorted(first[1].items() ^ second[1].items())}")


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
    ["--seed", "9"], ["--model", "pixelcnn"], ["--text-encoder", "learned"],
    ["--vector-column", "proportions"], ["--caption-column", "text"], ["--level-names", "a,b,c"], ["--steps", "3"],
]  # fmt: skip


def write_pictures(root: Path) -> None:
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
        write_pictures(root)
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
def an_option_of_training(rng: random.Random, lab: Lab) -> None:
    """Beside up to one other."""
    *others, last = rng.sample(OPTIONS, rng.randint(1, 2))
    base = [word for option in others for word in option]
    first = trained(lab, base)
    if first[0]:
        raise NothingComparedError("the options contradict")
    second = trained(lab, [*base, *last])
    if first == second:
        raise SilentError(f"train {' '.join(base)}: {' '.join(last)} changes nothing, in silence")
