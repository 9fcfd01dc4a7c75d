"""Integer programs in torch, on the processor and on a GPU where there is one, against the numpy reference."""

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
import pointillist.engine
import pointillist.model.portable
from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.distributions.transform import Transform
from pointillist.engine.arithmetic import matmul_wide
from pointillist.engine.batch import prepare_inputs
from pointillist.engine.buffers import Call, Region
from pointillist.engine.executors import choose_executor
from pointillist.engine.head.frequencies import frequencies, normalise
from pointillist.engine.interpreter import OPERATIONS as NUMPY_OPERATIONS
from pointillist.engine.interpreter import allocate, run_whole
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.linear import ROOT_BITS
from pointillist.engine.program import LIMIT, Instruction, Program
from pointillist.engine.torch import TorchStepper, stepper
from pointillist.engine.torch.operations import INTEGER as OPERATIONS
from pointillist.engine.torch.operations import DeviceConstants, TorchBuffers
from pointillist.engine.torch.stepper import head_of, score
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable import ProgramModel, load
from tests.equality import equal
from tests.integer_draws import draw_integers, encoded, intervals_of, steps_of
from tests.portable.golden.make import EXPECTED, HERE, MODELS, facts
from tests.portable.networks import CASES, integer_case

OF_TORCH = {"torch", "recording", "naive.py", "selection.py", "weights.py"}
"""Folders and files of the engine that need torch."""
DEVICES = [
    "torch",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")),
]


def small_images(integer_model: ProgramModel, batch: int = 2) -> np.ndarray:
    """Return random images, smaller than those of the model where it allows any size."""
    size = (integer_model.image.height, integer_model.image.width) if integer_model.fixed_size else (3, 3)
    return np.random.default_rng(0).integers(
        0, integer_model.image.levels, (batch, integer_model.image.channels, *size)
    )


@pytest.mark.parametrize("executor", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_scores_and_draws_are_those_of_numpy(name: str, executor: str) -> None:
    """Intervals, levels and nats to the bit, in every order."""
    model, integer_model, x = integer_case(name)
    levels = small_images(integer_model)
    uniforms = np.random.default_rng(1).random(levels.shape)
    for order in map(integer_model.order, integer_model.orders):
        inputs = model.integer_model().encode(None, len(x), x.shape[2:], order)
        due = intervals_of(integer_model, x.numpy(), inputs, order, executor="numpy")
        assert np.array_equal(due, intervals_of(integer_model, x.numpy(), inputs, order, executor=executor))
        drawn, nats = draw_integers(integer_model, uniforms, order=order.name, executor="numpy")
        found, own = draw_integers(integer_model, uniforms, order=order.name, executor=executor)
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
    _, integer_model, x = integer_case("pixelcnn-pp-rgb")
    due = intervals_of(integer_model, x.numpy(), executor="torch")
    monkeypatch.setattr(stepper, "BYTES", 1)
    monkeypatch.setattr(stepper, "NUMBERS", 1)
    assert np.array_equal(due, intervals_of(integer_model, x.numpy(), executor="torch"))


@pytest.mark.parametrize("name", ["gated-binary", "pixelsnail"])
def test_states_are_copied(name: str) -> None:
    """`select` continues each image from the history of another."""
    _, integer_model, _ = integer_case(name)
    x = small_images(integer_model, 3)
    both = [steps_of(integer_model, 3, x.shape[2:], executor=executor) for executor in ("numpy", "torch")]
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
    model, integer_model, x = integer_case("gated-pixelcnn", fresh=True)
    known = np.zeros(x.shape[2:], bool)
    known[:2, 1:] = True
    label = [0, 1]
    found: list[Any] = []
    for executor in ("auto", "torch"):
        model.attach_integer_model(replace(integer_model, executor=executor))
        own = model.integer_model()
        u = np.random.default_rng(0).random((2, 3, 2, 3))
        transform = Transform(2.0, 0.8, 0.9)
        found.append((
            pt.sample(model, 2, label=label, engine="integer", size=(2, 3), seed=0).levels,
            pt.inpaint(model, x[0], known=known, n=2, engine="integer", seed=1).levels,
            pt.evaluate(model, x, engine="integer").nats_per_image,
            draw_integers(own, u, label, transform=transform)[0],
            pt.compress(model, x.numpy()),
        ))  # fmt: skip
    for one, other in zip(*found, strict=True):
        assert equal(one, other) if isinstance(one, np.ndarray) else one == other


def test_a_model_on_a_gpu_runs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And any other with the executor that its integer model has."""
    model, integer_model, _ = integer_case("pixelcnn")
    assert model.integer_model().executor == integer_model.executor
    monkeypatch.setattr(PixelModel, "device", torch.device("cuda", 1))
    assert model.integer_model().executor == "cuda:1"


def check_devices(name: str) -> None:
    """Check that a run on a device without numbers takes no tensor of main memory, which would fail on a GPU."""
    _, integer_model, _ = integer_case(name)
    count, channels, height, width = small_images(integer_model, 1).shape
    program, order = replace(integer_model.programs[0], cache={}), integer_model.order()
    inputs = encoded(integer_model, count, (height, width), order)
    meta = torch.device("meta")
    for numbers in score(program, torch.zeros(count, height, width, channels, dtype=torch.int64, device=meta), inputs):
        assert numbers.device == meta
    stepping = TorchStepper(program, count, inputs, (height, width), device=meta)
    stepping._read_params = lambda: np.zeros(0)  # type: ignore[method-assign]  # there are no numbers to bring back
    while not stepping.done:
        stepping.params()
        assert stepping._params().device == meta
        stepping.observe(np.zeros(count, np.int64))


@pytest.mark.parametrize("name", ["gated-binary", "pixelsnail", "row-lstm"])
def test_tensors_are_on_one_device(name: str) -> None:
    """Convolutions, attention and recurrence; the mixture below."""
    check_devices(name)


def test_a_mixture_is_on_one_device() -> None:
    """Its frequencies, from parameters on a device without numbers."""
    program, meta = integer_case("pixelcnn-pp-rgb")[1].programs[0], torch.device("meta")
    params = torch.zeros(2, program.params.channels, dtype=torch.int64, device=meta)
    pixel = torch.zeros(2, 3, dtype=torch.int64, device=meta)
    assert frequencies(head_of(program, meta), params, pixel, 2).device == meta


def test_a_tensor_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of devices can fail."""
    prepare = DeviceConstants._prepare

    def elsewhere(self: DeviceConstants, name: str, array: np.ndarray) -> Any:
        self.device = torch.device("cpu")
        return prepare(self, name, array)

    monkeypatch.setattr(DeviceConstants, "_prepare", elsewhere)
    with pytest.raises(RuntimeError, match="device"):
        check_devices("gated-binary")


def entries_of(buffers: TorchBuffers, cache: Any) -> torch.Tensor:
    """Return the entries of a cache as numpy holds them: `[b, sites, keys and then values of all heads]`."""
    keys, values = buffers.caches[cache][:, :, 1:].split([cache.key_width, cache.value_width], -1)
    return torch.cat([part.transpose(1, 2).flatten(2) for part in (keys, values)], -1)


def check_values(integer_model: ProgramModel, program: Program, x: torch.Tensor) -> None:
    """Check that every value, map and cache of a run is that of numpy."""
    count, _, height, width = x.shape
    inputs = encoded(integer_model, count, (height, width), integer_model.order())
    canvas = program.canvas_values[x.permute(0, 2, 3, 1).numpy()].reshape(count, height, width, -1)
    due = allocate(program, count, (height, width), inputs)
    inputs = prepare_inputs(program, count, inputs, (height, width))
    found = TorchBuffers(program, count, height, width, inputs, torch.device("cpu"))
    run_whole(due, NUMPY_OPERATIONS, canvas)
    run_whole(found, OPERATIONS, torch.from_numpy(canvas))
    assert all(np.array_equal(array, found.value(value)) for value, array in due.values())
    assert all(np.array_equal(due.map(each), found.map(each)) for each in program.maps)
    assert all(np.array_equal(array, entries_of(found, cache)) for cache, array in due.caches.items())


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_that_of_numpy(name: str) -> None:
    """Not only the frequencies that become of them."""
    _, integer_model, x = integer_case(name)
    check_values(integer_model, integer_model.program(integer_model.order()), x)


@pytest.mark.parametrize("opcode", sorted(name for name, opcode in OPCODES.items() if opcode.has_integers))
def test_an_opcode_that_is_wrong_by_one_is_found(opcode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutations of every operation, in the first model that has it."""

    def wrong(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
        def call() -> None:
            right(buffers, i, region)()
            if opcode == "STORE_KV":
                target = buffers.caches[i.map]
            else:
                target = buffers.sites(i.map, region) if i.output is None else buffers.output(i, region)
            target += 1

        return call

    right = OPERATIONS[opcode]
    integer_model, program, x = case_with(opcode)
    check_values(integer_model, program, x)
    monkeypatch.setitem(OPERATIONS, opcode, wrong)
    with pytest.raises(AssertionError):
        check_values(integer_model, program, x)


def case_with(opcode: str) -> tuple[ProgramModel, Program, torch.Tensor]:
    """Return a program with an opcode, or else with the opcode in the place of an addition."""
    for name in CASES:
        _, integer_model, x = integer_case(name)
        program = integer_model.program(integer_model.order())
        if any(i.opcode == opcode for _, part in program.parts() for i in part):
            return integer_model, program, x
    _, integer_model, x = integer_case("gated-pixelcnn")
    program = integer_model.program(integer_model.order())
    addition = next(i for i in program.per_site if i.opcode == "ADD")
    assert addition.output is not None
    inputs, constants = {
        "RELU": (addition.inputs[:1], {}),
        "CONSTANT": ((), {"constant": np.arange(addition.output.channels, dtype=np.int32)}),
        "RMS_NORM": (addition.inputs[:1], root_table()),  # of programs of grids alone
    }[opcode]
    other = replace(addition, opcode=opcode, inputs=inputs, constants=constants)
    code = tuple(other if i is addition else i for i in program.per_site)
    return integer_model, replace(program, per_site=code, sub_steps=(code,) * program.num_sub_steps, cache={}), x


def root_table() -> dict[str, np.ndarray]:
    """Return constants of RMS_NORM."""
    table = np.linspace(2**14, 2**13, 3 * 2**ROOT_BITS + 1).astype(np.int16)
    return {"table": table, "epsilon": np.array([1], np.int32), "shift": np.array([14], np.int8)}


@pytest.mark.parametrize("name", ["gated-pixelcnn", "gated-binary", "pixelcnn-pp-rgb"])
@pytest.mark.parametrize("reach", [1, 300, 2**18, LIMIT])
def test_frequencies_of_any_parameters(name: str, reach: int) -> None:
    """From parameters that are all near to some that are far out of their usual range."""
    _, integer_model, _ = integer_case(name)
    program = integer_model.program(integer_model.order())
    head = head_of(program, torch.device("cpu"))
    rng = np.random.default_rng(reach)
    params = rng.integers(-reach, reach + 1, (40, program.params.channels)).astype(np.int32)
    pixel = rng.integers(0, integer_model.image.levels, (40, integer_model.image.channels))
    for channel in range(integer_model.image.channels):
        due = frequencies(program.head, params, pixel, channel)
        found = frequencies(head, torch.from_numpy(params).long(), torch.from_numpy(pixel), channel)
        assert np.array_equal(found.numpy(), due)
    assert due.min() >= 1


def test_ties_go_to_the_first_level() -> None:
    """What is missing is given to the first of the largest frequencies, for the most levels too."""
    for levels, precision in ((3, 16), (11, 16), (LIKELIHOODS["categorical"].max_levels, 24)):
        weights = np.full((2, levels), 2**24)
        weights[1, 1:] = 7
        weights[1, -1] = 2**24
        due = normalise(weights, precision)
        assert np.array_equal(normalise(torch.from_numpy(weights), precision).numpy(), due)


def test_products_of_wide_values() -> None:
    """Halves of 16 bits make the product of 32 by 16 bits."""
    rng = np.random.default_rng(0)
    x, matrix = rng.integers(-(2**31), 2**31, (3, 700)), rng.integers(-(2**15), 2**15, (700, 5))
    x[0], matrix[:, 0] = -(2**31), -(2**15)
    assert np.array_equal(matmul_wide(torch.from_numpy(x), torch.from_numpy(matrix)).numpy(), x @ matrix)


@pytest.mark.parametrize(
    ("executor", "message"),
    [("cuda:99", "needs a GPU"), ("cuda:x", "by a number"), ("torch:1", "Unknown"), ("gpu", "Unknown")],
)
def test_what_is_not_there_is_named(executor: str, message: str) -> None:
    """GPUs and executors."""
    _, integer_model, x = integer_case("pixelcnn")
    with pytest.raises(pt.EngineError, match=message):
        intervals_of(integer_model, x.numpy(), executor=executor)
    with pytest.raises(pt.EngineError, match=message):
        steps_of(integer_model, len(x), executor=executor)


def test_torch_is_needed_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch its executor is rejected; no other file of integer programs imports it."""
    _, integer_model, _ = integer_case("pixelcnn")
    monkeypatch.setattr("pointillist.engine.executors.find_spec", lambda name: None)
    assert choose_executor(integer_model.programs[0]) == "compiled"
    for executor in ("torch", "cuda"):
        with pytest.raises(pt.EngineError, match="needs torch"):
            choose_executor(integer_model.programs[0], executor)
    roots = [Path(package.__path__[0]) for package in (pointillist.model.portable, pointillist.engine)]
    files = [path for root in roots for path in root.rglob("*.py")]
    for path in sorted(path for path in files if not {path.parent.name, path.name} & OF_TORCH):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not imports(list(ast.walk(tree)), "torch"), path
        assert not imports(tree.body, "pointillist.engine.torch"), f"{path}: only a function imports it"


def imports(nodes: Any, package: str) -> bool:
    """Return True if one of some statements imports a package."""
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return any(name == package or name.startswith(f"{package}.") for name in names)
