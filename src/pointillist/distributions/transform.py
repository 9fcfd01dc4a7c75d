"""Guidance, temperature and top-p as one object. Needs no torch.

They decide what is drawn, not the likelihood of what was drawn, so no decoder depends on them. The formulas stand in
`engine/head/transform.py` for frequencies of integer programs, and for floating point in `sampling_transforms.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pointillist.errors import ABOVE_0, Bounded, Range, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_GUIDANCE = 1000
GUIDANCE_BITS, TOP_P_BITS = 16, 30
UNIT = 1 << GUIDANCE_BITS
"""1 as an integer of guidance, and of the inverse of the temperature."""
COLDEST = 0
"""In place of the inverse of a temperature below 2^-10: take the most probable level."""
_HOTTEST, _LEAST_TEMPERATURE = 1, 2.0**-10


@dataclass(frozen=True)
class Transform(Bounded):
    """Changes to the distribution of a sub-pixel before a level is drawn.

    It is made where the user speaks, and passed down to the draw of every engine.

    ```python
    Transform(guidance=3.0, temperature=0.8).is_identity  # False
    ```

    Attributes:
        guidance: classifier-free guidance scale (Ho & Salimans 2022, arXiv 2207.12598): 0 is unconditional, 1 the
            model itself. See `apply_guidance`.
        temperature: divides the log-probabilities; 0 takes the most probable level. See `apply_temperature_top_p`.
        top_p: nucleus sampling (Holtzman et al. 2020): keep the most probable levels that reach this sum.

    Raises:
        ConfigError: naming the setting that is out of range.
    """

    guidance: float = within(1.0, Range(0, MAX_GUIDANCE, f"lie in 0 to {MAX_GUIDANCE:,}: 1 is the model itself"))
    temperature: float = within(1.0, Range(0, rule="be a finite number, 0 or more: 1 is the model itself"))
    top_p: float = within(1.0, Range(ABOVE_0, 1, "lie above 0 and at most 1: 1 keeps every level"))

    @property
    def is_guided(self) -> bool:
        """True if a batch holds every image twice: under its conditions, and then under the reference of guidance."""
        return self.guidance != 1

    @property
    def is_identity(self) -> bool:
        """True if it changes no distribution."""
        return (self.guidance, self.temperature, self.top_p) == (1, 1, 1)

    def unguided(self) -> Transform:
        """Return it without guidance: for images without conditions, which guidance does not change."""
        return replace(self, guidance=1.0) if self.is_guided else self

    @cached_property
    def integers(self) -> tuple[int, int, int]:
        """Guidance, inverse temperature and top-p as integer programs take them, rounded to the nearest, halves up.

        In steps of 2^-16; in steps of 2^-16, from 1 to 2^26, or `COLDEST` below a temperature of 2^-10; in steps of
        2^-30, from 1 to 2^30.
        """
        sharpness = COLDEST
        if self.temperature >= _LEAST_TEMPERATURE:
            sharpness = max(_HOTTEST, math.floor(UNIT / self.temperature + 0.5))
        top_p = max(1, math.floor(self.top_p * 2.0**TOP_P_BITS + 0.5))
        return math.floor(self.guidance * UNIT + 0.5), sharpness, top_p

    def integer_array(self) -> NDArray[np.int64]:
        """Return whether there is guidance, and `integers`, as compiled code takes them, `[4]`."""
        import numpy as np

        return np.array([self.is_guided, *self.integers], np.int64)


IDENTITY = Transform()
"""The distribution as it is."""
