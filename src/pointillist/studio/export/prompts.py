"""Features of prompts that only a frozen encoder can read, for readers without it."""

from __future__ import annotations

from pathlib import Path

from pointillist.portable.model import IntegerModel


def prompt_table(program: IntegerModel, folder: Path) -> dict[str, dict[str, list[int]]]:
    """Return features of prompts in steps of 2^-18, by the part of the condition that reads them, and by prompt."""
    return {}
