"""The picture of several runs: every curve shows, and no name covers another or leaves the picture."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scripts import script

SVG = "{http://www.w3.org/2000/svg}"

pytestmark = [pytest.mark.slow, pytest.mark.proof]  # scripts of measurements: nothing of the package depends on them


make_curve = script("make_curve")
points = st.tuples(st.integers(1, 10**7), st.floats(0.01, 1000, allow_nan=False))
runs = st.lists(st.lists(points, min_size=1, max_size=9, unique_by=lambda p: p[0]).map(sorted), min_size=1, max_size=8)


def marked(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """Lines of a kind of mark."""
    return [element for element in root.iter(f"{SVG}polyline") if element.attrib["class"] == kind]


@pytest.mark.parametrize("unit", ["nats", "bits/dim"])
@given(curves=runs)
def test_every_curve_and_name_is_in_the_picture(unit: str, curves: list[list[tuple[int, float]]]) -> None:
    """Any number of runs, of any length and height."""
    named = {f"run-{k}": curve for k, curve in enumerate(curves)}
    root = ElementTree.fromstring(make_curve.plot(named, "a < b", unit))
    drawn = [element.attrib["points"].split() for element in marked(root, "line")]
    assert len(drawn) == len(curves)
    assert all(drawn)
    places = [tuple(map(float, point.split(","))) for line in drawn for point in line]
    assert all(make_curve.LEFT - 1 <= x <= make_curve.RIGHT + 1 for x, _ in places)
    assert all(make_curve.TOP - 1 <= y <= make_curve.BOTTOM + 1 for _, y in places)
    texts = list(root.iter(f"{SVG}text"))
    heights = sorted(float(t.attrib["y"]) for t in texts if re.match("run-", t.text or ""))
    assert len(heights) == len(curves)
    assert all(b - a >= make_curve.SPACING - 0.2 for a, b in pairwise(heights))
    assert heights[0] > make_curve.TOP - 2
    assert heights[-1] <= make_curve.BOTTOM + 0.1
    for name, curve in named.items():
        assert any(t.text == f"{name} {min(v for _, v in curve):.2f}" for t in texts)


def test_a_run_far_above_the_others_is_shown() -> None:
    """More than six nats above the best one it still has its end in the picture, and there are at most ten lines."""
    root = ElementTree.fromstring(
        make_curve.plot({"a": [(10, 90.0), (20, 79.0)], "b": [(10, 300.0), (20, 140.0)]}, "", "nats")
    )
    assert all(len(element.attrib["points"].split()) == 2 for element in marked(root, "line"))
    across = [e for e in marked(root, "grid") if e.attrib["points"].startswith(f"{make_curve.LEFT:.2f},")]
    assert 4 <= len(across) <= 10
