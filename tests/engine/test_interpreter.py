"""The interpreter as an object: its position, its inputs, its errors."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from pointillist.engine import Interpreter, Program
from pointillist.engine.recording.record import record
from pointillist.errors import EngineError
from tests.engine.networks import Gated


@pytest.fixture
def program() -> Program:
    torch.manual_seed(0)
    model = Gated(6, num_sub_steps=2, canvas_width=3, vector=3).eval()
    vector = torch.randn(2, 3, 1, 1)
    size = {"num_sub_steps": 2, "canvas_width": 3, "height": 2, "width": 3}
    return record(lambda x, ctx: model(x, ctx, vector), **size, canvas_values=torch.randn(5, 3))


def test_sites_come_in_raster_order_sub_pixel_by_sub_pixel(program: Program) -> None:
    interpreter = Interpreter(program, 2)
    visited = []
    while not interpreter.done:
        visited.append(interpreter.site)
        interpreter.observe(np.zeros(2, np.int64))
    assert visited == list(itertools.product(range(2), range(3), range(2)))


def test_a_site_that_is_not_asked_about_is_computed_all_the_same(program: Program) -> None:
    values = np.random.default_rng(0).integers(0, 5, (12, 2))
    last = []
    for compute in (True, False):
        interpreter = Interpreter(program, 2)
        for value in values[:-1]:
            if compute:
                interpreter.params()
            interpreter.observe(value)
        last.append(interpreter.params())
    assert (last[0] == last[1]).all()


def test_parameters_belong_to_the_caller(program: Program) -> None:
    interpreter = Interpreter(program, 2)
    first = interpreter.params()
    kept = first.copy()
    interpreter.observe(np.ones(2, np.int64))
    interpreter.params()
    assert (first == kept).all()


def test_two_interpreters_share_nothing(program: Program) -> None:
    one, two = Interpreter(program, 2), Interpreter(program, 2)
    one.observe(np.ones(2, np.int64))
    alone = Interpreter(program, 2)
    assert (two.params() == alone.params()).all()


def test_refusals(program: Program) -> None:
    with pytest.raises(EngineError, match="record it with `canvas_values`"):
        Interpreter(replace(program, canvas_values=np.zeros((0, 3))), 2)
    interpreter = Interpreter(program, 5, {"label": np.zeros((5, 3))})
    for _ in range(12):
        interpreter.observe(np.zeros(5, np.int64))
    assert interpreter.done
    with pytest.raises(EngineError, match="complete"):
        interpreter.params()
    with pytest.raises(EngineError, match="complete"):
        interpreter.observe(np.zeros(5, np.int64))
