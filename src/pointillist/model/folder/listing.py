"""List the models with their sizes and conditions.

Models of the package are measured once (`tools/make_listing.py`), so that listing them does not wait for torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LISTING = Path(__file__).with_name("listing.json")


@dataclass(frozen=True)
class ModelSummary:
    """A model of `pointillist models`.

    Attributes:
        name, summary: its name and one line on it.
        presets: parameters of each of its sizes.
        training: settings of the training (`TrainConfig`) that come with a preset of a paper.
        conditions: inputs in addition to the image.
        likelihoods: for each kind of image, those that fit.
        orders: kinds of generation order that it can follow.
    """

    name: str
    summary: str
    presets: dict[str, int]
    training: dict[str, dict[str, Any]]
    conditions: tuple[str, ...]
    likelihoods: dict[str, tuple[str, ...]]
    orders: tuple[str, ...]


def list_models() -> list[ModelSummary]:
    """List the models that can be built: models of the package, and registered ones.

    ```python
    [model.name for model in pt.list_models()]
    ```
    """
    result: list[dict[str, Any]] = json.loads(LISTING.read_text(encoding="utf-8"))
    registry = sys.modules.get("pointillist.networks.registry")  # who has not imported it has registered nothing
    if registry is not None:
        from pointillist.model.folder.measure import measure_network

        listed = {network["name"] for network in result}
        result += [measure_network(name) for name in registry.names() if name not in listed]
    return [_summary(network) for network in result]


def _summary(network: Mapping[str, Any]) -> ModelSummary:
    return ModelSummary(
        name=network["name"],
        summary=network["summary"],
        presets=network["presets"],
        training=network["training"],
        conditions=tuple(network["conditions"]),
        likelihoods={kind: tuple(names) for kind, names in network["likelihoods"].items()},
        orders=tuple(network["orders"]),
    )
