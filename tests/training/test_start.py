"""How a run starts: weights that are initialised from the first images, and what does not fit in memory."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import pointillist as pt
from pointillist.training import Interrupted
from pointillist.training import trainer as trainer_module
from tests.equality import equal
from tests.tolerances import ADAM

from .helpers import assert_same_weights, run_two_processes, tiny_config, tiny_data, tiny_model, weights
from .test_resume import interrupt_after, state_of


def small_model(data: pt.ImageDataset, seed: int = 0, **settings: Any) -> pt.PixelModel:
    """A few thousand weights, normalised."""
    torch.manual_seed(seed)
    settings = {"channels": 6, "layers": 1, "resolutions": 2, "dropout": 0.2, "order_channels": 4, **settings}
    return pt.build("pixelcnn-pp", shape=data.spec, classes=data.classes, **settings)


def test_a_run_starts_from_its_first_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for a fresh model; not for one that was trained already; the average starts from the same weights."""
    data, calls = tiny_data(), []
    kept = trainer_module.initialise_from_data

    def spy(model: Any, train: Any, batches: Any, average: Any) -> None:
        before = weights(model)
        kept(model, train, batches, average)
        changed = any(not equal(before[k], v) for k, v in weights(model).items())
        calls.append(changed)
        for name, parameter in model.named_parameters():
            assert equal(average.average[name], parameter)

    monkeypatch.setattr(trainer_module, "initialise_from_data", spy)
    model = small_model(data.train)
    pt.train(model, data, tiny_config(steps=2))
    pt.train(model, data, tiny_config(steps=2))
    assert calls == [True, False]


@pytest.mark.slow
def test_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights that a resumed model was built with are never initialised from data."""
    data = tiny_data()
    pt.train(small_model(data.train), data, tiny_config(tmp_path / "a"))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        with pytest.raises(Interrupted):
            pt.train(small_model(data.train), data, tiny_config(tmp_path / "b"))
    pt.train(small_model(data.train, seed=9), data, tiny_config(tmp_path / "b"), resume=True)
    assert_same_weights(state_of(tmp_path / "a", 8), state_of(tmp_path / "b", 8))


def test_a_step_in_parts_starts_alike() -> None:
    """The first images do not depend on how a step is computed."""
    data, settings = tiny_data(), {"condition_dropout.label": 0.0, "optimizer.name": "adam"}
    results = []
    for parts in (1, 2):
        model = small_model(data.train, dropout=0.0)
        pt.train(model, data, tiny_config(steps=3, grad_accumulation=parts, **settings))
        results.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.allclose(results[0], results[1], rtol=0, atol=ADAM)


PROGRAM = """
import sys, os
from safetensors.torch import save_file
from tests.training.helpers import *
from tests.training.test_start import small_model
data = tiny_data()
model = small_model(data.train, seed=int(os.environ["RANK"]), dropout=0.0)
pt.train(model, data, tiny_config(steps=2, **{"condition_dropout.label": 0.0}))
state = {k: v.contiguous() for k, v in model.named_parameters()}
save_file(state, f"{sys.argv[1]}/rank-{os.environ['RANK']}.safetensors")
program = model.integer_model().fingerprint
Path(sys.argv[1], f"rank-{os.environ['RANK']}.txt").write_text(f"{program} {model.integer_cost}")
"""


def test_two_processes_start_and_end_alike(tmp_path: Path) -> None:
    """Also where they built other weights: all take those of the first, initialised; and its integer program."""
    assert_same_weights(*run_two_processes(PROGRAM, tmp_path))
    first, second = ((tmp_path / f"rank-{rank}.txt").read_text() for rank in range(2))
    assert first == second
    assert first.endswith("bits/dim on 12 validation images")


FAULTS = """
import resource
import torch
from pointillist.training.setup import keep_memory

def faults():
    torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_memory(True)
print(faults())
keep_memory(False)
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of glibc")
def test_memory_is_kept_for_the_next_step_until_the_run_ends() -> None:
    """Pages that the system clears for 64 MB, after as much was freed: 16,384, or 32 huge ones.

    In a process, whose first thread asks: of others glibc returns arrays of this size in any case.
    """
    out = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout
    during, after = map(int, out.split())
    assert during < 10
    assert after > 20


def test_a_batch_that_cannot_fit_is_refused_before_it_is_tried(monkeypatch: Any) -> None:
    data = tiny_data()
    monkeypatch.setattr("pointillist.system.free_bytes", lambda device: 1_000_000)
    monkeypatch.setattr("pointillist.system.FEW_BYTES", 0)
    monkeypatch.setattr("pointillist.model.memory._SMALL_STEP", 0)
    monkeypatch.setattr("pointillist.training.trainer.Trainer.run", lambda trainer: pytest.fail("it was tried"))
    with pytest.raises(pt.ConfigError, match=r"on 40 images .* what would fit: `batch_size=\d+`"):
        pt.train(tiny_model(data.train), data, tiny_config(batch_size=40))
