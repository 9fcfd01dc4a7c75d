"""Train on a hundred photographs: `python benchmarks/hundred_photographs.py CIFAR OUT`.

CIFAR is `cifar10_subset.npz`, of whose training photographs a hundred are written to `OUT/photos` as PNG files, drawn
by seed 0. Then the command that the README names is run, `pointillist train OUT/photos --size 32`, by one thread. It
ends with a comparison with lossless WebP, on the ten photographs that it holds out; seconds of the processor follow.
`pointillist sample OUT/run -n 16` draws samples to look at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pointillist.system import describe_machine, today

COUNT = 100


def main() -> None:
    """Write the photographs and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar", type=Path, metavar="CIFAR")
    parser.add_argument("out", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    photos = arguments.out / "photos"
    photos.mkdir(parents=True)
    with np.load(arguments.cifar) as data:
        x = data["x_train"]
    for number in np.random.default_rng(0).permutation(len(x))[:COUNT]:
        Image.fromarray(x[number]).save(photos / f"{number:05}.png")
    command = [sys.executable, "-m", "pointillist", "train", str(photos), "--size", "32", "--threads", "1"]
    done = subprocess.Popen([*command, "--out", str(arguments.out / "run")])
    _, status, usage = os.wait4(done.pid, 0)
    print(f"{usage.ru_utime + usage.ru_stime:.0f} seconds of the processor; {today()}, {describe_machine()}")
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
