"""An LSTM along a row in compiled code, with the bits of `engine/opcodes/recurrence.py`."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.product import NONE, multiply
from pointillist.engine.cpu.integer.vectors import I64, LANES, IntVectors, emitted_arguments
from pointillist.engine.cpu.jit import inner
from pointillist.engine.opcodes.recurrence import HIDDEN_BITS, STATE_BITS, TABLE_BITS
from pointillist.engine.program import LIMIT

Array = Any  # numba finds the types


@inner
def scan(a: Array, s: Array, c: Array, w: Array, pieces: Array, line: Array, y: int, x: int) -> None:
    """Run the cells of a row, of all images together.

    N is the number of features d. W and K are the weights and constants of the product, PIECE its input: the hidden
    states, in G groups of four bytes an image. F are the shifts of the gates, A and B the tables of tanh and sigmoid, C
    the index of their middle, E the states of the first site, hidden and cell. D is scratch memory of `5 d` numbers an
    image: gates, and cell states. PIECES is 1 to run from the right.
    """
    d, images, scratch = line[bc.N], line[bc.OUTER], line[bc.D]
    hidden, bytes_each, cells = pieces[line[bc.PIECE], 0], 4 * line[bc.G], scratch + 4 * line[bc.N] * line[bc.OUTER]
    for b in range(images):
        for j in range(d):
            a[hidden + b * bytes_each + j] = c[line[bc.E] + j] + 128
            s[cells + b * d + j] = c[line[bc.E] + d + j]
    for i in range(line[bc.INNER]):
        column = line[bc.INNER] - 1 - i if line[bc.PIECES] else i
        multiply(
            a, s, c, w, pieces, line[bc.PIECE], 1, line[bc.G], 4 * d, images, line[bc.W], line[bc.K], NONE, bytes_each,
            scratch, 4 * d, x + column * line[bc.X_INNER], line[bc.X_OUTER],
        )  # fmt: skip
        for b in range(images):
            target = y + b * line[bc.Y_OUTER] + column * line[bc.Y_INNER]
            step(
                a, s, c, target, hidden + b * bytes_each, cells + b * d, scratch + b * 4 * d, line[bc.F], d,
                line[bc.A], line[bc.B], line[bc.C],
            )  # fmt: skip


_NAMES = ("out", "hidden", "cell", "gates", "k", "n", "tanh", "sigmoid", "middle")


@intrinsic
def step(
    typing: Any, a: Any, s: Any, c: Any, out: Any, hidden: Any, cell: Any, gates: Any, k: Any, n: Any, tanh: Any,
    sigmoid: Any, middle: Any,
) -> Any:  # fmt: skip
    """Compute the `n` outputs and states of a cell from its gates, of which `k` are the shifts."""
    size = types.intp
    signature = types.void(a, s, c, *[size] * len(_NAMES))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = emitted_arguments(context, builder, signature, arguments, 3)
        at = dict(zip(("a", "s", "c", *_NAMES), result, strict=True))
        vec = IntVectors(builder)

        def of_features(j: Any, _: list[Any]) -> list[Any]:
            _step(vec, at, j)
            return []

        vec.loop(at["n"], LANES, [], of_features)
        return context.get_dummy_value()

    return signature, code


def _step(vec: IntVectors, at: dict[str, Any], j: Any) -> None:
    """Emit one vector of features; the constants are four blocks of shifts, to the left and to the right."""
    build, left = vec.builder, vec.builder.sub(at["n"], j)
    tables = {name: build.gep(at["c"], [at[name]]) for name in ("tanh", "sigmoid")}

    def place(name: str, array: str = "s") -> Any:
        return build.gep(at[array], [build.add(at[name], j)])

    def shifted(x: Any, by: int) -> Any:
        return vec.shift(x, vec.constant(0), vec.constant(by))

    block = build.add(at["k"], build.mul(j, I64(8)))
    gates = []
    for number in range(4):
        start = build.add(build.add(at["gates"], build.mul(at["n"], I64(number))), j)
        by = [vec.load(build.gep(at["c"], [build.add(block, I64((2 * number + i) * LANES))])) for i in range(2)]
        table = tables["tanh" if number == 3 else "sigmoid"]
        gates.append(vec.look_up(table, at["middle"], vec.load(build.gep(at["s"], [start])), *by, width=2))
    output, forget, write, candidate = gates
    long = build.mul(vec.widen(forget), vec.widen(vec.load(place("cell"))))
    kept = vec.shift_long(long, vec.constant(0), vec.constant(STATE_BITS))
    state = vec.clamp(build.add(kept, shifted(build.mul(write, candidate), STATE_BITS)), -LIMIT, LIMIT)
    vec.store(state, place("cell"), left)
    squashed = vec.look_up(
        tables["tanh"], at["middle"], state, vec.constant(0), vec.constant(STATE_BITS - TABLE_BITS), width=2
    )
    out = shifted(build.mul(output, squashed), STATE_BITS)
    vec.store(out, place("out"), left)
    small = vec.clamp(shifted(out, STATE_BITS - HIDDEN_BITS), -128, 127)
    vec.store_bytes(build.add(small, vec.constant(128)), place("hidden", "a"), left)
