"""The 2-D Ising model at its critical temperature: training images, the exact answers, and those of a trained model.

    python recipes/ising/ising.py images 16 ising16.npz
    OMP_NUM_THREADS=1 pointillist train ising16.npz --config recipes/ising/ising16.toml --out runs/ising16
    python recipes/ising/ising.py measure runs/ising16

Each site of a periodic lattice has a spin of -1 or +1, and a state has the probability exp(-beta E) / Z with
E = -sum of s_i s_j over neighbours (J = 1). States are drawn by Wolff's cluster algorithm (Wolff 1989, Physical Review
Letters 62, 361). A pixel of an image holds four spins of two values each: those of the rows i and n-1-i and the columns
j and n-1-j, so the torus is folded twice, neighbours on it are in the same pixel or in neighbouring ones, and a network
needs no more than the row above. The exact free energy, energy and specific heat of a finite lattice are Kaufman's
(1949, Physical Review 76, 1232, eq. 82, for a square lattice).

A model with an exact likelihood q estimates Z without bias: the mean of exp(-beta E(x)) / q(x) over its samples.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.system import describe_machine, today

BETA = math.log(1 + math.sqrt(2)) / 2  # the critical temperature (Onsager 1944), J = 1
CLUSTERS = 5  # flipped between two images
CHAINS = 1000  # that run together: a step of all of them costs little more than a step of one
IMAGES = {16: {"train": 320_000, "valid": 5_000, "test": 5_000}, 32: {"train": 224_000, "valid": 1_000, "test": 1_000}}


def wolff(side: int, beta: float, count: int, clusters: int, seed: int) -> np.ndarray:
    """Draw states of a periodic lattice, int8 `[count side side]` of -1 and 1, by flipping clusters (Wolff 1989)."""
    rng, chains = np.random.default_rng(seed), min(count, CHAINS)
    spins = np.where(rng.random((chains, side, side)) < 0.5, -1, 1).astype(np.int8)
    states: list[np.ndarray] = []
    for step in range(-max(100, side), -(-count // chains)):  # the first states are not yet in equilibrium
        for _ in range(clusters):
            _flip_clusters(spins, 1 - math.exp(-2 * beta), rng)
        if step >= 0:
            states.append(spins.copy())
    return np.concatenate(states)[:count]


def _flip_clusters(spins: np.ndarray, join: float, rng: np.random.Generator) -> None:
    """Flip a cluster of each chain `[c side side]`: each neighbour of a new site that is like it joins at random."""
    chains, side, _ = spins.shape
    sites, lattice = spins.reshape(-1), np.arange(side * side).reshape(side, side)
    neighbours = np.stack([np.roll(lattice, shift, axis).reshape(-1) for shift in (1, -1) for axis in (0, 1)])
    front = np.arange(chains) * side**2 + rng.integers(0, side**2, chains)
    like = np.repeat(sites[front], side**2) == sites  # sites that may still join
    while len(front):
        like[front] = False
        sites[front] *= -1
        chain, site = np.divmod(front, side**2)
        bonds = (chain * side**2 + neighbours[:, site]).reshape(-1)  # each is tried once
        bonds = bonds[like[bonds]]
        front = np.unique(bonds[rng.random(len(bonds)) < join])


def fold(states: np.ndarray) -> np.ndarray:
    """Fold the torus: put the spins of rows i, n-1-i and columns j, n-1-j, `n h w`, into a level of 0 to 15."""
    half, up = states.shape[-1] // 2, states > 0
    ends = up[:, :half], up[:, : half - 1 : -1]
    four = [side for rows in ends for side in (rows[:, :, :half], rows[:, :, : half - 1 : -1])]
    levels: np.ndarray = sum(spin.astype(np.uint8) << bit for bit, spin in enumerate(four))
    return levels


def unfold(levels: np.ndarray) -> np.ndarray:
    """Undo `fold`: the states, int8 `n h w` of -1 and 1."""
    a, b, c, d = (2 * (levels >> bit & 1).astype(np.int8) - 1 for bit in range(4))
    top, bottom = (np.concatenate([left, right[:, :, ::-1]], 2) for left, right in ((a, b), (c, d)))
    return np.concatenate([top, bottom[:, ::-1]], 1)


def energy(states: np.ndarray) -> np.ndarray:
    """Compute the energy `n` of states `n h w` of -1 and 1: minus the sum of products of neighbours."""
    spins = states.astype(np.int64)
    return -(spins * (np.roll(spins, 1, 1) + np.roll(spins, 1, 2))).sum((1, 2))


def log_partition(beta: torch.Tensor, side: int) -> torch.Tensor:
    """Compute log Z of a periodic square lattice of even side, float64 (Kaufman 1949)."""
    angles = math.pi * torch.arange(2 * side, dtype=torch.float64) / side
    gamma = torch.acosh(torch.cosh(2 * beta) / torch.tanh(2 * beta) - torch.cos(angles[1:]))
    gamma = torch.cat([(2 * beta + torch.log(torch.tanh(beta)))[None], gamma])  # the first has a sign
    x = side / 2 * gamma
    odd, even = x[1::2], x[0::2]  # 2 cosh x = e^x (1 + e^-2x), 2 sinh x = e^x (1 - e^-2x)
    # the factor of even[0] is taken out: it is 0 at the critical temperature, where `prod` has no second derivative
    first, rest = torch.exp(-2 * even[0]), torch.exp(-2 * even[1:])
    terms = (1 + first) * (1 + rest).prod() + (1 - first) * (1 - rest).prod()
    total = (1 + torch.exp(-2 * odd)).prod() + (1 - torch.exp(-2 * odd)).prod()
    total = total + torch.exp(even.sum() - odd.sum()) * terms
    return side**2 / 2 * torch.log(2 * torch.sinh(2 * beta)) - math.log(2) + odd.sum() + torch.log(total)


def kaufman(side: int, beta: float = BETA) -> dict[str, float]:
    """Compute free energy -log Z / beta, mean energy and specific heat of a site."""
    b = torch.tensor(beta, dtype=torch.float64, requires_grad=True)
    log_z = log_partition(b, side)
    (slope,) = torch.autograd.grad(log_z, b, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, b)
    sites = side**2
    values = {"free energy": -log_z / b, "energy": -slope, "specific heat": b**2 * curvature}
    return {name: float(value.detach()) / sites for name, value in values.items()}


def enumerate_states(side: int) -> np.ndarray:
    """List all states of a small lattice, int8 `[2^(side^2) side side]`."""
    numbers = np.arange(2 ** (side * side))[:, None] >> np.arange(side * side)
    return (1 - 2 * (numbers & 1)).astype(np.int8).reshape(-1, side, side)


def log_mean_exp(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Compute the logarithm of the mean of exponentials."""
    top = values.max(axis, keepdims=True)
    result: np.ndarray = np.log(np.exp(values - top).mean(axis)) + top.squeeze(axis)
    return result


def weighted(states: np.ndarray, log_weights: np.ndarray, beta: float) -> dict[str, tuple[float, float]]:
    """Estimate free energy, energy, specific heat and magnetisation of a site with their standard errors.

    Args:
        states: `n h w` of -1 and 1.
        log_weights: -beta E - log q of each state, `n`; zeros for states drawn from the Boltzmann distribution.
        beta: inverse temperature.
    """
    sites, total = states[0].size, energy(states)
    log_z = float(log_mean_exp(log_weights))
    w = np.exp(log_weights - log_z)  # mean 1

    def error(residuals: np.ndarray) -> float:
        return float(np.std(residuals, ddof=1) / math.sqrt(len(w)))

    u = (w * total).mean()
    heat = (w * (total - u) ** 2).mean()
    m = np.abs(states.mean((1, 2), dtype=np.float64))
    mean_m = (w * m).mean()
    return {
        "free energy": (-log_z / beta / sites, error(w) / beta / sites),
        "energy": (u / sites, error(w * (total - u)) / sites),
        "specific heat": (beta**2 * heat / sites, beta**2 * error(w * ((total - u) ** 2 - heat)) / sites),
        "magnetisation": (mean_m, error(w * (m - mean_m))),
    }


def log_likelihood(model: pt.PixelModel, levels: np.ndarray) -> np.ndarray:
    """Compute log q of images `n h w`, where q is the mean of the model's likelihoods of the image and its negative.

    The Boltzmann distribution does not change when all spins flip. This q does not either: it is the likelihood of a
    sampler that draws an image and flips it with probability 1/2.
    """
    x = levels[:, None].astype(np.int64)
    both = [-pt.evaluate(model, images).nats_per_image for images in (x, 15 - x)]
    return log_mean_exp(np.stack(both))


def write_images(side: int, path: str) -> None:
    """Write training, validation and test images, each split of its own run of the cluster algorithm."""
    parts = [fold(wolff(side, BETA, count, CLUSTERS, seed)) for seed, count in enumerate(IMAGES[side].values())]
    split = np.repeat(list(IMAGES[side]), list(IMAGES[side].values()))
    np.savez_compressed(path, x=np.concatenate(parts), split=split)


def measure(name: str, count: int, seed: int) -> dict[str, Any]:
    """Estimate free energy, energy, specific heat and magnetisation from samples of a model."""
    model = pt.load(name)
    started = time.process_time()
    samples = pt.sample(model, count, seed=seed)
    levels = samples.levels[:, 0]
    seconds = time.process_time() - started
    flipped = -pt.evaluate(model, 15 - samples.levels).nats_per_image
    log_q = log_mean_exp(np.stack([samples.nats, flipped]))  # as `log_likelihood`, in half the time
    states = unfold(levels)
    log_weights = -BETA * energy(states) - log_q
    side = states.shape[1]
    w = np.exp(log_weights - log_weights.max())
    reference = kaufman(side)
    drawn = weighted(wolff(side, BETA, count, CLUSTERS, seed=100 + seed), np.zeros(count), BETA)
    rows = {}
    for quantity, (value, error) in weighted(states, log_weights, BETA).items():
        row = {"estimate": value, "error": error, "interval_95": [value - 1.96 * error, value + 1.96 * error]}
        if quantity in reference:
            row["kaufman"] = reference[quantity]
            row["relative_error"] = abs(value / reference[quantity] - 1)
        else:
            row["wolff"], row["wolff_error"] = drawn[quantity]
        rows[quantity] = row
    facts = {"model": name, "date": today(), "machine": describe_machine(), "side": side, "samples": count}
    facts |= {"engine": samples.engine, "sampling_seconds": round(seconds, 1)}
    return {**facts, "seed": seed, "effective_sample_size": w.sum() ** 2 / (w**2).sum() / count, **rows}


def main() -> None:
    """Write images, or measure a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    images = commands.add_parser("images", help="draw training images")
    images.add_argument("side", type=int, choices=sorted(IMAGES))
    images.add_argument("out", help="npz file")
    answers = commands.add_parser("measure", help="compare a model with the exact values")
    answers.add_argument("model")
    answers.add_argument("--samples", type=int, default=100_000)
    answers.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.command == "images":
        write_images(options.side, options.out)
    else:
        print(json.dumps(measure(options.model, options.samples, options.seed), indent=2))


if __name__ == "__main__":
    main()
