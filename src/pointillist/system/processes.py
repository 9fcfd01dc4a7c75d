"""Processes of a distributed run."""

from __future__ import annotations

import os


def is_main_process() -> bool:
    """Tell whether this is the first process under torchrun, the one that prints."""
    return os.environ.get("RANK", "0") == "0"
