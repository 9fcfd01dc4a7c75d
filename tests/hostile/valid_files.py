"""Small valid files of every kind that is read: what the fuzzer damages."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers
import torch
import transformers
from PIL import Image
from safetensors.torch import save as save_tensors

import pointillist as pt
from pointillist.compression import ArchiveWriter
from pointillist.data.tilemaps import MapFiles
from pointillist.images import ImageSpec
from pointillist.model import portable


def pictures() -> list[bytes]:
    """Small valid pictures of many formats."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    found = []
    for image in (colour, colour.convert("L"), colour.convert("P"), colour.convert("RGBA"), colour.convert("1")):
        for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "PCX", "JPEG2000"):
            file = io.BytesIO()
            with contextlib.suppress(OSError, ValueError):
                image.save(file, kind)
                found.append(file.getvalue())
    return found


def arrays() -> list[bytes]:
    """Small valid `.npz` archives and `.npy` files."""
    x, out = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8), []
    for content in ({"x": x}, {"x": x, "y": [0, 1], "text": ["a", "b"]}, {"x_train": x, "x_test": x}):
        for save in (np.savez, np.savez_compressed):
            file = io.BytesIO()
            save(file, **content)  # type: ignore[operator]
            out.append(file.getvalue())
    for array in (x, x / 255, x[0], np.array(["a"])):
        file = io.BytesIO()
        np.save(file, array)
        out.append(file.getvalue())
    return out


def model_files() -> dict[str, bytes]:
    """The files of a tiny model with every kind of condition that needs no other file."""
    model = pt.build(
        "gated-pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", channels=4, layers=1, classes=("a", "b"),
        attributes={"hair": 2}, vector=3, text="learned",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def parquet_files() -> list[bytes]:
    """Small valid Parquet files: pictures with labels and captions, in several ways to store them."""
    out, picture = [], pictures()[0]
    columns = {"image": [{"bytes": picture, "path": None}] * 3, "label": [0, 1, 0], "text": ["a", "b", None]}
    for table in (pa.table(columns), pa.table({"image": [picture] * 3, "label": ["x", "y", "x"]})):
        for options in ({}, {"compression": "zstd"}, {"use_dictionary": False, "compression": "none"}):
            file = io.BytesIO()
            pq.write_table(table, file, **options)
            out.append(file.getvalue())
    return out


def encoder_files(kind: str) -> dict[str, bytes]:
    """The files of a tiny text encoder."""
    words = {"?": 0, "a": 1, "red": 2, "dragon": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    config: Any
    if kind == "clip":
        settings = transformers.CLIPTextConfig(
            vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
            projection_dim=4, max_position_embeddings=5, bos_token_id=0, eos_token_id=3,
        )  # fmt: skip
        state, config = transformers.CLIPTextModelWithProjection(settings).state_dict(), settings.to_dict()
    else:
        state = {f"embeddings.{name}_embeddings.weight": torch.ones(n, 8) for name, n in
                 (("word", 4), ("position", 128), ("token_type", 2))}  # fmt: skip
        layer = {"attention.self.query": 8, "attention.self.key": 8, "attention.self.value": 8, "intermediate.dense": 8,
                 "attention.output.dense": 8, "output.dense": 8}  # fmt: skip
        for name, width in layer.items():
            state |= {f"encoder.layer.0.{name}.weight": torch.eye(width), f"encoder.layer.0.{name}.bias": torch.ones(8)}
        for name in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
            state |= {f"{name}.LayerNorm.{part}": torch.ones(8) for part in ("weight", "bias")}
        config = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {
        "tokenizer.json": tokenizer.to_str().encode(),
        "config.json": json.dumps(config).encode(),
        "model.safetensors": save_tensors({name: value.contiguous() for name, value in state.items()}),
    }


def map_files() -> dict[str, bytes]:
    """Small valid maps of every format, with what they need beside them."""
    image = ImageSpec(channels=1, height=4, width=5, levels=3, ordered=False, level_names=("wall", "floor", "door"))
    files = MapFiles.of(image, None)
    levels = np.arange(20).reshape(4, 5) % 3
    found: dict[str, bytes] = {}
    for form in ("tmj", "tmx", "csv", "txt"):
        found |= {f"map.{form}": files.encode(levels, form), **files.companions(form)}
    return found


def program_files() -> dict[str, bytes]:
    """The files of a tiny model with its integer program."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", channels=4, layers=1).eval()
    pt.quantize_integer(model, torch.randint(0, 4, (2, 1, 4, 4)))
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def _files(folder: Path) -> dict[str, bytes]:
    """All files of a folder and its folders, by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def detector_files() -> dict[str, bytes]:
    """The files of a tiny model with an anomaly detector."""
    torch.manual_seed(0)
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", channels=4, layers=1).eval()
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(Path(name))
        pt.AnomalyDetector(pt.load(name)).fit(torch.randint(0, 4, (60, 1, 4, 4))).save(name)
        return _files(Path(name))


def archive_files(model: dict[str, bytes]) -> list[bytes]:
    """Archives of one record and of several, with the names of files and of an array."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in model.items():
            (Path(name) / file).write_bytes(content)
        integer_model = portable.load(name)
    x = np.random.default_rng(0).integers(0, 4, (3, 1, 4, 4))
    found = []
    for metadata in ({}, {"files": [[f"{i}.png", "L", {"texts": {"a": "b"}}] for i in range(3)]}, {"array": "levels"}):
        file = io.BytesIO()
        with ArchiveWriter(file, integer_model, per_record=1 if metadata else None) as writer:
            if metadata:
                writer.add_metadata(metadata)
            for levels in x:
                writer.add(levels)
        found.append(file.getvalue())
    return found
