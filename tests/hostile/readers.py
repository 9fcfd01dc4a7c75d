"""Every reader of files of strangers, with the files that the fuzzer gives it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

import pointillist as pt
from pointillist.completion.cells import read_cells
from pointillist.compression.files import extract
from pointillist.conditioning.text_encoders.cache import open_encoder
from pointillist.data.palette import read_palette
from pointillist.files.arrays import CONFIG, PROGRAM, PROGRAM_TENSORS, WEIGHTS
from pointillist.files.settings_tree import read_toml
from pointillist.model import portable
from pointillist.model.folder.generation import MeasuredPrompts
from pointillist.model.vocabulary import describe_unseen_words
from pointillist.sampling.rules.config import parse_rules
from pointillist.studio.reproduce import read_manifest
from pointillist.training.runs.config import RunConfig

from .strategies import as_json, damaged, replaced, values
from .valid_files import (
    archive_files,
    arrays,
    detector_files,
    encoder_files,
    map_files,
    model_files,
    parquet_files,
    pictures,
    program_files,
)


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: its name in the report.
        data: strategy of the content of a file.
        read: reads such a file, in a folder of its own.
    """

    name: str
    data: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], object]


def readers() -> list[Reader]:
    """Every reader, with its files."""
    files = model_files()
    encoders = {kind: encoder_files(kind) for kind in ("minilm", "clip")}
    config = json.loads(files[CONFIG])
    maps, programs, detectors = map_files(), program_files(), detector_files()
    program = json.loads(programs[PROGRAM])

    def file(name: str, data: bytes, folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    def in_folder(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            Image.new("L", (4, 4)).save(folder / "a.png")
            file(name, data, folder)
            options = {"attribute_columns": "hair"} if b"hair" in data else {}
            return pt.load_data(folder, valid_fraction=0.0, **options)

        return read

    def model(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**files, name: data}.items():
                file(other, content, folder)
            return pt.load(folder)

        return read

    def picture(data: bytes, folder: Path) -> object:
        path = file("a.png", data, folder)
        return pt.load_data(path, size=(8, 8), valid_fraction=0.0)

    def array(data: bytes, folder: Path) -> object:
        return pt.load_data(file("a.npy" if data[:6] == b"\x93NUMPY" else "a.npz", data, folder), valid_fraction=0.0)

    def parquet_file(data: bytes, folder: Path) -> object:
        return pt.load_data(file("a.parquet", data, folder), valid_fraction=0.0)

    def encoder(kind: str, name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**encoders[kind], name: data}.items():
                file(other, content, folder)
            return open_encoder(f"{kind}:{folder}").encode("a red dragon")

        return read

    def captions(data: bytes, folder: Path) -> object:
        tree = {**config, "training": {"captions": json.loads(data)}}
        notes = describe_unseen_words(
            model(CONFIG)(as_json(tree), folder).training_record, ["a hart, a zebra", "x" * 100]
        )
        assert all(note.isprintable() for note in notes)
        return notes

    def palette(suffix: str) -> Callable[[bytes, Path], object]:
        return lambda data, folder: read_palette(file(f"a{suffix}", data, folder))

    def run_file(data: bytes, folder: Path) -> object:
        return RunConfig.from_dict(read_toml(file("run.toml", data, folder)))

    def map_file(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            beside = {"map.csv": (), "map.txt": ("legend.toml",), "legend.toml": ("map.txt",)}
            for other in beside.get(name, ("map.tmj" if name == "tileset.png" else "tileset.png",)):
                file(other, maps[other], folder)
            file(name, data, folder)
            return pt.load_data(folder, mode="codes", valid_fraction=0.0)

        return read

    def integer_model(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**programs, name: data}.items():
                file(other, content, folder)
            model = portable.load(folder)
            return model.log_prob(np.zeros((1, model.image.channels, model.image.height, model.image.width), np.int64))

        return read

    def detector(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**detectors, name: data}.items():
                file(other, content, folder)
            found = pt.AnomalyDetector.load(folder, folder)
            return found.score_samples(torch.zeros(1, 1, 4, 4, dtype=torch.int64))

        return read

    def as_table(data: bytes) -> dict[str, Any]:
        found = json.loads(data)
        return found if isinstance(found, dict) else {"border": found}

    def cells(suffix: str) -> Callable[[bytes, Path], object]:
        return lambda data, folder: read_cells(file(f"a{suffix}", data, folder), pt.ImageSpec.infer((1, 4, 4), 2))

    def archive(data: bytes, folder: Path) -> object:
        for other, content in programs.items():
            file(other, content, folder)
        return extract(io.BytesIO(data), folder / "out", folder, salvage=bool(data) and data[-1] % 2 == 1)  # type: ignore[arg-type]

    row = ["file_name", "text", "label", "hair", "vector"]
    rows = [b'{"file_name": "a.png", "text": "red", "label": 3, "hair": "black"}\n']
    toml = RunConfig.from_dict({"data": {"source": "x"}}).to_toml().encode()
    manifest = {
        "format": "pointillist-manifest", "version": 1, "model": {"name": "a", "sha256": "0" * 64},
        "environment": {"processor": "p", "pointillist": "0", "torch": "2", "numpy": "2"},
        "request": {"samples": [{"seed": 1, "conditions": {"label": 1}}], "guidance": 1.0}, "sha256": ["0" * 64],
    }  # fmt: skip
    manifest_keys = ["samples", "seed", "levels", "known", "shape", "data", "dtype", "size", "hint"]

    rules = (resources.files("pointillist") / "data/builtin/rules.toml").read_bytes()
    rule_keys = ["border", "adjacency", "counts", "connected", "levels", "at_least", "mirror", "region", "fixed"]

    def structured(name: str, content: bytes) -> st.SearchStrategy[bytes]:
        if name.endswith(".json"):
            found = json.loads(content)
            return replaced(found, ["hidden_size", "type", "vocab", *found])
        return damaged([content])

    both = lambda whole, structured: damaged(whole) | structured  # noqa: E731
    return [
        Reader("pictures", damaged(pictures()), picture),
        Reader("arrays", damaged(arrays()), array),
        Reader("metadata.jsonl", both(rows, values(row).map(as_json)), in_folder("metadata.jsonl")),
        Reader("metadata.csv", damaged([b'file_name,text,label\na.png,"red, blue",3\n']), in_folder("metadata.csv")),
        Reader("palette.hex", damaged([b"#ff0000\n00ff00\n; a\n0000ffff"]), palette(".hex")),
        Reader("palette.gpl", damaged([b"GIMP Palette\nName: a\n#\n255 0 0 red\n0 0 0\n"]), palette(".gpl")),
        Reader("palette.png", damaged(pictures()[-20:]), palette(".png")),
        Reader("run.toml", damaged([toml]), run_file),
        Reader("config.json", both([files[CONFIG]], replaced(config, list(config))), model(CONFIG)),
        Reader("model.safetensors", damaged([files[WEIGHTS]]), model(WEIGHTS)),
        Reader(
            "generation_config.json",
            both([b'{"guidance": 2.0}'], values(["guidance", "temperature", "top_p", "examples"]).map(as_json)),
            model("generation_config.json"),
        ),
        Reader(
            "prompts.json",
            both([b'{"recognised": ["heart"]}'], values(["measured", "recognised", "missed", "words"]).map(as_json)),
            lambda data, folder: MeasuredPrompts.read(file("prompts.json", data, folder).parent),
        ),
        *(Reader(name, damaged([content]), map_file(name)) for name, content in maps.items() if name[:3] == "map"),
        Reader("legend.toml", damaged([maps["legend.toml"]]), map_file("legend.toml")),
        Reader("tileset.png", damaged([maps["tileset.png"]]), map_file("tileset.png")),
        Reader("rules.toml", damaged([rules]), lambda data, folder: parse_rules(file("rules.toml", data, folder))),
        Reader("rules", values(rule_keys).map(as_json), lambda data, folder: parse_rules(as_table(data))),
        Reader(PROGRAM, both([programs[PROGRAM]], replaced(program, list(program))), integer_model(PROGRAM)),
        Reader(PROGRAM_TENSORS, damaged([programs[PROGRAM_TENSORS]]), integer_model(PROGRAM_TENSORS)),
        *(
            Reader(name, both([detectors[name]], structured(name, detectors[name])), detector(name))
            for name in ("anomaly_detector.json", "anomaly_detector.safetensors")
        ),
        Reader("cells.csv", damaged([b"x,y,facies,p_1\n0,0,1,\n3,2,,0.8\n"]), cells(".csv")),
        Reader("cells.dat", damaged([b"wells\n3\nx\ny\nfacies\n0 0 1\n3 2 -999\n"]), cells(".dat")),
        Reader("archives", damaged(archive_files(programs)), archive),
        Reader("Parquet", damaged(parquet_files()), parquet_file),
        Reader("captions of a model", values(["words", "commas", "complete"]).map(as_json), captions),
        *(
            Reader(f"{kind}: {name}", both([content], structured(name, content)), encoder(kind, name))
            for kind, found in encoders.items()
            for name, content in found.items()
        ),
        Reader(
            "manifest",
            both([as_json(manifest)], replaced(manifest, manifest_keys)),
            lambda data, folder: read_manifest(file("a.json", data, folder)),
        ),
    ]
