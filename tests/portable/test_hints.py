"""Hints without torch: the features of stored encoders in numpy, and samples by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import HintConfig
from pointillist.files.arrays import PROGRAM_TENSORS, ArrayReader
from pointillist.images import ImageSpec
from pointillist.model.portable import load, save
from pointillist.model.portable.decode import decode_model
from tests.integer_draws import encoded
from tests.portable.networks import check_features, features_of

SIZE = (5, 7)
CODES = ImageSpec(channels=2, height=5, width=7, levels=5, mode="codes", ordered=False)
KINDS: dict[str, Any] = {
    "floats": HintConfig(channels=2, width=6, layers=5),
    "codes": HintConfig(channels=2, image=CODES, width=6, layers=2, level_channels=3),
    "lowres": "lowres:2",
    "outline": "outline",
    "half": "half:left",
}


def model_with(kind: str) -> pt.PixelModel:
    torch.manual_seed(0)
    built = pt.build(
        "gated-pixelcnn", shape=(3, *SIZE), levels=4, preset="tiny", hint=KINDS[kind], classes=("cat", "dog"),
        orders=("raster", "raster-tr"),
    )  # fmt: skip
    pt.quantize_integer(built.eval(), torch.randint(0, 4, (3, 3, *SIZE)))
    return built


def hints_for(model: pt.PixelModel, count: int) -> np.ndarray:
    reader, rng = model.conditions.hint_reader, np.random.default_rng(0)
    assert reader is not None
    shape = (count, reader.channels, *SIZE)
    return rng.normal(size=shape) if reader.image is None else rng.integers(0, reader.image.levels, shape)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_torch(kind: str, tmp_path: Path) -> None:
    """Stored and loaded, within the steps of fixed point; unknown hints are the rows that are stored."""
    model = model_with(kind)
    integer_model = save(model.integer_model(), tmp_path)
    stored = load(tmp_path)
    assert stored.fingerprint == integer_model.fingerprint
    hint = hints_for(model, 3)
    for name in stored.orders:
        order = stored.order(name)
        inputs = model.conditions.inputs([0, None, 1], 3, hint=hint)
        features = model.encode(inputs, 3, SIZE).map.detach().numpy().transpose(0, 2, 3, 1)
        found = features_of(stored, hint, 3, SIZE)
        check_features(stored, found, features)
        assert np.array_equal(features_of(stored, hint[1], 1, SIZE)[0], found[1])
        found = encoded(stored, 3, SIZE, order, [0, None, 1], hint=hint)
        due = model.integer_model().encode(inputs, 3, SIZE, order)
        assert found.keys() == due.keys() == {"vector", "map"}
        for key in found:
            assert np.array_equal(found[key], due[key])
        one = encoded(stored, 2, SIZE, order, hint=hint[0])["map"]
        assert np.array_equal(one[0], found["map"][0])
        nothing = model.integer_model().encode(model.conditions.inputs(None, 1), 1, SIZE, order)
        assert np.array_equal(encoded(stored, 1, SIZE, order)["map"], nothing["map"])


@pytest.mark.parametrize(
    "change", ["channels", "rule", "levels", "tap", "table", "phase", "program", "missing", "kind"]
)
def test_a_damaged_encoder_is_refused(change: str, tmp_path: Path) -> None:
    """With a named error, before anything is computed."""
    import json

    from safetensors.numpy import load_file

    save(model_with("codes").integer_model(), tmp_path)
    document = json.loads((tmp_path / "program.json").read_text())
    arrays = load_file(tmp_path / PROGRAM_TENSORS)
    parts = [part for each in document["parts"] for part in each if part.get("hints")]
    for part in parts:
        hints = part["hints"]
        if change == "channels":
            hints["channels"] = 1
        elif change == "rule":
            hints["rule"] = "edges"
        elif change == "levels":
            arrays[hints["weights"]["levels"]] = np.zeros((4, 3), np.int8)
        elif change == "tap":
            next(i for i in part["program"]["code"][1] if i["op"] == "GATHER")["taps"][0] = [5000, 0]
        elif change == "table":
            del next(i for i in part["program"]["code"][1] if i["op"] == "RMS_NORM")["constants"]["table"]
        elif change == "phase":
            part["program"]["code"].insert(0, part["program"]["code"].pop())
        elif change == "program":
            del part["program"]
        elif change == "unit":
            del hints["weights"]["unit"]
        else:
            part["kind"] = "vector"
    for key in ("format", "format_version", "fingerprint"):
        del document[key]
    with pytest.raises(pt.CheckpointError, match="is damaged"):
        decode_model(document, ArrayReader(arrays, "program"), "")
