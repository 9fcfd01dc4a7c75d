"""How long a locally masked convolution along an S-curve takes, forward and backward, and what it keeps for the latter.

    python benchmarks/neighbours.py

Ours (`neighbours.local_convolution`) beside other ways to compute the same: an unfold times a mask of each site and
tap, as the authors' code does; two convolutions with a stride of two rows; both parities for all rows; tap by tap.
`raster` is ours in raster order, which needs no parity. Times are the process's CPU time in milliseconds on one thread,
the median of `--repeats` rounds in which all take turns, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.nn.functional.local_conv import local_convolution
from pointillist.ordering import get_order

Convolution = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def half_masks(half: int) -> tuple[Tensor, Tensor]:
    """Taps of the upper half and the own row that are known in even and in odd rows."""
    even = torch.ones(half + 1, 2 * half + 1)
    even[half, half + 1 :] = 0
    return even, even.flip(1)


def padded(x: Tensor, reach: int) -> Tensor:
    """With zeros on both sides and above."""
    return F.pad(x, (reach, reach, reach, 0))


def unfolded(x: Tensor, kernel: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """Every neighbourhood written out, times the mask, times the kernel."""
    size, (height, width) = kernel.shape[2], x.shape[2:]
    reach = size // 2 * dilation
    places = get_order("s-curve").rank(height, width)
    around = np.pad(places, reach, constant_values=height * width)
    rows, columns = np.indices((height, width))
    seen = [around[rows + i * dilation, columns + j * dilation] <= places for i in range(size) for j in range(size)]
    mask = torch.from_numpy(np.stack(seen).reshape(1, 1, size * size, height * width)).to(x.dtype)
    patches = F.unfold(x, size, dilation=dilation, padding=reach).unflatten(1, (x.shape[1], size * size))
    out = kernel.flatten(1) @ (patches * mask).flatten(1, 2) + bias[:, None]
    return out.unflatten(2, (height, width))


def strided(x: Tensor, kernel: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """One convolution for the even rows and one for the odd ones."""
    half = kernel.shape[2] // 2
    even, odd = half_masks(half)
    upper, around = kernel[:, :, : half + 1], padded(x, half * dilation)
    a = F.conv2d(around, upper * even, bias, stride=(2, 1), dilation=dilation)
    b = F.conv2d(around[:, :, 1:], upper * odd, bias, stride=(2, 1), dilation=dilation)
    return torch.stack([a, b], 3).flatten(2, 3)


def both(x: Tensor, kernel: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """Both for all rows, of which one is taken."""
    half = kernel.shape[2] // 2
    upper = torch.cat([kernel[:, :, : half + 1] * mask for mask in half_masks(half)])
    a, b = F.conv2d(padded(x, half * dilation), upper, bias.repeat(2), dilation=dilation).chunk(2, 1)
    return torch.where((torch.arange(x.shape[2]) % 2 == 0)[:, None], a, b)


def tap_by_tap(x: Tensor, kernel: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A 1x1 convolution a tap; of the own row both sides, masked by rows."""
    half, (height, width) = kernel.shape[2] // 2, x.shape[2:]
    around, even = padded(x, half * dilation), (torch.arange(height) % 2 == 0)[:, None]
    out = F.conv2d(x, kernel[:, :, half : half + 1, half : half + 1], bias)
    for i in range(half + 1):
        for j in range(2 * half + 1):
            if (i, j) == (half, half):
                continue
            there = around[:, :, i * dilation :, j * dilation :][:, :, :height, :width]
            if i == half:
                there = torch.where(even if j < half else ~even, there, 0)
            out = out + F.conv2d(there, kernel[:, :, i : i + 1, j : j + 1])
    return out


WAYS: dict[str, Convolution] = {
    "ours": lambda *a: local_convolution(*a, s_curve=True),
    "raster": lambda *a: local_convolution(*a, s_curve=False),
    "unfold": unfolded,
    "strided": strided,
    "both": both,
    "taps": tap_by_tap,
}


def step(way: Convolution, x: Tensor, kernel: Tensor, bias: Tensor, dilation: int, half: bool) -> tuple[float, int]:
    """Milliseconds of one forward and backward, and bytes that were kept in between."""
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    start = time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), torch.autocast("cpu", torch.bfloat16, half):
        out = way(x, kernel, bias, dilation)
    out.sum().backward()
    return (time.process_time() - start) * 1e3, sum(kept.values())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--dilations", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for channels in args.channels:
        x = torch.randn(args.batch, channels, args.size, args.size).to(memory_format=torch.channels_last)
        x.requires_grad_()
        kernel = torch.randn(2 * channels, channels, 3, 3).to(memory_format=torch.channels_last).requires_grad_()
        bias = torch.zeros(2 * channels, requires_grad=True)
        for half in (False, True):
            for dilation in args.dilations:
                result = {name: [step(w, x, kernel, bias, dilation, half)] for name, w in WAYS.items()}  # warm-up
                for _ in range(args.repeats):
                    for name, way in WAYS.items():
                        result[name].append(step(way, x, kernel, bias, dilation, half))
                shown = "  ".join(
                    f"{name} {statistics.median(ms for ms, _ in rounds[1:]):.1f} ms {rounds[0][1] / 1e6:.0f} MB"
                    for name, rounds in result.items()
                )
                print(f"{channels} channels, {'bf16' if half else 'fp32'}, dilation {dilation}:  {shown}", flush=True)


if __name__ == "__main__":
    main()
