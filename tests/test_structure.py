"""The ratchet: figures of `tools/measure_structure.py` only improve; `--lower` writes an improvement down."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .scripts import script

COMMITTED = json.loads((Path(__file__).parent / "structure.json").read_text(encoding="utf-8"))
PACKAGE = Path(__file__).parents[1] / "src" / "pointillist"


@cache
def measured() -> dict[str, Any]:
    """Measure once for all tests of a process."""
    result: dict[str, Any] = script("measure_structure").measure(PACKAGE)
    return result


@pytest.mark.parametrize("figure", COMMITTED["held"])
def test_a_figure_is_not_worse(figure: str) -> None:
    """Each figure is at most the committed one."""
    now, before = measured()["held"][figure], COMMITTED["held"][figure]
    where = "\n".join(measured()["places"].get(figure, []))
    assert now <= before, f"{figure}: {now}, and {before} before. See `python tools/measure_structure.py`.\n{where}"


def test_every_figure_is_held() -> None:
    """The committed file names what the tool measures."""
    for part in ("held", "words", "phrases"):
        assert COMMITTED[part].keys() == measured()[part].keys(), "run `python tools/measure_structure.py --lower`"


@pytest.mark.slow
def test_flows_enter_no_more_files() -> None:
    """Evaluating, sampling from a text, a training step and explaining call functions of no more files."""
    entered = script("measure_structure").trace(PACKAGE)
    now = {name: len(files) for name, files in entered.items()}
    assert now.keys() == COMMITTED["files entered"].keys()
    worse = {name: (count, COMMITTED["files entered"][name]) for name, count in now.items()}
    assert not {name: pair for name, pair in worse.items() if pair[0] > pair[1]}


def test_lowering_never_raises() -> None:
    """A lower figure replaces the committed one, a higher does not; a new figure is added; parts not measured stay."""
    lowered = script("measure_structure").lowered
    committed = {"held": {"arrows": 5, "layers": 3, "gone": 1}, "files entered": {"train": 9}}
    result = lowered(committed, {"held": {"arrows": 4, "layers": 4, "units": 2}})
    assert result == {"held": {"arrows": 4, "layers": 3, "units": 2}, "files entered": {"train": 9}}
