"""Small networks, as a layer author would write them, for the tests of the engine."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gate(x: Tensor) -> Tensor:
    """The gated activation of van den Oord et al. 2016b."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


def groups(channels: int, num: int) -> Tensor:
    """The group of each channel."""
    return torch.arange(channels) * num // channels


def allowed(outputs: Tensor, inputs: Tensor, *, strict: bool) -> Tensor:
    """Which inputs of its own site an output may read."""
    rule = inputs[None] < outputs[:, None] if strict else inputs[None] <= outputs[:, None]
    return rule.float()


class GatedLayer(nn.Module):
    """One layer of both stacks."""

    own: Tensor
    own_out: Tensor

    def __init__(
        self, name: str, in_channels: int, channels: int, num_sub_steps: int, condition: int, dilation: int
    ) -> None:
        super().__init__()
        self.name, self.first, self.dilation = name, name == "0", dilation
        self.num_sub_steps, self.channels, self.in_channels = num_sub_steps, channels, in_channels
        self.vertical = nn.Conv2d(in_channels, 2 * channels, (3, 7) if self.first else (2, 3), dilation=self._step())
        width = (4 if num_sub_steps > 1 else 3) if self.first else 2
        self.horizontal = nn.Conv2d(in_channels, 2 * channels, (1, width))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, 2 * channels, 1)
        self.condition = nn.Conv2d(condition, 2 * channels, 1) if condition else None
        twice = groups(channels, num_sub_steps).repeat(2)
        inputs = groups(in_channels, num_sub_steps)
        self.register_buffer("own", allowed(twice, inputs, strict=self.first))
        self.register_buffer("own_out", allowed(twice, groups(channels, num_sub_steps), strict=False)[:, :, None, None])

    def _step(self) -> int:
        return 1 if self.first else self.dilation

    def vertical_window(self, v: Tensor, ctx: Any) -> Tensor:
        """Whole rows above; the first layer reads the canvas, so strictly above."""
        if self.first:
            y: Tensor = self.vertical(ctx.window("0.vertical", v, up=3, down=-1, left=3, right=3))
        else:
            d = self.dilation
            y = self.vertical(ctx.window(f"{self.name}.vertical", v, up=d, left=d, right=d))
        return y

    def horizontal_window(self, h: Tensor, ctx: Any) -> Tensor:
        """The own row, up to the site."""
        key, weight, bias = f"{self.name}.horizontal", self.horizontal.weight, self.horizontal.bias
        mask = torch.ones_like(weight)
        mask[:, :, 0, -1] = self.own
        if self.first:
            right = 0 if self.num_sub_steps > 1 else -1
            window = ctx.window(key, h, up=0, left=3, right=right)
            return F.conv2d(window, weight * mask if self.num_sub_steps > 1 else weight, bias)
        step = self.dilation
        return F.conv2d(ctx.window(key, h, up=0, left=step, right=0), weight * mask, bias, dilation=(1, step))

    def grouped_out(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and skip."""
        residual, skip = F.conv2d(x, self.out.weight * self.own_out, self.out.bias).chunk(2, 1)
        return residual, skip


class Gated(nn.Module):
    """Gated PixelCNN: two stacks, no blind spot; optionally a label vector, a spatial map, dilation."""

    mask1: Tensor
    mask2: Tensor

    def __init__(
        self,
        channels: int = 12,
        layers: int = 3,
        *,
        num_sub_steps: int = 1,
        canvas_width: int = 1,
        levels: int = 5,
        vector: int = 0,
        spatial: int = 0,
        dilation: int = 1,
        use_rows: bool = True,
    ) -> None:
        super().__init__()
        self.num_sub_steps, self.use_rows = num_sub_steps, use_rows
        canvas = num_sub_steps * canvas_width
        self.layers = [
            GatedLayer(str(i), channels if i else canvas, channels, num_sub_steps, vector, dilation)
            for i in range(layers)
        ]
        self.registered = nn.ModuleList(self.layers)
        self.spatial = nn.Conv2d(spatial, channels, 1) if spatial else None
        self.head1 = nn.Conv2d(channels, channels, 1)
        self.head2 = nn.Conv2d(channels, levels * num_sub_steps, 1)
        hidden, params = groups(channels, num_sub_steps), groups(levels * num_sub_steps, num_sub_steps)
        self.register_buffer("mask1", allowed(hidden, hidden, strict=False)[:, :, None, None])
        self.register_buffer("mask2", allowed(params, hidden, strict=False)[:, :, None, None])

    def forward(self, x: Tensor, ctx: Any, vector: Tensor | None = None, spatial: Tensor | None = None) -> Tensor:
        """Canvas to parameters."""
        condition = None if vector is None else ctx.external("label", vector)
        bias = [0.0 if layer.condition is None else layer.condition(condition) for layer in self.layers]

        def vertical(x: Tensor) -> tuple[Tensor, ...]:
            links, v = [], x
            for layer, b in zip(self.layers, bias, strict=True):
                pre = layer.vertical_window(v, ctx)
                links.append(layer.link(pre))
                v = gate(pre + b)
            return tuple(links)

        links = ctx.rows("vertical", vertical, x) if self.use_rows else vertical(x)
        h: Tensor | None = None
        skips: Tensor | None = None
        for layer, link, b in zip(self.layers, links, bias, strict=True):
            pre = layer.horizontal_window(x if h is None else h, ctx) + link + b
            residual, skip = layer.grouped_out(gate(pre))
            h = residual if h is None else h + residual
            if self.spatial is not None and layer.first:
                h = h + self.spatial(ctx.external("map", spatial))
            skips = skip if skips is None else skips + skip
        assert skips is not None
        y = torch.relu(F.conv2d(torch.relu(skips), self.head1.weight * self.mask1, self.head1.bias))
        return F.conv2d(y, self.head2.weight * self.mask2, self.head2.bias)


class Masked(nn.Module):
    """Residual PixelCNN with k x k masked kernels and sub-pixel groups."""

    def __init__(
        self, channels: int = 9, layers: int = 2, *, num_sub_steps: int = 3, canvas_width: int = 1, levels: int = 4
    ) -> None:
        super().__init__()
        self.num_sub_steps = num_sub_steps
        self.first = nn.Conv2d(num_sub_steps * canvas_width, channels, (3, 5))
        self.layers = [nn.Conv2d(channels, channels, (2, 3)) for _ in range(layers)]
        self.registered = nn.ModuleList(self.layers)
        self.head = nn.Conv2d(channels, levels * num_sub_steps, 1)

    def masked(self, conv: nn.Conv2d, *, strict: bool) -> Tensor:
        """The weight times its causal mask."""
        mask = torch.ones_like(conv.weight)
        centre = conv.weight.shape[3] // 2
        mask[:, :, -1, centre + 1 :] = 0
        outputs, inputs = (groups(n, self.num_sub_steps) for n in conv.weight.shape[:2])
        mask[:, :, -1, centre] = allowed(outputs, inputs, strict=strict)
        return conv.weight * mask

    def forward(self, x: Tensor, ctx: Any) -> Tensor:
        """Canvas to parameters."""
        window = ctx.window("first", x, up=2, left=2, right=2)
        h = F.conv2d(window, self.masked(self.first, strict=True), self.first.bias)
        for i, layer in enumerate(self.layers):
            window = ctx.window(f"layers.{i}", F.elu(h), up=1, left=1, right=1)
            h = h + F.conv2d(window, self.masked(layer, strict=False), layer.bias)
        return F.conv2d(torch.relu(h), self.masked(self.head, strict=False), self.head.bias)
