"""Named activations: what every layer of a network gave, and a way to change it, by forward hooks.

Names are paths of modules with a hook at the end, in the manner of TransformerLens: `blocks.3.hook_out` is what block 3
gave. Where a layer gives several maps they have names of their own, such as `layers.0.hook_vertical`. A layer that runs
more than once in a forward adds `#2`, `#3`. `hook_canvas` is what the network read, `hook_params` its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from pointillist.errors import ConfigError, ShapeError
from pointillist.networks.gated_pixelcnn import GatedLayer
from pointillist.networks.pixelcnn_pp import CoarserPair, FinerPair, FirstPair, GatedPair

Change = Callable[[Tensor, str], Tensor | None]

CANVAS, PARAMS = "hook_canvas", "hook_params"
_PAIR = ("above", "before")
_PARTS: dict[type[nn.Module], tuple[str, ...]] = {
    GatedLayer: ("vertical", "horizontal", "skip"),
    **{kind: _PAIR for kind in (FirstPair, GatedPair, CoarserPair, FinerPair)},
}


@contextmanager
def watching(network: nn.Module, see: Change) -> Iterator[None]:
    """Within the block, `see(value, name)` is called with every activation; what it returns, if anything, replaces it."""
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


def keep(into: dict[str, Tensor], patterns: str | Sequence[str] | None) -> Change:
    """A `see` that keeps a copy of activations whose names fit: exact, or with `*`; None keeps all."""
    wanted = [patterns] if isinstance(patterns, str) else patterns

    def see(value: Tensor, name: str) -> None:
        if wanted is None or any(fnmatchcase(name, pattern) for pattern in wanted):
            into[name] = value.detach().clone()

    return see


def change(hooks: Mapping[str, Change], met: set[str]) -> Change:
    """A `see` that lets each hook change the activation of its name, and notes in `met` which names there were.

    Raises:
        ShapeError: if a hook returns another shape.
    """

    def see(value: Tensor, name: str) -> Tensor | None:
        if name not in hooks:
            return None
        met.add(name)
        new = hooks[name](value, name)
        if new is not None and new.shape != value.shape:
            raise ShapeError(f"The hook of {name!r} gave shape {tuple(new.shape)}: it must be {tuple(value.shape)}.")
        return new

    return see


def check_met(hooks: Mapping[str, Change], met: set[str]) -> None:
    """Refuse names that no activation has.

    Raises:
        ConfigError: naming the first.
    """
    for name in hooks:
        if name not in met:
            raise ConfigError(f"There is no activation {name!r}: `run_with_cache` lists the names.")


def check_found(found: Mapping[str, Tensor], names: str | Sequence[str] | None) -> None:
    """Refuse names or patterns that fit no activation.

    Raises:
        ConfigError: naming the first.
    """
    for pattern in [names] if isinstance(names, str) else names or ():
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ConfigError(f"There is no activation {pattern!r}: `run_with_cache` without names gives all of them.")
