"""Prove that the sites of a recorded program are independent of each other, given its conditions."""

from __future__ import annotations

from pointillist.engine.program import Program
from pointillist.errors import CausalityError

REACHES = {
    "GATHER": "takes a window",
    "UPSAMPLE": "reads a coarser grid",
    "SHIFT_DOWN": "reads the row above",
    "ATTEND": "attends to earlier pixels",
}
"""Opcodes that read other sites; a gather does where a tap is not the site itself. Recurrences begin with a gather."""


def prove_independent(program: Program) -> None:
    """Prove that each site reads no site but itself.

    Raises:
        CausalityError: naming what reads another one.
    """
    for i in (i for _, part in program.parts() for i in part):
        if i.opcode in REACHES and (i.opcode != "GATHER" or any(tap != (0, 0) for tap in i.taps)):
            raise CausalityError(
                f"`{i.key or i.scope}` {REACHES[i.opcode]}, but the pixels of its stage are declared independent: read "
                "other pixels through the condition of the stage, or leave out `independent=True`."
            )
