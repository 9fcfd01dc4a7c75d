"""Compare training steps in bf16 and in float32 on this processor: `python benchmarks/measure_precision.py`.

    python benchmarks/measure_precision.py                                      # the networks of decision 0001
    python benchmarks/measure_precision.py pixelcnn-pp/small/3x32x32 --compile --repeats 7

A row is a network, a preset and the shape of an image. Processor time of training steps of 16 images on one thread
(forward, backward, clipping, Adam, average of weights), both precisions in turn, the median of ratios.
"""

from __future__ import annotations

import argparse

import torch

import pointillist as pt
from pointillist.system import describe_machine, describe_versions, today
from speed.timing import cpu_time, interleave
from speed.training import StepRunner, Variant

NETWORKS = (
    *("gated-pixelcnn/tiny/1x28x28", "gated-pixelcnn/small/1x28x28", "gated-pixelcnn/base/1x28x28"),
    *("gated-pixelcnn/small/3x32x32", "pixelcnn/small/1x28x28", "pixelcnn/base/1x28x28"),
    *("pixelcnn-pp/tiny/3x32x32", "pixelcnn-pp/small/3x32x32", "row-lstm/small/1x28x28"),
    *("diagonal-bilstm/small/1x28x28", "locally-masked-pixelcnn/small/1x28x28"),
    *("pixelsnail/small/1x28x28", "pixelsnail/base/1x28x28"),
)
BATCH = 16


def measure(name: str, *, compiled: bool, repeats: int) -> str:
    """Measure a row of the table."""
    network, preset, shape = name.split("/")
    torch.manual_seed(0)
    model = pt.build(network, shape=tuple(map(int, shape.split("x"))), preset=preset)
    x = torch.randint(model.image.levels, (BATCH, *model.image.shape), generator=torch.Generator().manual_seed(0))
    variants = (Variant("fp32", False, True, False, compiled), Variant("bf16", False, True, True, compiled))
    steps = {each.name: StepRunner(model, each, x) for each in variants}
    for _ in range(2):  # compiles, and makes the moments of the optimiser
        for step in steps.values():
            step()
    cases = {name: lambda s=step: cpu_time(s, 1) for name, step in steps.items()}
    times = interleave(cases, repeats)
    milliseconds = (1e3 * sorted(times[each].seconds)[repeats // 2] for each in steps)
    ratio = times["fp32"].ratio_to(times["bf16"])
    columns = [*(f"{each:.0f}" for each in milliseconds), f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"]
    return f"| {network} {preset}, {shape} | {' | '.join(columns)} |"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help="such as pixelcnn-pp/small/3x32x32")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{describe_machine()}; {describe_versions()}; {today()}\n")
    print("| network | fp32, ms a step | bf16, ms a step | speed of bf16 over fp32 |\n|---|---|---|---|")
    for name in options.networks:
        print(measure(name, compiled=options.compile, repeats=options.repeats), flush=True)


if __name__ == "__main__":
    main()
