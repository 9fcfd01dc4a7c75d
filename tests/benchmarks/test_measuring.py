"""The instruments: times in turn, the cost of a program, the roofline bound, memory, the naive baseline."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.model.recorded import record_model
from speed.cost import Cost, program_cost
from speed.naive import PIXELS, _parts, _time_sites, naive_cases
from speed.roofline import Peaks
from speed.timing import MedianRange, Times, interleave, measure_peak_memory
from speed.workload import Workload

UNCOUNTED = 0.03
"""Share of sums and gates among the operations, which a count of products by hand leaves out."""


def test_cases_take_turns_and_ratios_are_formed_within_a_turn() -> None:
    """A machine that slows down threefold after the first turn does not change a ratio."""
    order: list[str] = []
    speeds = itertools.chain([1.0, 1.0], itertools.repeat(3.0))

    def case(name: str, seconds: float) -> Any:
        def run() -> float:
            order.append(name)
            return seconds * next(speeds)

        return run

    found = interleave({"slow": case("slow", 8.0), "fast": case("fast", 2.0)}, 3)
    assert order == ["slow", "fast"] * 3
    assert found["slow"].ratio_to(found["fast"]) == MedianRange(4.0, 4.0, 4.0)
    assert found["fast"].median_range == MedianRange(6.0, 2.0, 6.0)
    assert MedianRange(1.0, 0.5, 2.0).scaled(1e3) == MedianRange(1000.0, 500.0, 2000.0)
    assert Times((1.0, 9.0, 2.0)).minus(1.0).per(2) == Times((0.05, 4.0, 0.5))


def test_the_cost_of_a_program_is_the_formula_of_its_network() -> None:
    """Products of `gated-pixelcnn`, counted by hand, are what is counted but for sums and gates (under 3 percent)."""
    d, layers, levels, height, width = 64, 3, 256, 5, 7
    model = pt.build("gated-pixelcnn", shape=(1, height, width), levels=levels, channels=d, layers=layers).eval()
    (program,) = Workload(model, (height, width)).programs()
    cost, sites = program_cost(program), height * width
    row = 21 * 2 * d + (layers - 1) * 6 * d * 2 * d + layers * 4 * d * d
    pixel = 3 * 2 * d + (layers - 1) * 4 * d * d + layers * 2 * d * d - d * d + d * d + d * levels
    assert cost.row_flops == pytest.approx(2 * row * sites, rel=UNCOUNTED)
    assert cost.pixel_flops == pytest.approx(2 * pixel * sites, rel=UNCOUNTED)
    assert cost.row_bytes == pytest.approx(4 * row * height, rel=UNCOUNTED)
    assert cost.pixel_bytes == pytest.approx(4 * pixel * sites, rel=UNCOUNTED)


def test_a_coarse_grid_counts_by_its_own_sites() -> None:
    model = pt.build("pixelcnn-pp", shape=(1, 7, 9), channels=8, layers=1, dropout=0.0).eval()
    (program,) = Workload(model, (7, 9)).programs()
    coarse = [i for i in program.per_row if i.scale == 2 and i.opcode == "LINEAR"]
    assert coarse
    whole = program_cost(program)
    without = program_cost(_only(program, [i for i in program.per_row if i not in coarse]))
    assert whole.row_flops - without.row_flops >= sum(2 * i.constants["matrix"].size * 4 * 5 for i in coarse)
    assert whole.row_bytes - without.row_bytes == sum(4 * b.size * 4 for i in coarse for b in i.constants.values())


@pytest.mark.parametrize("size", [(6, 5), (5, 7), (1, 4)])
def test_an_s_curve_counts_what_a_raster_does(size: tuple[int, int]) -> None:
    """Even and odd rows have an instruction each for the own row, of which one runs; both orders know as many taps."""
    model = pt.build(
        "locally-masked-pixelcnn", shape=(1, *size), preset="tiny", orders="raster,s-curve", head_channels=8
    ).eval()
    costs = [[program_cost(program) for program in record_model(model, size, name)] for name in ("raster", "s-curve")]
    assert costs[0] == costs[1]


def _only(program: Any, row: list[Any]) -> Any:
    from dataclasses import replace

    return replace(program, per_row=tuple(row))


def test_the_roofline_bound_adds_operations_and_bytes() -> None:
    peaks = Peaks(
        gflops=100.0, bf16_gflops=400.0, gigabytes=50.0, products={}, reads={}, byte_gops=400.0, byte_products={}
    )
    cost = Cost(row_flops=1e9, pixel_flops=1e9, row_bytes=1e9, pixel_bytes=3e9)
    assert cost.roofline_seconds(peaks, 1) == pytest.approx(0.02 + 0.08)
    assert cost.roofline_seconds(peaks, 16) == pytest.approx(0.02 + 0.005)
    assert cost + cost == Cost(2e9, 2e9, 2e9, 6e9)


def test_memory_that_is_taken_and_freed_is_seen() -> None:
    size = 64 << 20

    def work() -> float:
        ones = np.ones(size // 8)
        time.sleep(0.1)  # numpy lets no other thread run, and the one that looks may wait long on a busy machine
        return float(ones.sum())

    total, seen = measure_peak_memory(work)
    assert total == size / 8
    assert 0.8 * size < seen < 3 * size
    assert measure_peak_memory(lambda: None)[1] < size / 4


@pytest.mark.parametrize("channels", [1, 3])
def test_naive_asks_a_full_forward_for_every_sub_pixel(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are unknown sub-pixels, over the whole image; known pixels cost none."""
    model = pt.build("gated-pixelcnn", shape=(channels, 4, 5), levels=4, channels=6, layers=2, head_channels=6).eval()
    seen: list[tuple[int, ...]] = []
    forward = type(model.backbone).forward

    def counted(self: Any, x: Any, ctx: Any, condition: Any) -> Any:
        seen.append(tuple(x.shape))
        return forward(self, x, ctx, condition)

    monkeypatch.setattr(type(model.backbone), "forward", counted)
    (sites,) = _parts(Workload(model, (4, 5)))
    assert len(sites) == 20
    _time_sites(Workload(model, (4, 5)), 2, sites[:3])
    assert seen == [(2, channels, 4, 5)] * (3 * channels)
    seen.clear()
    cases = naive_cases(Workload(model, (4, 5)), 2)
    assert set(cases) == {"naive NCHW", "naive channels_last"}
    seen.clear()
    assert cases["naive NCHW"]() > 0
    assert len(seen) == channels * 3 * (2 + PIXELS)  # the shortest of three times
