"""Values of a wrong kind, for every argument of the public functions: each is answered in one sentence, or works."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist import system
from pointillist.model.batches import guided_log_probs

WRONG: list[Any] = [
    None, "", "nonsense", True, -1, 10**12, 10**400, 1.5, float("nan"), "3", b"x", [], {}, object(),
    np.array("x"), np.zeros(0), np.array([1.5]), torch.zeros(2), Path("gone"), "x" * 5000, "caf\udcff\0", [1, 2],
    ["a", None], {"a": {"b": []}}, (3, 4, 5), print, np.full((1, 28, 28), np.nan), np.full((1, 28, 28), -1),
]  # fmt: skip
SAMPLING = ("seed", "guidance", "temperature", "top_p", "engine", "order", "batch_size", "rules")
MODEL = pt.build("pixelcnn", shape=(1, 8, 8), levels=4, channels=4, layers=1, classes=("a", "b"))
LEVELS, KNOWN = np.zeros((2, 1, 8, 8), np.int64), np.arange(64).reshape(8, 8) < 32
WORLD = pt.World("dungeons", 1, chunk_size=8, margin=2)
DIGIT = np.zeros((1, 1, 28, 28), np.int64)
HALF = np.full((1, 1, 2, 2), 0.5)
SAMPLES = pt.sample("digits", 2, seed=1)
DETECTOR = ("contamination", "density", "smoothing", "batch_size", "background")
JOB = {"out": "job", "tasks": 1, "model": "tiny", "n": 1}
JOBS = partial(pt.jobs.run, **{**JOB, "executor": "torchrun"})
"""A job in this process, as `torchrun` has it: a start of `local` takes seconds, and its values are checked before."""
CALLS: dict[str, tuple[Callable[..., Any], list[Any], tuple[str, ...]]] = {
    "sample": (pt.sample, [MODEL, 1], ("label", "text", "threads", "best_of", "size", "uniforms", *SAMPLING)),
    "sample_seamless": (pt.sample_seamless, [MODEL, 1], ("sides", "seed", "engine")),
    "inpaint": (pt.inpaint, [MODEL, LEVELS[0], KNOWN], ("n", "method", "particles", "moves", "label", *SAMPLING)),
    "evaluate": (pt.evaluate, [MODEL, LEVELS], ("order", "batch_size", "guidance", "engine", "label", "text")),
    "explain": (
        pt.explain,
        [MODEL, LEVELS[0]],
        ("label", "order", "engine", "text", "edits", "exchange", "calibration"),
    ),
    "load": (pt.load, ["digits"], ()),
    "load_data": (pt.load_data, ["uci-digits"], ("size", "mode", "levels", "palette")),
    "build": (
        pt.build,
        ["pixelcnn"],
        ("shape", "levels", "layers", "preset", "likelihood", "orders", "classes", "image"),
    ),
    "receptive_field": (pt.receptive_field, [MODEL, 1, 1], ("channel", "order", "name")),
    "compress": (pt.compress, ["digits", DIGIT], ("label", "order", "threads", "per_record")),
    "decompress": (pt.decompress, [b"x"], ("model", "threads")),
    "read_cells": (pt.read_cells, ["x.csv", MODEL.image], ("size",)),
    "rank": (pt.rank, [MODEL, LEVELS, ["a"]], ()),
    "recover_uniforms": (pt.recover_uniforms, [MODEL, LEVELS], ("seed", "order", "label")),
    "World.chunk": (WORLD.chunk, [0, 0], ()),
    "World.tiles": (WORLD.tiles, [0, 0, 2, 2], ()),
    "jobs.run": (JOBS, ["sample"], (*JOB, "workers", "time_limit", "executor", "seed", "label", "temperature")),
    "jobs.status": (pt.jobs.status, ["job"], ()),
    "jobs.merge": (pt.jobs.merge, ["job", "a.npz"], ()),
    "export": (pt.export, ["gone"], ("html", "c", "js", "rules")),
    "World": (pt.World, ["dungeons", 1], ("rules", "label", "chunk_size")),
    "SamplingConfig": (pt.SamplingConfig, [], (*SAMPLING[1:], "best_of", "threads")),
    "TrainConfig": (pt.TrainConfig, [], ("steps", "batch_size", "seed")),
    "ImageSpec": (pt.ImageSpec, [], ("channels", "height", "width", "levels", "ordered")),
    "Rules": (pt.Rules, [], ("border", "fixed", "regions", "counts", "connected", "paths", "tries", "mirror")),
    "vary": (pt.vary, [MODEL, LEVELS[0]], ("share", "n", "pattern", "keep", "seed", "first")),
    "interpolate_uniforms": (pt.interpolate_uniforms, [HALF, HALF, 0.5], ()),
    "replace_uniforms": (pt.replace_uniforms, [HALF, HALF, 0.5], ("seed",)),
    "Archive": (lambda index: pt.Archive(pt.compress("digits", DIGIT), "digits")[index], [0], ()),
    "Samples.__getitem__": (SAMPLES.__getitem__, [0], ()),
    "Samples.save": (SAMPLES.save, ["out.png"], ()),
    "Samples.recoloured": (SAMPLES.recoloured, [[(0, 0, 0)] * 16], ()),
    "AnomalyDetector": (lambda **k: pt.AnomalyDetector(MODEL, **k).fit(np.repeat(LEVELS, 20, 0)), [], DETECTOR),
    "to_levels": (MODEL.to_levels, [np.zeros((8, 8), np.uint8)], ()),
    "log_prob": (MODEL.log_prob, [LEVELS], ("label", "order")),
    "GenerationConfig": (pt.GenerationConfig, [], ("guidance", "prompts", "labels", "hints", "min_is_white")),
    "train": (pt.train, [MODEL, LEVELS, {"steps": 1, "batch_size": 2}], ("resume",)),
}


def raw(call: Callable[..., Any], args: list[Any], keywords: dict[str, Any]) -> str | None:
    """Return the error of a call that is neither of the package nor a whole sentence, or has lines; else None."""
    try:
        call(*args, **keywords)
    except pt.PointillistError as error:
        return None if "\n" not in str(error) else f"lines: {error}"
    except Exception as error:
        named = isinstance(error, TypeError) and "does not take" in str(error)  # an unknown keyword, as Python has it
        whole = isinstance(error, (TypeError, AttributeError, IndexError)) and str(error).rstrip().endswith((".", "?"))
        return None if named or whole else f"{type(error).__name__}: {error}"
    return None


@pytest.mark.slow  # about 2,000 calls
@pytest.mark.proof
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_value_is_answered_in_a_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "jobs.run":
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", "1")
        MODEL.save_pretrained("tiny")
    call, args, keywords = CALLS[name]
    raws = {}
    for wrong in WRONG:
        for place in range(len(args)):
            raws[f"argument {place} = {wrong!r:.40}"] = raw(call, [*args[:place], wrong, *args[place + 1 :]], {})
        for keyword in keywords:
            raws[f"{keyword} = {wrong!r:.40}"] = raw(call, args, {keyword: wrong})
    assert {place: said for place, said in raws.items() if said} == {}


def test_the_tables_of_guidance_are_compared_with_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are computed: of 65,536 levels each image has gigabytes of them."""
    monkeypatch.setattr(system, "available_bytes", lambda: 2**14)
    monkeypatch.setattr(system, "FEW_BYTES", 0)
    inputs = MODEL.conditions.inputs("a", len(LEVELS))
    with pytest.raises(pt.DataError, match=r"2 images under guidance would take .* take a smaller batch size"):
        guided_log_probs(MODEL.scorer("torch"), LEVELS, inputs, (2.0,))


@pytest.mark.parametrize(
    "change", [lambda x: x.astype(">i4"), lambda x: x[..., ::-1].copy()[..., ::-1], np.asfortranarray]
)
def test_levels_are_the_same_in_any_memory(change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Of the other byte order, of negative strides, by columns: to the bit, in floating point too."""
    x = np.random.default_rng(0).integers(0, 4, (2, 1, 8, 8))
    expected = pt.evaluate(MODEL, x, label=0).nats_per_image
    np.testing.assert_array_equal(pt.evaluate(MODEL, change(x), label=0).nats_per_image, expected)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: pt.interpolate_uniforms(HALF, HALF, "x"), "`strength` (='x')"),
        (lambda: pt.interpolate_uniforms(["a", None], HALF, 0.5), "`uniforms` (="),
        (lambda: pt.replace_uniforms(HALF, HALF[0], 0.5), "`others` of shape (1, 2, 2)"),
        (lambda: pt.replace_uniforms(HALF, HALF, 0.5, seed=1.5), "`seed` (=1.5)"),
        (lambda: pt.recover_uniforms("digits", DIGIT[0], size=28), "`size` is an argument of `sample`"),
        (lambda: pt.inpaint("digits", DIGIT[0], DIGIT[0, 0] > 0, 1, size=28), "`size` is an argument of `sample`"),
        (lambda: SAMPLES[5], "There is no 5 in Samples(2"),
        (lambda: SAMPLES["a"], "There is no 'a' in Samples(2"),
        (lambda: SAMPLES.save(3), "`path` (=3)"),
        (lambda: pt.Archive(pt.compress("digits", DIGIT))["a"], "`index` (='a')"),
        (lambda: pt.decompress(pt.compress("digits", DIGIT), max_sub_pixels=np.zeros(2)), "`max_sub_pixels` (="),
        (lambda: pt.train(MODEL, LEVELS, np.zeros(2)), "must be a dictionary"),
        (lambda: pt.train(MODEL, LEVELS, {"steps": 1}, resume=np.zeros(2)), "`resume` (="),
        (lambda: pt.explain(MODEL, LEVELS[0], edits={(3, 4): 1}), "`edits` (={(3, 4): 1})"),
        (lambda: pt.build("pixelcnn", shape=(1, 4, 4), levels=4, orders=np.array("x")), "no order"),
        (lambda: pt.evaluate("digits", DIGIT, engine=np.zeros(0)), "`engine` (="),
        (lambda: pt.receptive_field(7, 1, 1), "`model` (=7)"),
        (lambda: pt.read_cells("x.csv", MODEL.image, (4, 5, 6)), "`size` (=(4, 5, 6))"),
        (lambda: pt.compress(7, DIGIT), "`model` "),
        (lambda: pt.explain(MODEL, object()), "is not an image"),
        (lambda: pt.inpaint(MODEL, LEVELS[0], KNOWN, 1, soft=Path("gone")), "`soft` (="),
        (lambda: pt.rank("icons", np.zeros((1, 24, 24), np.int64), ["heart", "star"], prior={}), "`prior` (={})"),
        (lambda: pt.rank("icons", np.zeros((1, 24, 24), np.int64), ["a heart", "a star", "a heart"]), "`texts[2]` (="),
        (lambda: pt.compress("digits", DIGIT, verify=np.zeros(2)), "`verify` (="),
        (lambda: pt.AnomalyDetector(MODEL, smoothing=10**30).fit(np.repeat(LEVELS, 20, 0)), "`smoothing` (="),
        (lambda: pt.sample("dungeons", 1, rules={}), "`rules` hold no rule"),
        (lambda: pt.World("dungeons", 1, rules={"tries": 3}), "`rules` hold no rule"),
    ],
)
def test_a_value_that_python_would_name_is_a_sentence(call: Callable[[], Any], says: str) -> None:
    """Instead of "range object index out of range", "got multiple values" or "'<' not supported"."""
    with pytest.raises((pt.PointillistError, TypeError, IndexError)) as caught:
        call()
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_part_of_samples_is_one_of_theirs() -> None:
    """By a number of any kind, from the end, and by several."""
    assert SAMPLES[np.int64(-1)].tobytes() == SAMPLES.images[1].tobytes()
    assert SAMPLES[[1, 0]].levels.tolist() == SAMPLES.levels[::-1].tolist()
    assert len(SAMPLES[5:]) == 0
