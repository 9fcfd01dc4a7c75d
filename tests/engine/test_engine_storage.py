"""Matrices kept in one or two bytes a weight: found by looking, and with the bits of four bytes, in every model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.engine.cpu import CpuStepper
from pointillist.engine.cpu.kernels import weight_packing
from pointillist.engine.cpu.kernels.weight_packing import Packing, WeightFormat, smallest
from pointillist.engine.program import FloatArray
from pointillist.files.checkpoint.quantization import QUANTIZED_DTYPES, dequantize_int8, quantize_int8
from pointillist.model.recorded import record_model
from pointillist.networks import names

ALWAYS, NEVER = 0.0, float("inf")


def rounded(seed: int, k: int, n: int) -> FloatArray:
    """A matrix `[k, n]` as an int8 model has it, with columns of very different sizes."""
    random = np.random.default_rng(seed)
    weight = torch.from_numpy(random.normal(size=(n, k)) * np.exp(4 * random.normal(size=(n, 1)))).float()
    return np.ascontiguousarray(dequantize_int8(*quantize_int8(weight)).numpy().T)


@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_are_found(seed: int) -> None:
    """Of all rows, or of some that lack the largest weight, or with masked and empty columns."""
    matrix = rounded(seed, 100, 9)
    matrix[:, 3] = 0
    matrix[: 40 + 10 * seed, 5] = 0
    matrix[::2, 6] *= -0.0
    for part in (matrix, matrix[:7], matrix[50:], matrix[:, 2:4]):
        found = smallest(part)
        assert found.weight_format == WeightFormat.INT8
        assert found.numbers.dtype == np.int8
        assert np.array_equal(found.numbers * found.scales, part)


def test_upper_halves_are_found() -> None:
    """Of bf16 weights, zeros with their signs."""
    matrix = torch.randn(40, 9, generator=torch.Generator().manual_seed(0)).bfloat16().float().numpy()
    matrix[2] = -0.0
    found = smallest(matrix)
    assert found.weight_format == WeightFormat.BF16
    back = (found.numbers.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(back.view(np.int32), matrix.view(np.int32))


@pytest.mark.parametrize("change", ["one weight", "nan", "inf", "late nan", "tiny", "double"])
def test_what_is_neither_stays(change: str) -> None:
    """One weight off the grid is enough, wherever it is."""
    matrix = rounded(0, 100, 9)
    if change == "one weight":
        matrix[90, 4] = np.nextafter(matrix[90, 4], np.float32(1e9))
    elif change == "tiny":
        matrix = (np.random.default_rng(0).normal(size=(100, 9)) * 1e-39).astype(np.float32)
    elif change == "double":
        matrix = matrix.astype(np.float64)
    else:
        matrix[90 if change == "late nan" else 1, 4] = np.inf if change == "inf" else np.nan
    found = smallest(matrix)
    assert found.weight_format == WeightFormat.FLOAT
    assert found.numbers is matrix


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", QUANTIZED_DTYPES)
@pytest.mark.parametrize("name", names())
def test_a_model_paints_the_same_bits(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole images and single sites, whichever way matrices are stored, at any batch size."""
    torch.manual_seed(0)
    shape: tuple[int, int, int] = (3, 5, 6) if name == "gated-pixelcnn" else (1, 5, 6)
    model: Any = pt.build(name, shape=shape, levels=8, preset="tiny", classes=2).eval()
    model = pt.quantize_weights(model, kind).eval()
    sampled, params, sizes = {}, {}, {}
    for share in (ALWAYS, NEVER):
        monkeypatch.setattr(weight_packing, "CACHE_SHARE", share)
        own = copy.deepcopy(model)  # of which no bytecode is kept
        sampled[share] = pt.sample(own, 5, label=1, seed=3, engine="cpu")
        alone = pt.sample(own, 1, label=1, seed=3, engine="cpu")
        assert torch.equal(alone.levels[0], sampled[share].levels[0])
        engine = CpuStepper(record_model(own, (5, 6))[-1], 2)
        params[share], sizes[share] = engine.params(), engine._instructions.weights.size
    assert torch.equal(sampled[ALWAYS].levels, sampled[NEVER].levels)
    assert torch.equal(sampled[ALWAYS].nats, sampled[NEVER].nats)
    assert np.array_equal(params[ALWAYS].view(np.int32), params[NEVER].view(np.int32))
    if name != "pixelcnn-pp":  # its weights are normalised after the rounding
        assert sizes[ALWAYS] < {"int8": 0.8, "bf16": 0.9}[kind] * sizes[NEVER]


def test_small_matrices_stay_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they fit into the cache; the rows and the sites are each counted by themselves."""
    model = pt.quantize_weights(pt.build("gated-pixelcnn", shape=(1, 5, 6), levels=8, channels=64, layers=2), "int8")
    (program,) = record_model(model.eval(), (5, 6))

    def stored(cache: int) -> tuple[set[WeightFormat], set[WeightFormat]]:
        monkeypatch.setattr(weight_packing, "CACHE_BYTES", cache)
        packed = Packing(program)
        found = []
        for part in (program.per_row, program.sub_steps[0]):
            blocks = [i.constants["matrix"] for i in part if i.opcode == "LINEAR"]
            found.append({packed.place(block, 0, block.shape[0]).weight_format for block in blocks})
        return found[0], found[1]

    assert stored(2**30) == ({WeightFormat.FLOAT}, {WeightFormat.FLOAT})
    assert WeightFormat.INT8 in stored(2**10)[1]
    row, site = stored(2**18)
    assert WeightFormat.INT8 in row
    assert site == {WeightFormat.FLOAT}
