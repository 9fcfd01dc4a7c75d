"""Where a recording is written down: values, maps, instructions, weights, in the order in which forward makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import ConditionInput, FeatureMap, Instruction, KeyValueCache, Phase, Tap, Value, View
from pointillist.engine.weights import Weights
from pointillist.errors import CausalityError


class Builder:
    """The program so far."""

    def __init__(
        self, *, sub_steps: int, canvas_width: int, height: int, width: int, dtype: np.dtype[Any], snake: bool = False
    ) -> None:
        self.sub_steps = sub_steps
        self.canvas_width = canvas_width
        self.height = height
        self.width = width
        self.snake = snake
        self.canvas = FeatureMap("canvas", sub_steps * canvas_width)
        self.weights = Weights(dtype)
        self.givens: dict[str, ConditionInput] = {}
        self.code: dict[Phase, list[Instruction]] = {level: [] for level in Phase}
        self.place = "the start of forward"
        self.depth = 0
        """How many `ctx.below` are being recorded, one inside the other."""
        self.turn: int | None = None
        """The parity of the rows for which is being recorded; None for all."""
        self._keys: set[str] = set()
        self.memories: list[KeyValueCache] = []
        self._maps: dict[View, FeatureMap] = {}
        self._states: list[FeatureMap] = []
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

    def value(self, channels: int, level: Phase, scale: int) -> View:
        """A new value."""
        self._num_values += 1
        if scale > 1 and self.depth:
            self.refuse("A coarse grid is used inside `ctx.below`", "Move the finest grid only.")
        return View(Value(self._num_values - 1, channels, level, self.depth, scale), 0, channels)

    def grid(self, inputs: Sequence[View]) -> int:
        """The scale of the one grid on which all inputs lie; what is the same at every site lies on any."""
        scales = {view.scale for view in inputs if view.level > Phase.GIVEN}
        if len(scales) > 1:
            self.refuse(
                f"Values of grids of every {' and of every '.join(map(str, sorted(scales)))} sites are combined",
                "Bring the coarse one to the finer grid with `ctx.finer`.",
            )
        return scales.pop() if scales else 1

    def finest(self, key: str, view: View) -> None:
        """Refuse a value of a coarse grid where sites are counted one by one."""
        if view.scale > 1:
            self.refuse(f"`{key}` is given a value of a coarse grid", "Bring it to the finest with `ctx.finer`.")

    def emit(
        self,
        opcode: str,
        *inputs: View,
        channels: int,
        level: Phase | None = None,
        scale: int | None = None,
        constants: tuple[NDArray[Any], ...] = (),
        map: FeatureMap | None = None,  # the field of Instruction that it fills
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> View:
        """Write an instruction that makes a new value; return the value."""
        level = max(view.level for view in inputs) if level is None else level
        output = self.value(channels, level, self.grid(inputs) if scale is None else scale)
        self.write(opcode, output, inputs, constants, map, taps, key)
        return output

    def write(
        self,
        opcode: str,
        output: View,
        inputs: tuple[View, ...],
        constants: tuple[NDArray[Any], ...] = (),
        map: FeatureMap | None = None,
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> None:
        """Write an instruction that makes a value, at the level of the value."""
        self._check_row(inputs)
        blocks = tuple(self.weights.pack(array) for array in constants)
        instruction = Instruction(
            opcode, output.level, output, inputs, self.place, blocks, map, taps, key, turn=self.turn
        )
        self.code[output.level].append(instruction)
        if map is not None and taps:
            map.reach(taps)

    @contextmanager
    def turned(self, turn: int) -> Iterator[None]:
        """Within the block instructions are recorded for rows of one parity."""
        self.turn = turn
        yield
        self.turn = None

    def join(self, views: list[View]) -> View:
        """One value with the channels of all views, one after the other."""
        self._check_row(views)
        level = max(view.level for view in views)
        output = self.value(sum(view.channels for view in views), level, self.grid(views))
        start = 0
        for view in views:
            target = output.narrow(start, view.channels)
            self.code[level].append(Instruction("COPY", level, target, (view,), self.place))
            start += view.channels
        return output

    def stored(self, view: View) -> FeatureMap:
        """The map that keeps a view at every site; made when first asked for."""
        self._check_row([view])
        if view not in self._maps:
            kept = FeatureMap(self.place, view.channels, view.scale)
            self._maps[view] = kept
            self.store(view, kept)
        return self._maps[view]

    def state(self, channels: int) -> FeatureMap:
        """A map that is read before it is written: what a recurrence keeps of the sites before."""
        self._states.append(FeatureMap(self.place, channels))
        return self._states[-1]

    def store(self, view: View, kept: FeatureMap) -> None:
        """Keep a view in a map."""
        self._check_row([view])
        self.code[view.level].append(Instruction("STORE", view.level, None, (view,), self.place, map=kept))

    def moved_down(self, view: View) -> View:
        """A value of the row above, as one of this row."""
        output = self.value(view.channels, Phase.ROW, view.scale)
        self.code[Phase.ROW].append(Instruction("BELOW", Phase.ROW, output, (view,), self.place))
        return output

    def _check_row(self, views: Iterable[View]) -> None:
        if any(view.level > Phase.GIVEN and view.value.depth != self.depth for view in views):
            self.refuse(
                "A value of another row is used inside `ctx.below`",
                "Pass it to `ctx.below` as an input of the function.",
            )

    def remembered(self, keys: View, values: View, heads: int) -> KeyValueCache:
        """The memory that keeps the keys and values of every site, once the site is drawn."""
        kept = self.join([keys, values])
        sites = self.height * self.width
        memory = KeyValueCache(self.place, kept.channels, sites=sites, heads=heads, keys=keys.channels)
        self.memories.append(memory)
        self.code[Phase.AFTER].append(Instruction("REMEMBER", Phase.AFTER, None, (kept,), self.place, map=memory))
        return memory

    @property
    def maps(self) -> list[FeatureMap]:
        """All maps, the canvas first."""
        return [self.canvas, *self._maps.values(), *self._states]
