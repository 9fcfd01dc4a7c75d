"""Every kind of condition in a stored integer program: with an encoder without torch, with rows, or named here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import pointillist as pt
from pointillist.conditioning import condition_kinds
from pointillist.conditioning.text import TextConfig
from pointillist.engine.program import LIMIT
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS, ArrayReader
from pointillist.model.integer import condition_features
from pointillist.model.portable import load, save
from pointillist.model.portable.decode import decode_model
from tests.integer_draws import encoded
from tests.laws.strategies import random_inputs
from tests.portable.test_without_torch import run
from tests.tolerances import FIXED_POINT

SIZE = (5, 6)
KINDS: dict[str, dict[str, Any]] = {
    "label": {"classes": ("cat", "dog")},
    "attributes": {"attributes": {"hair": ("red", "grey"), "eyes": 3}},
    "vector": {"vector": 4},
    "hint": {"hint": "outline"},
    "text": {"text": "learned"},
    "text+tokens": {"text": "learned+tokens"},
    "text+neighbours": {"text": TextConfig(encoder="learned+tokens", ngrams="words").completed()},
    "known": {"known": True},
}
VALUES: dict[str, Any] = {
    "label": "dog",
    "attributes": {"eyes": 2},
    "vector": [0.5, 900.0, -3.25, 0.0],
    "hint": np.eye(5, 6, dtype=np.int64)[None],
    "text": "a red dragon",
    "text+tokens": "a red dragon",
    "text+neighbours": "a red dragon on a blue sofa",
    "known": (np.ones((1, *SIZE), np.int64), np.eye(5, 6, dtype=bool)),
}


def keyword_of(kind: str) -> str:
    return kind.partition("+")[0]


BY_ROWS = ("label",)
"""Kinds of few values: a program stores the features of each."""


def model_with(kind: str, orders: tuple[str, ...] = ("raster", "raster-tr")) -> pt.PixelModel:
    torch.manual_seed(0)
    built = pt.build("gated-pixelcnn", shape=(1, *SIZE), levels=4, preset="tiny", orders=orders, **KINDS[kind])
    built.eval()
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.dtype == torch.float32:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    pt.quantize_integer(built, torch.randint(0, 4, (3, 1, *SIZE)))
    return built


def test_every_kind_is_listed() -> None:
    """A new kind is tested here."""
    assert set(condition_kinds()) == {kind.partition("+")[0] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_portable(kind: str) -> None:
    """Its settings name the half that works without torch, and each of its encoders makes one."""
    parts = model_with(kind).integer_model().parts[0]
    part = [part for part in parts if part.name not in ("order", "position")][-1]
    if kind in BY_ROWS:
        assert part.names
        assert part.encoder is None
    else:
        portable = condition_kinds()[kind.partition("+")[0]].portable
        assert isinstance(part.encoder, portable)
        assert part.keyword == part.encoder.reader.keyword


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_becomes_the_same_integers(kind: str, tmp_path: Path) -> None:
    """With torch, stored and loaded without, in a batch or alone; within a step or two of the features of torch."""
    model = model_with(kind)
    assert save(model.integer_model(), tmp_path).fingerprint == load(tmp_path).fingerprint
    stored = load(tmp_path)
    for name in stored.orders:
        order = stored.order(name)
        inputs = model.conditions.inputs(count=3, size=SIZE, **{keyword_of(kind): VALUES[kind]})
        expected = model.integer_model().encode(inputs, 3, SIZE, order)
        actual = encoded(stored, 3, SIZE, order, **{keyword_of(kind): VALUES[kind]})
        alone = encoded(stored, 1, SIZE, order, **{keyword_of(kind): VALUES[kind]})
        unknown = encoded(stored, 1, SIZE, order)
        assert actual.keys() == expected.keys()
        for key, array in actual.items():
            assert np.array_equal(array, expected[key])
            assert np.array_equal(array[1:2], alone[key])
        assert any(not np.array_equal(alone[key], unknown[key]) for key in alone)
        condition = model.conditions.to_raster_frame(model.encode(inputs, 3, SIZE), order)
        for key, features in condition_features(condition, 3).items():
            low, high = (-128, 127) if key == "map" else (-LIMIT, LIMIT)
            unit = stored.program(order).inputs[key].unit
            floats = (features / unit).clip(low, high)
            # torch rounds to float32, of which the features of a vector of 900 are multiples
            errors, within = np.abs(actual[key] - floats), 2 + abs(floats).max() * 2.0**-18
            assert (errors * unit).mean() < FIXED_POINT if key == "map" else (errors <= within + 0.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_has_one_encoder(kind: str) -> None:
    """Images of which nothing is known, and others, in a batch: each as alone, and as the program itself does it."""
    model = model_with(kind)
    torch.manual_seed(1)
    inputs, order = random_inputs(model, 6), model.order()
    together = model.integer_model().encode(inputs, 6, SIZE, order)
    for i in range(6):
        alone = model.integer_model().encode(inputs[i : i + 1], 1, SIZE, order)
        for key, array in alone.items():
            assert np.array_equal(array[0], together[key][i])
    nothing = model.integer_model().encode(None, 1, SIZE, order)
    for key, array in encoded(model.integer_model(), 1, SIZE, order).items():
        assert np.array_equal(array, nothing[key])


def test_orders_share_their_units() -> None:
    """So features of a condition, rounded for one order, are those of another."""
    for kind in KINDS:
        integers = model_with(kind, orders=("raster", "raster-columns", "raster-tr")).integer_model()
        for program in integers.programs[1:]:
            for key, entry in program.inputs.items():
                assert np.array_equal(entry.unit, integers.programs[0].inputs[key].unit)


@pytest.mark.parametrize("kind", ["hint", "known"])
def test_a_map_has_any_size(kind: str) -> None:
    """Known or not, with torch and without."""
    model, size = model_with(kind), (4, 9)
    value = np.ones((1, *size), np.int64) if kind == "hint" else (np.ones((1, *size), np.int64), np.ones(size, bool))
    integers, order = model.integer_model(), model.order()
    for given in (None, value):
        inputs = model.conditions.inputs(count=2, size=size, **{keyword_of(kind): given})
        expected = model.integer_model().encode(inputs, 2, size, order)
        assert np.array_equal(encoded(integers, 2, size, order, **{keyword_of(kind): given})["map"], expected["map"])


@pytest.mark.parametrize("change", ["width", "missing", "nan", "shape", "part", "names"])
@pytest.mark.parametrize("kind", ["attributes", "vector"])
def test_a_damaged_encoder_is_rejected(kind: str, change: str, tmp_path: Path) -> None:
    """With a named error, before anything is computed."""
    save(model_with(kind).integer_model(), tmp_path)
    document = json.loads((tmp_path / PROGRAM).read_text())
    arrays, key = load_file(tmp_path / PROGRAM_TENSORS), "attributes" if kind == "attributes" else "vectors"
    assert document["format_version"] == 3
    for part in (part for each in document["parts"] for part in each if key in part):
        encoder = part[key]
        first, *_, second = encoder["weights"]
        array = arrays[encoder["weights"][second]]
        if change == "width":
            arrays[encoder["weights"][second]] = array[..., :-1]
        elif change == "missing":
            del encoder["weights"][first]
        elif change == "nan":
            arrays[encoder["weights"][second]] = np.full_like(array, np.nan)
        elif change == "shape":
            arrays[encoder["weights"][second]] = array[None]
        elif change == "names":
            encoder["values"] = {"hair": []}
        else:
            part["kind"] = "map"
    for name in ("format", "format_version", "fingerprint"):
        del document[name]
    with pytest.raises(pt.CheckpointError, match="is damaged"):
        decode_model(document, ArrayReader(arrays, "program"), "")


def test_a_command_samples_by_attributes_without_torch(tmp_path: Path) -> None:
    """The images of `pt.sample`, where torch cannot be imported."""
    model = model_with("attributes")
    model.save_pretrained(tmp_path / "m")
    program = (
        "import numpy as np\n"
        "from pointillist.model.folder.opening import open_any_program\n"
        "from pointillist.sampling.request import Request\n"
        "request = Request.of(3, seed=1, attributes={'eyes': 2}, guidance=2.0, batch_size=2)\n"
        "plan = request.resolve(open_any_program('m'))\n"
        "np.save('levels.npy', np.concatenate([part.levels for part in plan.stream()]))\n"
    )
    run(program, tmp_path)
    expected = pt.sample(model, 3, attributes={"eyes": 2}, seed=1, guidance=2.0, engine="integer").levels
    assert np.array_equal(np.load(tmp_path / "levels.npy"), expected)
