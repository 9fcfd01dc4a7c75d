"""Mutation tests: each known error, planted in our own code, makes the property test fail that is there to catch it."""

from __future__ import annotations

import pytest

from . import (  # noqa: F401 (they fill MUTANTS)
    mutants_attention,
    mutants_conditions,
    mutants_grids,
    mutants_likelihood,
    mutants_multiscale,
    mutants_network,
    mutants_orders,
    mutants_parallel,
    mutants_recurrent,
    mutants_sampling,
)
from .mutants import MUTANTS, Mutant

pytestmark = pytest.mark.proof


@pytest.mark.one_in(5)
@pytest.mark.parametrize("mutant", MUTANTS, ids=[m.name for m in MUTANTS])
def test_the_property_test_fails_on_the_mutant(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property holds, the error is planted, the property test fails."""
    mutant.check()
    mutant.plant(monkeypatch)
    with pytest.raises(AssertionError):
        mutant.check()
