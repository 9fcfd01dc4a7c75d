"""Mutants of attention (P16)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from pointillist.engine.opcodes import attention as opcodes
from pointillist.engine.opcodes import sites
from pointillist.engine.program import Instruction
from pointillist.networks import pixelsnail
from pointillist.nn import passes

from .attention import as_map, by_head, check_first_site, check_is_a_mean, naive
from .causal import check_batch, check_no_leak
from .context import check_context
from .mutants import mutant, tiny
from .samplers import check_engine_equals_full
from .textbook import check_textbook


def _no_leak(channels: int = 1) -> None:
    check_no_leak(tiny("pixelsnail", channels), 3, 4)


def _equal(channels: int = 1) -> None:
    check_engine_equals_full(tiny("pixelsnail", channels), 3, 4)


@mutant("P16: a site attends to itself", _no_leak)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "strict_attention", partial(naive, gap=0))


@mutant("P16: the first site is a softmax of nothing", lambda: check_first_site(tiny("pixelsnail"), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "strict_attention", partial(naive, careless=True))


@mutant("P16: the same, invisible in the forward and alive in the gradient", _no_leak)
def _(patch: pytest.MonkeyPatch) -> None:
    def invisible(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return naive(q, k, v, heads, careless=True).nan_to_num()

    patch.setattr(passes, "strict_attention", invisible)


@mutant("P16: the weights are normalised over the future too", _no_leak)
@mutant("P16: weights do not sum to one", check_is_a_mean)
def _(patch: pytest.MonkeyPatch) -> None:
    def dropped_after_softmax(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        weights = (by_head(q, heads) @ by_head(k, heads).transpose(2, 3)).softmax(3).tril(-1)
        return as_map(weights @ by_head(v, heads), q.shape[2], q.shape[3])

    patch.setattr(passes, "strict_attention", dropped_after_softmax)


@mutant("P16: the denominator is never zero because a small number is added", check_is_a_mean)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = passes.strict_attention
    patch.setattr(passes, "strict_attention", lambda q, k, v, heads: kept(q, k, v, heads) / (1 + 1e-6))


@mutant("P16: keys are one site late", lambda: check_context(tiny("pixelsnail", 1), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "strict_attention", partial(naive, gap=2))


@mutant("P16: columns are scanned before rows", _no_leak)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = passes.strict_attention
    patch.setattr(
        passes,
        "strict_attention",
        lambda q, k, v, heads: kept(*(t.transpose(2, 3) for t in (q, k, v)), heads).transpose(2, 3),
    )


@mutant("P16: scores are not scaled", lambda: check_textbook(tiny("pixelsnail"), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = passes.strict_attention
    patch.setattr(passes, "strict_attention", lambda q, k, v, heads: kept(q * 2, k, v, heads))


@mutant("the images of a batch are attended to as one", lambda: check_batch(tiny("pixelsnail", 1), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = passes.strict_attention

    def together(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (torch.cat(t.split(1), 2) for t in (q, k, v))
        return torch.cat(kept(q, k, v, heads).chunk(3, 2))

    patch.setattr(passes, "strict_attention", together)


@mutant("P3: the query of a late sub-pixel reaches an early one", lambda: _no_leak(3))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelsnail.GatedResidual.__init__

    def shared(self: Any, *args: Any, side: Tensor | None = None, **kwargs: Any) -> None:
        kept(self, *args, side=None if side is None else side * 0, **kwargs)

    patch.setattr(pixelsnail.GatedResidual, "__init__", shared)


@mutant("P3: every sub-pixel may query with all features", lambda: _no_leak(3))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelsnail.AttentionBlock.__init__

    def unmasked(self: Any, *args: Any) -> None:
        kept(self, *args)
        self.query.mask = None

    patch.setattr(pixelsnail.AttentionBlock, "__init__", unmasked)


@mutant("engine: keys are stored one site late", _equal)
def _(patch: pytest.MonkeyPatch) -> None:
    kept, last = sites._store_kv, {}

    def late(buffers: Any, i: Instruction, region: Any, x: Any) -> None:
        kept(buffers, i, region, last.get(i.map, x * 0))
        last[i.map] = x.copy()

    patch.setattr(sites, "_store_kv", late)


@mutant("engine: the first head answers for all", lambda: _equal(3))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = opcodes._attend

    def first_head(buffers: Any, i: Instruction, *rest: Any) -> None:
        kept(buffers, replace(i, head=0), *rest)

    patch.setattr(opcodes, "_attend", first_head)
