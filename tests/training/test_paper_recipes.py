"""The recipes of the papers: what they say is what the preset says, and they run, save and resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.files.settings_tree import expand, flatten, merge, read_toml
from pointillist.networks import entry
from pointillist.training import Interrupted
from pointillist.training.runs.config import RunConfig, with_preset

from .helpers import assert_same_weights
from .test_resume import interrupt_after, state_of

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
PAPERS = sorted((ROOT / "recipes" / "paper-cifar10").glob("*.toml"))
ALL = sorted((ROOT / "recipes").rglob("*.toml"))


def settings(path: Path, **changed: Any) -> RunConfig:
    return RunConfig.from_dict(with_preset(merge(read_toml(path), {"train": expand(changed)})))


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_is_a_run(path: Path) -> None:
    """Its settings exist, its model can be built, and its header names itself."""
    run = settings(path)
    with torch.device("meta"):
        pt.build(run.model.type, shape=(3, 32, 32), preset=run.model.preset, likelihood=run.model.likelihood)
    assert f"--config {path.relative_to(ROOT)}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_recipe_of_a_paper_has_its_optimiser_and_its_cost(path: Path) -> None:
    """The preset's training is left as it is; the hours in the header are those of docs/evidence/results.md."""
    run, paper = settings(path), entry(path.stem).papers["paper-cifar10"]
    assert dict(flatten(run.to_dict()["train"])).items() >= paper.train.items()
    results = (ROOT / "docs" / "evidence" / "results.md").read_text(encoding="utf-8")
    (line,) = [line for line in results.splitlines() if line.startswith(f"| `{path.name}` |")]
    hours = line.split("|")[-2].strip()
    assert f"# For a GPU: about {hours} hours of an H100, worked out" in path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_network_of_a_paper_has_a_loss_and_gradients(path: Path) -> None:
    """At its full size, of one small image: all finite, and every weight has a gradient."""
    run = settings(path)
    torch.manual_seed(0)
    model = pt.build(run.model.type, shape=(3, 8, 8), preset=run.model.preset)
    x = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8)))
    loss = -model.log_prob_of(x, model.conditions.inputs(None, 1)).sum()
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert len(gradients) == len(list(model.parameters()))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_recipe_of_a_paper_runs_saves_and_resumes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its optimiser and schedule, at the size of `tiny`: two steps, straight and interrupted, end in one state."""
    rng = np.random.default_rng(0)
    splits = {
        part: rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8) for part, count in {"train": 3, "valid": 1}.items()
    }
    np.savez(tmp_path / "images.npz", **{f"x_{part}": images for part, images in splits.items()})
    few = {"steps": 2, "batch_size": 1, "machine": {"threads": 1, "precision": "bf16"}}

    def train(name: str, *, resume: bool = False) -> None:
        run = settings(path, **few, out=str(tmp_path / name))
        data = pt.load_data(tmp_path / "images.npz", run.data.options)
        torch.manual_seed(0)
        model = pt.build(run.model.type, shape=data.train.spec, preset="tiny")
        pt.train(model, data, run.train, resume=resume)

    train("straight")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 0)
        with pytest.raises(Interrupted):
            train("stopped")
    train("stopped", resume=True)
    assert_same_weights(state_of(tmp_path / "straight", 2), state_of(tmp_path / "stopped", 2))
    assert pt.load(tmp_path / "stopped").config.model_type == path.stem
