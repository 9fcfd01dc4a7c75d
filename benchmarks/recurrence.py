"""How long one recurrent layer takes, forward and backward, beside other implementations of the same function.

    python benchmarks/recurrence.py                       # ours alone
    python benchmarks/recurrence.py --against FILE.py     # and classes Row* and Diag* of a file: `Row...(2h, h)(x)`

A layer is its input-to-state convolution and the recurrence: Row LSTM with 1x3 kernels, Diagonal BiLSTM with both
directions. Times are the process's CPU time in milliseconds, one thread, the median of `--repeats` rounds in which all
take turns, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.nn import RecurrentLayer
from pointillist.nn.passes import FullPass


class Row(nn.Module):
    """Row LSTM: a 1x3 convolution, then row by row. Unmasked and with a right tap, as the others are."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(in_channels, 4 * channels, (1, 3), padding=(0, 1))
        self.state = RecurrentLayer(channels, "rows")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.state(self.input(x), FullPass())
        return out


class Diagonal(nn.Module):
    """Diagonal BiLSTM: two 1x1 convolutions, two scans, one of them moved down."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(nn.Conv2d(in_channels, 4 * channels, 1) for _ in range(2))
        self.states = nn.ModuleList(RecurrentLayer(channels, "diagonals", reverse=r) for r in (False, True))

    def forward(self, x: Tensor) -> Tensor:
        left, right = (state(i(x), FullPass()) for i, state in zip(self.inputs, self.states, strict=True))
        out: Tensor = left + F.pad(right, (0, 0, 1, -1))
        return out


def step(layer: nn.Module, x: Tensor) -> float:
    """Milliseconds of one forward and backward."""
    layer.zero_grad(set_to_none=True)
    start = time.process_time()
    layer(x).sum().backward()
    return (time.process_time() - start) * 1e3


def compare(layers: dict[str, nn.Module], x: Tensor, repeats: int) -> dict[str, float]:
    """The median time of each layer."""
    times: dict[str, list[float]] = {name: [] for name in layers}
    for turn in range(repeats + 1):
        for name, layer in layers.items():
            spent = step(layer, x)
            if turn:  # the first warms up
                times[name].append(spent)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="a Python file with classes Row* and Diag*")
    parser.add_argument("--skip", default="Numba", help="leave out classes with this in their name")
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--channels-last", action="store_true", help="as in training")
    args = parser.parse_args()
    torch.set_num_threads(1)
    other = load(args.against) if args.against else {}
    for channels in args.channels:
        x = torch.randn(args.batch, 2 * channels, args.size, args.size)
        for kind, ours in (("Row", Row), ("Diag", Diagonal)):
            layers = {"ours": ours(2 * channels, channels)}
            layers |= {
                n: c(2 * channels, channels) for n, c in other.items() if n.startswith(kind) and args.skip not in n
            }
            if args.channels_last:
                layers = {n: layer.to(memory_format=torch.channels_last) for n, layer in layers.items()}  # type: ignore
            result = compare(layers, x, args.repeats)
            best = min((t for n, t in result.items() if n != "ours"), default=result["ours"])
            times = "  ".join(f"{n} {t:.1f}" for n, t in result.items())
            print(f"{kind:5}h={channels:<3} {times}  ms; ours / fastest other {result['ours'] / best:.2f}", flush=True)


def load(path: Path) -> dict[str, type[nn.Module]]:
    """The layers of a file, which may import its neighbours."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, nn.Module)}


if __name__ == "__main__":
    main()
