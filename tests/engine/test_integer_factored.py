"""Many levels in two factors, in integers: a second writing of the formulas, and what the distribution promises."""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.distributions.factored import FactoredCategorical
from pointillist.engine.head.factored import FactoredFrequencies
from pointillist.engine.head.frequencies import distribution
from pointillist.engine.head.tables import LOGIT_STEP, exp_table
from pointillist.engine.library import KERNELS, available_levels
from pointillist.engine.program import IntegerHead
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.model.portable import load, save
from tests.equality import equal
from tests.integer_draws import draw_integers, intervals_of
from tests.portable.networks import integer_case


def head_of(levels: int, mixtures: int, channels: int = 1) -> IntegerHead:
    precision = 16 if levels <= 64 else 24
    tables: dict[str, Any] = {"exp": exp_table()}
    return IntegerHead("factored", channels, levels, mixtures, precision, tables)


def by_the_page(head: IntegerHead, params: list[int], channel: int) -> list[int]:
    """The frequencies of all levels as docs/reference/program_format.md has them, in whole numbers of Python."""
    exp, low, m = head.tables["exp"].tolist(), int(np.ceil(head.levels**0.5)), head.mixtures
    high = -(-head.levels // low)
    own = params[channel * m * (1 + high + low) :][: m * (1 + high + low)]

    def shares(logits: list[int]) -> list[int]:
        each = [exp[min(max(logits) - logit, len(exp) - 1)] for logit in logits]
        return [e * (2**56 // sum(each)) // 2**32 for e in each]

    def edges(weights: list[int], parts: list[list[int]], counts: list[int], places: int) -> list[int]:
        mixed = [
            sum(w * part[k] for w, part in zip(weights, parts, strict=True)) // 2**24 for k in range(len(parts[0]))
        ]
        sums = [0, *accumulate(mixed)]
        return [n + s * (places - counts[-1]) // sums[-1] for n, s in zip(counts, sums, strict=True)]

    weights = [exp[min(max(own[:m]) - logit, len(exp) - 1)] for logit in own[:m]]
    highs = [shares(own[m + i * high : m + (i + 1) * high]) for i in range(m)]
    lows = [own[m * (1 + high) + i * low :][:low] for i in range(m)]
    outer = edges(weights, highs, [min(k * low, head.levels) for k in range(high + 1)], 1 << head.precision)
    result = []
    for digit in range(high):
        count = min(low, head.levels - digit * low)
        within = [w * max(1, part[digit]) for w, part in zip(weights, highs, strict=True)]
        within = [w >> max(0, max(within).bit_length() - 25) for w in within]
        parts = [shares(logits[:count]) for logits in lows]
        inner = edges(within, parts, list(range(count + 1)), outer[digit + 1] - outer[digit])
        result += [b - a for a, b in pairwise(inner)]
    return result


@settings(max_examples=25)
@given(
    levels=st.sampled_from([2, 3, 5, 10, 64, 65, 200, 300, 4097]),
    mixtures=st.integers(1, 4),
    spread=st.sampled_from([1, 300, 20_000, 2**26]),
    seed=st.integers(0, 999),
)
def test_the_formulas_are_those_of_the_page(levels: int, mixtures: int, spread: int, seed: int) -> None:
    """For parameters of every size: at least 1 each, the sum, the intervals, and the levels at their numbers."""
    head, rng = head_of(levels, mixtures, channels=2), np.random.default_rng(seed)
    params = rng.integers(-spread, spread, (3, head.num_params), endpoint=True).astype(np.int32)
    for channel in (0, 1):
        site = distribution(head, params, np.zeros((3, 2), np.int64), channel)
        sizes = site.frequencies()
        assert sizes.tolist() == [by_the_page(head, row, channel) for row in params.tolist()]
        assert sizes.min() >= 1
        assert (sizes.sum(1) == 1 << head.precision).all()
        ends = sizes.cumsum(1)
        for level in {0, levels - 1, levels // 2, *rng.integers(0, levels, 3).tolist()}:
            start, size = site.interval(np.full(3, level))
            assert np.array_equal(start, ends[:, level] - sizes[:, level])
            assert np.array_equal(size, sizes[:, level])
            for target in (start, start + size - 1):
                assert np.array_equal(site.level_at(target), np.full(3, level))
        one = site[1:2]
        assert np.array_equal(one.interval(np.array([1]))[0], site.interval(np.full(3, 1))[0][1:2])


def test_it_is_near_the_distribution_in_floating_point() -> None:
    """Of parameters on the grid of logits: within the least frequency of each level."""
    torch.manual_seed(0)
    head = head_of(1000, 3)
    params = (torch.randn(20, head.num_params) * 1.5 / LOGIT_STEP).round()
    floats = FactoredCategorical(1, 1000, 3)
    logs = floats.conditional((params * LOGIT_STEP).double()[:, :, None, None], torch.zeros(20, 1, 1, 1).long(), 0)
    sizes = FactoredFrequencies(head, params.int().numpy(), 0).frequencies() / 2.0**head.precision
    # each level keeps one of the places, which is a share of them all; its two digits round theirs down
    one = 2.0**-head.precision
    atol = (2 + floats.high + floats.low) * one
    np.testing.assert_allclose(sizes, logs[:, :, 0, 0].exp().numpy(), rtol=head.levels * one, atol=atol)


@pytest.mark.parametrize("kernels", available_levels())
@pytest.mark.parametrize("name", ["factored", "factored-map"])
def test_every_kernel_draws_scores_and_decodes(name: str, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The integers of numpy and torch; an archive of one is decoded by the others."""
    monkeypatch.setenv(KERNELS, kernels)
    _, integer_model, x = integer_case(name)
    uniforms = np.random.default_rng(0).random(x.shape)
    expected = draw_integers(integer_model, uniforms, executor="numpy")
    for executor in ("compiled", "torch"):
        for a, b in zip(draw_integers(integer_model, uniforms, executor=executor), expected, strict=True):
            assert np.array_equal(a, b)
        for a, b in zip(
            intervals_of(integer_model, x.numpy(), executor=executor),
            intervals_of(integer_model, x.numpy(), executor="numpy"),
            strict=True,
        ):  # fmt: skip
            assert np.array_equal(a, b)
    archive = pt.compress(integer_model, x.numpy())
    assert np.array_equal(pt.decompress(archive, integer_model), x.numpy())
    monkeypatch.setenv(KERNELS, "none")
    assert np.array_equal(pt.decompress(archive, integer_model), x.numpy())
    assert pt.compress(integer_model, x.numpy()) == archive


def test_a_likelihood_agrees_with_the_model() -> None:
    """Log-probabilities at the levels are those of the whole table, and of the scores."""
    model, integer_model, x = integer_case("factored")
    scorer = model.integer_model()
    levels = x.numpy()
    distributions = scorer.distributions(levels, None)
    chosen = distributions.log_prob()
    for channel in range(2):
        table = distributions.conditional(channel)
        assert equal(chosen[:, channel], np.take_along_axis(table, levels[:, channel, None], 1)[:, 0])
    np.testing.assert_array_equal(chosen, integer_model.log_prob_map(levels))


@pytest.mark.parametrize("change", ["exp", "params", "mixtures", "levels"])
def test_a_damaged_head_is_rejected(change: str, tmp_path: Path) -> None:
    """Before anything is computed: another table, fewer parameters."""
    import json

    from safetensors.numpy import load_file

    from pointillist.files.arrays import ArrayReader
    from pointillist.model.portable.decode import decode_model

    save(integer_case("factored")[1], tmp_path)
    document, arrays = json.loads((tmp_path / PROGRAM).read_text()), load_file(tmp_path / PROGRAM_TENSORS)
    assert document["format_version"] == 3
    assert load(tmp_path).programs[0].head.kind == "factored"
    for program in document["programs"]:
        head = program["head"]
        if change == "exp":
            arrays[head["tables"]["exp"]] = arrays[head["tables"]["exp"]] // 2
        elif change == "params":
            program["params"][2] -= 1
        else:
            head[change] *= 2
    for name in ("format", "format_version", "fingerprint"):
        del document[name]
    with pytest.raises(pt.CheckpointError, match="is damaged"):
        decode_model(document, ArrayReader(arrays, "program"), "")
