"""Named activations: what every layer of a network gave, and a way to change it, by forward hooks.

Names are paths of modules with a hook at the end, in the manner of TransformerLens: `blocks.3.hook_out` is what block 3
gave. Where a layer gives several maps they have names of their own, such as `layers.0.hook_vertical`. A layer that runs
more than once in a forward adds `#2`, `#3`. `hook_canvas` is what the network read, `hook_params` its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import Any, Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning import ConditionKwargs, Label
from pointillist.errors import ConfigError, ShapeError
from pointillist.model.pixel_model import PixelModel
from pointillist.networks.gated_pixelcnn import GatedLayer
from pointillist.networks.pixelcnn_pp import DownsampleBlock, GatedResidualPair, InputBlock, UpsampleBlock

ActivationHook = Callable[[Tensor, str], Tensor | None]

CANVAS, PARAMS = "hook_canvas", "hook_params"
_PAIR = ("above", "before")
_PARTS: dict[type[nn.Module], tuple[str, ...]] = {
    GatedLayer: ("vertical", "horizontal", "skip"),
    **dict.fromkeys((InputBlock, GatedResidualPair, DownsampleBlock, UpsampleBlock), _PAIR),
}


@contextmanager
def with_hooks(network: nn.Module, see: ActivationHook) -> Iterator[None]:
    """Within the block `see(value, name)` gets every activation; what it returns, if anything, replaces it."""
    times: dict[str, int] = {}

    def named(path: str, part: str) -> str:
        name = f"{path}.hook_{part}" if path else PARAMS
        times[name] = times.get(name, 0) + 1
        return name if times[name] == 1 else f"{name}#{times[name]}"

    def after(module: nn.Module, path: str, output: Any) -> Any:
        if isinstance(output, Tensor):
            return see(output, named(path, "out"))
        if not isinstance(output, tuple) or not all(isinstance(part, Tensor) for part in output):
            return None
        parts = _PARTS.get(type(module), tuple(f"out_{i}" for i in range(len(output))))
        changed = [see(value, named(path, part)) for part, value in zip(parts, output, strict=True)]
        if all(value is None for value in changed):
            return None
        return tuple(old if new is None else new for old, new in zip(output, changed, strict=True))

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> Any:
        times.clear()
        changed = see(inputs[0], CANVAS)
        return None if changed is None else (changed, *inputs[1:])

    with ExitStack() as stack:
        stack.callback(network.register_forward_pre_hook(before).remove)
        for path, module in network.named_modules():
            hook = module.register_forward_hook(lambda m, _, output, path=path: after(m, path, output))
            stack.callback(hook.remove)
        yield


def run_with_cache(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    label: Label = None,
    text: Any = None,
    *,
    names: str | Sequence[str] | None = None,
    order: str | None = None,
    **further: Unpack[ConditionKwargs],
) -> tuple[Float[Tensor, "b p h w"], dict[str, Tensor]]:
    """Run the network of a model on images and keep copies of what its layers gave.

    Args:
        x, label, text, order, further: as for `log_prob`.
        names: of the activations to keep, exact or with `*`, such as `layers.*.hook_skip`; None for all.

    Returns:
        the network's outputs, and the activations by name.

    Raises:
        ConfigError: also if a name fits no activation.
        ShapeError, DataError: if `x` is not an image of this model.
    """
    wanted = [names] if isinstance(names, str) else names
    cache: dict[str, Tensor] = {}
    met: set[str] = set()

    def see(value: Tensor, name: str) -> None:
        met.add(name)
        if wanted is None or any(fnmatchcase(name, pattern) for pattern in wanted):
            cache[name] = value.detach().clone()

    with torch.no_grad():
        params = _watched(model, see, x, label, text, order, **further)
    for pattern in wanted or ():
        _check_met(any(fnmatchcase(name, pattern) for name in met), pattern)
    return params, cache


def run_with_hooks(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    hooks: Mapping[str, ActivationHook],
    label: Label = None,
    text: Any = None,
    *,
    order: str | None = None,
    **further: Unpack[ConditionKwargs],
) -> Float[Tensor, "b p h w"]:
    """Run the network of a model where hooks may replace activations: patching and ablation.

    Args:
        x, label, text, order, further: as for `log_prob`.
        hooks: by the name of an activation; each gets value and name, and returns a new value of the same shape, or
            None to leave it.

    Raises:
        ConfigError: also if there is no activation of a name.
        ShapeError: also if a hook returns another shape.
    """
    met: set[str] = set()

    def see(value: Tensor, name: str) -> Tensor | None:
        if name not in hooks:
            return None
        met.add(name)
        new = hooks[name](value, name)
        if new is not None and new.shape != value.shape:
            raise ShapeError(f"The hook of {name!r} gave shape {tuple(new.shape)}: give {tuple(value.shape)}.")
        return new

    params = _watched(model, see, x, label, text, order, **further)
    for name in hooks:
        _check_met(name in met, name)
    return params


def _watched(
    model: PixelModel,
    see: ActivationHook,
    x: Tensor,
    label: Label,
    text: Any,
    order: str | None,
    **further: Unpack[ConditionKwargs],
) -> Float[Tensor, "b p h w"]:
    """Run once, without dropout."""
    training = model.training
    model.eval()
    try:
        x = model.check(x)
        told = model.conditions.inputs(label, len(x), text, size=(x.shape[2], x.shape[3]), **further)
        with with_hooks(model.backbone, see):
            return model.params(x, model.encode(told, len(x)), model.order(order))
    finally:
        model.train(training)


def _check_met(met: bool, name: str) -> None:
    if not met:
        raise ConfigError(f"There is no activation {name!r}: `run_with_cache(model, x)` gives all of them by name.")
