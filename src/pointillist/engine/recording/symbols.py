"""Symbols: tensors without values. `__torch_function__` records every torch function that is called on one.

A symbol is a subclass of `Tensor` (so that annotations and `isinstance` hold) over a tensor without storage. A function
without a handler raises an error that names it: nothing can be computed, copied out or branched on by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from pointillist.engine.program import FeatureMap, Phase, View
from pointillist.engine.recording.builder import Builder

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
HANDLERS: dict[Any, Callable[..., Any]] = {}
METADATA: set[Any] = {
    getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim", "requires_grad", "layout", "is_meta")
} | {Tensor.dim, Tensor.size, Tensor.is_floating_point, Tensor.ndimension}


def records(*functions: Any) -> Callable[[HandlerT], HandlerT]:
    """Register a handler that records calls of these torch functions on symbols."""

    def register(handler: HandlerT) -> HandlerT:
        HANDLERS.update(dict.fromkeys(functions, handler))
        return handler

    return register


class Recorded(Tensor):
    """Base class of everything that a recorded forward gets in place of tensors."""

    builder: Builder

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        for argument in _recorded(args, kwargs):
            argument.check(func)
        handler = HANDLERS.get(func)
        if handler is None:
            first = next(_recorded(args, kwargs))
            first.builder.reject(
                f"`{function_name(func)}` cannot be replayed site by site", _remedy(function_name(func))
            )
        return handler(*args, **kwargs)

    def check(self, func: Any) -> None:
        """Reject functions that may not be called on this kind of symbol."""

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]  # torch is annotated wrongly
        return f"{type(self).__name__}(shape={tuple(self.shape)})"


class Symbol(Recorded):
    """A value at the current site (or of the image, in phase IMAGE)."""

    content: View
    """The channels of the program's value that it stands for."""


class Canvas(Recorded):
    """The image under construction. Only a window may read it."""

    def check(self, func: Any) -> None:
        """Reject every function."""
        self.builder.reject(
            f"`{function_name(func)}` is called on the canvas, which a forward may read only through `ctx.window`",
            "Take a window first and convolve it; scale the canvas where it is written.",
        )


class Window(Recorded):
    """The result of `ctx.window`: the surroundings of a site, for one VALID convolution."""

    key: str
    map: FeatureMap
    phase: Phase
    top: int
    """Row offset of the first row of the kernel."""
    leftmost: int
    extent: tuple[int, int]
    """Rows and columns that the kernel must span."""

    def check(self, func: Any) -> None:
        """Reject everything but a convolution."""
        if func is not torch.conv2d:
            self.builder.reject(
                f"`{function_name(func)}` is called on the window `{self.key}`, which only a convolution may read",
                "Apply it before the window or after the convolution.",
            )


RecordedT = TypeVar("RecordedT", bound=Recorded)


def make(kind: type[RecordedT], builder: Builder, channels: int, height: int, width: int) -> RecordedT:
    """Create a symbol of this kind with a shape and no storage."""
    dtype = torch.float64 if builder.dtype.itemsize == 8 else torch.float32
    symbol: RecordedT = torch.empty(1, channels, height, width, dtype=dtype, device="meta").as_subclass(kind)
    symbol.builder = builder
    return symbol


def symbol_of(builder: Builder, view: View) -> Symbol:
    size = (1, 1) if view.phase == Phase.IMAGE else (-(-builder.height // view.scale), -(-builder.width // view.scale))
    symbol = make(Symbol, builder, view.channels, *size)
    symbol.content = view
    return symbol


def recorded(builder: Builder, t: object, what: str, remedy: str) -> View:
    """Return the view of a recorded value.

    Raises:
        CausalityError: with these words, if `t` is anything else.
    """
    if not isinstance(t, Symbol):
        builder.reject(what, remedy)
    return t.content


def function_name(func: Any) -> str:
    """Return the name by which authors know a torch function, method or attribute."""
    name = getattr(func, "__name__", str(func))
    return str(func.__self__.__name__ if name in ("__get__", "__set__") else name)


def _recorded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Recorded]:
    """Yield the symbols among the arguments, also inside lists."""
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, Recorded):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from _recorded(tuple(argument), {})


_READS = {
    "__bool__",
    "__int__",
    "__float__",
    "__index__",
    "__array__",
    "__contains__",
    "item",
    "tolist",
    "numpy",
    "data",
}
_REACHES = {"mean", "sum", "amax", "max", "var", "std", "flip", "roll", "pad", "interpolate", "unfold", "cumsum"}
_REACHES |= {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "layer_norm", "group_norm", "instance_norm", "softmax"}


def _remedy(name: str) -> str:
    if name in _READS:
        return "A forward must not branch on values or copy them out: while it is recorded there are none."
    if (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "out"):
        return "A value is never changed in place: make a new one."
    if name in _REACHES:
        return "It may reach across sites or channels: use `ctx.window` (or another method of `ctx`) and a convolution."
    return "Use functions that have a handler (`engine/recording/torch_functions.py`), or add an opcode."
