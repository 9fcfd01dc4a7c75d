"""How many sub-pixels of its own site each channel needs: what opcodes work out and sub-steps are cut by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointillist.engine.program import FeatureMap, IntArray, Value, View


@dataclass
class ChannelDependencies:
    """How many sub-pixels of its own site each channel needs: of values, and of maps at the site itself."""

    values: dict[Value, IntArray] = field(default_factory=dict)
    maps: dict[FeatureMap, IntArray] = field(default_factory=dict)

    def of(self, view: View) -> IntArray:
        """Of the channels of a view; values of earlier levels need none."""
        if view.value not in self.values:
            return np.zeros(view.channels, np.int64)
        return self.values[view.value][view.start : view.start + view.channels]

    def note(self, view: View, needs: IntArray) -> None:
        """Remember the needs of a view that has just been made."""
        whole = self.values.setdefault(view.value, np.zeros(view.value.channels, np.int64))
        part = slice(view.start, view.start + view.channels)
        whole[part] = np.maximum(whole[part], needs)  # a value may be made one way in even rows, another in odd ones
