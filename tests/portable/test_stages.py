"""Integer models of several stages: the network of a coarse image, its formulas, draws, completions, damaged files."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.c.run import ByteMatrix
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.library import KERNELS, LEVELS, available_levels
from pointillist.engine.particles import CERTAIN, DRAWN, WEIGHED, ParticleBatch
from pointillist.files.arrays import ArrayReader, ArrayWriter
from pointillist.model.folder.portable import PortableModel
from pointillist.model.quantize_integer import _fixed
from pointillist.networks.upsampler import Upsampler
from pointillist.nn import Condition, ConditionDims
from pointillist.nn.functional.attention import Tokens
from pointillist.portable import load, save
from pointillist.portable.model import join_inputs
from pointillist.portable.particles import draw_particles_by_stages
from pointillist.portable.storage.decode import decode_model
from pointillist.portable.storage.files import encode_model
from pointillist.portable.upsampler import EXP, FixedUpsampler
from pointillist.sampling.uniforms import seeded_uniforms
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE

from .networks import integer_case

pytestmark = pytest.mark.proof

STAGED = ("multiscale-pixelrnn", "parallel-multiscale", "parallel-conditions")
BYTES = 0.02
"""Of the largest feature: weights and features of 8 bits, in two or three layers."""
LEVEL_VALUES = torch.linspace(-1, 1, 9)[:, None]
Pictures = tuple[Upsampler, torch.Tensor, Condition]


def pictures() -> Pictures:
    """A small upsampler, coarse images of two channels, and conditions of each kind."""
    torch.manual_seed(0)
    upsampler = Upsampler(2, 5, (2, 3), (1, 2), ConditionDims(vector=3, map=2, tokens=4))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    tokens = Tokens(torch.randn(2, 3, 4), mask)
    condition = Condition(torch.randn(2, 3, 1, 1), torch.randn(2, 2, 4, 3), tokens)
    return upsampler, torch.randint(0, 9, (2, 2, 4, 3)), condition


def integers_of(upsampler: Upsampler, coarse: torch.Tensor, condition: Condition) -> tuple[FixedUpsampler, np.ndarray]:
    """Return the upsampler in integers, calibrated on these images, and the map in floating point."""
    largest: dict[torch.nn.Module, np.ndarray] = {}
    layers = (*upsampler.blocks, upsampler.spread)
    hooks = [
        layer.register_forward_pre_hook(lambda m, x: largest.update({m: x[0].amax((0, 2, 3)).numpy()}))
        for layer in layers
    ]
    with torch.no_grad():
        found = upsampler(LEVEL_VALUES[:, 0][coarse], 7, 9, condition)
    for hook in hooks:
        hook.remove()
    return _fixed(upsampler, (2, 3), LEVEL_VALUES.numpy(), largest), found.permute(0, 2, 3, 1).numpy()


def features_of(condition: Condition) -> dict[str, np.ndarray]:
    assert condition.vector is not None
    assert condition.map is not None
    assert condition.tokens is not None
    return {
        "vector": condition.vector[:, :, 0, 0].double().numpy(),
        "map": condition.map.permute(0, 2, 3, 1).double().numpy(),
        "tokens": condition.tokens.packed()[:, :, 0, 0].double().numpy(),
    }


def test_the_map_is_near_that_of_the_network() -> None:
    """With every kind of condition, cut to a size that the factor does not divide."""
    upsampler, coarse, condition = pictures()
    integers, expected = integers_of(upsampler, coarse, condition)
    found = integers.features(coarse.numpy(), features_of(condition), (7, 9))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < BYTES * np.abs(expected).max()


def test_the_formulas_in_whole_numbers() -> None:
    """A second writing, pixel by pixel in integers of Python, gives the same numbers."""
    upsampler, coarse, condition = pictures()
    integers, _ = integers_of(upsampler, coarse, condition)
    features = features_of(condition)
    found = integers.features(coarse.numpy(), features, (8, 9)) * 2.0**13
    for image in range(len(coarse)):
        own = {name: array[image] for name, array in features.items()}
        assert found[image].tolist() == whole_numbers(integers, coarse[image].tolist(), own)


def whole_numbers(u: FixedUpsampler, coarse: list[Any], features: dict[str, np.ndarray]) -> list[Any]:
    """The map of an image, by the head of `portable/upsampler.py`."""
    height, width = len(coarse[0]), len(coarse[0][0])
    sites = [(y, x) for y in range(height) for x in range(width)]

    def cut(n: float) -> int:
        return int(min(max(n, -(2**21)), 2**21))

    def rounded(numbers: Any) -> list[int]:
        return [cut(np.floor(float(n) * 8192 + 0.5)) for n in numbers]

    def layer(of: Any, pieces: list[tuple[int, list[int]]]) -> list[int]:
        sums = [
            sum(n * int(of.matrix[tap, i, o]) for tap, x in pieces for i, n in enumerate(x)) for o in range(of.width)
        ]
        return [int(np.floor(float(of.scale[o]) * s + 0.5)) + int(of.bias[o]) for o, s in enumerate(sums)]

    def as_bytes(of: Any, x: list[int]) -> list[int]:
        return [min(max(int(np.floor(n / 2.0 ** int(h) + 0.5)), 0), 255) for n, h in zip(x, of.cut, strict=True)]

    def around(maps: dict[Any, list[int]], y: int, x: int, dilation: int) -> list[tuple[int, list[int]]]:
        taps = [(3 * a + b, (y + (a - 1) * dilation, x + (b - 1) * dilation)) for a in range(3) for b in range(3)]
        return [(tap, maps[place]) for tap, place in taps if place in maps]

    canvas = {(y, x): [int(n) for plane in coarse for n in u.levels[plane[y][x]]] for y, x in sites}
    h = {place: [cut(n) for n in layer(u.first, around(canvas, *place, 1))] for place in sites}

    def add(place: Any, more: list[int]) -> None:
        h[place] = [cut(a + b) for a, b in zip(h[place], more, strict=True)]

    count = 3
    mask, states = features["tokens"][:count], features["tokens"][count:].reshape(count, -1)
    for place in sites:
        add(place, layer(u.conditions["vector"], [(0, rounded(features["vector"]))]))
        add(place, layer(u.conditions["map"], [(0, rounded(features["map"][place]))]))
        query = [cut(n) for n in layer(u.conditions["query"], [(0, h[place])])]
        keys, values = (
            [[cut(n) for n in layer(u.conditions[name], [(0, rounded(state))])] for state in states]
            for name in ("keys", "values")
        )
        mean: list[int] = []
        each = len(query) // u.heads
        for head in range(u.heads):
            part = slice(head * each, (head + 1) * each)
            scores = [sum(a * b for a, b in zip(query[part], key[part], strict=True)) for key in keys]
            best = max(s for s, m in zip(scores, mask, strict=True) if m > 0)
            steps = [np.floor((best - s) * (2.0**-16 / np.sqrt(each)) + 0.5) for s in scores]
            weights = [int(EXP[int(min(step, 2**14))]) if m > 0 else 0 for step, m in zip(steps, mask, strict=True)]
            for i in range(part.start, part.stop):
                mean.append(
                    int(np.floor(sum(w * v[i] for w, v in zip(weights, values, strict=True)) / sum(weights) + 0.5))
                )
        add(place, layer(u.conditions["out"], [(0, mean)]))
    for block, dilation in zip(u.blocks, u.dilations, strict=True):
        inputs = {place: as_bytes(block, n) for place, n in h.items()}
        for place in sites:
            add(place, layer(block, around(inputs, *place, dilation)))
    (rows, columns), inputs = u.factor, {place: as_bytes(u.spread, n) for place, n in h.items()}
    fine: list[Any] = []
    for y in range(rows * height):
        fine.append([])
        for x in range(columns * width):
            taps = [((y + rows - 1 - rows * a, x + columns - 1 - columns * b), (a, b)) for a, b in sites]
            pieces = [
                (r * (2 * columns - 1) + c, inputs[place])
                for (r, c), place in taps
                if 0 <= r < 2 * rows - 1 and 0 <= c < 2 * columns - 1
            ]
            fine[-1].append([cut(n) for n in layer(u.spread, pieces)])
    return fine


@pytest.mark.parametrize("kernels", [*LEVELS, "none"])
def test_products_of_bytes_are_the_same(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernels of each instruction set, and by numpy; also sums beyond 2^24."""
    if kernels not in (*available_levels(), "none"):
        pytest.skip(f"this processor has no {kernels}")
    monkeypatch.setenv(KERNELS, kernels)
    rng = np.random.default_rng(0)
    for rows, inputs, outputs in ((1, 1, 1), (3, 7, 17), (5, 576, 64), (2, 1100, 3)):
        matrix = rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)
        matrix[:, 0] = 127
        x = np.full((rows, inputs), 255, np.uint8)
        assert np.array_equal(x @ ByteMatrix(matrix), x.astype(int) @ matrix.astype(int))


@pytest.mark.parametrize("name", STAGED)
def test_steps_visit_pixels_in_generation_order(name: str) -> None:
    """Each sub-pixel once, in the order that the network and the stored model name."""
    model, integer_model, x = integer_case(name)
    for order in map(integer_model.order, integer_model.orders):
        rank = order.array_to_raster(integer_model.generation_rank(*x.shape[2:], order))
        assert np.array_equal(rank, order.array_to_raster(model.generation_rank(*x.shape[2:], order)))
        steps = integer_model.steps(1, (x.shape[2], x.shape[3]), None, order)
        visited = []
        while not steps.done:
            row, column, channel = steps.site
            visited.append(int(rank[row, column]) * x.shape[1] + channel)
            steps.observe(np.array([0]))
        assert visited == list(range(rank.size * x.shape[1]))
        with pytest.raises(pt.EngineError, match="complete"):
            steps.observe(np.array([0]))


@pytest.mark.parametrize("name", STAGED)
def test_one_seed_names_one_picture(name: str, tmp_path: Path) -> None:
    """`pt.sample`, the stored program without torch, and every executor; the nats are the likelihood."""
    model, integer_model, _ = integer_case(name)
    assert not model.why_floats()
    samples = pt.sample(model, 3, seed=5, engine="auto")
    assert equal(samples.levels, pt.sample(model, 3, seed=5, batch_size=2).levels)
    uniforms = seeded_uniforms(5, range(3), model.image.shape)
    for executor in ("auto", "numpy", "torch"):
        assert np.array_equal(integer_model.sample(uniforms, executor=executor)[0], samples.levels)
    assert_close(samples.nats, model.integer_model().log_prob(samples.levels), rtol=DOUBLE, atol=DOUBLE)
    model.save_pretrained(tmp_path)
    stored = PortableModel.open(tmp_path)
    assert equal(pt.sample(stored, 3, seed=5).levels, samples.levels)


def test_a_copy_draws_the_same() -> None:
    """By `pickle`, which leaves out packed weights: the library reads them at addresses that a copy would not keep."""
    _, integer_model, x = integer_case("parallel-multiscale")
    uniforms = np.random.default_rng(0).random(x.shape)
    levels, _ = integer_model.sample(uniforms)
    upsampler = integer_model.stages[1].upsampler
    assert upsampler is not None
    assert "_products" in vars(upsampler.spread)
    copied = pickle.loads(pickle.dumps(integer_model))
    assert "_products" not in vars(copied.stages[1].upsampler.spread)
    assert np.array_equal(copied.sample(uniforms)[0], levels)


def test_guidance_and_prompts_reach_every_stage() -> None:
    """Under guidance by the program as by its steps; another label gives other images."""
    model, _, _ = integer_case("multiscale-pixelrnn")
    settings: dict[str, Any] = {"seed": 1, "guidance": 2.0, "temperature": 0.8}
    cats, dogs = (pt.sample(model, 4, label=label, **settings) for label in ("cat", "dog"))
    assert not equal(cats.levels, dogs.levels)
    assert_close(cats.nats, model.integer_model().log_prob(cats.levels, label="cat"), rtol=DOUBLE, atol=DOUBLE)


@pytest.mark.parametrize("name", STAGED)
@pytest.mark.parametrize("method", ["sequential", "smc"])
def test_completions_keep_known_pixels(name: str, method: str) -> None:
    """In integers, in every order of the stages."""
    model, _, x = integer_case(name)
    known = np.zeros(x.shape[2:], bool)
    known[1:3, ::2] = True
    found = pt.inpaint(model, x[0], known=known, n=3, seed=1, method=method, particles=4)
    assert found.engine == "integer"
    assert equal(found.levels[:, :, known], x[:1, :, known].expand(3, -1, -1))
    assert (found.levels != found.levels[:1]).any()


def particles_of(
    name: str, seed: int, transform: Transform = IDENTITY, *, executor: str = "auto", masked: bool = False
) -> tuple[ParticleBatch, np.ndarray]:
    """Draw 24 particles of an image with two unknown pixels, of an early and of the last stage."""
    _, integer_model, x = integer_case(name)
    order, rng, (channels, height, width) = integer_model.order(), np.random.default_rng(seed), tuple(x.shape[1:])
    unknown = np.zeros((height, width), bool)
    unknown[[2, 3], [2, 1]] = True
    rank = integer_model.generation_rank(height, width, order)
    roles = np.where(unknown, DRAWN, np.where(rank > rank[unknown].min(), WEIGHED, CERTAIN)).astype(np.int8)
    batch = ParticleBatch(
        levels=np.repeat(order.array_to_raster(x[:1].numpy()), 24, 0).astype(np.int64),
        roles=np.ascontiguousarray(order.array_to_raster(np.repeat(roles[None], channels, 0))),
        counts=np.full(height, 24),
        uniforms=rng.random((24, channels, height, width)),
        draws=rng.random((height, width + 1)),
    )
    inputs = integer_model.inputs(1, (height, width), order, "cat" if integer_model.classes else None)
    if transform.is_guided:
        inputs = join_inputs(inputs, integer_model.inputs(1, (height, width), order))
    mask = None
    if masked:
        allowed = np.ones((channels, height, width, integer_model.levels), bool)
        allowed[:, unknown, ::2] = False
        mask = LevelMask.open(allowed, 24, weighted=True)
    model = replace(integer_model, executor=executor)
    draw_particles_by_stages(model, inputs, batch, order, transform, mask=mask)
    return batch, order.array_from_raster(batch.levels)[:, :, unknown]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("transform", [IDENTITY, Transform(guidance=1.5, temperature=0.8)])
@pytest.mark.parametrize("name", STAGED)
def test_particles_are_those_of_numpy(name: str, transform: Transform, masked: bool) -> None:
    """Levels, weights and evidence, to the bit; within a mask only what it allows."""
    (expected, drawn), (actual, _) = (
        particles_of(name, 3, transform, executor=executor, masked=masked) for executor in ("numpy", "auto")
    )
    assert np.array_equal(expected.levels, actual.levels)
    assert np.array_equal(expected.weights.logs(), actual.weights.logs())
    assert expected.log_evidence == actual.log_evidence
    assert not masked or (drawn % 2 == 1).all()


def test_the_evidence_of_particles_is_unbiased() -> None:
    """Its mean over runs, over the likelihood of the known pixels by enumeration, is 1 but for four standard errors."""
    _, integer_model, x = integer_case("multiscale-pixelrnn")
    levels, count = integer_model.levels, 120
    runs = np.array([particles_of("multiscale-pixelrnn", seed)[0].log_evidence for seed in range(count)])
    fillings = np.repeat(x[:1].numpy(), levels**2, 0)
    fillings[:, 0, [2, 3], [2, 1]] = np.stack(np.divmod(np.arange(levels**2), levels), 1)
    order, label = integer_model.order(), "cat" if integer_model.classes else None
    inputs = integer_model.inputs(len(fillings), x.shape[2:], order, label)
    maps = integer_model.log_prob_map(fillings, inputs, order)
    rank = integer_model.generation_rank(*x.shape[2:], order)
    late = maps[:, 0, rank >= min(rank[2, 2], rank[3, 1])].sum(1)
    ratios = np.exp(runs - np.logaddexp.reduce(late))
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / np.sqrt(count)


def test_levels_are_drawn_within_a_mask() -> None:
    """Only allowed levels, by the library and by the stepper of numpy, which draw the same."""
    _, integer_model, x = integer_case("multiscale-pixelrnn")
    allowed, order = np.ones((*x.shape[1:], 8), bool), integer_model.order()
    allowed[:, ::2, :, 3:] = False
    uniforms = np.random.default_rng(0).random((4, *x.shape[1:]))
    inputs = integer_model.inputs(4, (x.shape[2], x.shape[3]), order)
    drawn = [
        integer_model.sample_given(uniforms, inputs, order, mask=LevelMask.open(allowed, 4), executor=executor)[0]
        for executor in ("auto", "numpy")
    ]
    assert np.array_equal(*drawn)
    assert drawn[0][:, :, ::2].max() < 3 < drawn[0].max()


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def _set(*path: Any, to: Any) -> Change:
    def change(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


def _fill(name: str, value: float) -> Change:
    def change(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        array = arrays[document["stages"][1]["upsampler"]["spread"][name]]
        arrays[document["stages"][1]["upsampler"]["spread"][name]] = np.full_like(array, value)

    return change


DAMAGE: dict[str, Change] = {
    "steps": _set("stages", 1, "step", to=[2, 1]),
    "last step": _set("stages", -1, "step", to=[2, 2]),
    "no upsampler": _set("stages", 1, "upsampler", to=None),
    "first upsampler": lambda d, _: d["stages"][0].update(upsampler=d["stages"][1]["upsampler"]),
    "factor": _set("stages", 1, "upsampler", "factor", to=[3, 2]),
    "dilations": _set("stages", 1, "upsampler", "dilations", to=[1]),
    "dilation": _set("stages", 1, "upsampler", "dilations", 0, to=0),
    "heads": _set("stages", 1, "upsampler", "heads", to=2),
    "condition": lambda d, _: d["stages"][1]["upsampler"]["conditions"].update(
        map=d["stages"][1]["upsampler"]["first"]
    ),
    "programs": lambda d, _: d["programs"].append(d["programs"][0]),
    "orders": _set("orders", "raster", to=1),
    "parts": lambda d, _: d["parts"].reverse(),
    "layer": lambda d, _: d["stages"][1]["upsampler"].update(spread=d["stages"][1]["upsampler"]["first"]),
    "weights": _fill("matrix", -128),
    "scales": _fill("scale", np.inf),
    "zero scales": _fill("scale", 0),
    "biases": _fill("bias", 2**22),
    "negative cuts": _fill("cut", -1),
    "long cuts": _fill("cut", 22),
    "one stage": lambda d, _: d["stages"].pop(),
    "unknown": _set("stages", 1, "more", to=1),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_stages_are_rejected(case: str) -> None:
    """By a sentence that names the file, before anything runs."""
    _, integer_model, _ = integer_case("multiscale-pixelrnn")
    arrays = ArrayWriter()
    document, tensors = copy.deepcopy(encode_model(integer_model, arrays)), dict(arrays.arrays)
    decode_model(copy.deepcopy(document), ArrayReader(tensors, "program.json"), "")
    DAMAGE[case](document, tensors)
    with pytest.raises(pt.CheckpointError, match=r"program\.json is damaged"):
        decode_model(document, ArrayReader(tensors, "program.json"), "")


def test_several_stages_have_a_version_of_their_own(tmp_path: Path) -> None:
    """A reader of an earlier version rejects them; programs of one stage stay as they are."""
    for name, version in (("multiscale-pixelrnn", 4), ("pixelcnn", 1)):
        _, integer_model, _ = integer_case(name)
        save(integer_model, tmp_path / name)
        document = json.loads((tmp_path / name / "program.json").read_text())
        assert document["format_version"] == version
        assert ("stages" in document) == (version == 4)
        assert load(tmp_path / name).fingerprint == integer_model.fingerprint
