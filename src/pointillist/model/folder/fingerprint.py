"""The fingerprint of a model: what names its distribution."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from pointillist.files.checkpoint.tensors import fingerprint
from pointillist.model.config import ModelConfig


@runtime_checkable
class Configured(Protocol):
    """A model with its settings."""

    config: ModelConfig

    def state_dict(self) -> dict[str, Any]:
        """Return the weights."""


def model_fingerprint(model: Configured) -> str:
    """Compute the SHA-256 of the weights and settings of a model, which names the distribution.

    Settings that have their default do not count: a setting that a later release adds changes no fingerprint.

    ```python
    model_fingerprint(pt.load("digits"))
    ```
    """
    return fingerprint(model.state_dict(), model.config.model_dump(mode="json", exclude_defaults=True))
