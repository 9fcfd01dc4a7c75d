"""The table of likelihoods: torch, numpy, C, JavaScript, the format, the studio and the settings have every kind."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from pointillist.distributions.kinds import LIKELIHOODS, LikelihoodKind
from pointillist.distributions.registry import LikelihoodName, build_likelihood
from pointillist.engine.c.lower import KINDS
from pointillist.engine.head.frequencies import frequencies, precision_of
from pointillist.engine.head.tables import standard_tables
from pointillist.engine.program import IntegerHead
from pointillist.images import ImageSpec
from pointillist.model.portable.storage.schema import HeadModel
from pointillist.studio.schemas.models import ModelDetails
from tests.tolerances import DOUBLE

ROOT = Path(__file__).parents[2]


def test_the_names_stand_in_one_table() -> None:
    """What type checkers see, the numbers in C, stored programs and messages of the studio follow it."""
    assert tuple(LIKELIHOODS) == get_args(LikelihoodKind) == KINDS
    assert set(get_args(LikelihoodName)) == {"auto", *LIKELIHOODS}
    assert get_args(HeadModel.model_fields["kind"].annotation) == tuple(LIKELIHOODS)
    assert get_args(ModelDetails.model_fields["likelihood"].annotation) == tuple(LIKELIHOODS)


@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_every_executor_has_every_likelihood(kind: LikelihoodKind) -> None:
    """Torch and numpy read the parameters of the table; C numbers the kind, JavaScript and the page name it."""
    levels, channels = 2, 3
    likelihood = build_likelihood(kind, ImageSpec.infer((channels, 1, 1), levels), mixtures=2)
    assert likelihood.name == kind
    params = torch.randn(1, LIKELIHOODS[kind].num_params(channels, levels, 2), 1, 1, dtype=torch.float64)
    probs = likelihood.conditional(params, torch.zeros(1, channels, 1, 1, dtype=torch.int64), 1).exp()
    assert probs.sum().item() == pytest.approx(1, abs=DOUBLE)
    precision = precision_of(levels)
    head = IntegerHead(kind, channels, levels, 2, precision, dict(standard_tables(kind, levels)))
    result = frequencies(head, np.zeros((1, head.num_params), np.int64), np.zeros((1, channels), np.int64), 1)
    assert result.sum() == 1 << precision
    source = (ROOT / "runtime" / "pointillist.c").read_text(encoding="utf-8")
    assert "enum { " + ", ".join(name.upper() for name in LIKELIHOODS) + " };" in source
    if kind != "categorical":  # the last case in JavaScript, without a name
        assert f'head.kind === "{kind}"' in (ROOT / "runtime" / "pointillist.js").read_text(encoding="utf-8")
        assert f"`{kind}`" in (ROOT / "docs" / "reference" / "program_format.md").read_text(encoding="utf-8")
