"""Hostile commands: cells, windows, captions, neighbours, worlds, exports, and stops at any moment."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from pointillist.cli import app
from pointillist.commands.archives import CompressSettings, DecompressSettings
from pointillist.commands.inspection.settings import ExportSettings, InfoSettings, ModelsSettings
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings, WorldSettings
from pointillist.commands.settings import Argument, Settings, settings_of
from pointillist.commands.training import RUN_OPTIONS

from .newer_world import HostileError, World, mangled, odd
from .sweep import COUNTS, flag_of, raising, values_of, without

BASES: dict[str, tuple[type[Settings], list[str]]] = {
    "inpaint": (InpaintSettings, ["inpaint", "maps", "--data", "table.csv", "-n", "1", "--out", "out.npz"]),
    "inpaint many": (InpaintSettings, ["inpaint", "many", "--data", "table.csv", "-n", "1", "--out", "out.npz"]),
    "sample": (SampleSettings, ["sample", "mixed-conditions", "-n", "1", "--out", "out.npz"]),
    "sample many": (SampleSettings, ["sample", "many", "-n", "1", "--out", "out.npz"]),
    "sample icons": (SampleSettings, ["sample", "icons", "-n", "1", "--size", "8", "--out", "out.png"]),
    "world": (WorldSettings, ["world", "dungeons", "--size", "1x1", "--chunk", "8", "--out", "out.csv"]),
    "evaluate": (EvaluateSettings, ["evaluate", "digits", "pictures", "--max-images", "1"]),
    "detect": (DetectSettings, ["detect", "model", "pictures", "--fit", "pictures", "--detector", "out"]),
    "explain": (ExplainSettings, ["explain", "maps", "words.csv", "--max-attributions", "0", "--out", "out.html"]),
    "compress": (CompressSettings, ["compress", "photos-grey", "a.png", "--out", "out.pxl"]),
    "decompress": (DecompressSettings, ["decompress", "a.pxl", "--out", "out"]),
    "info": (InfoSettings, ["info", "pictures"]),
    "models": (ModelsSettings, ["models"]),
    "export": (ExportSettings, ["export", "digits", "--js", "out"]),
}
"""A command of each kind, to which hostile options are added."""
TRAIN = ["train", "pictures", "--preset", "tiny", "--steps", "1", "--batch-size", "1", "--out", "out"]
PROMPTS = (
    "a kitty on a red sofabed",
    "heart; star",
    '"quoted',
    "🐈 on a bed",
    "zxcv " * 200,
    "cafe\u0301",
    "a,b",
    ";;",
)


def with_options(rng: random.Random, world: World, name: str) -> list[str]:
    """Return a command with one to three options whose values are hostile, and now and then another file."""
    config, base = BASES[name]
    words = list(base)
    if len(words) > 1 and rng.random() < 0.3:
        at = rng.randrange(1, len(words))
        if not words[at].startswith("-") and not words[at - 1].startswith("-"):
            words[at] = rng.choice(world.names)
    settings = [
        s for s in settings_of(config) if not isinstance(s.option, Argument) and s.name not in ("device", "force")
    ]
    for setting in rng.sample(settings, min(len(settings), rng.randint(1, 3))):
        words = [*without(words, setting), flag_of(setting)]
        if hostile := values_of(setting):
            small = tuple(v for v in hostile if setting.name not in COUNTS or not v.isdigit() or int(v) < 100)
            words.append(
                rng.choice([*small, odd(rng, world) if setting.name not in COUNTS else "2", rng.choice(PROMPTS)])
            )
    return words


def write_table(rng: random.Random, path: Path) -> None:
    """Write a table of cells, with hostile names, places, levels and probabilities, which is then mangled."""
    columns = rng.sample(
        ["row", "column", "x", "y", "level", "facies", "p_0", "p_1", "p_wall", "p_", "z", "Row", ""], 4
    )
    if rng.random() < 0.7:
        columns[:2] = rng.choice([["row", "column"], ["x", "y"]])
    cell = ("0", "1", "2", "3", "wall", "-1", "nan", "", "1e9", "0.5", "1.0", " 2", "٣", "65535", "inf")
    rows = [[rng.choice(cell) for _ in columns] for _ in range(rng.randint(0, 5))]
    separator = rng.choice([",", ",", ";", "\t"])
    text = "\n".join(separator.join(row) for row in [columns, *rows])
    if path.suffix != ".csv":
        text = "\n".join(["title", str(len(columns)), *columns, *(" ".join(row) for row in rows)])
    path.write_text(mangled(rng, text) if rng.random() < 0.5 else text, encoding="utf-8", errors="replace")


def options(rng: random.Random, world: World) -> None:
    """Hostile options of every command."""
    name = rng.choice(sorted(BASES))
    words = with_options(rng, world, name)
    if "table.csv" in words:
        write_table(rng, world.folder / "table.csv")
    world.command(words, ("table.csv",))


def cells(rng: random.Random, world: World) -> None:
    """Hostile tables of cells, with maps, formats and sizes."""
    table = f"table{rng.choice(['.csv', '.csv', '.dat', '.gslib'])}"
    write_table(rng, world.folder / table)
    model = rng.choice(["maps", "many", "digits", "dungeons"])
    words = [
        "inpaint",
        model,
        "--data",
        table,
        "-n",
        "1",
        "--out",
        rng.choice(["out.npz", "out.csv", "out/", "out.png"]),
    ]
    if rng.random() < 0.4:
        words += ["--size", rng.choice(["5x7", "1x1", "30x30", "100000x100000", "0x3", "5", "-1x4"])]
    if rng.random() < 0.4:
        words += ["--maps", rng.choice(["probabilities", "out", "a.png", "pictures", "nul\0l", ""])]
    if rng.random() < 0.4:
        words += ["--format", rng.choice(["gslib", "npy", "npz", "tmj", "atlas", "x", ""])]
    if rng.random() < 0.3:
        words += [
            "--condition",
            rng.choice(["vector=1,2", "vector=", "vector", "=1", "x=1", "vector=nan", "vector=a.png"]),
        ]
    if rng.random() < 0.3:
        words += ["--particles", rng.choice(["1", "8"])]
    world.command(words, (table,))


def training(rng: random.Random, world: World) -> None:
    """Hostile options of `train`: windows, levels, columns, names."""
    words = list(TRAIN)
    if rng.random() < 0.4:
        words[1] = rng.choice(world.names)
    for option in rng.sample(RUN_OPTIONS, rng.randint(1, 2)):
        setting = option.setting
        flag = flag_of(setting)
        if flag in ("--device", "--compile", "--epochs", "--steps", "--threads"):
            continue
        words = [*without(words, setting), flag]
        if values_of(setting):
            words.append(rng.choice(["65536", "65537", "1", "0", "4x4", "100000", odd(rng, world)]))
    world.command(words)


def interrupted(rng: random.Random, world: World) -> None:
    """Ctrl-C at any moment: exit code 130, no half file, and the same command then succeeds."""
    words, out = rng.choice(
        [
            (["sample", "digits", "-n", "20", "--batch-size", "5", "--seed", "1", "--out", "out.npz"], "out.npz"),
            (["inpaint", "digits", "a.png", "--region", "14:,:", "-n", "6", "--seed", "1", "--out", "o.npz"], "o.npz"),
            (["world", "dungeons", "--size", "2x2", "--chunk", "16", "--out", "out.csv"], "out.csv"),
            (["compress", "digits", "pictures", "--out", "out.pxl"], "out.pxl"),
            (["explain", "digits", "a.png", "--max-attributions", "1", "--out", "out.html"], "out.html"),
            (["export", "digits", "--html", "out.html"], "out.html"),
        ]
    )  # fmt: skip
    after = rng.uniform(0.001, 0.3)
    previous = signal.signal(signal.SIGVTALRM, raising(KeyboardInterrupt, signal.ITIMER_VIRTUAL))
    with chdir(world.folder):
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, after)
            done = CliRunner().invoke(app, words)
        except KeyboardInterrupt:  # before the command began, or after it ended
            done = None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, previous)
    if done is not None and done.exit_code not in (0, 130):
        raise HostileError(
            f"{words} stopped after {after:.3f} s: exit code {done.exit_code}, {done.output[-200:]} {done.exception!r}"
        )
    path = world.folder / out
    size = path.stat().st_size if path.exists() else None
    if done is not None and done.exit_code == 0 and size is None:
        raise HostileError(f"{words} stopped after {after:.3f} s: exit code 0 without a file")
    again = world.command([*words, "--force"] if size is not None else words, tuple(world.left()))
    if again.exit_code != 0 or (size is not None and out != "out.html" and path.stat().st_size != size):
        raise HostileError(f"{words} stopped after {after:.3f} s, then: {again.output[-200:]}, {size} bytes before")


def killed(rng: random.Random, world: World) -> None:
    """`kill -9` of a copy of this process at any moment: the file is whole or absent, and the command succeeds then."""
    words, out = rng.choice(
        [
            (["sample", "digits", "-n", "30", "--batch-size", "3", "--seed", "1", "--out", "out.npz"], "out.npz"),
            (["compress", "digits", "pictures", "--out", "out.pxl"], "out.pxl"),
            (["decompress", "a.pxl", "--out", "out.npz"], "out.npz"),
            (["sample", "maps", "-n", "9", "--seed", "1", "--out", "out.npz"], "out.npz"),
        ]
    )
    child = os.fork()
    if child == 0:  # without the threads of this process, as it ends soon
        os.chdir(world.folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        CliRunner().invoke(app, words)
        os._exit(0)
    time.sleep(rng.uniform(0.001, 0.4))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    path = world.folder / out
    if path.exists() and out.endswith(".npz"):
        np.load(path)
    again = world.command([*words, "--force"] if path.exists() else words, tuple(world.left()))
    if again.exit_code != 0:
        raise HostileError(f"{words} after a kill: {again.output[-300:]}")


KINDS: dict[str, tuple[Callable[[random.Random, World], None], int]] = {
    "options": (options, 30),
    "cells": (cells, 14),
    "training": (training, 8),
    "interrupted": (interrupted, 5),
    "killed": (killed, 3),
}
