"""Hostile calls of Python and requests to the studio."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.compression.arrays.chunks import decode_array, encode_array
from pointillist.compression.models import as_integer_model
from pointillist.data import DataOptions

from .newer_commands import write_table
from .newer_world import VALUES, HostileError, World

DIGIT = np.zeros((1, 28, 28), np.int64)
KNOWN = np.arange(784).reshape(28, 28) % 5 > 0
HALF = np.full((1, 1, 2, 2), 0.5)
ARCHIVE = pt.compress("digits", DIGIT[None])
SAMPLES = pt.sample("digits", 2, seed=1)
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "sample": (pt.sample, {"model": "digits", "n": 1, "label": "3", "seed": 1, "temperature": 1.0, "top_p": 1.0,
                           "guidance": 1.0, "order": None, "size": None, "batch_size": 2, "threads": 1,
                           "engine": "auto",
                           "text": None, "best_of": 1, "rules": None, "uniforms": None, "vector": None}),
    "inpaint": (pt.inpaint, {"model": "digits", "image": DIGIT, "known": KNOWN, "n": 1, "method": "auto", "seed": 1,
                             "soft": None, "allowed": None, "label": 1, "particles": 4, "moves": 0, "first": 0}),
    "vary": (pt.vary, {"model": "digits", "image": DIGIT, "share": 0.1, "n": 1, "pattern": "regions", "keep": None,
                       "seed": 1, "first": 0}),
    "evaluate": (pt.evaluate, {"model": "digits", "x": DIGIT[None], "label": None, "text": None, "batch_size": 1,
                               "seed": 0, "guidance": 1.0, "order": None, "engine": "auto"}),
    "rank": (pt.rank, {"model": "icons", "image": np.zeros((1, 24, 24), np.int64), "texts": ["heart", "star"],
                       "label": None, "prior": None, "guidance": 1.0, "batch_size": 2, "order": None}),
    "World": (lambda **k: pt.World(**k).tiles(0, 0, 2, 2), {"model": "dungeons", "seed": 1, "rules": None,
                                                            "label": None,
                                                            "chunk_size": 8, "margin": 2, "remembered": 2}),
    "compress": (pt.compress, {"model": "digits", "images": DIGIT[None], "label": None, "order": None,
                               "per_record": None, "verify": True, "threads": 1}),
    "build": (pt.build, {"model": "pixelcnn", "shape": (1, 4, 4), "levels": 4, "layers": 1, "channels": 4,
                         "classes": None, "orders": "raster", "likelihood": "auto", "vector": None, "text": None,
                         "hint": None, "attributes": None}),
    "load_data": (lambda **k: pt.load_data(k.pop("source"), DataOptions(**k)),
                  {"source": "pictures", "size": None, "window": None, "levels": None, "mode": "auto", "palette": None,
                   "vector_column": None, "labels": True, "binarise": "none"}),
    "export": (pt.export, {"model": "digits", "js": "out", "html": None, "c": None, "rules": None}),
    "sample_seamless": (pt.sample_seamless, {"model": "dungeons", "n": 1, "sides": "x", "seed": 1, "size": (8, 8)}),
    "AnomalyDetector": (lambda **k: pt.AnomalyDetector(**k).fit(np.repeat(DIGIT[None], 40, 0)),
                        {"model": "digits", "contamination": 0.1, "density": "auto", "smoothing": 1.5, "batch_size": 8,
                         "background": None, "engine": "auto"}),
    "receptive_field": (pt.receptive_field, {"model": "digits", "row": 3, "column": 4}),
    "explain": (pt.explain, {"model": "digits", "image": DIGIT, "label": "3", "text": None, "max_attributions": 0,
                             "exchange": None, "edits": None, "continuations": 0, "seed": 1, "order": None,
                             "engine": "auto", "calibration": None}),
    "recover_uniforms": (pt.recover_uniforms, {"model": "digits", "image": DIGIT, "label": 1, "seed": 1, "order": None,
                                               "temperature": 1.0, "top_p": 1.0, "guidance": 1.0}),
    "interpolate_uniforms": (pt.interpolate_uniforms, {"uniforms": HALF, "others": HALF, "strength": 0.5}),
    "replace_uniforms": (pt.replace_uniforms, {"uniforms": HALF, "others": HALF, "strength": 0.5, "seed": 1}),
    "decompress": (pt.decompress, {"archive": ARCHIVE, "model": "digits", "threads": 1, "max_sub_pixels": 2**20}),
    "Archive": (lambda **k: pt.Archive(k.pop("source"), k.pop("model"))[k["index"]],
                {"source": ARCHIVE, "model": "digits", "index": 0}),
    "part of samples": (lambda **k: SAMPLES[k["index"]], {"index": 0}),
    "Samples.save": (lambda **k: SAMPLES.save(k["path"]), {"path": "out.png"}),
    "Samples.recoloured": (lambda **k: SAMPLES.recoloured(k["palette"]), {"palette": [(0, 0, 0)] * 16}),
    "to_levels": (lambda **k: pt.load("digits").to_levels(k["images"]), {"images": np.zeros((28, 28), np.uint8)}),
    "log_prob": (lambda **k: pt.load("digits").log_prob(**k), {"x": DIGIT[None], "label": 1, "order": None}),
    "ImageSpec": (pt.ImageSpec, {"channels": 1, "height": 4, "width": 4, "levels": 4, "ordered": True, "mode": "codes",
                                 "palette": None, "level_names": None}),
    "Rules": (pt.Rules, {"border": ["wall"], "fixed": (), "regions": (), "mirror": "x", "adjacency": "observed",
                         "counts": (), "connected": (), "paths": (), "tries": 3}),
    "TrainConfig": (pt.TrainConfig, {"epochs": 1.0, "steps": 1, "batch_size": 2, "seed": 1, "out": None,
                                     "optimizer": {}, "schedule": {}, "augmentation": {}}),
    "GenerationConfig": (pt.GenerationConfig, {"guidance": 1.0, "temperature": 1.0, "top_p": 1.0, "prompts": (),
                                               "labels": (), "hints": (), "pictures": (), "min_is_white": False}),
    "train": (lambda **k: pt.train(pt.build("pixelcnn", shape=(1, 4, 4), levels=4, layers=1, channels=4), **k),
              {"data": np.zeros((4, 1, 4, 4), np.int64), "config": {"steps": 1, "batch_size": 2}, "resume": False}),
    "quantize_weights": (pt.quantize_weights, {"model": pt.build("pixelcnn", shape=(1, 4, 4), levels=4, layers=1,
                                                                 channels=4), "dtype": "int8"}),
}  # fmt: skip
"""Calls that succeed, of which one to three arguments are replaced by values of any kind."""
LARGE = (2**31, 2**63, 10**30)


def calls(rng: random.Random, world: World) -> None:
    """Arguments of any kind."""
    name = rng.choice(sorted(CALLS))
    function, arguments = CALLS[name]
    changed = {key: rng.choice(VALUES) for key in rng.sample(sorted(arguments), min(len(arguments), rng.randint(1, 2)))}
    if any(
        key in changed and changed[key] in LARGE for key in ("n", "chunk_size") if isinstance(changed.get(key), int)
    ):
        return  # more work, or a large picture, is no fault
    world.guess(lambda: function(**{**arguments, **changed}), f"{name}({changed!r})")


def tables(rng: random.Random, world: World) -> None:
    """Tables of cells, read in Python."""
    path = world.folder / rng.choice(["t.csv", "t.dat"])
    write_table(rng, path)
    image = pt.load("dungeons").image
    size = rng.choice([None, (4, 5), (0, 0), (-1, 3), "x", (4, 5, 6), (10**9, 10**9)])
    world.guess(lambda: pt.read_cells(path, image, size), f"read_cells(size={size!r}) of {path.read_text()!r}")


def arrays(rng: random.Random, world: World) -> None:
    """Chunks of arrays, damaged and of any type."""
    model = as_integer_model("photos-grey")
    data = (
        np.random.default_rng(rng.randrange(99))
        .integers(0, 200, (2, 6, 5))
        .astype(rng.choice(["u1", "u2", "i4", "f4", "u8"]))
    )
    coded = world.guess(lambda: encode_array(data, model, "photos-grey"), f"encode_array of {data.dtype}")
    if coded is not None:
        damaged = bytearray(coded)
        for _ in range(rng.randint(0, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        cut = bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])])
        world.guess(lambda: decode_array(cut, model), f"decode_array of {cut[:60]!r}")


BODIES: dict[str, dict[str, Any]] = {
    "sample": {"samples": [{"seed": 1, "conditions": {"label": None, "text": None, "letters": True, "others": {}}}],
               "guidance": 1.0, "temperature": 1.0, "top_p": 1.0, "size": None, "rules": {"border": ["wall"]},
               "best_of": 1,
               "seamless": None, "negative_prompt": None, "distributions": False},
    "fill": {"start": {"levels": {"dtype": "uint8", "shape": [1, 4, 4], "data": "AAAAAAAAAAAAAAAAAAAAAA=="},
                       "known": {"dtype": "uint8", "shape": [4, 4], "data": "AQEBAQEBAQEBAQEBAQEBAA=="}},
             "candidates": 1, "method": "auto", "seed": 1, "allowed": [], "pick": None},
    "score": {"levels": {"dtype": "uint8", "shape": [1, 4, 4], "data": "AAAAAAAAAAAAAAAAAAAAAA=="}, "conditions": {}},
    "world": {"seed": 1, "row": 0, "column": 0, "height": 4, "width": 4, "chunk_size": 8, "rules": None, "label": None},
}  # fmt: skip
"""Bodies of requests, in which places are replaced."""
JSON: tuple[Any, ...] = (
    None, True, -1, 0, 2**53, 2**64, 1.5, 1e308, "", "x", "x" * 20_000, "\ud800", [], {}, [[]], [1], [None] * 17,
    {"a": 1},
    {"dtype": "uint8", "shape": [2**24, 2**24], "data": ""}, {"dtype": "float32", "shape": [4, 4], "data": "AAAA"},
)  # fmt: skip


def replaced(rng: random.Random, body: Any) -> Any:
    """Return a body one to three of whose places hold another value, or are missing."""
    body = json.loads(json.dumps(body))
    for _ in range(rng.randint(1, 3)):
        at = body
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(at[key], (dict, list)) and at[key] and rng.random() < 0.7:
                at = at[key]
                continue
            if rng.random() < 0.1 and isinstance(at, dict):
                del at[key]
            else:
                at[key] = deepcopy(rng.choice(JSON))
            break
    return body


def requests(rng: random.Random, world: World) -> None:
    """Requests to the studio: a description of what is wrong, and never a status of 500."""
    names = list(world.studio and world._service.models.entries)
    name, kind = rng.choice(names), rng.choice(sorted(BODIES))
    body = json.dumps(replaced(rng, BODIES[kind]))
    answer = world.studio.post(
        f"/api/models/{name}/{kind}",
        content=body.encode("utf-8", "replace"),
        headers={"content-type": "application/json"},
    )
    if answer.status_code >= 500 or (
        answer.status_code >= 400 and not answer.json()["error"].rstrip().endswith((".", "?"))
    ):
        raise HostileError(f"{name} {kind} {body[:300]}: {answer.status_code} {answer.text[:300]}")


KINDS: dict[str, tuple[Callable[[random.Random, World], None], int]] = {
    "calls": (calls, 24),
    "tables": (tables, 6),
    "arrays": (arrays, 4),
    "requests": (requests, 14),
}
