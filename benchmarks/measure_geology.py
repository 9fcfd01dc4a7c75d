"""Measure realisations from a training image: `python benchmarks/measure_geology.py prepare|measure ...`.

- `prepare TIFF... --out FOLDER [--classes 4 [--window 48]]`: writes training images as `.npy` of codes from 0, for
  `recipes/geology/geology.toml`; values that are no classes are cut into classes at quantiles of the training strip.
  The public ones are in the GitHub repository GAIA-UNIL/TrainingImagesTIFF, which names no licence: none is copied.
- `measure MODEL IMAGE.npy [--strip valid] [--density 0.02] [--windows 20] [--first N] [-n 100] [--maps-only]
  [--gaussian] [--mps FOLDER] [--g2s FOLDER] [--programs ...] [--template 9 ...]`: windows of the test strip (the first
  N of them), or of the validation strip to choose settings by, each with scattered hard data. Of a model and of the
  `PROGRAMS`, which read the training strip of the model: MPSlib's, in the folder of an unpacked wheel of scikit-mps
  0.6.0 (on PyPI), and QuickSampling, the program `qs` in the folder where `make c++` builds it from the GitHub
  repository GAIA-UNIL/G2S, with
  FFTW, ZeroMQ and JsonCpp. Of maps without realisations too: by the head of the model, and by a truncated Gaussian. Log
  score and Brier score of the marginals ((n + 1/2) / (N + K/2)) at the cells that are not known, and the log score of
  the first realisations, which shows how it falls with their number; share of the rarest level; violated data; the
  largest differences of the two-point and connectivity curves from the curves of the truth of all windows; copies of
  16x16 windows of the training strip, over the copies in the truth; seconds of processor for a realisation, reading
  included; and of the model -log2 p(truth | data) for a cell, which the others do not have. Log scores are printed and
  saved (`--json`) after each window, with the difference of the methods on the same windows: a run that is stopped
  loses nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import resource
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import pointillist as pt
from geology_maps import Map, map_of_gaussian, map_of_head
from pointillist.analysis.evaluation.memorization import copied_windows
from pointillist.completion.cells import ObservedCells

LAGS = np.arange(1, 17)
PROGRAMS: dict[str, dict[str, Any]] = {
    "mps_snesim_tree": {"n_multiple_grids": 3},
    "mps_genesim": {"n_cond": 25, "n_max_ite": 10000},  # as in the example of its manual; scikit-mps has 16, 1000000
    "qs": {"k": 1.2, "n": 30},
}
"""Programs of MPSlib with the settings that differ from scikit-mps, and QuickSampling with those of its examples."""
G2S_DATA = Path("/tmp/G2S/data")
"""Folder of the images that programs of G2S read and write."""
Draw = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Draw realisations `[n h w]` given levels and a mask of known cells, by a seed."""


def prepare(arguments: argparse.Namespace) -> None:
    """Write training images as codes."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in arguments.images:
        picture = np.asarray(Image.open(path))
        codes = np.unique(picture, return_inverse=True)[1].reshape(picture.shape)
        if arguments.classes is not None:
            shares = np.arange(1, arguments.classes) / arguments.classes
            limits = np.quantile(training_strip(codes, (arguments.window, arguments.window)), shares)
            codes = np.searchsorted(limits, codes)  # a class has the values up to its limit
        out = arguments.out / f"{path.stem}.npy"
        np.save(out, codes.astype(np.uint8))
        shares = np.bincount(codes.ravel()) / codes.size
        print(
            f"{out}  {codes.shape[0]}x{codes.shape[1]}, shares of {len(shares)} levels {shares.round(3).tolist()[:8]}"
        )


def training_strip(codes: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    """Return the part of a picture that models are trained on."""
    (strip,) = pt.load_data(codes, window=window, mode="codes", levels=int(codes.max()) + 1).get("train").regions
    return np.asarray(strip[0], np.int64)


def cpu_seconds() -> float:
    """Seconds of processor of this process and of the programs that it ran."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def drawn_by_model(model: Any, n: int) -> Draw:
    """Draw by a model that completes images."""

    def draw(levels: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
        cells = ObservedCells(np.where(known, levels, 0)[None].astype(np.int64), known)
        draws = np.asarray(pt.inpaint(model, cells, n=n, seed=seed, threads=1).levels[:, 0])
        return draws[np.random.default_rng(seed).permutation(n)]  # the first ones must not be the most probable ones

    return draw


def drawn_by_mpslib(program: str, training: np.ndarray, n: int, **settings: Any) -> Draw:
    """Draw by a program of MPSlib, which reads the training image at each call; axes are those of its arrays, x y z."""
    import mpslib

    def draw(levels: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            task = mpslib.mpslib(
                method=program, parameter_filename="a.txt", n_real=n, rseed=seed + 1, verbose_level=-1, debug_level=-1,
                simulation_grid_size=np.array([*known.shape, 1]), **settings,
            )  # fmt: skip
            task.par["out_folder"] = folder
            for name in ("ti_fnam", "hard_data_fnam"):
                task.par[name] = f"{folder}/{name}.dat"
            task.parameter_filename = f"{folder}/a.txt"
            task.ti = training[:, :, None].astype(float)
            rows, columns = np.nonzero(known)
            zeros = np.zeros(len(rows))
            task.d_hard = np.column_stack([rows, columns, zeros, levels[known]]).astype(float)
            task.run()
            return np.stack([np.asarray(x).reshape(known.shape) for x in task.sim]).round().astype(np.int64)

    return draw


def drawn_by_quicksampling(folder: Path, training: np.ndarray, n: int, settings: dict[str, Any]) -> Draw:
    """Draw by QuickSampling, which reads the training image at each call; images are of categories, NaN is unknown."""
    G2S_DATA.mkdir(parents=True, exist_ok=True)

    def write(name: str, image: np.ndarray) -> None:
        head = (2, *image.shape[::-1], 1, 1, 0)
        content = struct.pack("6I", *head) + image.astype(np.float32).tobytes()
        (G2S_DATA / f"{name}.bgrid").write_bytes(struct.pack("Q", 8 + len(content)) + content)

    def draw(levels: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
        write("training", training)
        write("known", np.where(known, levels, np.nan))
        options = [text for name, value in settings.items() for text in (f"-{name}", str(value))]
        out = G2S_DATA / "1.bgrid.gz"
        drawn = []
        for realisation in range(n):
            out.unlink(missing_ok=True)  # it is a link, which the program does not replace
            numbers = ["-s", str(seed * n + realisation + 1), "-id", "1", "-j", "1"]
            command = ["./qs", "-ti", "training", "-di", "known", *options, *numbers]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            cells = np.frombuffer(gzip.decompress(out.read_bytes())[-4 * known.size :], np.float32)
            drawn.append(cells.reshape(known.shape).astype(np.int64))
        return np.stack(drawn)

    return draw


def two_point(grids: np.ndarray, level: int) -> np.ndarray:
    """Share of pairs of cells at each lag, along rows and along columns, that both have a level, `[2 lags]`."""
    x = grids == level
    curves = [[(x[..., lag:] & x[..., :-lag]).mean() for lag in LAGS] for x in (x, x.swapaxes(1, 2))]
    return np.array(curves)


def connectivity(grids: np.ndarray, level: int) -> np.ndarray:
    """Share of the pairs of cells of a level at each lag that are connected, 4 neighbours each, `[2 lags]`."""
    from scipy.ndimage import label

    parts = np.stack([label(grid == level)[0] for grid in grids])
    curves = []
    for part in (parts, parts.swapaxes(1, 2)):
        pairs = [(part[..., lag:], part[..., :-lag]) for lag in LAGS]
        curves.append([((a == b) & (a > 0)).sum() / max(1, ((a > 0) & (b > 0)).sum()) for a, b in pairs])
    return np.array(curves)


def marginals(draws: np.ndarray, levels: int) -> np.ndarray:
    """Probabilities of the levels at each cell, `[levels h w]`, half a realisation added to the number of each."""
    counts = np.stack([(draws == level).sum(0) for level in range(levels)])
    return np.asarray((counts + 0.5) / (len(draws) + levels / 2))


def log_score(shares: np.ndarray, truth: np.ndarray, known: np.ndarray) -> float:
    """Bits of the truth under marginals, a cell that is not known."""
    return float(-np.log2(np.take_along_axis(shares, truth[None], 0)[0][~known]).mean())


def score(draws: np.ndarray, truth: np.ndarray, known: np.ndarray, levels: int) -> dict[str, float]:
    """Scores of the marginals of a window, in bits and squared differences a cell."""
    fewer = [n for n in (5, 10, 20, 50) if n < len(draws)]
    return {
        **score_of_map(marginals(draws, levels), truth, known),
        **{f"log score of {n} realisations": log_score(marginals(draws[:n], levels), truth, known) for n in fewer},
        "violated": float((draws[:, known] != truth[known]).sum()),
    }


def score_of_map(shares: np.ndarray, truth: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Scores of the probabilities of a window, in bits and squared differences a cell."""
    exact = np.arange(len(shares))[:, None, None] == truth
    brier = float(((shares - exact) ** 2).sum(0)[~known].mean() / 2)
    return {"log score": log_score(shares, truth, known), "Brier": brier}


@dataclass
class Measured:
    """Scores and realisations of a method, window by window."""

    draw: Draw
    scores: list[dict[str, float]] = field(default_factory=list)
    grids: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, truth: np.ndarray, known: np.ndarray, seed: int, levels: int) -> None:
        """Draw and score the realisations of a window."""
        started = cpu_seconds()
        draws = self.draw(np.where(known, truth, 0), known, seed)
        self.seconds += cpu_seconds() - started
        self.grids.append(draws)
        self.scores.append(score(draws, truth, known, levels))

    def facts(self, windows: np.ndarray, training: np.ndarray) -> dict[str, Any]:
        """Summarize the windows so far."""
        everything, windows = np.concatenate(self.grids), windows[: len(self.grids)]
        facts: dict[str, Any] = {name: float(np.mean([each[name] for each in self.scores])) for name in self.scores[0]}
        facts["violated"] = int(sum(each["violated"] for each in self.scores))
        facts["log scores"] = [each["log score"] for each in self.scores]
        facts["log score, s.e."] = standard_error(facts["log scores"])
        rare = int(np.argmin(np.bincount(training.ravel())))
        facts["share of the rarest level"] = float((everything == rare).mean())
        for name, curve in (("two-point", two_point), ("connectivity", connectivity)):
            facts[f"{name}, largest difference"] = float(np.abs(curve(everything, rare) - curve(windows, rare)).max())
        copies = [copied_windows(x[:64, None], [training[None]]) for x in (everything, windows)]
        facts["copies over the truth"] = copies[0] / copies[1] if copies[1] else None
        facts["copies"], facts["copies in the truth"] = copies
        facts["CPU seconds a realisation"] = self.seconds / len(everything)
        return facts


@dataclass
class MeasuredMap(Measured):
    """Scores of a method that computes a map of probabilities without realisations."""

    def add(self, truth: np.ndarray, known: np.ndarray, seed: int, levels: int) -> None:
        """Compute and score the map of a window."""
        started = cpu_seconds()
        shares = self.draw(np.where(known, truth, 0), known, seed)
        self.seconds += cpu_seconds() - started
        self.scores.append(score_of_map(shares / shares.sum(0), truth, known))

    def facts(self, windows: np.ndarray, training: np.ndarray) -> dict[str, Any]:
        """Summarize the windows so far."""
        facts: dict[str, Any] = {name: float(np.mean([each[name] for each in self.scores])) for name in self.scores[0]}
        facts["log scores"] = [each["log score"] for each in self.scores]
        facts["log score, s.e."] = standard_error(facts["log scores"])
        facts["CPU seconds a map"] = self.seconds / len(self.scores)
        return facts


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean of values; infinity for a single value."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf


def held_out_windows(arguments: argparse.Namespace, model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose windows of a held-out strip and their known cells, and return the training strip too."""
    picture = np.load(arguments.image)
    size = (model.image.height, model.image.width)
    training = training_strip(picture, size)
    along = int(len(training) == len(picture))
    first = training.shape[along] if arguments.strip == "valid" else picture.shape[along] - size[along]
    strip = np.take(picture, np.arange(first, first + size[along]), axis=along)
    rng = np.random.default_rng(arguments.seed)
    corners = [
        rng.integers(0, [strip.shape[0] - size[0] + 1, strip.shape[1] - size[1] + 1]) for _ in range(arguments.windows)
    ]
    windows = np.stack([strip[r : r + size[0], c : c + size[1]] for r, c in corners]).astype(np.int64)
    masks = rng.random(windows.shape) < arguments.density
    return windows[: arguments.first], masks[: arguments.first], training


def joint_bits(model: Any, truth: np.ndarray, known: np.ndarray) -> float:
    """-log2 p(truth | data) of a model, in bits a cell."""
    with torch.no_grad():
        nats = model.log_prob(truth[None, None], known=known)
    return float(-nats.sum() / math.log(2) / (~known).sum())


def peers(arguments: argparse.Namespace, training: np.ndarray) -> dict[str, Draw]:
    """Return the programs whose folders are given, by their names."""
    programs: dict[str, Draw] = {}
    if arguments.mps is not None:
        sys.path.insert(0, str(arguments.mps))
        np.NaN = np.nan  # type: ignore[attr-defined]  # which scikit-mps 0.6.0 uses, and numpy 2 has no more
    for program in arguments.programs:
        settings = PROGRAMS[program]
        if program == "qs" and arguments.g2s is not None:
            programs["G2S qs"] = drawn_by_quicksampling(arguments.g2s, training, arguments.n, settings)
        elif program == "mps_genesim" and arguments.mps is not None:
            programs[f"MPSlib {program}"] = drawn_by_mpslib(program, training, arguments.n, **settings)
        elif program == "mps_snesim_tree" and arguments.mps is not None:
            for side in arguments.template:
                settings = settings | {"template_size": np.array([side, side, 1])}
                name = f"MPSlib {program} {side}x{side}"
                programs[name] = drawn_by_mpslib(program, training, arguments.n, **settings)
    return programs


def maps_of_probability(arguments: argparse.Namespace, model: Any, training: np.ndarray) -> dict[str, Map]:
    """Return what computes maps without realisations: the head of the model, if any, and a truncated Gaussian."""
    head = map_of_head(model)
    maps = {} if head is None else {"pointillist's head": head}
    return maps | ({"truncated Gaussian": map_of_gaussian(training)} if arguments.gaussian else {})


def measure(arguments: argparse.Namespace) -> None:
    """Measure a model, and the programs whose folders are given; what is measured is saved after each window."""
    model = pt.load(arguments.model)
    windows, masks, training = held_out_windows(arguments, model)
    methods = {"pointillist": Measured(drawn_by_model(model, arguments.n))}
    methods |= {name: MeasuredMap(draw) for name, draw in maps_of_probability(arguments, model, training).items()}
    methods |= {name: Measured(draw) for name, draw in peers(arguments, training).items()}
    if arguments.maps_only:
        methods = {name: method for name, method in methods.items() if isinstance(method, MeasuredMap)}
    facts: dict[str, Any] = {}
    joint, first = [], next(iter(methods))
    methods[first].draw(windows[0], masks[0], 999)  # the engine starts, and its files are read once
    for seed, (truth, known) in enumerate(zip(windows, masks, strict=True)):
        joint.append(joint_bits(model, truth, known))
        for name, method in methods.items():
            method.add(truth, known, seed, int(training.max()) + 1)
            facts[name] = method.facts(windows, training)
            differences = np.subtract(facts[first]["log scores"], facts[name]["log scores"])
            print(
                f"window {seed + 1}  {name}: log score {facts[name]['log scores'][-1]:.4f}, mean"
                f" {facts[name]['log score']:.4f}; {first}'s less this {differences.mean():+.4f}"
                f" (s.e. {standard_error(differences):.4f}); {method.seconds:.0f} s of processor",
                flush=True,
            )
        facts[first]["bits a cell of p(truth | data)"] = float(np.mean(joint))
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("prepare")
    command.add_argument("images", nargs="+", type=Path)
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--classes", type=int, help="number of classes of a picture of values")
    command.add_argument("--window", type=int, default=48, help="side of the windows of the recipe")
    command.set_defaults(run=prepare)
    command = commands.add_parser("measure")
    command.add_argument("model")
    command.add_argument("image", type=Path)
    command.add_argument("--strip", choices=("test", "valid"), default="test")
    command.add_argument("--density", type=float, default=0.02)
    command.add_argument("--windows", type=int, default=20)
    command.add_argument("-n", type=int, default=100)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--first", type=int, help="windows that are measured; all by default")
    command.add_argument("--maps-only", action="store_true", help="maps that need no realisations")
    command.add_argument("--gaussian", action="store_true", help="a truncated Gaussian by GSTools 1.7 (on PyPI)")
    command.add_argument("--mps", type=Path)
    command.add_argument("--g2s", type=Path, help="folder of the program `qs`")
    command.add_argument("--programs", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS))
    command.add_argument("--template", type=int, nargs="+", default=[9], help="sides of the templates of SNESIM")
    command.add_argument("--json", type=Path)
    command.set_defaults(run=measure)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
