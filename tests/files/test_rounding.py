"""Weight quantization: the values, lossless files, and files that are rejected."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

import pointillist as pt
from pointillist.files.checkpoint.header import CONFIG, WEIGHTS, TensorInfo
from pointillist.files.checkpoint.quantization import (
    QUANTIZED_DTYPES,
    decode_tensors,
    dequantize_int8,
    encode_tensors,
    expanded_shapes,
    is_quantizable,
    quantize_int8,
    weight_dtype,
)
from pointillist.files.checkpoint.tensors import write_tensors
from pointillist.networks import names
from tests.equality import equal
from tests.laws.strategies import models
from tests.tolerances import network_rounding

SCALE = 2.0**-16
"""Relative: a scale keeps 17 of the 24 bits of its mantissa."""


def matrix(seed: int, *shape: int, spread: float = 1.0) -> Tensor:
    """Weights whose outputs have very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.exp(spread * torch.randn(shape[0], generator=generator))
    return torch.randn(shape, generator=generator) * scale.reshape(-1, *[1] * (len(shape) - 1))


def bits(tensor: Tensor) -> Tensor:
    """Numbers as the integers that hold them: -0 is not 0."""
    return tensor.float().view(torch.int32)


@pytest.mark.parametrize("seed", range(5))
def test_int8_follows_its_formula(seed: int) -> None:
    """Worked out weight by weight in Python's exact floats."""
    weight = matrix(seed, 3, 5, 2, 2, spread=4)
    whole, scale = quantize_int8(weight)
    for o in range(3):
        row = weight[o].flatten().tolist()
        usual = max(map(abs, row)) / 127
        s = scale[o].item()
        mantissa = math.frexp(s)[0] * 2**17
        assert mantissa == int(mantissa), "17 bits"
        assert usual * (1 - 2**-16) < s <= usual * (1 + 2**-24)
        assert whole[o].flatten().tolist() == [round(w / s) for w in row]
        assert dequantize_int8(whole, scale)[o].flatten().tolist() == [q * s for q in whole[o].flatten().tolist()], (
            "exact"
        )
    assert (dequantize_int8(whole, scale) - weight).abs().flatten(1).amax(1).le(scale * 0.51).all()
    assert whole.abs().flatten(1).amax(1).eq(127).all()


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=32, max_size=32),
    columns=st.booleans(),
)
def test_quantization_is_idempotent(values: list[float], columns: bool) -> None:
    """Any finite numbers, also tiny and huge ones, with outputs on the first axis or the last."""
    weight = torch.tensor(values).reshape((1, 16, 2) if columns else (2, 16))
    for stored in ({"w": weight}, encode_tensors({"w": weight})):
        once = decode_tensors(stored)["w"]
        quantized = dequantize_int8(*quantize_int8(once))
        assert equal(bits(dequantize_int8(*quantize_int8(quantized))), bits(quantized))
        assert weight_dtype({"w": quantized}) == "int8"
        assert equal(bits(decode_tensors(encode_tensors({"w": quantized}))["w"]), bits(quantized))


def test_outputs_have_scales_of_their_own() -> None:
    """In the kernels of recurrences, `[taps, in, out]`, they are the last axis; zeros and dust become zero."""
    weight = torch.ones(2, 9, 4) * torch.tensor([1.0, 1e-4, 0.0, 1e-38])
    whole, scale = quantize_int8(weight)
    assert scale.shape == (4,)
    assert equal(whole.flatten(0, 1)[0], torch.tensor([127, 127, 0, 0], dtype=torch.int8))
    found = dequantize_int8(whole, scale)[..., :2]
    assert torch.allclose(found, weight[..., :2], rtol=SCALE, atol=0)


def test_which_tensors_are_quantized() -> None:
    """Kernels and embeddings; not biases, gains, initial states, position maps and kernels with few inputs."""
    assert is_quantizable("x", (64, 32, 1, 1))
    assert is_quantizable("x", (3, 32, 128))
    assert is_quantizable("x", (11, 64))
    for shape in [(64,), (1, 4, 28, 28), (64, 1, 1, 3), (64, 4, 1, 1), (), (2, 0), (1, 10**9)]:
        assert not is_quantizable("x", shape), shape
    assert not is_quantizable("backbone.output.weight", (64, 32, 1, 1))


@pytest.mark.parametrize("name", names())
def test_the_last_layer_of_no_network_is_quantized(name: str) -> None:
    """By its name: without the layer called `output` there are no parameters of a distribution left."""
    model = pt.build(name, shape=(1, 4, 4), levels=4, preset="tiny", likelihood="categorical")
    outputs = [v for k, v in model.state_dict().items() if k.endswith("output.weight")]
    assert outputs
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "output." in parameter_name:
                parameter.zero_()
    assert model.eval().log_prob(torch.zeros(1, 1, 4, 4, dtype=torch.int64)).item() == pytest.approx(
        16 * math.log(1 / 4), abs=network_rounding(model, 16 * math.log(4))
    )


@pytest.mark.parametrize("dtype", QUANTIZED_DTYPES)
@pytest.mark.parametrize("name", names())
def test_every_model_comes_back_to_the_bit(name: str, dtype: str, tmp_path: Path) -> None:
    """Quantized, saved, loaded: the same weights and likelihoods; the original model does not change."""
    torch.manual_seed(0)
    model = pt.build(name, shape=(1, 8, 8), levels=4, preset="tiny", classes=3, text="learned", position_channels=2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    quantized = pt.quantize_weights(model, dtype)
    assert all(equal(bits(v), bits(before[k])) for k, v in model.state_dict().items())
    assert any(not equal(v, before[k]) for k, v in quantized.state_dict().items())
    assert all(is_quantizable(k, v.shape) or equal(v, before[k]) for k, v in quantized.state_dict().items())
    quantized.save_pretrained(tmp_path)
    again = pt.load(tmp_path)
    assert all(equal(bits(v), bits(again.state_dict()[k])) for k, v in quantized.state_dict().items())
    assert weight_dtype(again.state_dict()) == dtype != weight_dtype(before)
    x = torch.randint(0, 4, (2, 1, 8, 8))
    assert equal(again.log_prob(x), quantized.eval().log_prob(x))
    full = 4 * sum(v.numel() for v in before.values())
    with safe_open(tmp_path / WEIGHTS, "pt") as file:
        stored = sum(file.get_tensor(k).nbytes for k in file.keys())  # noqa: SIM118 (not a dict)
    assert stored < {"int8": 0.36, "bf16": 0.56}[dtype] * full


@given(model=models(max_levels=17), dtype=st.sampled_from(QUANTIZED_DTYPES))
def test_any_model_can_be_quantized(model: pt.PixelModel, dtype: str) -> None:
    """Also in float64, with the same values."""
    quantized = pt.quantize_weights(model, dtype).state_dict()
    narrow = pt.quantize_weights(model.float(), dtype).state_dict()
    assert all(equal(bits(v), bits(narrow[k])) for k, v in quantized.items() if is_quantizable(k, v.shape))


def test_a_model_that_is_trained_further_is_saved_in_full(tmp_path: Path) -> None:
    """The quantization of a model follows from its weights alone."""
    quantized = pt.quantize_weights(pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny"), "int8")
    with torch.no_grad():
        quantized.backbone.head.weight[0, 0] += 1e-3  # type: ignore[operator, union-attr, index]
    assert weight_dtype(quantized.state_dict()) == "float32"
    quantized.save_pretrained(tmp_path)
    again = pt.load(tmp_path)
    assert all(equal(bits(v), bits(again.state_dict()[k])) for k, v in quantized.state_dict().items())


def test_wrong_requests() -> None:
    """Another type, and weights that are not finite."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny")
    with pytest.raises(pt.ConfigError, match="quantized to int8 or bf16"):
        pt.quantize_weights(model, "int4")
    with torch.no_grad():
        model.backbone.head.weight[0, 0] = torch.nan  # type: ignore[operator, union-attr, index]
    with pytest.raises(pt.ConfigError, match=r"`backbone\.head\.weight` are not finite"):
        pt.quantize_weights(model, "int8")


Q, S = torch.zeros(4, 16, dtype=torch.int8), torch.ones(4)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"w": Q}, "have the scales None"),
        ({"w": Q, "w_scale": torch.ones(3)}, r"need F32 \(4,\)"),
        ({"w": Q, "w_scale": torch.ones(4, 1)}, r"need F32 \(4,\)"),
        ({"w": Q, "w_scale": S.double()}, r"have the scales F64 \(4,\) but need F32"),
        ({"w": Q[:, 0], "w_scale": S}, "have the scales"),
        ({"w": Q[:, :2], "w_scale": S}, "have the scales"),
        ({"w": Q.to(torch.uint8)}, "of type U8"),
        ({"w": Q.to(torch.int64)}, "of type I64"),
        ({"w": Q.bool()}, "of type BOOL"),
    ],
)
def test_files_that_are_not_weights(tensors: dict[str, Tensor], words: str, tmp_path: Path) -> None:
    """Before anything is read: types and scales."""
    kinds = {torch.int8: "I8", torch.uint8: "U8", torch.int64: "I64", torch.bool: "BOOL", torch.float64: "F64"}
    info = {k: TensorInfo(kinds.get(v.dtype, "F32"), tuple(v.shape)) for k, v in tensors.items()}
    with pytest.raises(pt.CheckpointError, match=words) as error:
        expanded_shapes(info)
    assert "\n" not in str(error.value)
    pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny").save_pretrained(tmp_path)
    write_tensors(tmp_path / WEIGHTS, tensors)
    with pytest.raises(pt.CheckpointError, match=words):
        pt.load(tmp_path)


def test_damaged_quantized_files_are_rejected(tmp_path: Path) -> None:
    """Scales that are missing, of another length, or where the settings promise another shape; a changed bit."""
    quantized = pt.quantize_weights(pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny"), "int8")
    quantized.save_pretrained(tmp_path)
    whole = encode_tensors(quantized.state_dict())
    name = "backbone.head.weight"

    def rejected(change: dict[str, Any], words: str) -> None:
        write_tensors(tmp_path / WEIGHTS, {k: v for k, v in {**whole, **change}.items() if v is not None})
        with pytest.raises(pt.CheckpointError, match=words):
            pt.load(tmp_path)

    rejected({f"{name}_scale": None}, "have the scales None")
    rejected({f"{name}_scale": torch.ones(1)}, "have the scales")
    rejected({name: whole[name][:2], f"{name}_scale": whole[f"{name}_scale"][:2]}, r"head.weight' is \(2, ")
    rejected({"more_scale": torch.ones(4)}, "'more_scale' is")
    write_tensors(tmp_path / WEIGHTS, whole)
    pt.load(tmp_path)
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(pt.CheckpointError, match="checksum"):
        pt.load(tmp_path)
    assert json.loads((tmp_path / CONFIG).read_text())["format_version"] == 1
