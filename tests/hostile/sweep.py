"""Sweep all commands with hostile files, values and names, and report what is not one sentence.

    python -m tests.hostile.sweep                 # all cases, about a quarter of an hour
    python -m tests.hostile.sweep --cases 300     # so many of them, spread evenly
    python -m tests.hostile.sweep --only detect   # those whose command line has a word
    python -m tests.hostile.sweep --mixed 1500 --seed 1   # several hostile values and damaged folders in a line

Options come from the settings that each command declares, so a new option is swept without a change here. A case fails
by a traceback, an exit code other than 0, 1 and 2, a message that is not a sentence, more than `SECONDS` without
progress of a count that was asked for, more than `BYTES` of memory, or a file that is left although the command failed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import numpy as np
import psutil
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.archives import CompressSettings, DecompressSettings
from pointillist.commands.cli import app
from pointillist.commands.inspection.settings import (
    ExampleSettings,
    ExportSettings,
    InfoSettings,
    ModelsSettings,
    ReproduceSettings,
)
from pointillist.commands.jobs.settings import MergeSettings, StatusSettings
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings, WorldSettings
from pointillist.commands.settings import Argument, Setting, Settings, settings_of
from pointillist.commands.training import RUN_OPTIONS, QuantizeSettings
from pointillist.errors import MAX_MESSAGE

from .files import damage

SECONDS, LONGEST = 20, 120
"""Longest time of a case, but for those that ask for many images: of the processor, and on the clock."""
BYTES = 3 * 2**30
"""Most memory that a case may take."""

BASES: dict[str, list[str]] = {
    "sample": ["sample", "digits", "-n", "1", "--engine", "numpy", "--out", "out.png"],
    "sample icons": ["sample", "icons", "-n", "1", "--engine", "numpy", "--size", "16", "--out", "out.png"],
    "sample dungeons": ["sample", "dungeons", "-n", "1", "--engine", "numpy", "--size", "5x6", "--out", "out.csv"],
    "inpaint": ["inpaint", "digits", "a.png", "--region", "24:,:", "-n", "1", "--engine", "numpy", "--out", "out.png"],
    "evaluate": ["evaluate", "digits", "pictures", "--max-images", "2"],
    "detect": ["detect", "model", "pictures", "--detector", "detector"],
    "explain": ["explain", "model", "a.png", "--out", "out.html"],
    "compress": ["compress", "digits", "a.png", "--out", "out.pxl"],
    "decompress": ["decompress", "a.pxl", "--out", "out"],
    "quantize": ["quantize", "model", "pictures", "--images", "2", "--out", "out"],
    "train": ["train", "pictures", "--preset", "tiny", "--steps", "1", "--batch-size", "2", "--out", "out"],
    "info": ["info", "pictures"],
    "jobs status": ["jobs", "status", "job"],
    "jobs merge": ["jobs", "merge", "job", "--out", "out.npz"],
    "reproduce": ["reproduce", "digits", "manifest.json"],
    "example": ["example", "tile", "out.png"],
    "world": ["world", "dungeons", "--size", "1x1", "--chunk", "8", "--out", "out.csv"],
    "models": ["models"],
    "export": ["export", "digits", "--js", "out"],
    "inpaint cells": ["inpaint", "digits", "--data", "cells.csv", "-n", "1", "--out", "out.npz"],
    "explain cells": ["explain", "dungeons", "map.csv", "--max-attributions", "0", "--out", "out.html"],
}
"""A command that succeeds, of each kind."""

SETTINGS: dict[str, type[Settings]] = {
    "sample": SampleSettings,
    "inpaint": InpaintSettings,
    "evaluate": EvaluateSettings,
    "detect": DetectSettings,
    "explain": ExplainSettings,
    "compress": CompressSettings,
    "decompress": DecompressSettings,
    "quantize": QuantizeSettings,
    "info": InfoSettings,
    "jobs status": StatusSettings,
    "jobs merge": MergeSettings,
    "reproduce": ReproduceSettings,
    "example": ExampleSettings,
    "world": WorldSettings,
    "models": ModelsSettings,
    "export": ExportSettings,
}
AGAIN = {"sample icons": "sample", "inpaint cells": "inpaint", "explain cells": "explain"}
"""Bases of commands that have another one, for mixed cases."""

ARGUMENTS = {
    "train": 1, "evaluate": 2, "detect": 2, "explain": 2, "inpaint": 2, "compress": 2, "decompress": 1, "info": 1,
    "reproduce": 2, "quantize": 1, "jobs status": 2, "jobs merge": 2, "sample": 1,
}  # fmt: skip
"""Place of the file or folder in the words of a command."""
NUMBERS = ("-1", "0", "1000000007", "1000000000000000000", "nan", "inf", "-1e308", "1e-320", "0x10", "1_0", "٣", "")
TEXTS = ("", " ", "-", "x" * 5000, "../../x", "caf\udcff", "🦎\u202e\x1b[31m", "None", "%s{0}", "a,b;c:d=e", "0,0")
COUNTS = {"n", "particles", "moves", "best_of", "continuations", "calibration_images", "threads", "memorization"}
"""Settings whose large values ask for more work, so that time is no fault."""


def write_files(folder: Path) -> list[str]:
    """Write files and folders of strangers, and return their names."""
    rng = np.random.default_rng(0)
    byte = rng.integers(0, 256, 300, dtype=np.uint8).tobytes()
    grey = Image.fromarray(rng.integers(0, 256, (28, 28), dtype=np.uint8))
    deep = "[" * 3000 + "]" * 3000
    texts = {
        "empty.png": b"", "noise.png": byte, "text.png": b"hello", "empty.json": b"", "list.json": b"[]",
        "deep.json": deep.encode(), "number.json": b"1" * 5000, "nan.json": b'{"a": NaN, "format": null}',
        "half.jsonl": b'{"file_name": "\xff"}', "empty.toml": b"", "noise.toml": byte, "keys.toml": b"a = 1\na = 2",
        "empty.csv": b"", "ragged.csv": b"0,1\n0\n", "wide.csv": b"0" + b",0" * 100_000, "words.csv": b"a,b\nc,d\n",
        "empty.npz": b"", "noise.npz": byte, "cut.npz": b"PK\x03\x04" + byte, "empty.npy": b"", "noise.npy": byte,
        "empty.pxl": b"", "noise.pxl": byte, "noise.parquet": b"PAR1" + byte + b"PAR1", "noise.safetensors": byte,
        "empty.txt": b"", "long.txt": b"x" * 20_000, "null.txt": b"a\0b\n", "noise.tmx": byte, "bomb.tmx": (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;&b;">]><map>&c;</map>'
        ),
    }  # fmt: skip
    for name, content in texts.items():
        (folder / name).write_bytes(content)
    arrays = {
        "zero": np.zeros((0, 28, 28), np.uint8), "flat": np.zeros(7, np.uint8),
        "five": np.zeros((1, 2, 3, 4, 5), np.uint8),
        "floats": np.full((3, 28, 28), np.nan), "complex": np.zeros((2, 28, 28), complex),
        "negative": np.full((2, 28, 28), -1), "big": np.full((2, 28, 28), 2**40),
        "unsigned": np.full((2, 28, 28), 2**63),
        "words": np.array([["a", "b"]]), "times": np.zeros((2, 28, 28), "datetime64[s]"),
        "fields": np.zeros((2, 28, 28), [("a", "u1")]), "swapped": np.zeros((2, 28, 28), ">u2"),
        "tall": np.zeros((1, 100_000, 1), np.uint8), "bools": np.zeros((2, 28, 28), bool),
        "halves": np.zeros((2, 28, 28), np.float16), "channels": np.zeros((2, 7, 28, 28), np.uint8),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        np.savez(folder / f"{name}.npz", x=array)
    np.save(folder / "objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    for name, picture in {
        "float.tif": Image.fromarray(np.full((28, 28), np.inf, np.float32)), "one.png": Image.new("L", (1, 1)),
        "row.png": Image.new("RGB", (70_000, 1)), "palette.png": grey.convert("P"), "bits.png": grey.convert("1"),
        "alpha.webp": grey.convert("RGBA"), "cmyk.jpg": grey.convert("CMYK"), "deep.png": Image.fromarray(
            rng.integers(0, 65_536, (28, 28), dtype=np.uint16)
        ), "transparent.png": Image.new("RGBA", (28, 28)), "wrong.gif": grey,
    }.items():  # fmt: skip
        picture.save(folder / name, format="PNG" if name == "wrong.gif" else None)
    content = (folder / "bits.png").read_bytes()
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "hole").mkdir()
    mixed = folder / "mixed"
    mixed.mkdir()
    for name in ("one.png", "bits.png", "noise.png", "words.csv"):
        (mixed / name).write_bytes((folder / name).read_bytes())
    (mixed / "around").symlink_to("..")
    for name in ("state", "stateless"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("[]" if name == "state" else '{"format": "pointillist"}')
    (folder / "jobless").mkdir()
    manifest = {"tasks": 10**9, "count": 1, "skipped": {}, "job": "x"}
    (folder / "jobless" / "manifest.json").write_text(json.dumps(manifest))
    return [*sorted(path.name for path in folder.iterdir()), "missing.png", ".", "a" * 300]


def write_bases(folder: Path) -> None:
    """Write what the commands of `BASES` read."""
    images = pt.sample("digits", 3, seed=1, engine="numpy").images
    (folder / "pictures").mkdir()
    for number, image in enumerate(images):
        image.save(folder / "pictures" / f"{number}.png")
    images[0].save(folder / "a.png")
    (folder / "manifest.json").write_text("{}")
    (folder / "cells.csv").write_text("row,column,level\n3,4,15\n9,9,0\n")
    (folder / "map.csv").write_text("0,1,2\n1,0,3\n")
    image = pt.load("digits").image
    model = pt.build("pixelcnn", shape=image, preset="tiny", channels=4, layers=1).eval()
    model.save_pretrained(folder / "model")
    pt.AnomalyDetector(model).fit(model.to_levels(images).repeat(20, 1, 1, 1) + noise(image.levels)).save(
        folder / "detector"
    )
    with chdir(folder):
        CliRunner().invoke(app, ["compress", "digits", "a.png", "--out", "a.pxl"])
        pt.jobs.run("sample", out="job", tasks=1, model="digits", n=1, engine="numpy")


def noise(levels: int) -> Any:
    """Random levels of sixty images, none above the largest after they are added to blank ones."""
    import torch

    return torch.randint(0, 1, (60, 1, 28, 28)) * levels


@dataclass(frozen=True)
class Case:
    """A command line, and whether it may take long."""

    words: tuple[str, ...]
    long: bool = False

    def __str__(self) -> str:
        return " ".join(word if len(word) < 40 else f"{word[:20]}...({len(word)})" for word in self.words)


def value_cases() -> Iterator[Case]:
    """Values of every option of every command."""
    for name, config in SETTINGS.items():
        base = BASES[name]
        for setting in settings_of(config):
            if isinstance(setting.option, Argument) or setting.name in ("as_json", "force", "device"):
                continue
            for value in values_of(setting):
                yield Case((*without(base, setting), flag_of(setting), value), setting.name in COUNTS)


def values_of(setting: Setting) -> tuple[str, ...]:
    """Hostile values of an option; none for a switch."""
    kinds = {setting.type, *get_args(setting.type)}
    return NUMBERS if kinds & {int, float} else () if bool in kinds else TEXTS


def flag_of(setting: Setting) -> str:
    """The long name of an option; of a switch, that which turns it on."""
    return max(setting.flags, key=len).split("/")[0]


def without(base: list[str], setting: Setting) -> list[str]:
    """A command line without an option that is given anew."""
    for flag in setting.flags:
        if flag in base:
            at = base.index(flag)
            return base[:at] + base[at + 2 :]
    return base


def file_cases(names: list[str]) -> Iterator[Case]:
    """Every file, at every place that reads one."""
    places: list[tuple[str, list[str]]] = []
    for name, config in SETTINGS.items():
        base = BASES[name]
        for setting in settings_of(config):
            if setting.name in ("out", "form", "csv", "sheet", "per_image", "heatmaps", "maps", "animate"):
                continue
            kinds = {setting.type, *get_args(setting.type)}
            if isinstance(setting.option, Argument):
                continue
            if Path in kinds or setting.name in ("fit", "background", "palette", "rules", "config", "data", "mask"):
                places.append((name, [*without(base, setting), max(setting.flags, key=len)]))
    for file in names:
        for _, words in places:
            if (words[-1], file) != ("--html", "pipe.png"):  # an output waits for a reader of the pipe
                yield Case((*words, file))
        for name, at in ARGUMENTS.items():
            base = BASES[name]
            words = (*base[:at], file, *base[at + 1 :])
            yield Case(words, is_large(words))
    hint = ("sample", "outline-to-tile", "-n", "1", "--engine", "numpy", "--out", "out.png", "--hint")
    yield from (Case((*hint, file)) for file in names)
    yield from (Case(("train", "--config", file, "--dry-run")) for file in names)
    yield from (Case(("train", "pictures", "--init-from", file, "--steps", "1", "--out", "out")) for file in names)


def is_large(words: Sequence[str]) -> bool:
    """Whether a line of 20,000 to 100,000 pixels is coded in thousands of tiles, or explained, which takes a minute."""
    lines: dict[str, tuple[str, ...]] = {"compress": ("tall.", "row."), "explain": ("long.txt",)}
    return any(word.startswith(lines.get(words[0], ())) for word in words)


def mixed_cases(names: list[str], seed: int) -> Iterator[Case]:
    """Command lines with up to three hostile values, switches and files, without end."""
    rng, skipped = random.Random(seed), ("device", "force", "compile", "epochs", "steps")
    while True:
        name = rng.choice([*SETTINGS, *AGAIN, "train"])
        words, at = list(BASES[name]), ARGUMENTS.get(name)
        if at is not None and rng.random() < 0.5:
            words[at] = rng.choice(names)
        run = (option.setting for option in RUN_OPTIONS)
        settings = run if name == "train" else settings_of(SETTINGS[AGAIN.get(name, name)])
        options = [s for s in settings if not isinstance(s.option, Argument) and s.name not in skipped]
        chosen = rng.sample(options, min(len(options), rng.randint(1, 3)))
        for setting in chosen:
            words = [*without(words, setting), flag_of(setting)]
            if values := values_of(setting):
                words.append(rng.choice([*values, *rng.sample(names, 4)] if values is TEXTS else values))
        yield Case(tuple(words), is_large(words) or any(setting.name in COUNTS for setting in chosen))


class Late(BaseException):
    """A case took too long."""


def raising(error: type[BaseException], timer: int) -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises an error; in Hypothesis's callback of the collector, which loses it, a bit later."""

    def handle(number: int, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_name != "gc_callback":
            raise error
        signal.setitimer(timer, 0.001)

    return handle


def run_case(case: Case, folder: Path) -> str | None:
    """Run a case in a folder; return why it fails."""
    before = {path.name for path in folder.iterdir()}
    process = psutil.Process()
    memory, started = process.memory_info().rss, time.process_time()

    previous = signal.signal(signal.SIGALRM, raising(Late, signal.ITIMER_REAL))
    signal.setitimer(signal.ITIMER_REAL, 3 if case.long else LONGEST)
    try:
        with chdir(folder):
            result = CliRunner().invoke(app, list(case.words))
    except Late:
        result = None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    spent, seconds = process.memory_info().rss - memory, time.process_time() - started
    left = sorted({path.name for path in folder.iterdir()} - before)
    why = fault(case, result, spent, seconds, left)
    clean(folder, left)
    return why


def fault(case: Case, result: Any, spent: int, seconds: float, left: list[str]) -> str | None:
    """Return why the end of a case is a failure."""
    if spent > BYTES:
        return f"{spent / 2**30:.1f} GiB"
    if result is None or isinstance(result.exception, Late):
        return None if case.long else f"over {LONGEST} s, {seconds:.0f} s of the processor"
    if seconds > SECONDS and not case.long:
        return f"{seconds:.0f} s of the processor"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}: {str(result.exception)[:200]}"
    if result.exit_code not in (0, 1, 2):
        return f"exit code {result.exit_code}"
    shown = result.output
    if "Traceback" in shown or "validation error" in shown or "\x1b[31m" in shown:
        return f"output: {shown[-300:]!r}"
    if result.exit_code != 2:
        return None
    sentences = [line for line in shown.splitlines() if line.startswith("Error: ")]
    if not sentences and "─ Error ─" not in shown:
        return f"not a sentence: {shown[-300:]!r}"
    if sentences and (sentences[-1][-1] not in ".?" or len(sentences[-1]) > MAX_MESSAGE + 20):
        return f"not a whole sentence: {sentences[-1][-200:]!r}"
    is_log = "weights have grown" in shown  # of a training that ended before its first checkpoint
    return f"left {', '.join(left)}" if left and not is_log else None


def clean(folder: Path, left: list[str]) -> None:
    """Remove what a case has written."""
    for name in left:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def all_cases(names: list[str]) -> list[Case]:
    """All cases, those with values first."""
    return [*value_cases(), *file_cases(names)]


def prepare(folder: Path, seed: int = 0, mixed: int | None = None) -> list[Case]:
    """Write all files, and return all cases; or so many mixed ones."""
    write_bases(folder)
    names = [name for name in write_files(folder) if name not in ("model", "detector", "job", "pictures")]
    if mixed is not None:
        return list(islice(mixed_cases([*names, *damage(folder, seed)], seed), mixed))
    return all_cases(names)


def main() -> None:
    """Run the sweep, and print each failure."""
    parser = argparse.ArgumentParser(description="Sweep all commands with hostile files, values and names.")
    parser.add_argument("--cases", type=int, help="run so many cases, spread evenly")
    parser.add_argument("--only", help="run those whose command line has a word")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--mixed", type=int, help="instead, run so many cases with several hostile values each")
    parser.add_argument("--seed", type=int, default=0, help="of the mixed cases")
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "a", "b")  # so that `../../x` lies within
        folder.mkdir(parents=True)
        cases = prepare(folder, options.seed, options.mixed)
        cases = [case for case in cases if options.only is None or options.only in case.words]
        step = max(1, len(cases) // (options.cases or len(cases)))
        chosen = list(enumerate(cases))[options.first :: step]
        for done, (number, case) in enumerate(chosen):
            why = run_case(case, folder)
            if why is not None:
                failures += 1
                print(f"{number}: {str(case).encode('ascii', 'backslashreplace').decode()}\n    {why}", flush=True)
            if done % 100 == 99:
                gc.collect()
                print(f"{done + 1} of {len(chosen)}, {failures} failures", file=sys.stderr, flush=True)
    print(f"{len(chosen)} cases, {failures} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
