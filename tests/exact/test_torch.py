"""Exact programs in torch, on tensors of the processor and of a GPU where there is one, against the numpy reference."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
import pointillist.exact
from pointillist.exact import DrawTransform, ExactModel, load, mixture
from pointillist.exact import frequencies as reference
from pointillist.exact.executors import choose_executor
from pointillist.exact.numpy.frames import Region
from pointillist.exact.numpy.run import OPERATIONS as NUMPY_OPERATIONS
from pointillist.exact.numpy.run import allocate_frames, check_inputs, run_whole
from pointillist.exact.opcodes import EXACT_OPCODES
from pointillist.exact.program import LIMIT, ExactInstruction, ExactProgram
from pointillist.exact.torch import run as torch_run
from pointillist.exact.torch.arithmetic import matmul_wide
from pointillist.exact.torch.frames import Constants, TorchFrames
from pointillist.exact.torch.frequencies import frequencies, normalise
from pointillist.exact.torch.head import TorchHead
from pointillist.exact.torch.operations import OPERATIONS
from pointillist.exact.torch.run import score
from pointillist.model.exact import on_device

from .golden.make import EXPECTED, HERE, MODELS, facts
from .networks import CASES, exact_case

DEVICES = [
    "torch",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")),
]


def small_images(exact: ExactModel, batch: int = 2) -> np.ndarray:
    """Return random images, smaller than those of the model where it allows any size."""
    size = (exact.height, exact.width) if exact.fixed_size else (3, 3)
    return np.random.default_rng(0).integers(0, exact.levels, (batch, exact.channels, *size))


@pytest.mark.parametrize("executor", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_scores_and_draws_are_those_of_numpy(name: str, executor: str) -> None:
    """Intervals, levels and nats to the bit, in every order."""
    model, exact, x = exact_case(name)
    levels = small_images(exact)
    uniforms = np.random.default_rng(1).random(levels.shape)
    for order in map(exact.order, exact.orders):
        inputs = model.exact().inputs(None, len(x), x.shape[2:], order)
        due = exact.intervals(x.numpy(), inputs, order, executor="numpy")
        assert np.array_equal(due, exact.intervals(x.numpy(), inputs, order, executor=executor))
        drawn, nats = exact.sample(uniforms, order=order.name, executor="numpy")
        found, own = exact.sample(uniforms, order=order.name, executor=executor)
        assert np.array_equal(found, drawn)
        assert np.array_equal(own, nats)


@pytest.mark.parametrize("executor", DEVICES)
@pytest.mark.parametrize("name", MODELS)
def test_golden_models(name: str, executor: str) -> None:
    """What stored programs compute is what it always was."""
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))
    assert facts(replace(load(HERE / name), executor=executor)) == expected[name]


def test_images_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little memory there is."""
    _, exact, x = exact_case("pixelcnn-pp-rgb")
    due = exact.intervals(x.numpy(), executor="torch")
    monkeypatch.setattr(torch_run, "BYTES", 1)
    monkeypatch.setattr(torch_run, "NUMBERS", 1)
    assert np.array_equal(due, exact.intervals(x.numpy(), executor="torch"))


@pytest.mark.parametrize("name", ["gated-binary", "pixelsnail"])
def test_states_are_copied(name: str) -> None:
    """`select` continues each image from the history of another."""
    _, exact, _ = exact_case(name)
    x = small_images(exact, 3)
    both = [exact.steps(3, x.shape[2:], executor=executor) for executor in ("numpy", "torch")]
    while not both[0].done:
        row, column, channel = both[0].site
        due, found = (steps.frequencies() for steps in both)
        assert np.array_equal(due, found)
        for steps in both:
            steps.observe(x[:, channel, row, column])
            if (row, column) == (1, 1):
                steps.select(np.array([2, 0, 0]))


@pytest.mark.slow
def test_every_user_of_a_model_takes_its_executor() -> None:
    """Samples with known pixels, guidance and prompts apart; evaluation; compression."""
    model, exact, x = exact_case("gated-pixelcnn", fresh=True)
    known = np.zeros(x.shape[2:], bool)
    known[:2, 1:] = True
    label = [0, 1]
    found: list[Any] = []
    for executor in ("auto", "torch"):
        model.attach_exact(replace(exact, executor=executor))
        own = model.exact().integers
        u = np.random.default_rng(0).random((2, 3, 2, 3))
        transform = DrawTransform(2.0, 0.8, 0.9, guided=True)
        found.append((
            pt.sample(model, 2, label=label, engine="exact", size=(2, 3), seed=0).levels,
            pt.inpaint(model, x[0], known=known, n=2, engine="exact", seed=1).levels,
            torch.from_numpy(pt.evaluate(model, x, engine="exact").nats_per_image),
            torch.from_numpy(own.sample(u, label, transform=transform)[0]),
            pt.compress(model, x.numpy()),
        ))  # fmt: skip
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_model_on_a_gpu_runs_there() -> None:
    """And any other with the executor that its exact model has."""
    _, exact, _ = exact_case("pixelcnn")
    assert on_device(exact, torch.device("cuda", 1)).executor == "cuda:1"
    assert on_device(exact, torch.device("cpu")) is exact


def check_devices(name: str) -> None:
    """Check that a run on a device without numbers takes no tensor of main memory, which would fail on a GPU."""
    _, exact, _ = exact_case(name)
    count, channels, height, width = small_images(exact, 1).shape
    program, order = replace(exact.programs[0], kept={}), exact.order()
    inputs = check_inputs(program, count, height, width, exact.inputs(count, (height, width), order))
    meta = torch.device("meta")
    for found in score(program, torch.zeros(count, height, width, channels, dtype=torch.int64, device=meta), inputs):
        assert found.device == meta


@pytest.mark.parametrize("name", ["gated-binary", "pixelsnail", "row-lstm"])
def test_tensors_are_on_one_device(name: str) -> None:
    """Convolutions, attention and recurrence; the mixture below."""
    check_devices(name)


def test_a_mixture_is_on_one_device() -> None:
    """Its frequencies, from parameters on a device without numbers."""
    program, meta = exact_case("pixelcnn-pp-rgb")[1].programs[0], torch.device("meta")
    params = torch.zeros(2, program.params.channels, dtype=torch.int64, device=meta)
    pixel = torch.zeros(2, 3, dtype=torch.int64, device=meta)
    assert frequencies(TorchHead.of(program, Constants(meta)), params, pixel, 2).device == meta


def test_a_tensor_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of devices can fail."""
    elsewhere = Constants(torch.device("cpu"))
    monkeypatch.setattr(Constants, "of", lambda self, i: {n: elsewhere._prepare(n, a) for n, a in i.constants.items()})
    with pytest.raises(RuntimeError, match="device"):
        check_devices("gated-binary")


def test_every_opcode_has_an_operation() -> None:
    """Opcodes, and operations in torch."""
    assert OPERATIONS.keys() == EXACT_OPCODES.keys()


def check_values(exact: ExactModel, program: ExactProgram, x: torch.Tensor) -> None:
    """Check that every value, map and cache of a run is that of numpy."""
    count, _, height, width = x.shape
    inputs = check_inputs(program, count, height, width, exact.inputs(count, (height, width), exact.order()))
    pixels = x.permute(0, 2, 3, 1)
    due = allocate_frames(program, count, height, width, inputs)
    found = TorchFrames(program, count, height, width, inputs, torch.device("cpu"))
    run_whole(due, NUMPY_OPERATIONS, pixels.numpy())
    run_whole(found, OPERATIONS, pixels)
    assert all(np.array_equal(array, found.value(value)) for value, array in due.values())
    assert all(np.array_equal(due.map(each), found.map(each)) for each in program.maps)
    assert all(np.array_equal(array, found.caches[cache]) for cache, array in due.caches.items())


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_that_of_numpy(name: str) -> None:
    """Not only the frequencies that become of them."""
    _, exact, x = exact_case(name)
    check_values(exact, exact.program(exact.order()), x)


@pytest.mark.parametrize("opcode", sorted(OPERATIONS))
def test_an_opcode_that_is_wrong_by_one_is_found(opcode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutations of every operation, in the first model that has it."""

    def wrong(frames: TorchFrames, i: ExactInstruction, region: Region) -> None:
        right(frames, i, region)
        if opcode == "STORE_KV":
            frames.caches[i.map] += 1
        elif i.output is None:
            frames.sites(i.map, region)[...] += 1
        else:
            frames.write(i.output, region, frames.read(i.output, region) + 1)

    right = OPERATIONS[opcode]
    exact, program, x = case_with(opcode)
    check_values(exact, program, x)
    monkeypatch.setitem(OPERATIONS, opcode, wrong)
    with pytest.raises(AssertionError):
        check_values(exact, program, x)


def case_with(opcode: str) -> tuple[ExactModel, ExactProgram, torch.Tensor]:
    """Return a program with an opcode, or else with the opcode in the place of an addition."""
    for name in CASES:
        _, exact, x = exact_case(name)
        program = exact.program(exact.order())
        if any(i.opcode == opcode for _, part in program.parts() for i in part):
            return exact, program, x
    _, exact, x = exact_case("gated-pixelcnn")
    program = exact.program(exact.order())
    addition = next(i for i in program.per_site if i.opcode == "ADD")
    inputs = {"RELU": addition.inputs[:1], "CONSTANT": ()}[opcode]
    constants = {"constant": np.arange(addition.output.channels, dtype=np.int32)} if addition.output else {}
    other = replace(addition, opcode=opcode, inputs=inputs, constants=constants)
    code = tuple(other if i is addition else i for i in program.per_site)
    return exact, replace(program, per_site=code, kept={}), x


@pytest.mark.parametrize("name", ["gated-pixelcnn", "gated-binary", "pixelcnn-pp-rgb"])
@pytest.mark.parametrize("reach", [1, 300, 2**18, LIMIT])
def test_frequencies_of_any_parameters(name: str, reach: int) -> None:
    """From parameters that are all near to some that are far out of their usual range."""
    _, exact, _ = exact_case(name)
    program = exact.program(exact.order())
    head = TorchHead.of(program, Constants(torch.device("cpu")))
    rng = np.random.default_rng(reach)
    params = rng.integers(-reach, reach + 1, (40, program.params.channels)).astype(np.int32)
    pixel = rng.integers(0, exact.levels, (40, exact.channels))
    for channel in range(exact.channels):
        due = reference.frequencies(program.head, params, pixel, channel)
        found = frequencies(head, torch.from_numpy(params).long(), torch.from_numpy(pixel), channel)
        assert np.array_equal(found.numpy(), due)
    assert name != "pixelcnn-pp-rgb" or mixture.mixture_weights(program.head, params, pixel, 2).any()


def test_ties_go_to_the_first_level() -> None:
    """What is missing is given to the first of the largest frequencies, for the most levels too."""
    for levels, precision in ((3, 16), (11, 16), (reference.MAX_LEVELS, 24)):
        weights = np.full((2, levels), 2**24)
        weights[1, 1:] = 7
        weights[1, -1] = 2**24
        due = reference.normalise(weights, precision)
        assert np.array_equal(normalise(torch.from_numpy(weights), precision).numpy(), due)


def test_products_of_wide_values() -> None:
    """Halves of 16 bits make the product of 32 by 16 bits."""
    rng = np.random.default_rng(0)
    x, matrix = rng.integers(-(2**31), 2**31, (3, 700)), rng.integers(-(2**15), 2**15, (700, 5))
    x[0], matrix[:, 0] = -(2**31), -(2**15)
    assert np.array_equal(matmul_wide(torch.from_numpy(x), torch.from_numpy(matrix)).numpy(), x @ matrix)


@pytest.mark.parametrize(
    ("executor", "message"),
    [("cuda:99", "needs a GPU"), ("cuda:x", "by a number"), ("torch:1", "is not there"), ("gpu", "is not there")],
)
def test_what_is_not_there_is_named(executor: str, message: str) -> None:
    """GPUs and executors."""
    _, exact, x = exact_case("pixelcnn")
    for call in (exact.intervals, lambda x, executor: exact.steps(len(x), executor=executor)):
        with pytest.raises(pt.EngineError, match=message):
            call(x.numpy(), executor=executor)


def test_torch_is_needed_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch its executor is rejected; no other file of exact programs imports it."""
    _, exact, _ = exact_case("pixelcnn")
    monkeypatch.setattr("pointillist.exact.executors.find_spec", lambda name: None)
    assert choose_executor(exact.programs[0]) == "numpy"
    for executor in ("torch", "cuda"):
        with pytest.raises(pt.EngineError, match="needs torch"):
            choose_executor(exact.programs[0], executor)
    root = Path(pointillist.exact.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if root / "torch" in path.parents:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not imports(list(ast.walk(tree)), "torch"), path
        assert not imports(tree.body, "pointillist.exact.torch"), f"{path}: only a function imports it"


def imports(nodes: Any, package: str) -> bool:
    """Return True if one of some statements imports a package."""
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return any(name == package or name.startswith(f"{package}.") for name in names)
