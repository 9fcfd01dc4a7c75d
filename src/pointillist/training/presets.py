"""What a preset of a paper says about a run besides its network: mixtures, optimiser, schedule, batch, average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointillist.networks import entry
from pointillist.training.run_config import UNSET, ModelSection, Tree, merge


def with_preset(tree: Tree) -> Tree:
    """Settings of a run on top of those that its preset brings along; a setting in `tree` wins.

    A tree that is wrong stays as it is, for `RunConfig.from_dict` to say so.

    Raises:
        ConfigError: if the model or its preset does not exist.
    """
    section = tree.get("model")
    if not isinstance(section, Mapping) or section.get("preset", UNSET) == UNSET:
        return tree
    paper = entry(str(section.get("type", ModelSection().type))).paper(str(section["preset"]))
    if paper is None:
        return tree
    own: dict[str, Any] = {"model": dict(paper.model), "train": dict(paper.train)}
    if "epochs" in tree.get("train", {}):  # how long a run is has two settings, and what was asked for must win
        own["train"].pop("steps", None)
    return merge(own, tree)
