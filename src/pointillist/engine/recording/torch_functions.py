"""Handlers that record torch functions within a site, one small function each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.program import Phase
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import convolve, to_numpy
from pointillist.engine.recording.symbols import Symbol, Window, recorded, records, symbol_of
from pointillist.nn.functional.convolution import RMS_EPSILON, rms_norm


def _no_inplace(x: Symbol, name: str, inplace: bool) -> None:
    if inplace:
        x.builder.reject(f"`{name}` has inplace=True", "A value is never changed in place: use inplace=False.")


def _unary(opcode: str, x: Symbol) -> Symbol:
    return symbol_of(x.builder, x.builder.emit(opcode, x.content, channels=x.content.channels))


@records(torch.tanh, Tensor.tanh)
def _tanh(x: Symbol) -> Symbol:
    return _unary("TANH", x)


@records(torch.sigmoid, Tensor.sigmoid)
def _sigmoid(x: Symbol) -> Symbol:
    return _unary("SIGMOID", x)


@records(torch.relu, Tensor.relu, F.relu)
def _relu(x: Symbol, inplace: bool = False) -> Symbol:
    _no_inplace(x, "relu", inplace)
    return _unary("RELU", x)


@records(rms_norm)
def _rms_norm(x: Symbol) -> Symbol:
    constants = {"epsilon": np.full(1, RMS_EPSILON)}
    return symbol_of(x.builder, x.builder.emit("RMS_NORM", x.content, channels=x.content.channels, constants=constants))


@records(F.elu)
def _elu(x: Symbol, alpha: float | int = 1.0, inplace: bool = False) -> Symbol:
    _no_inplace(x, "elu", inplace)
    if alpha != 1.0:
        x.builder.reject(f"`elu` has alpha={alpha}", "Only alpha=1 has an opcode.")
    return _unary("ELU", x)


@records(F.gelu)
def _gelu(x: Symbol, *, approximate: str = "none") -> Symbol:
    if approximate != "tanh":
        x.builder.reject(f"`gelu` has approximate='{approximate}'", "Use approximate='tanh': numpy has no erf.")
    return _unary("GELU", x)


@records(F.silu)
def _silu(x: Symbol, inplace: bool = False) -> Symbol:
    _no_inplace(x, "silu", inplace)
    return _mul(x, _sigmoid(x))


@records(torch.neg, Tensor.neg, Tensor.__neg__)
def _neg(x: Symbol) -> Symbol:
    return _mul(x, -1.0)


@records(torch.add, Tensor.add, Tensor.__radd__)
def _add(a: Any, b: Any, *, alpha: float | int = 1) -> Symbol:
    return _binary("ADD", "OFFSET", a, b * alpha)


@records(torch.mul, Tensor.mul, Tensor.__rmul__)
def _mul(a: Any, b: Any) -> Symbol:
    return _binary("MULTIPLY", "SCALE", a, b)


@records(torch.sub, Tensor.sub)
def _sub(a: Any, b: Any, *, alpha: float | int = 1) -> Symbol:
    return _add(a, b * -alpha)


@records(Tensor.__rsub__)
def _rsub(a: Symbol, b: Any) -> Symbol:
    return _add(_neg(a), b)


@records(torch.div, Tensor.div, torch.true_divide, Tensor.__truediv__)
def _div(a: Symbol, b: Any) -> Symbol:
    if isinstance(b, Symbol):
        b.builder.reject("A division by a recorded value has no opcode", "Multiply by a value instead.")
    inverse: Any = 1.0 / b
    return _mul(a, inverse)


def _binary(opcode: str, with_constant: str, a: Any, b: Any) -> Symbol:
    """Combine two values, or a value and a number or per-channel parameter, in either order."""
    if not isinstance(a, Symbol):
        return _binary(opcode, with_constant, b, a)
    builder, channels = a.builder, a.content.channels
    if not isinstance(b, Symbol):
        constant = _per_channel(builder, b, channels)
        if np.all(constant == (0 if with_constant == "OFFSET" else 1)):
            return a  # an optional term that is absent
        constants = {"constant" if with_constant == "OFFSET" else "factor": constant}
        return symbol_of(builder, builder.emit(with_constant, a.content, channels=channels, constants=constants))
    if b.content.channels != channels:
        builder.reject(
            f"Values of {channels} and of {b.content.channels} channels are combined",
            "Channels are never broadcast: make the counts equal.",
        )
    return symbol_of(builder, builder.emit(opcode, a.content, b.content, channels=channels))


def _per_channel(builder: Builder, constant: Any, channels: int) -> NDArray[Any]:
    array = to_numpy(constant) if isinstance(constant, Tensor) else np.asarray(constant)
    if array.size == 1:
        return np.full(channels, array.reshape(()))
    if array.ndim < 3 or array.shape[-2:] != (1, 1) or array.size != array.shape[-3]:
        builder.reject(
            f"A tensor of shape {list(array.shape)} meets a recorded value",
            "Only numbers and per-channel parameters `[1 c 1 1]` are constants: pass conditions via `ctx.external`.",
        )
    if array.size != channels:
        builder.reject(f"A parameter of {array.size} channels meets a value of {channels}", "Make the counts equal.")
    return array.reshape(channels)


@records(torch.conv2d)
def _conv2d(
    x: Symbol | Window,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Symbol:
    strides = set(np.ravel(stride).tolist())
    # a window may be taken at every n-th site, and a vector is the same at all of them
    anywhere = isinstance(x, Window) or x.content.phase == Phase.IMAGE
    apart = strides.pop() if anywhere and len(strides) == 1 else 1
    for name, setting, allowed in (("stride", stride, apart), ("padding", padding, 0), ("groups", groups, 1)):
        if not set(np.ravel(setting).tolist()) <= {allowed, "valid"}:
            x.builder.reject(
                f"A convolution has {name}={setting}",
                "Neighbours are reached through `ctx.window`, then a VALID convolution of one group; only there may "
                "it have a stride.",
            )
    rows, columns = np.broadcast_to(dilation, 2).tolist()
    return symbol_of(x.builder, convolve(x, weight, bias, (rows, columns), apart))


def _channels_only(x: Symbol, name: str, dim: int) -> None:
    if dim not in (1, -3):
        x.builder.reject(f"`{name}` has dim={dim}", "Only channels (dim=1) can be joined or cut.")


@records(torch.cat, torch.concat, torch.concatenate)
def _cat(tensors: Sequence[Any], dim: int = 1) -> Symbol:
    first = next(t for t in tensors if isinstance(t, Symbol))
    _channels_only(first, "cat", dim)
    what, remedy = "A plain tensor is joined to recorded values", "Pass it through `ctx.external` first."
    views = [recorded(first.builder, tensor, what, remedy) for tensor in tensors]
    if any(tensor.shape[2:] != first.shape[2:] for tensor in tensors):
        first.builder.reject("A vector is joined to maps", "Project it with a 1x1 convolution and add it.")
    return symbol_of(first.builder, first.builder.concatenate(views))


def _cut(x: Symbol, sizes: Sequence[int]) -> tuple[Symbol, ...]:
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple(symbol_of(x.builder, x.content.narrow(s, n)) for s, n in zip(starts, sizes, strict=False))


@records(torch.split, Tensor.split, torch.split_with_sizes, Tensor.split_with_sizes)
def _split(x: Symbol, split_size: int | Sequence[int], dim: int = 0) -> tuple[Symbol, ...]:
    _channels_only(x, "split", dim)
    channels = x.content.channels
    if isinstance(split_size, int):
        size = split_size
        split_size = [min(size, channels - start) for start in range(0, channels, size)]
    if sum(split_size) != channels:
        x.builder.reject(f"A value of {channels} channels is split into {list(split_size)}", "Split all of them.")
    return _cut(x, split_size)


@records(torch.chunk, Tensor.chunk)
def _chunk(x: Symbol, chunks: int, dim: int = 0) -> tuple[Symbol, ...]:
    return _split(x, math.ceil(x.content.channels / chunks), dim)


@records(torch.narrow, Tensor.narrow)
def _narrow(x: Symbol, dim: int, start: int, length: int) -> Symbol:
    _channels_only(x, "narrow", dim)
    return symbol_of(x.builder, x.content.narrow(start, length))


@records(Tensor.__getitem__)
def _getitem(x: Symbol, index: Any) -> Symbol:
    whole = slice(None)
    parts = list(index) if isinstance(index, tuple) else [index]
    if parts[-1] is Ellipsis:
        parts.pop()
    if len(parts) < 2 or not isinstance(parts[1], slice) or any(p != whole for p in (parts[0], *parts[2:])):
        x.builder.reject(f"The index {index} picks sites", "Only channels can be sliced: `x[:, a:b]`.")
    start, stop, step = parts[1].indices(x.content.channels)
    if step != 1 or stop <= start:
        x.builder.reject(f"The channel slice {parts[1]} is empty or strided", "Take a run of channels: `x[:, a:b]`.")
    return symbol_of(x.builder, x.content.narrow(start, stop - start))


@records(F.dropout, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout)
def _dropout(x: Symbol, p: float = 0.5, training: bool = True, inplace: bool = False) -> Symbol:
    if training and p > 0:
        x.builder.reject("Dropout is in training mode", "Call `model.eval()` before recording.")
    return x


@records(F.batch_norm)
def _batch_norm(x: Symbol, *args: Any, **kwargs: Any) -> Symbol:
    x.builder.reject("Batch norm mixes images in training mode and has no opcode", "Use weight norm instead.")


@records(Tensor.contiguous, Tensor.clone)
def _same(x: Symbol, **kwargs: Any) -> Symbol:
    return x
