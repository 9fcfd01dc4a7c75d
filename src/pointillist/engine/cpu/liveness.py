"""When the room of a value can be given to another: memory that is used again is still in the processor's cache."""

from __future__ import annotations

from collections import defaultdict

from pointillist.engine.cpu.allocation import BufferPlan
from pointillist.engine.program import Instruction, Value

Moment = tuple[int, int]
"""A part of the program, and an instruction in it."""


class LiveRanges:
    """Gives each value room before it is first made, and takes it back after its last use.

    What crosses from one part of the program to another keeps its room for good: a part is run at many columns, and
    may be run again at one, before the next part.
    """

    def __init__(self, places: BufferPlan) -> None:
        self.places = places
        self._first: dict[Value, int] = {}
        self._last: dict[Value, Moment] = {}
        self._free: dict[int, list[int]] = defaultdict(list)
        self._lent: set[Value] = set()
        for number, part in enumerate(places.parts):
            for position, instruction in enumerate(part):
                for view in instruction.views:
                    self._first.setdefault(view.value, number)
                    self._last[view.value] = (number, position)
        self._last[places.program.params.value] = (len(places.parts), 0)

    def begin(self, instruction: Instruction) -> None:
        """Before an instruction: room for what it makes."""
        if instruction.output is None or self.places.is_set(instruction.output.value):
            return
        value = instruction.output.value
        free = self._free[self.places.room(value)]
        self.places.give(value, free.pop() if free else None)
        self._lent.add(value)

    def end(self, instruction: Instruction, moment: Moment) -> None:
        """After it: back comes what nobody reads any more."""
        for value in {view.value for view in instruction.views} & self._lent:
            if self._last[value] == moment and self._first[value] == moment[0]:
                self._free[self.places.room(value)].append(self.places.start(value))
                self._lent.remove(value)
