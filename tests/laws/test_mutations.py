"""The laws have teeth: each known fault, planted in our own code, breaks the law that is there to catch it."""

from __future__ import annotations

import pytest

from . import (  # noqa: F401 (they fill FAULTS)
    faults_attention,
    faults_conditions,
    faults_cuda,
    faults_drawing,
    faults_grids,
    faults_multiscale,
    faults_network,
    faults_orders,
    faults_recurrent,
)
from .faults import FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=[f.name for f in FAULTS])
def test_the_law_fails_on_the_fault(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds, the fault is planted, the law fails."""
    fault.law()
    fault.plant(monkeypatch)
    with pytest.raises(AssertionError):
        fault.law()
