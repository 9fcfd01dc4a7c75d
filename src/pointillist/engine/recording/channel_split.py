"""Split the work of a site by channel: infer dependencies on its sub-pixels from the non-zero weights.

The result proves the channel masks: the parameters of sub-pixel k may depend on sub-pixels before k only. It also lets
each sub-step compute only the channels that have just become known.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.base import ChannelDependencies
from pointillist.engine.program import Instruction, KeyValueCache, Phase, View
from pointillist.engine.recording.builder import Builder
from pointillist.errors import CausalityError


def split_by_channel(builder: Builder, params: View) -> list[tuple[Instruction, ...]]:
    """Return the instructions of each sub-step.

    Raises:
        CausalityError: if a channel depends on the whole site, or parameters depend on a sub-pixel that is not drawn
            yet.
    """
    code = builder.code[Phase.SITE]
    needs = infer_needs(builder, code)
    _check_masks(builder, code, needs, params)
    return [
        tuple(piece for instruction in code for piece in _pieces(builder, instruction, needs, sub_step))
        for sub_step in range(builder.num_sub_steps)
    ]


def infer_needs(builder: Builder, code: list[Instruction]) -> ChannelDependencies:
    """Propagate the dependencies through the instructions of a site, in one pass."""
    needs = ChannelDependencies()
    needs.maps[builder.canvas] = np.repeat(np.arange(builder.num_sub_steps) + 1, builder.canvas_width)
    for index, instruction in enumerate(code):
        opcode = OPCODES[instruction.opcode]
        found = opcode.needs(instruction, needs, builder.weights)
        if instruction.output is None:
            continue
        needs.note(instruction.output, found)
        if opcode.can_narrow and found.max() >= builder.num_sub_steps:
            channel = instruction.output.narrow(int(found.argmax()), 1)
            window = _path(builder, code[: index + 1], needs, channel)[-1]
            raise CausalityError(
                f"The window {window} reads an unknown site: tap (0, 0) is its own site, whose "
                f"sub-pixel {builder.num_sub_steps - 1}, the last one, is never known while it is drawn. "
                "End the window at right=-1, or mask the weights of the last tap by channel groups."
            )
    return needs


def _check_masks(builder: Builder, code: list[Instruction], needs: ChannelDependencies, params: View) -> None:
    group = params.channels // builder.num_sub_steps
    for sub_step in range(builder.num_sub_steps):
        view = params.narrow(sub_step * group, group)
        worst = int(needs.of(view).argmax())
        if needs.of(view)[worst] > sub_step:
            path = " -> ".join(_path(builder, code, needs, view.narrow(worst, 1)))
            raise CausalityError(
                f"The parameters of sub-pixel {sub_step} depend on sub-pixel {int(needs.of(view)[worst]) - 1} of the "
                f"same site, through {path}: a channel mask is wrong. Let outputs of group k read groups up to k only, "
                "and strictly before k where the canvas is read."
            )


def _path(builder: Builder, code: list[Instruction], needs: ChannelDependencies, channel: View) -> list[str]:
    """Return the windows through which a channel depends on its site, first to last."""
    windows: list[str] = []
    for instruction in reversed(code):
        target = instruction.output
        if target is None or not target.covers(channel):
            continue
        offset = channel.start - target.start
        if instruction.map is not None and not isinstance(instruction.map, KeyValueCache):
            windows.append(f"`{instruction.key}`")
            feature_map = instruction.map
            stores = (i.inputs[0] for i in code if i.opcode == "STORE" and i.map is feature_map)
            sources = [stored.narrow(offset % feature_map.channels, 1) for stored in stores]
        else:
            sources = OPCODES[instruction.opcode].sources(instruction, offset, builder.weights)
        if not sources:
            break
        channel = max(sources, key=lambda source: int(needs.of(source)[0]))
    return windows[::-1]


def _pieces(
    builder: Builder, instruction: Instruction, needs: ChannelDependencies, sub_step: int
) -> Iterator[Instruction]:
    """Narrow an instruction to the channels that become known at this sub-step."""
    opcode = OPCODES[instruction.opcode]
    subject = instruction.output or instruction.inputs[0]
    if not opcode.can_narrow:
        yield instruction
        return
    for start, channels in _runs(needs.of(subject) == sub_step):
        whole = channels == subject.channels
        yield instruction if whole else opcode.narrow(instruction, start, channels, builder.weights)


def _runs(chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield start and length of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield start, stop - start
