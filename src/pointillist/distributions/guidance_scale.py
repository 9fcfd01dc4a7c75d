"""The scale of classifier-free guidance, checked."""

from __future__ import annotations

import math
from numbers import Real

from pointillist.errors import ConfigError


def check_guidance(guidance: float) -> None:
    """Check that a guidance scale is finite and not negative.

    Raises:
        ConfigError: naming the value.
    """
    if not (isinstance(guidance, Real) and 0 <= guidance < math.inf):
        raise ConfigError(f"`guidance` (={guidance}) must be 0 or more, and finite: 1 is the model itself.")
