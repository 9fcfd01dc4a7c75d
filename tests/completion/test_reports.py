"""Reports of completions while they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

import pointillist as pt


def test_a_report_of_particles_shows_finished_rows_alone() -> None:
    """The library draws on while Python reports: what is not known below the reported rows is 0 in every report."""
    levels = pt.sample("digits", 1, label="8", seed=0).levels[0]
    known = np.ones((28, 28), bool)
    known[10:18, 4:24] = False
    reports: list[tuple[int, Any]] = []

    def report(rows: int, shown: Any) -> None:
        reports.append((rows, shown.copy()))

    pt.inpaint("digits", levels, known, 1, "smc", seed=0, particles=4, moves=0, on_row=report)
    assert [rows for rows, _ in reports] == list(range(1, 29))
    for rows, shown in reports:
        below = np.arange(28)[:, None] >= rows
        assert not shown[:, 0, below & ~known].any()
        assert (shown[:, 0, known] == levels[0, known]).all()
    assert reports[-1][1][:, 0, ~known].any()
