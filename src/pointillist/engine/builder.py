"""Where a recording is written down: values, maps, instructions, weights, in the order in which forward makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import Given, Instruction, Level, Map, Tap, Value, View
from pointillist.engine.weights import Weights
from pointillist.errors import CausalityError


class Builder:
    """The program so far."""

    def __init__(self, *, sub_steps: int, canvas_width: int, height: int, width: int, dtype: np.dtype[Any]) -> None:
        self.sub_steps = sub_steps
        self.canvas_width = canvas_width
        self.height = height
        self.width = width
        self.canvas = Map("canvas", sub_steps * canvas_width)
        self.weights = Weights(dtype)
        self.givens: dict[str, Given] = {}
        self.code: dict[Level, list[Instruction]] = {level: [] for level in Level}
        self.place = "the start of forward"
        self._keys: set[str] = set()
        self._maps: dict[View, Map] = {}
        self._num_values = 0

    def claim(self, key: str) -> None:
        """Enter a place; each may be entered once."""
        if key in self._keys:
            raise CausalityError(
                f"The key `{key}` is used twice: a key names one place, where one map is kept. "
                "Give each call its own key, also where two calls share a layer."
            )
        self._keys.add(key)
        self.place = f"`{key}`"

    def refuse(self, what: str, remedy: str) -> NoReturn:
        """Say what cannot be replayed, near which place, and what to do."""
        raise CausalityError(f"{what} (at or after {self.place}). {remedy}")

    def value(self, channels: int, level: Level, scale: int) -> View:
        """A new value."""
        self._num_values += 1
        return View(Value(self._num_values - 1, channels, level, scale), 0, channels)

    def grid(self, inputs: Sequence[View]) -> int:
        """The scale of the one grid on which all inputs lie; what is the same at every site lies on any."""
        scales = {view.scale for view in inputs if view.level > Level.GIVEN}
        if len(scales) > 1:
            self.refuse(
                f"Values of grids of every {' and of every '.join(map(str, sorted(scales)))} sites are combined",
                "Bring the coarse one to the finer grid with `ctx.finer`.",
            )
        return scales.pop() if scales else 1

    def emit(
        self,
        opcode: str,
        *inputs: View,
        channels: int,
        level: Level | None = None,
        scale: int | None = None,
        constants: tuple[NDArray[Any], ...] = (),
        map: Map | None = None,  # the field of Instruction that it fills
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> View:
        """Write an instruction that makes a new value; return the value."""
        level = max(view.level for view in inputs) if level is None else level
        output = self.value(channels, level, self.grid(inputs) if scale is None else scale)
        blocks = tuple(self.weights.pack(array) for array in constants)
        self.code[level].append(Instruction(opcode, level, output, inputs, self.place, blocks, map, taps, key))
        if map is not None:
            map.reach(taps)
        return output

    def join(self, views: list[View]) -> View:
        """One value with the channels of all views, one after the other."""
        level = max(view.level for view in views)
        output = self.value(sum(view.channels for view in views), level, self.grid(views))
        start = 0
        for view in views:
            target = output.narrow(start, view.channels)
            self.code[level].append(Instruction("COPY", level, target, (view,), self.place))
            start += view.channels
        return output

    def stored(self, view: View) -> Map:
        """The map that keeps a view at every site; made when first asked for."""
        if view not in self._maps:
            kept = Map(self.place, view.channels, view.scale)
            self._maps[view] = kept
            self.code[view.level].append(Instruction("STORE", view.level, None, (view,), self.place, map=kept))
        return self._maps[view]

    @property
    def maps(self) -> list[Map]:
        """All maps, the canvas first."""
        return [self.canvas, *self._maps.values()]
