"""The base class of layers that read other pixel positions, and the channel masks of causal layers.

The features of a pixel are split into groups, one for each sub-pixel. Features of group k may depend on the sub-pixels
before k of their own pixel. The first layer reads raw sub-pixels, so it must be strict (mask A). Later layers read
features that already respect the order, so they may also read their own group (mask B). Van den Oord et al. 2016a,
section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.images.array_types import Float, Int


class CausalLayer(nn.Module):
    """Base class of every layer that calls a `Pass`.

    A pass identifies the feature maps of a layer by a key. The key is the module path of the layer, which `name_scopes`
    sets.

    ```python
    model.backbone.layers[3].vertical.scope  # "layers.3.vertical"
    ```

    Attributes:
        scope: module path of the layer, for example `layers.3.vertical`; empty until `name_scopes` has run.
    """

    scope: str = ""

    def key(self, suffix: str = "") -> str:
        """Return the scope of this layer, with an optional suffix: `layers.3.vertical` or `layers.3.vertical.map`."""
        scope = self.scope or f"{type(self).__name__}-{id(self):x}"
        return f"{scope}.{suffix}" if suffix else scope


class MaskedWeights(nn.Module):
    """Mixin for layers with the weights of a convolution, some of which may be masked.

    Attributes:
        weight, bias: parameters of the convolution.
        mask: 1 for weights that may be used, else 0, broadcastable to the kernel; None to use all.
    """

    weight: Tensor
    bias: Tensor | None
    mask: Tensor | None

    def set_weights(self, convolution: nn.Conv2d, mask: Tensor | None) -> None:
        """Take the parameters of a convolution, as it has initialised them."""
        self.weight, self.bias = convolution.weight, convolution.bias
        self.register_buffer("mask", mask, persistent=False)

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        """Return the kernel with its mask applied."""
        return self.weight if self.mask is None else self.weight * self.mask


def name_scopes(root: nn.Module) -> None:
    """Set the scope of every causal layer under `root` to its module path.

    Example:
        ```python
        network = nn.ModuleDict({"stem": VerticalConv2d(1, 8, 3, strict=True)})
        name_scopes(network)
        network["stem"].key()  # "stem"
        ```
    """
    for path, module in root.named_modules():
        if isinstance(module, CausalLayer):
            module.scope = path


def channel_groups(channels: int, groups: int) -> Int[Tensor, " d"]:
    """Assign each feature to the group of a sub-pixel: contiguous groups, as even as possible.

    Args:
        channels: number of features, not necessarily a multiple of `groups`.
        groups: number of sub-pixels that are sampled in turn at a pixel.

    Raises:
        ConfigError: if a group would be empty, which would hide its sub-pixel from the next ones.

    Example:
        ```python
        channel_groups(7, 3)  # tensor([0, 0, 0, 1, 1, 2, 2])
        ```
    """
    if channels < groups:
        raise ConfigError(
            f"{channels} features cannot carry {groups} sub-pixels: give every layer (`channels`, `head_channels`) "
            f"at least {groups}."
        )
    return torch.arange(channels, device="cpu") * groups // channels  # also when the model is built on "meta"


def channel_causal_mask(
    out_groups: Int[Tensor, " o"], in_groups: Int[Tensor, " i"], *, strict: bool
) -> Float[Tensor, "o i"] | None:
    """Build the mask of the kernel tap at the pixel itself (van den Oord et al. 2016a, section 3.1).

    Args:
        out_groups, in_groups: group of each output and of each input.
        strict: mask A, where an output reads only groups before its own; otherwise mask B, its own group too.

    Returns:
        1 where an output may read an input, else 0. None if every entry is 1.

    Example:
        ```python
        groups = channel_groups(3, 3)
        channel_causal_mask(groups, groups, strict=True)  # ones below the diagonal
        ```
    """
    latest, earliest = int(in_groups.max()), int(out_groups.min())
    if latest < earliest or (latest == earliest and not strict):
        return None
    device = torch.empty(0).device  # before torch 2.5, `get_default_device` does not see `with torch.device(...)`
    if device.type == "meta":  # only shapes are wanted: the mask takes no memory
        return torch.empty(len(out_groups), len(in_groups))
    inputs, outputs = in_groups[None], out_groups[:, None]
    return (inputs < outputs if strict else inputs <= outputs).float().to(device)


def site_tap_mask(
    site: Float[Tensor, "o i"] | None, kernel: tuple[int, int], row: int, column: int
) -> Float[Tensor, "o i kh kw"] | None:
    """Build the mask of a kernel of which only the tap at the pixel itself is masked; None if it is not.

    Args:
        site: see `channel_causal_mask`.
        kernel: its height and width.
        row, column: place of the tap at the pixel itself.
    """
    if site is None:
        return None
    mask = torch.ones(*site.shape, *kernel)
    mask[:, :, row, column] = site
    return mask
