"""What recording makes of a forward: where each instruction runs, and that the rewrites do their work."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from pointillist.engine import Program
from pointillist.engine.disassembly import describe, flops
from pointillist.engine.program import Value, View
from pointillist.engine.recording import optimize, record
from pointillist.engine.recording.builder import Builder
from tests.engine.networks import Gated, Masked


def gated(num_sub_steps: int = 1) -> Program:
    """Two stacks of three layers with a label."""
    model, vector = Gated(8, 3, num_sub_steps=num_sub_steps, vector=2).eval(), torch.randn(1, 2, 1, 1)
    return record(lambda x, ctx: model(x, ctx, vector), num_sub_steps=num_sub_steps, canvas_width=1, height=4, width=4)


def test_each_part_runs_where_its_inputs_are_known() -> None:
    program = gated()
    once, row, pixel = (
        Counter(i.opcode for i in part) for part in (program.per_image, program.per_row, program.per_site)
    )
    assert once["LINEAR"] == 3  # the projections of the label
    assert row["LINEAR"] == 6  # vertical convolutions and links; an upper tap of nothing else
    assert row["GATE"] == 2  # the last vertical gate is not read
    assert pixel["LINEAR"] == 3 + 3 + 2
    assert pixel["GATE"] == 3


def test_sums_and_gates_are_fused() -> None:
    program = gated()
    opcodes = Counter(i.opcode for _, part in program.parts() for i in part)
    assert not opcodes["TANH"] + opcodes["SIGMOID"] + opcodes["MULTIPLY"]
    assert all(i.opcode != "OFFSET" for i in program.per_site)
    assert Counter(i.opcode for i in program.per_site)["ADD"] == 3  # one residual and two skips: halves of a value


def test_a_value_is_kept_in_one_map_however_often_it_is_windowed() -> None:
    model = Masked(6, 1, num_sub_steps=1).eval()

    def twice(x: torch.Tensor, ctx: object) -> torch.Tensor:
        h = torch.relu(model(x, ctx))
        weight = torch.ones(4, 4, 1, 2)
        a = torch.conv2d(ctx.window("a", h, up=0, left=1, right=0), weight)  # type: ignore[attr-defined]
        return a + torch.conv2d(ctx.window("b", h, up=0, left=2, right=-1), weight)  # type: ignore[attr-defined]

    program = record(twice, num_sub_steps=1, canvas_width=1, height=3, width=3)
    assert len(program.maps) == 3
    assert program.maps[2].left == 2


def test_sub_steps_share_the_work() -> None:
    """Each channel is computed at one sub-step: all of them together cost no more than one whole site."""
    program = gated(num_sub_steps=3)
    assert len(program.sub_steps) == 3
    assert sum(map(flops, program.sub_steps)) <= flops(program.per_site)
    assert all(flops(step) < 0.6 * flops(program.per_site) for step in program.sub_steps)


def test_a_deeper_network_is_not_rewritten_in_more_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of values are counted a number of times that does not depend on the layers: recording stays linear."""
    count = optimize._uses
    counts: list[View] = []
    rounds: list[int] = []

    def counted(builder: Builder, params: View) -> Counter[Value]:
        counts.append(params)
        return count(builder, params)

    monkeypatch.setattr(optimize, "_uses", counted)
    for layers in (2, 6):
        model = Gated(8, layers, num_sub_steps=1).eval()
        counts.clear()
        record(model, num_sub_steps=1, canvas_width=1, height=3, width=3)
        rounds.append(len(counts))
    assert rounds[0] == rounds[1] > 0


def test_weights_are_counted_once() -> None:
    """Those of a whole site, which its only sub-step shares; those cut into sub-steps count besides."""
    program = gated()
    assert program.sub_steps == (program.per_site,)
    arrays = [array for _, part in program.parts() for i in part for array in i.constants.values()]
    assert program.weight_bytes == sum(array.nbytes for array in arrays)
    assert gated(num_sub_steps=3).weight_bytes > program.weight_bytes


def test_listing_names_what_there_is() -> None:
    text = describe(gated(num_sub_steps=2))
    for words in ("input `label`: a vector of 2", "map `1.horizontal`", "once per row", "sub-step 1", "linear", "taps"):
        assert words in text
