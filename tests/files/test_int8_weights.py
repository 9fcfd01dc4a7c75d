"""Weights of bundled models in int8: the values, lossless files, and files that are rejected."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import pointillist as pt
from pointillist.files.arrays import WEIGHTS
from pointillist.files.tensors import decode_weights, read_tensors, write_tensors
from pointillist.zoo import ZOO
from tests.equality import equal
from tests.scripts import script

weights = script("int8_weights")


def bits(tensor: Tensor) -> Tensor:
    """Numbers as the integers that hold them: -0 is not 0."""
    return tensor.float().view(torch.int32)


@pytest.mark.parametrize("seed", range(5))
def test_int8_follows_its_formula(seed: int) -> None:
    """Worked out weight by weight in Python's exact floats."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(3, 5, 2, 2, generator=generator) * torch.tensor([1e-3, 1, 50]).reshape(-1, 1, 1, 1)
    whole, scale = weights.to_int8("w", weight).values()
    decoded = decode_weights({"w": whole, "w_scale": scale})["w"]
    for o in range(3):
        row, s = weight[o].flatten().tolist(), scale[o].item()
        usual = max(map(abs, row)) / 127
        mantissa = math.frexp(s)[0] * 2**17
        assert mantissa == int(mantissa), "17 bits"
        assert usual * (1 - 2**-16) < s <= usual * (1 + 2**-24)
        assert whole[o].flatten().tolist() == [round(w / s) for w in row]
        assert decoded[o].flatten().tolist() == [q * s for q in whole[o].flatten().tolist()], "exact"
    assert whole.abs().flatten(1).amax(1).eq(127).all()


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=32, max_size=32),
    columns=st.booleans(),
)
def test_rounding_is_idempotent(values: list[float], columns: bool) -> None:
    """Any finite numbers, also tiny and huge ones, with outputs on the first axis or the last."""
    weight = torch.tensor(values).reshape((1, 16, 2) if columns else (2, 16))
    once = decode_weights(weights.to_int8("w", weight))["w"]
    again = decode_weights(weights.to_int8("w", once))["w"]
    assert equal(bits(decode_weights(weights.pack({"w": again}))["w"]), bits(again))


def test_outputs_have_scales_of_their_own() -> None:
    """In the kernels of recurrences, `[taps, in, out]`, they are the last axis; zeros and dust become zero."""
    weight = torch.ones(2, 9, 4) * torch.tensor([1.0, 1e-4, 0.0, 1e-38])
    whole, scale = weights.to_int8("w", weight).values()
    assert scale.shape == (4,)
    assert equal(whole.flatten(0, 1)[0], torch.tensor([127, 127, 0, 0], dtype=torch.int8))


@pytest.mark.parametrize("model", pt.list_pretrained(), ids=lambda model: model.name)
def test_a_bundled_model_is_packed_to_the_bit(model: pt.BundledModel) -> None:
    """What is loaded is packed to the tensors of its file; `save_pretrained` writes the same weights in float32."""
    stored, loaded = read_tensors(ZOO / model.name / WEIGHTS), pt.load(model.name).state_dict()
    packed = weights.pack(loaded)
    assert packed.keys() == stored.keys()
    for name, tensor in stored.items():
        assert packed[name].dtype == tensor.dtype
        assert equal(bits(packed[name]), bits(tensor))


def test_a_packed_folder_is_the_rounded_model(tmp_path: Path) -> None:
    """A quarter of the bytes; the original model does not change; a matrix may be in bf16."""
    built = pt.build("row-lstm", shape=(1, 8, 8), levels=4, preset="tiny", classes=3, text="learned")
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    rounded = weights.round_weights(built, bf16=("backbone.head.weight",))
    assert all(equal(tensor, before[name]) for name, tensor in built.state_dict().items())
    rounded.save_pretrained(tmp_path)
    size = (tmp_path / WEIGHTS).stat().st_size
    weights.pack_folder(tmp_path)
    assert (tmp_path / WEIGHTS).stat().st_size < 0.4 * size
    loaded = pt.load(tmp_path).state_dict()
    assert all(equal(bits(tensor), bits(loaded[name])) for name, tensor in rounded.state_dict().items())


Q, S = torch.zeros(4, 16, dtype=torch.int8), torch.ones(4)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"w": Q}, "`w` of .* are I8"),
        ({"w": Q, "w_scale": torch.ones(3)}, "are I8"),
        ({"w": Q, "w_scale": torch.ones(4, 1)}, "are I8"),
        ({"w": Q, "w_scale": S.double()}, "are I8"),
        ({"w": Q[:, 0], "w_scale": S}, "are I8"),
        ({"w": Q.to(torch.uint8)}, "are U8"),
        ({"w": Q.to(torch.int64)}, "are I64"),
        ({"w": Q.bool()}, "are BOOL"),
        ({"w": Q, "w_scale": S}, "does not belong"),
    ],
)
def test_files_that_are_not_weights(tensors: dict[str, Tensor], words: str, tmp_path: Path) -> None:
    """Before anything is read: types, scales and shapes."""
    pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny").save_pretrained(tmp_path)
    write_tensors(tmp_path / WEIGHTS, tensors)
    with pytest.raises(pt.CheckpointError, match=words) as error:
        pt.load(tmp_path)
    assert "\n" not in str(error.value)


def test_damaged_int8_files_are_rejected(tmp_path: Path) -> None:
    """Scales that are missing or of another number; a matrix of another shape; a changed bit."""
    built = weights.round_weights(pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny"))
    built.save_pretrained(tmp_path)
    whole, name = weights.pack(built.state_dict()), "backbone.head.weight"
    changes: dict[str, dict[str, Tensor | None]] = {
        "are I8": {f"{name}_scale": None},
        r"head.weight' is \(2, ": {name: whole[name][:2], f"{name}_scale": whole[f"{name}_scale"][:2]},
        "'more_scale' is": {"more_scale": torch.ones(4)},
    }
    for words, change in changes.items():
        write_tensors(tmp_path / WEIGHTS, {k: v for k, v in {**whole, **change}.items() if v is not None})
        with pytest.raises(pt.CheckpointError, match=words):
            pt.load(tmp_path)
    write_tensors(tmp_path / WEIGHTS, whole)
    pt.load(tmp_path)
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(pt.CheckpointError, match="checksum"):
        pt.load(tmp_path)
