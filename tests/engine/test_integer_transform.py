"""Guidance, temperature, top-p and allowed levels in integers, against unbounded integers and floating point."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.distributions.transform import COLDEST, IDENTITY, MAX_GUIDANCE, UNIT, Transform
from pointillist.engine.head.frequencies import draw, normalise, precision_of
from pointillist.engine.head.transform import DRAW_BITS, EXP_TABLE, LOG_BITS, LOG_TABLE, transform_frequencies

TOTAL = 1 << DRAW_BITS
SETTINGS = st.builds(
    Transform,
    guidance=st.sampled_from([0.0, 0.5, 1.0, 1.7, 3.0, 7.5, 40.0, float(MAX_GUIDANCE)]),
    temperature=st.sampled_from([0.0, 1e-4, 2.0**-10, 0.1, 0.8, 1.0, 1.3, 50.0, 1e308]),
    top_p=st.sampled_from([1e-12, 0.3, 0.9, 0.999999, 1.0]),
)


@st.composite
def frequencies(draw_from: st.DrawFn, count: int = 4) -> np.ndarray:
    """Frequencies of random distributions, flat ones and nearly certain ones."""
    levels = draw_from(st.sampled_from([2, 3, 16, 64, 65, 256, 1000]))
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    spread = draw_from(st.sampled_from([0.0, 0.3, 3.0, 12.0, 60.0]))
    logits = rng.normal(size=(count, levels)) * spread
    weights = np.floor(2.0**24 * np.exp(logits - logits.max(axis=1, keepdims=True))).astype(np.int64)
    return np.asarray(normalise(weights, precision_of(levels)))


def reference(conditional: list[int], unconditional: list[int], transform: Transform, allowed: list[bool]) -> list[int]:
    """Follow the formulas at the head of `engine/head/transform.py` for one sub-pixel, in Python's integers."""
    guidance, sharpness, top_p = transform.integers

    def log2(f: int) -> int:
        exponent = f.bit_length() - 1
        x = (f << (24 - exponent)) - (1 << 24)
        i, rest = x >> 16, x & 0xFFFF
        step = int(LOG_TABLE[i + 1]) - int(LOG_TABLE[i])
        return (exponent << 20) + int(LOG_TABLE[i]) + ((step * rest) >> 16)

    def exp2(d: int) -> int:
        i, rest = (d >> 12) & 0xFF, d & 0xFFF
        step = int(EXP_TABLE[i + 1]) - int(EXP_TABLE[i])
        return (int(EXP_TABLE[i]) + ((step * rest) >> 12)) >> (d >> 20)

    def normalised(weights: list[int], levels: list[int]) -> list[int]:
        ratio = (1 << 62) // sum(weights[k] for k in levels)
        result = [max(1, (w * ratio) >> 32) if k in levels else 0 for k, w in enumerate(weights)]
        result[result.index(max(result))] += TOTAL - sum(result)
        return result

    logs = [log2(f) for f in conditional]
    if transform.is_guided:
        logs = [log2(u) + ((guidance * (c - log2(u))) >> 16) for c, u in zip(logs, unconditional, strict=True)]
    levels = [k for k, may in enumerate(allowed) if may]
    best = max(logs[k] for k in levels)
    if sharpness == COLDEST:
        first = min(k for k in levels if logs[k] == best)
        return [TOTAL * (k == first) for k in range(len(logs))]
    if transform.is_guided or sharpness != UNIT:
        weights = [exp2(((best - one) * sharpness) >> 16) if one <= best else 0 for one in logs]
    else:
        weights = conditional
    result, before, nucleus = normalised(weights, levels), 0, []
    for k in sorted(levels, key=lambda k: (-result[k], k)):
        if before < top_p:
            nucleus.append(k)
        before += result[k]
    return result if top_p == TOTAL else normalised(result, nucleus)


@given(result=frequencies(), transform=SETTINGS, data=st.data())
def test_it_follows_its_formulas(result: np.ndarray, transform: Transform, data: st.DataObject) -> None:
    """No intermediate number leaves 64 bits, at the ends of every range too: Python's integers have no ends."""
    count = len(result) // 2
    allowed = np.random.default_rng(data.draw(st.integers(0, 99))).random((count, result.shape[1])) < 0.5
    allowed[~allowed.any(axis=1), 0] = True
    drawn = transform_frequencies(result if transform.is_guided else result[:count], transform, allowed)
    for i in range(count):
        due = reference(result[i].tolist(), result[count + i].tolist(), transform, allowed[i].tolist())
        assert drawn[i].tolist() == due


@given(result=frequencies(), transform=SETTINGS)
def test_it_is_normalised(result: np.ndarray, transform: Transform) -> None:
    """The sum is 2^30, and a level that nothing cuts can be drawn."""
    drawn = transform_frequencies(result, transform)
    assert (drawn.sum(axis=1) == TOTAL).all()
    assert drawn.min() >= (1 if transform.top_p == 1 and transform.integers[1] != COLDEST else 0)


def bound(transform: Transform, levels: int) -> float:
    """Bound the total variation between the distribution in integers and the one that it rounds.

    Two distributions whose weights differ by factors of at most e^delta differ by at most (e^(2 delta) - 1) / 2.
    """
    step, gap = 2.0**-LOG_BITS, 1 / (len(LOG_TABLE) - 1)
    of_log = 1.5 * step + gap**2 / 8 * math.log2(math.e)  # rounded twice; a secant: gap^2 / 8 times the largest |f''|
    scale = transform.guidance + abs(transform.guidance - 1) if transform.is_guided else 1.0
    of_difference = 2 * (scale * of_log + step)  # of the logarithms of a level and of the best one
    sharpness = transform.integers[1] / UNIT
    of_exp = (gap * math.log(2)) ** 2 / 8  # relative
    delta = (sharpness * of_difference + step) * math.log(2) + of_exp
    of_ratio = 2.0**-20  # the ratio of `normalise` is at least 2^20, and is rounded down
    least = levels * 2.0 ** (2 - DRAW_BITS)  # weights are rounded down, frequencies too, and are at least 1
    return math.expm1(2 * delta) / 2 + of_ratio + least


@given(result=frequencies(), transform=SETTINGS)
def test_it_is_near_floating_point(result: np.ndarray, transform: Transform) -> None:
    """The total variation is below the bound that follows from the tables; settings are the rounded ones."""
    guidance, sharpness, _ = transform.integers
    if sharpness == COLDEST:
        return
    log_probs = np.log2(result / result[0].sum())
    conditional, unconditional = np.split(log_probs, 2)
    if transform.is_guided:
        logs = unconditional + guidance / UNIT * (conditional - unconditional)
    else:
        logs, result = conditional, result[: len(result) // 2]
    expected = np.exp2((logs - logs.max(axis=1, keepdims=True)) * sharpness / UNIT)
    expected /= expected.sum(axis=1, keepdims=True)
    drawn = transform_frequencies(result, Transform(transform.guidance, transform.temperature)) / TOTAL
    assert abs(drawn - expected).sum(axis=1).max() / 2 <= bound(transform, result.shape[1])


@given(result=frequencies(), uniforms=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
def test_the_identity_draws_the_same(result: np.ndarray, uniforms: list[float]) -> None:
    """With all levels allowed it draws from the frequencies themselves."""
    u, every = np.array(uniforms), np.ones(result.shape, bool)
    same = transform_frequencies(result, IDENTITY, every)
    assert np.array_equal(same << precision_of(result.shape[1]), result << DRAW_BITS)
    assert np.array_equal(draw(same, u), draw(result, u))


@pytest.mark.parametrize("index", range(257))
def test_tables_are_rounded_as_any_library_rounds_them(index: int) -> None:
    """Each entry is the nearest integer, and no number that is rounded lies within 2^-10 of a half."""
    with localcontext() as context:
        context.prec = 40
        log = 2**LOG_BITS * (1 + Decimal(index) / 256).ln() / Decimal(2).ln()
        exp = 2**DRAW_BITS * (-Decimal(index) / 256 * Decimal(2).ln()).exp()
    for value, entry in ((log, LOG_TABLE[index]), (exp, EXP_TABLE[index])):
        assert abs(value - int(entry)) < Decimal(1) / 2 - Decimal(1) / 1024


@pytest.mark.parametrize("guidance", [-1.0, 1000.5, math.inf, math.nan])
def test_guidance_outside_its_range_is_rejected(guidance: float) -> None:
    """The error names the value and the range."""
    with pytest.raises(pt.ConfigError, match=r"guidance.*must lie in 0 to 1,000"):
        Transform(guidance)
