"""A layer that reads other sites knows its own place in the model, the key under which a pass finds its maps."""

from __future__ import annotations

from torch import nn


class CausalLayer(nn.Module):
    """Base of every layer that calls a `Pass`."""

    place: str = ""

    def key(self, suffix: str = "") -> str:
        """The name of this layer's place, for example `layers.3.vertical`."""
        place = self.place or f"{type(self).__name__}-{id(self):x}"
        return f"{place}.{suffix}" if suffix else place


def name_scopes(root: nn.Module) -> None:
    """Tell every causal layer under `root` its module path."""
    for path, module in root.named_modules():
        if isinstance(module, CausalLayer):
            module.place = path
