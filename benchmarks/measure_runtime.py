"""Time the library in C by its kernels: `python benchmarks/measure_runtime.py [MODEL ...]`.

    python benchmarks/measure_runtime.py                       # the bundled models, every kernel of this processor
    python benchmarks/measure_runtime.py digits --kernels plain,avx512-vnni --repeats 9

Milliseconds of processor time an image, in one thread, the median of interleaved repeats: drawn from the model, drawn
with guidance 3 (where it has conditions) and temperature 0.8, and scored. The levels of all kernels are compared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

import pointillist.portable
from pointillist.distributions.transform import Transform
from pointillist.engine.library import KERNELS, available_levels
from pointillist.portable import IntegerModel
from pointillist.zoo import ZOO, list_pretrained


def cases(model: IntegerModel, count: int) -> dict[str, Callable[[], np.ndarray]]:
    """Return what is timed: each call gives levels or log-probabilities."""
    uniforms = np.random.default_rng(0).random((count, model.channels, model.height, model.width))
    given = {"label": 0} if model.classes else {}
    changed = Transform(guidance=3.0 if model.classes else 1.0, temperature=0.8)
    levels, _ = model.sample(uniforms, **given)
    return {
        "sample": lambda: model.sample(uniforms, **given)[0],
        "guided": lambda: model.sample(uniforms, transform=changed, **given)[0],
        "score": lambda: model.log_prob(levels),
    }


def measure(model: IntegerModel, count: int, kernels: list[str], repeats: int) -> dict[str, dict[str, float]]:
    """Return milliseconds an image, by case and kernels."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, call in cases(model, count).items():
        results = []
        for _ in range(repeats):
            for each in kernels:
                os.environ[KERNELS] = each
                start = time.process_time()
                results.append(call())
                seconds[name, each].append(time.process_time() - start)
        assert all(np.array_equal(result, results[0]) for result in results), "the kernels differ"
    table: dict[str, dict[str, float]] = defaultdict(dict)
    for (name, each), times in seconds.items():
        table[name][each] = 1e3 * float(np.median(times)) / count
    return table


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", default=[each.name for each in list_pretrained()])
    parser.add_argument("--kernels", type=lambda text: text.split(","), default=available_levels())
    parser.add_argument("--batch-sizes", type=lambda text: [int(part) for part in text.split(",")], default=[1, 16])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print("| model | batch | case |", *(f"{each} |" for each in options.kernels))
    for name in options.models:
        model = pointillist.portable.load(ZOO / name)
        for count in options.batch_sizes:
            for case, row in measure(model, count, options.kernels, options.repeats).items():
                print(f"| {name} | {count} | {case} |", *(f"{row[each]:.2f} |" for each in options.kernels), flush=True)


if __name__ == "__main__":
    main()
