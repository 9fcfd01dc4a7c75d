"""The list of tests that take long names tests that there are."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_name_is_a_test() -> None:
    """A test that was renamed is measured anew: `make long-tests`."""
    head, *names = (ROOT / "tests" / "long_tests.txt").read_text(encoding="utf-8").splitlines()
    assert head.startswith("# ")
    assert names == sorted(set(names))
    listed: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        file, _, test = name.partition("[")[0].partition("::")
        listed[file].add(test.rpartition("::")[2])
    for file, tests in listed.items():
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert tests <= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, file
