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
        self,
        *,
        num_sub_steps: int,
        canvas_width: int,
        height: int,
        width: int,
        dtype: np.dtype[Any],
        s_curve: bool = False,
    ) -> None:
        self.num_sub_steps = num_sub_steps
        self.canvas_width = canvas_width
        self.height = height
        self.width = width
        self.s_curve = s_curve
        self.canvas = FeatureMap("canvas", num_sub_steps * canvas_width)
        self.weights = Weights(dtype)
        self.inputs: dict[str, ConditionInput] = {}
        self.code: dict[Phase, list[Instruction]] = {phase: [] for phase in Phase}
        self.scope = "the start of forward"
        self.depth = 0
        """How many `ctx.shift_down` are being recorded, one inside the other."""
        self.row_parity: int | None = None
        """The parity of the rows for which is being recorded; None for all."""
        self._keys: set[str] = set()
        self.kv_caches: list[KeyValueCache] = []
        self._maps: dict[View, FeatureMap] = {}
        self._states: list[FeatureMap] = []
        self._num_values = 0

    def claim_key(self, key: str) -> None:
        """Enter a place; each may be entered once."""
        if key in self._keys:
            raise CausalityError(
                f"The key `{key}` is used twice: a key names one place, where one map is kept. "
                "Give each call its own key, also where two calls share a layer."
            )
        self._keys.add(key)
        self.scope = f"`{key}`"

    def reject(self, what: str, remedy: str) -> NoReturn:
        """Say what cannot be replayed, near which place, and what to do."""
        raise CausalityError(f"{what} (at or after {self.scope}). {remedy}")

    def value(self, channels: int, phase: Phase, scale: int) -> View:
        """A new value."""
        self._num_values += 1
        if scale > 1 and self.depth:
            self.reject("A coarse grid is used inside `ctx.shift_down`", "Move the finest grid only.")
        return View(Value(self._num_values - 1, channels, phase, self.depth, scale), 0, channels)

    def common_scale(self, inputs: Sequence[View]) -> int:
        """The scale of the one grid on which all inputs lie; what is the same at every site lies on any."""
        scales = {view.scale for view in inputs if view.phase > Phase.IMAGE}
        if len(scales) > 1:
            self.reject(
                f"Values of grids of every {' and of every '.join(map(str, sorted(scales)))} sites are combined",
                "Bring the coarse one to the finer grid with `ctx.upsample`.",
            )
        return scales.pop() if scales else 1

    def require_finest_grid(self, key: str, view: View) -> None:
        """Refuse a value of a coarse grid where sites are counted one by one."""
        if view.scale > 1:
            self.reject(f"`{key}` is given a value of a coarse grid", "Bring it to the finest with `ctx.upsample`.")

    def emit(
        self,
        opcode: str,
        *inputs: View,
        channels: int,
        phase: Phase | None = None,
        scale: int | None = None,
        constants: tuple[NDArray[Any], ...] = (),
        map: FeatureMap | None = None,  # the field of Instruction that it fills
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> View:
        """Write an instruction that makes a new value; return the value."""
        phase = max(view.phase for view in inputs) if phase is None else phase
        output = self.value(channels, phase, self.common_scale(inputs) if scale is None else scale)
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
        """Write an instruction that makes a value, at the phase of the value."""
        self._check_row(inputs)
        blocks = tuple(self.weights.pack(array) for array in constants)
        instruction = Instruction(
            opcode, output.phase, output, inputs, self.scope, blocks, map, taps, key, row_parity=self.row_parity
        )
        self.code[output.phase].append(instruction)
        if map is not None and taps:
            map.extend(taps)

    @contextmanager
    def for_row_parity(self, parity: int) -> Iterator[None]:
        """Within the block instructions are recorded for rows of one parity."""
        self.row_parity = parity
        yield
        self.row_parity = None

    def concatenate(self, views: list[View]) -> View:
        """One value with the channels of all views, one after the other."""
        self._check_row(views)
        phase = max(view.phase for view in views)
        output = self.value(sum(view.channels for view in views), phase, self.common_scale(views))
        start = 0
        for view in views:
            target = output.narrow(start, view.channels)
            self.code[phase].append(Instruction("COPY", phase, target, (view,), self.scope))
            start += view.channels
        return output

    def stored_map(self, view: View) -> FeatureMap:
        """The map that keeps a view at every site; made when first asked for."""
        self._check_row([view])
        if view not in self._maps:
            kept = FeatureMap(self.scope, view.channels, view.scale)
            self._maps[view] = kept
            self.store(view, kept)
        return self._maps[view]

    def state_map(self, channels: int) -> FeatureMap:
        """A map that is read before it is written: what a recurrence keeps of the sites before."""
        self._states.append(FeatureMap(self.scope, channels))
        return self._states[-1]

    def store(self, view: View, kept: FeatureMap) -> None:
        """Keep a view in a map."""
        self._check_row([view])
        self.code[view.phase].append(Instruction("STORE", view.phase, None, (view,), self.scope, map=kept))

    def shift_down(self, view: View) -> View:
        """A value of the row above, as one of this row."""
        output = self.value(view.channels, Phase.ROW, view.scale)
        self.code[Phase.ROW].append(Instruction("SHIFT_DOWN", Phase.ROW, output, (view,), self.scope))
        return output

    def _check_row(self, views: Iterable[View]) -> None:
        if any(view.phase > Phase.IMAGE and view.value.depth != self.depth for view in views):
            self.reject(
                "A value of another row is used inside `ctx.shift_down`",
                "Pass it to `ctx.shift_down` as an input of the function.",
            )

    def kv_cache(self, keys: View, values: View, heads: int) -> KeyValueCache:
        """The memory that keeps the keys and values of every site, once the site is drawn."""
        kept = self.concatenate([keys, values])
        sites = self.height * self.width
        cache = KeyValueCache(self.scope, kept.channels, length=sites, num_heads=heads, key_channels=keys.channels)
        self.kv_caches.append(cache)
        self.code[Phase.POST_DRAW].append(
            Instruction("STORE_KV", Phase.POST_DRAW, None, (kept,), self.scope, map=cache)
        )
        return cache

    @property
    def maps(self) -> list[FeatureMap]:
        """All maps, the canvas first."""
        return [self.canvas, *self._maps.values(), *self._states]
