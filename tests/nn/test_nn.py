"""Causal layers, masks, conditions and the keys of layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pointillist.errors import ConfigError
from pointillist.nn import (
    CausalConv2d,
    CausalLayer,
    Condition,
    ConditionBias,
    ConditionDims,
    HorizontalConv2d,
    MaskedConv2d,
    PointwiseConv2d,
    VerticalConv2d,
    channel_causal_mask,
    channel_groups,
    concat_elu,
    gate,
    name_scopes,
)
from pointillist.nn.passes import FullPass
from tests.equality import equal
from tests.tolerances import FORMULA


def test_channel_groups_are_contiguous_and_even() -> None:
    """Also where the channels are not a multiple of the groups."""
    assert channel_groups(7, 3).tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert channel_groups(3, 3).tolist() == [0, 1, 2]
    for channels in range(4, 40):
        sizes = torch.bincount(channel_groups(channels, 4))
        assert sizes.sum() == channels
        assert sizes.max() - sizes.min() <= 1


def test_channel_causal_mask() -> None:
    """Mask A, mask B, and None where nothing is masked."""
    groups = channel_groups(3, 3)
    strict, loose = channel_causal_mask(groups, groups, strict=True), channel_causal_mask(groups, groups, strict=False)
    assert strict is not None
    assert loose is not None
    assert equal(strict, torch.ones(3, 3).tril(-1))
    assert equal(loose, torch.ones(3, 3).tril())
    one = channel_groups(4, 1)
    assert channel_causal_mask(one, one, strict=False) is None
    nothing = channel_causal_mask(one, one, strict=True)
    assert nothing is not None
    assert not nothing.any()


def test_masks_on_the_meta_device_take_no_memory() -> None:
    """Under the meta device (as when a checkpoint's shapes are compared) a mask has no storage."""
    with torch.device("meta"):
        groups = channel_groups(300, 3)
        layer = MaskedConv2d(3, in_groups=groups, out_groups=groups, strict=True)
    assert layer.mask is not None
    assert layer.mask.is_meta
    assert layer.weight.is_meta


@pytest.mark.parametrize("size", [2, 4])
def test_even_kernels_are_rejected(size: int) -> None:
    """Error: name, value, rule, remedy."""
    groups = channel_groups(2, 1)
    with pytest.raises(ConfigError, match=rf"`kernel_size` \(={size}\) must be odd.*Try {size + 1}"):
        VerticalConv2d(2, 2, size, strict=True)
    with pytest.raises(ConfigError, match="odd"):
        MaskedConv2d(size, in_groups=groups, out_groups=groups, strict=True)


def test_kernels_are_sliced_to_the_taps_that_may_be_read() -> None:
    """No weight is stored for rows below, and none for the pixel itself if it may not be read at all."""
    one = channel_groups(2, 1)
    assert MaskedConv2d(5, in_groups=one, out_groups=one, strict=True).weight.shape == (2, 2, 3, 5)
    assert VerticalConv2d(2, 2, 5, strict=True).weight.shape == (2, 2, 2, 5)
    assert VerticalConv2d(2, 2, 5, strict=False).weight.shape == (2, 2, 3, 5)
    strict = HorizontalConv2d(5, in_groups=one, out_groups=one, strict=True)
    assert strict.weight.shape == (2, 2, 1, 2)
    assert strict.mask is None
    assert HorizontalConv2d(5, in_groups=one, out_groups=one, strict=False).weight.shape == (2, 2, 1, 3)
    three = channel_groups(3, 3)
    masked = HorizontalConv2d(5, in_groups=three, out_groups=three, strict=True)
    assert masked.weight.shape == (3, 3, 1, 3)
    assert masked.mask is not None
    assert masked.mask[:, :, 0, -1].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (5, 3)])
def test_layers_keep_the_size(size: tuple[int, int], dilation: int) -> None:
    """At one row, one column, one pixel, and smaller than the kernel."""
    groups = channel_groups(3, 3)
    x = torch.randn(2, 3, *size)
    for layer in (
        VerticalConv2d(3, 6, 5, strict=False, dilation=dilation),
        HorizontalConv2d(5, in_groups=groups, out_groups=channel_groups(6, 3), strict=True, dilation=dilation),
        VerticalConv2d(3, 6, 5, strict=True),
        MaskedConv2d(7, in_groups=groups, out_groups=channel_groups(6, 3), strict=True),
        CausalConv2d(3, 6, up=2, left=2, right=-1, dilation=1, bias=False),
    ):
        assert layer(x, FullPass()).shape == (2, 6, *size)


def test_masks_are_not_part_of_a_checkpoint() -> None:
    """They are made from the settings, so no file can bring a wrong one."""
    groups = channel_groups(3, 3)
    layer = PointwiseConv2d(groups, groups)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert layer.mask is not None
    assert layer.mask.dtype == torch.float32
    assert layer.double().mask.dtype == torch.float64  # type: ignore[union-attr]


def test_a_condition_is_a_bias_and_absent_without_one() -> None:
    """V h and V * s are added; a model without conditions adds nothing and has no weights for it."""
    x = torch.randn(2, 4, 3, 3)
    none = ConditionBias(ConditionDims(), torch.zeros(4).long())
    assert none(x, FullPass(), Condition()) is x
    assert list(none.parameters()) == []
    both = ConditionBias(ConditionDims(3, 2), torch.zeros(4).long())
    vector, positions = torch.randn(2, 3, 1, 1), torch.randn(2, 2, 3, 3)
    found = both(x, FullPass(), Condition(vector, positions))
    assert both.vector is not None
    assert both.map is not None
    expected = x + torch.einsum("oi,bi->bo", both.vector.weight[:, :, 0, 0], vector[:, :, 0, 0])[:, :, None, None]
    expected = expected + torch.einsum("oi,bihw->bohw", both.map.weight[:, :, 0, 0], positions)
    torch.testing.assert_close(found, expected)


def test_keys_are_module_paths() -> None:
    """Two copies of a model have the same keys; a layer without a scope has a key of its own."""
    root = torch.nn.ModuleDict(
        {
            "a": ConditionBias(ConditionDims(1), torch.zeros(2).long()),
            "b": torch.nn.Sequential(ConditionBias(ConditionDims(1), torch.zeros(2).long())),
        }
    )
    first, second = (m for m in root.modules() if isinstance(m, CausalLayer))
    assert first.key() != second.key()
    name_scopes(root)
    assert [first.key(), second.key("vector")] == ["a", "b.0.vector"]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gate_is_its_formula(layout: torch.memory_format) -> None:
    """Value and gradient, also far from zero, and the layout of the gradient."""
    x = (4 * torch.randn(2, 6, 3, 4, dtype=torch.float64)).to(memory_format=layout).requires_grad_()
    values, gates = x.detach().chunk(2, 1)
    assert torch.allclose(gate(x), torch.tanh(values) * torch.sigmoid(gates), rtol=0, atol=FORMULA)
    assert torch.autograd.gradcheck(gate, (x,))
    (found,) = torch.autograd.grad(gate(x).sum(), x)
    assert found.is_contiguous(memory_format=layout)
    half = x.detach().bfloat16()
    assert torch.equal(gate(half), torch.tanh(half[:, :3]) * torch.sigmoid(half[:, 3:]))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_concatenated_elus_are_their_formula(layout: torch.memory_format) -> None:
    """Value and gradient, also at zero; in bf16 no value has another rounding."""
    x = (4 * torch.randn(2, 6, 3, 4, dtype=torch.float64)).to(memory_format=layout).requires_grad_()
    assert torch.allclose(concat_elu(x), F.elu(torch.cat([x, -x], 1)), rtol=0, atol=FORMULA)
    assert torch.autograd.gradcheck(concat_elu, (x,))
    half = x.detach().bfloat16()
    assert torch.equal(concat_elu(half), F.elu(torch.cat([half, -half], 1)))
    (found,) = torch.autograd.grad(concat_elu(x).sum(), x)
    assert found.is_contiguous(memory_format=layout)
    zero = torch.zeros(1, 2, 1, 1, requires_grad=True)
    (slope,) = torch.autograd.grad(concat_elu(zero)[:, :2].sum(), zero)
    assert torch.equal(slope, torch.ones_like(zero))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_compiled_gate_is_its_formula(dtype: torch.dtype) -> None:
    """Value and gradient, to the rounding of the numbers that it is given and returns."""
    x = (4 * torch.randn(2, 6, 3, 4, dtype=torch.float64)).to(dtype).requires_grad_()
    values, gates = x.double().chunk(2, 1)
    expected = torch.tanh(values) * torch.sigmoid(gates)
    found = torch.compile(gate, fullgraph=True)(x)
    eps = 4 * torch.finfo(dtype).eps  # tanh, sigmoid and their product are rounded; the largest value is 1
    assert found.dtype == dtype
    assert torch.allclose(found.double(), expected, rtol=0, atol=eps)
    gradient, exact = (torch.autograd.grad(y.sum(), x)[0].double() for y in (found, expected))
    assert torch.allclose(gradient, exact, rtol=0, atol=2 * eps)
