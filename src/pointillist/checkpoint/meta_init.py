"""Build modules on the meta device: shapes only, without memory and without initialisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_NUMBERS_ONLY = {Tensor.normal_, Tensor.uniform_, Tensor.mul_}  # they do not change a shape


class _Unfilled(TorchFunctionMode):
    """Skips the functions that fill tensors.

    On the meta device torch runs them in Python, for which it imports its compiler: 0.9 s.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _NUMBERS_ONLY or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func is Tensor.norm:  # its result has the shape of a slice
            return args[0].select(kwargs["dim"], 0)
        return func(*args, **kwargs)


@contextmanager
def meta_init() -> Iterator[None]:
    """Build the modules of a `with` block on the meta device, without filling their tensors.

    Example:
        ```python
        with meta_init():
            model = PixelModel(config)
        ```
    """
    with torch.device("meta"), _Unfilled():
        yield
