"""Named activations of a network, to read or to replace, by forward hooks.

Names are module paths that end in a hook, as in TransformerLens: `blocks.3.hook_out` is the output of block 3. Several
outputs of a layer have their own names, such as `layers.0.hook_vertical`. A layer that runs more than once in a
forward adds `#2`, `#3`. `hook_canvas` is the input of the network, `hook_params` its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from pointillist.conditioning import ConditionKwargs, Label
from pointillist.errors import ConfigError
from pointillist.images.array_types import Float, Int
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
def with_hooks(network: nn.Module, hook: ActivationHook) -> Iterator[None]:
    """Call `hook(value, name)` with every activation within the block; a value it returns replaces the activation.

    Example::

        with with_hooks(model.backbone, lambda value, name: print(name, tuple(value.shape))):
            model.log_prob(x)
    """
    times: dict[str, int] = {}

    def named(path: str, part: str) -> str:
        name = f"{path}.hook_{part}" if path else PARAMS
        times[name] = times.get(name, 0) + 1
        return name if times[name] == 1 else f"{name}#{times[name]}"

    def after(module: nn.Module, path: str, output: Any) -> Any:
        if isinstance(output, Tensor):
            return hook(output, named(path, "out"))
        if not isinstance(output, tuple) or not all(isinstance(part, Tensor) for part in output):
            return None
        parts = _PARTS.get(type(module), tuple(f"out_{i}" for i in range(len(output))))
        changed = [hook(value, named(path, part)) for part, value in zip(parts, output, strict=True)]
        if all(value is None for value in changed):
            return None
        return tuple(old if new is None else new for old, new in zip(output, changed, strict=True))

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> Any:
        times.clear()
        changed = hook(inputs[0], CANVAS)
        return None if changed is None else (changed, *inputs[1:])

    with ExitStack() as stack:
        stack.callback(network.register_forward_pre_hook(before).remove)
        for path, module in network.named_modules():
            handle = module.register_forward_hook(lambda m, _, output, path=path: after(m, path, output))
            stack.callback(handle.remove)
        yield


def run_with_cache(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    label: Label = None,
    text: Any = None,
    *,
    names: str | Sequence[str] | None = None,
    order: str | None = None,
    **conditions: Unpack[ConditionKwargs],
) -> tuple[Float[Tensor, "b p h w"], dict[str, Tensor]]:
    """Run the network of a model on images and keep copies of its activations.

    Args:
        x, label, text, order, conditions: as for `log_prob`.
        names: names of the activations to keep, exact or with `*`, such as `layers.*.hook_skip`; None for all.

    Returns:
        outputs of the network, and the activations by name.

    Raises:
        ConfigError: also if a name matches no activation.
        ShapeError, DataError: if `x` is not an image of this model.

    Example::

        params, cache = run_with_cache(model, x, "6", names="layers.*.hook_skip")
        cache["layers.0.hook_skip"].shape
    """
    patterns = [names] if isinstance(names, str) else names
    cache: dict[str, Tensor] = {}
    seen: set[str] = set()

    def keep(value: Tensor, name: str) -> None:
        seen.add(name)
        if patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns):
            cache[name] = value.detach().clone()

    training = model.training
    model.eval()  # without dropout
    try:
        x = model.check(x)
        inputs = model.conditions.inputs(label, len(x), text, size=(x.shape[2], x.shape[3]), **conditions)
        with torch.no_grad(), with_hooks(model.backbone, keep):
            params = model.outputs(model.canvas(x), model.encode(inputs, len(x)), model.order(order))
    finally:
        model.train(training)
    for pattern in patterns or ():
        if not any(fnmatchcase(name, pattern) for name in seen):
            raise ConfigError(f"There is no activation {pattern!r}: `run_with_cache(model, x)` lists all activations.")
    return params, cache
