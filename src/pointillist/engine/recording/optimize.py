"""Optimize a program without a change of meaning, then split the work of a site by channel.

Each pass is one function over the builder's instructions. The split infers the dependencies of values on the sub-pixels
of their site from the non-zero weights. It proves the channel masks: the parameters of sub-pixel k may depend on
sub-pixels before k only. It also lets each sub-step compute only the channels that have just become known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.base import ChannelDependencies
from pointillist.engine.program import Array, Instruction, KeyValueCache, Phase, Value, View
from pointillist.engine.recording.builder import Builder
from pointillist.errors import CausalityError


def optimize_program(builder: Builder, params: View) -> None:
    """Run all passes."""
    eliminate_dead_code(builder, params)
    fuse_gates(builder, params)
    fuse_sums(builder, params)
    hoist_biases(builder, params)
    eliminate_common_subexpressions(builder, params)


def eliminate_dead_code(builder: Builder, params: View) -> None:
    """Drop instructions whose results are not read, such as the last layer's unused residual."""
    live: set[object] = {params.value}
    known = 0
    while known < len(live):  # repeat: a map may be read before it is written
        known = len(live)
        for phase in sorted(Phase, reverse=True):
            for instruction in reversed(builder.code[phase]):
                if _makes(instruction) in live:
                    live.update(view.value for view in instruction.inputs)
                    live.add(instruction.map)
    for phase in Phase:
        builder.code[phase] = [i for i in builder.code[phase] if _makes(i) in live]


def _makes(instruction: Instruction) -> object:
    return instruction.map if instruction.output is None else instruction.output.value


def fuse_gates(builder: Builder, params: View) -> None:
    """Fuse `tanh(a) * sigmoid(b)` into GATE(a, b)."""
    for phase in Phase:
        makers, uses = _makers(builder.code[phase]), _uses(builder, params)
        gone: set[Instruction] = set()
        rewritten = []
        for instruction in builder.code[phase]:
            gate = None
            if instruction.opcode == "MULTIPLY":
                factors = [f for view in instruction.inputs if view.is_whole for f in makers.get(view.value, [])]
                by_name = {f.opcode: f for f in factors if f.output and uses[f.output.value] == 1}
                if {"TANH", "SIGMOID"} == set(by_name):
                    gate = (by_name["TANH"], by_name["SIGMOID"])
            if gate is not None:
                gone.update(gate)
                instruction = replace(instruction, opcode="GATE", inputs=(gate[0].inputs[0], gate[1].inputs[0]))
            rewritten.append(instruction)
        builder.code[phase] = [i for i in rewritten if i not in gone]


def fuse_sums(builder: Builder, params: View) -> None:
    """Fuse `linear(x) + y` into one LINEAR that starts from y, and add terms of an earlier phase in that phase.

    A LINEAR that already starts from an earlier value gets the sum of both, computed in the earlier phase.
    """
    for phase in sorted(Phase, reverse=True):  # sums move to earlier phases, rewritten afterwards
        code, uses = builder.code[phase], _uses(builder, params)
        makers = _makers(code)
        gone: set[Instruction] = set()
        rewritten = [[instruction] for instruction in code]
        for index, instruction in enumerate(code):
            if instruction.opcode != "ADD":
                continue
            for term, other in (instruction.inputs, instruction.inputs[::-1]):
                linears = makers.get(term.value, [])
                if not _are_linear(linears) or not term.is_whole or uses[term.value] != 1:
                    continue
                start = _add_early(builder, linears[0], other, phase)
                if start is None:
                    continue
                gone.update(linears)
                sums = [replace(i, output=instruction.output, inputs=(i.inputs[0], start)) for i in linears]
                rewritten[index] = sums
                if instruction.output is not None:
                    makers[instruction.output.value] = sums
                break
        builder.code[phase] = [i for cell in rewritten for i in cell if i not in gone]


def _are_linear(makers: list[Instruction]) -> bool:
    """Return True if LINEARs make a value: one, or one each for even and odd rows with the same start."""
    return bool(makers) and all(i.opcode == "LINEAR" and i.inputs[1:] == makers[0].inputs[1:] for i in makers)


def _add_early(builder: Builder, linear: Instruction, other: View, phase: Phase) -> View | None:
    """Return the start of `linear + other`, or None where the two cannot be fused."""
    if len(linear.inputs) == 1:
        return other
    start = linear.inputs[1]
    if max(start.phase, other.phase) == phase:
        return None
    return builder.emit("ADD", start, other, channels=other.channels)


def hoist_biases(builder: Builder, params: View) -> None:
    """Hoist the bias of a LINEAR with an earlier start into the earlier phase, where it is added less often."""
    uses = _uses(builder, params)  # no existing value changes its number of readers
    for phase in sorted(Phase, reverse=True):
        for index, instruction in enumerate(builder.code[phase]):
            if instruction.opcode != "LINEAR" or len(instruction.inputs) < 2 or len(instruction.constants) < 2:
                continue
            x, start = instruction.inputs
            if start.phase < phase:
                matrix, bias = instruction.constants["matrix"], instruction.constants["bias"]
                inputs = (x, _offset(builder, start, bias, uses))
                builder.code[phase][index] = replace(instruction, inputs=inputs, constants={"matrix": matrix})


def _offset(builder: Builder, view: View, bias: Array, uses: Counter[Value]) -> View:
    """Return `view + bias`: in the LINEAR that makes the view if this is its only reader, else by an OFFSET."""
    code = builder.code[view.phase]
    makers = [i for i in code if i.output is not None and i.output.value is view.value]
    if len(makers) != 1 or makers[0].opcode != "LINEAR" or not view.is_whole or uses[view.value] != 1:
        return builder.emit("OFFSET", view, channels=view.channels, constants={"constant": bias})
    (maker,) = makers
    total = bias + maker.constants.get("bias", 0)
    code[code.index(maker)] = replace(maker, constants={**maker.constants, "bias": total})
    return view


def eliminate_common_subexpressions(builder: Builder, params: View) -> None:
    """Compute equal expressions once, such as the activation before two layers."""
    for phase in Phase:
        first: dict[object, View] = {}
        instead: dict[Value, View] = {}
        unique = []
        for instruction in builder.code[phase]:
            instruction = _reading(instruction, instead)
            output = instruction.output
            plain = not instruction.constants and instruction.map is None and instruction.opcode != "INPUT"
            wanted = output is not None and output.is_whole and output.value is not params.value
            if output is not None and wanted and plain and instruction.row_parity is None:
                same = first.setdefault((instruction.opcode, instruction.inputs, output.value.depth), output)
                if same is not output:
                    instead[output.value] = same
                    continue
            unique.append(instruction)
        builder.code[phase] = unique
        for later in Phase:
            if later > phase:
                builder.code[later] = [_reading(i, instead) for i in builder.code[later]]


def _reading(instruction: Instruction, instead: dict[Value, View]) -> Instruction:
    if not any(view.value in instead for view in instruction.inputs):
        return instruction
    inputs = (replace(v, value=instead[v.value].value) if v.value in instead else v for v in instruction.inputs)
    return replace(instruction, inputs=tuple(inputs))


def _makers(code: list[Instruction]) -> dict[Value, list[Instruction]]:
    """Return the instructions that make each value whole: one, or one each for even and odd rows."""
    result: dict[Value, list[Instruction]] = {}
    for instruction in code:
        if instruction.output is not None and instruction.output.is_whole:
            result.setdefault(instruction.output.value, []).append(instruction)
    return result


def _uses(builder: Builder, params: View) -> Counter[Value]:
    counts = Counter(view.value for code in builder.code.values() for i in code for view in i.inputs)
    counts[params.value] += 1
    return counts


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
        result = opcode.needs(instruction, needs)
        if instruction.output is None:
            continue
        needs.note(instruction.output, result)
        if opcode.can_narrow and result.max() >= builder.num_sub_steps:
            channel = instruction.output.narrow(int(result.argmax()), 1)
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
            sources = OPCODES[instruction.opcode].sources(instruction, offset)
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
        yield instruction if whole else opcode.narrow(instruction, start, channels)


def _runs(chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield start and length of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield start, stop - start
