"""`--rules` of `sample`: maps that obey a file, the printed acceptance, and sentences for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pointillist.images import ImageSpec

from ..laws.strategies import make_model, randomise_weights
from .helpers import fails, run

NAMES = ("wall", "floor", "door")
RULES = """border = ["wall"]
adjacency = {never = [["door", "door"]]}
[[counts]]
levels = ["floor"]
at_least = 4
[[fixed]]
row = 1
column = 1
level = "door"
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of maps with named levels and random weights."""
    torch.manual_seed(0)
    image = ImageSpec(channels=1, height=6, width=6, levels=3, ordered=False, level_names=NAMES)
    randomise_weights(make_model("gated-pixelcnn", image), 0.2).save_pretrained(tmp_path / "maps")
    return tmp_path / "maps"


def test_sample_by_rules(model: Path, tmp_path: Path) -> None:
    """The maps obey the file; the share of accepted ones is printed."""
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    out = tmp_path / "maps.npz"
    arguments = ["sample", model, "-n", 5, "--rules", tmp_path / "rules.toml", "--size", "6x8", "--seed", 0]
    text = run(*arguments, "--out", out).output
    assert "of the maps that were drawn obeyed them" in text
    with np.load(out) as archive:
        x = archive[archive.files[0]].reshape(5, 6, 8)
    assert (x[:, [0, -1]] == 0).all()
    assert (x[:, :, [0, -1]] == 0).all()
    assert (x[:, 1, 1] == 2).all()
    assert ((x == 1).sum((1, 2)) >= 4).all()
    assert not ((x[:, 1:] == 2) & (x[:, :-1] == 2)).any()
    found = json.loads(run(*arguments, "--out", tmp_path / "again.npz", "--json").output)
    assert 0 < found["rule_acceptance"] <= 1
    plain = json.loads(run("sample", model, "-n", 1, "--out", tmp_path / "plain.npz", "--json").output)
    assert plain["rule_acceptance"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("border = ['wal']", "did you mean 'wall'?"),
        ("border = [7]", "The level 7 of a rule is not one of this model"),
        ("boarder = ['wall']", "`boarder` is not a rule: check its spelling"),
        ("mirror = 'z'", "`mirror` (='z') is not valid for a rule"),
        ("regions = [{levels = [0], rows = '4:2'}]", "`rows` (='4:2') of a region must be FIRST:END within 0:6"),
        ("fixed = [{row = 9, column = 0, level = 0}]", "lies outside the grid of 6x6: move it"),
        ("counts = [{levels = [0], at_least = 3, at_most = 2}]", "`at_least` (=3) of `counts` must be at most"),
        ("counts = [{levels = [0], at_least = 37}]", "The rule `counts` 0 at least 37 cannot be met in a grid of 6x6"),
        ("adjacency = 'observed'", "which this model does not store"),
        ("adjacency = {right = [[0, 1]]}", "The rule `adjacency` cannot be met"),
        (
            "border = [0]\nfixed = [{row = 0, column = 0, level = 1}]",
            "The rule `border` 0 cannot be met with `fixed` 1",
        ),
        ("border = [", "is not valid TOML"),
    ],
)
def test_rules_that_are_wrong_are_sentences(model: Path, tmp_path: Path, text: str, words: str) -> None:
    """Before anything is drawn, with exit code 2."""
    (tmp_path / "rules.toml").write_text(text, encoding="utf-8")
    assert words in fails("sample", model, "-n", 1, "--rules", tmp_path / "rules.toml", "--out", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()
