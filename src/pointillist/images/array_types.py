"""Types of arrays and tensors with their axes, `Float[np.ndarray, "b h w"]`, for readers, type checkers and tests.

jaxtyping's syntax, and its classes in a process that imported it to check shapes, as our tests do. Elsewhere nothing
looks at an annotation, so nobody waits for the library, and none needs it: a name stands for `Annotated`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:  # as jaxtyping itself declares them
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Float32
    from typing import Annotated as Int
    from typing import Annotated as Int64
    from typing import Annotated as Integer
    from typing import Annotated as Shaped
    from typing import Annotated as UInt8
    from typing import Annotated as UInt64
elif "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float32, Int, Int64, Integer, Shaped, UInt8, UInt64
else:
    Bool = Float = Float32 = Int = Int64 = Integer = Shaped = UInt8 = UInt64 = Annotated

__all__ = ["Bool", "Float", "Float32", "Int", "Int64", "Integer", "Shaped", "UInt8", "UInt64"]
