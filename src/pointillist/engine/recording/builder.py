"""Collect a recording: values, feature maps and instructions, in the order of the forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import ConditionInput, FeatureMap, Instruction, KeyValueCache, Phase, Tap, Value, View
from pointillist.errors import CausalityError


class Builder:
    """The program under construction."""

    def __init__(
        self,
        *,
        num_sub_steps: int,
        canvas_width: int,
        height: int,
        width: int,
        dtype: np.dtype[Any],
        s_curve: bool = False,
        is_grid: bool = False,
    ) -> None:
        self.num_sub_steps = num_sub_steps
        self.canvas_width = canvas_width
        self.height = height
        self.width = width
        self.s_curve = s_curve
        self.is_grid = is_grid
        self.dtype = dtype
        self.canvas: FeatureMap = FeatureMap("canvas", num_sub_steps * canvas_width, dtype=dtype)
        self.inputs: dict[str, ConditionInput] = {}
        self.code: dict[Phase, list[Instruction]] = {phase: [] for phase in Phase}
        self.scope: str = "the start of forward"
        self.depth = 0
        """Number of nested `ctx.shift_down` being recorded."""
        self.row_parity: int | None = None
        """The parity of the rows that is being recorded; None for all rows."""
        self._keys: set[str] = set()
        self.kv_caches: list[KeyValueCache] = []
        self._maps: dict[View, FeatureMap] = {}
        self._states: list[FeatureMap] = []
        self._ones: FeatureMap | None = None
        self._num_values = 0

    def claim_key(self, key: str) -> None:
        """Enter the scope of a key.

        Raises:
            CausalityError: if the key was used before.
        """
        if key in self._keys:
            raise CausalityError(
                f"The key `{key}` is used twice: a key names one scope, with one feature map. "
                "Give each call its own key, also where two calls share a layer."
            )
        self._keys.add(key)
        self.scope = f"`{key}`"

    def reject(self, what: str, remedy: str) -> NoReturn:
        """Raise an error that names the problem, the current scope, and the remedy.

        Raises:
            CausalityError: always.
        """
        raise CausalityError(f"{what} (at or after {self.scope}). {remedy}")

    def value(self, channels: int, phase: Phase, scale: int) -> View:
        self._num_values += 1
        if scale > 1 and self.depth:
            self.reject("A coarse grid is used inside `ctx.shift_down`", "Move the finest grid only.")
        return View(Value(self._num_values - 1, channels, phase, self.depth, scale, self.dtype), 0, channels)

    def common_scale(self, inputs: Sequence[View]) -> int:
        """Return the spacing of the one grid on which all inputs lie. Values of phase IMAGE lie on any grid.

        Raises:
            CausalityError: if inputs lie on different grids.
        """
        scales = {view.scale for view in inputs if view.phase > Phase.IMAGE}
        if len(scales) > 1:
            self.reject(
                f"Values of grids of every {' and of every '.join(map(str, sorted(scales)))} sites are combined",
                "Bring the coarse one to the finer grid with `ctx.upsample`.",
            )
        return scales.pop() if scales else 1

    def require_finest_grid(self, key: str, view: View) -> None:
        """Check that a value lies on the finest grid.

        Raises:
            CausalityError: if it lies on a coarse one.
        """
        if view.scale > 1:
            self.reject(f"`{key}` is given a value of a coarse grid", "Bring it to the finest with `ctx.upsample`.")

    def emit(
        self,
        opcode: str,
        *inputs: View,
        channels: int,
        phase: Phase | None = None,
        scale: int | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
        map: FeatureMap | None = None,  # named like the field of Instruction
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> View:
        """Emit an instruction that makes a new value; return a view of the value."""
        phase = max(view.phase for view in inputs) if phase is None else phase
        output = self.value(channels, phase, self.common_scale(inputs) if scale is None else scale)
        self.write(opcode, output, inputs, constants, map, taps, key)
        return output

    def write(
        self,
        opcode: str,
        output: View,
        inputs: tuple[View, ...],
        constants: Mapping[str, NDArray[Any]] | None = None,
        map: FeatureMap | None = None,
        taps: tuple[Tap, ...] = (),
        key: str = "",
    ) -> None:
        """Emit an instruction that makes an existing value, in the phase of the value."""
        self._check_row(inputs)
        arrays = {name: np.array(array, self.dtype, order="C") for name, array in (constants or {}).items()}
        instruction = Instruction(
            opcode, output.phase, output, inputs, self.scope, arrays, map, taps, key, row_parity=self.row_parity
        )
        self.code[output.phase].append(instruction)
        if map is not None and taps:
            map.extend(taps)

    @contextmanager
    def for_row_parity(self, parity: int) -> Iterator[None]:
        """Record instructions for rows of one parity, within the block."""
        self.row_parity = parity
        yield
        self.row_parity = None

    def concatenate(self, views: list[View]) -> View:
        """Make one value of the channels of all views, in their order."""
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
        """Return the feature map that stores a view at every site. The first call makes it."""
        self._check_row([view])
        if view not in self._maps:
            feature_map = FeatureMap(self.scope, view.channels, view.scale, self.dtype)
            self._maps[view] = feature_map
            self.store(view, feature_map)
        return self._maps[view]

    def ones_map(self) -> FeatureMap:
        """Return the feature map that holds 1 at every site, and so tells which sites lie in the image."""
        if self._ones is None:
            constants = {"constant": np.ones(1)}
            self._ones = self.stored_map(
                self.emit("CONSTANT", channels=1, phase=Phase.ROW, scale=1, constants=constants)
            )
        return self._ones

    def state_map(self, channels: int) -> FeatureMap:
        """Create a feature map that is read before it is written: the state of a recurrence."""
        self._states.append(FeatureMap(self.scope, channels, dtype=self.dtype))
        return self._states[-1]

    def store(self, view: View, feature_map: FeatureMap) -> None:
        self._check_row([view])
        self.code[view.phase].append(Instruction("STORE", view.phase, None, (view,), self.scope, map=feature_map))

    def shift_down(self, view: View) -> View:
        """Make a value of the current row from a value of the row above."""
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
        """Create the KV cache that stores keys and values of every site after its draw."""
        entries = self.concatenate([keys, values])
        sites = self.height * self.width
        cache = KeyValueCache(
            self.scope, entries.channels, dtype=self.dtype, length=sites, num_heads=heads, key_channels=keys.channels
        )
        self.kv_caches.append(cache)
        self.code[Phase.POST_DRAW].append(
            Instruction("STORE_KV", Phase.POST_DRAW, None, (entries,), self.scope, map=cache)
        )
        return cache

    @property
    def maps(self) -> list[FeatureMap]:
        """All feature maps, the canvas first."""
        return [self.canvas, *self._maps.values(), *self._states]
