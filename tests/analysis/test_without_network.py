"""Explanations by an integer program alone: the same numbers, and a sentence for what needs gradients or layers."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np
import pytest

import pointillist as pt
from pointillist.analysis import ImageQuery, condition_gain, gradient, logit_lens, perturbation_influence
from pointillist.model.folder.opening import open_scored
from pointillist.model.folder.portable import PortableModel


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """An image of the model `digits`."""
    return pt.sample("digits", 1, label=3, seed=0).levels[0]


@pytest.fixture(scope="module")
def program() -> PortableModel:
    """The model `digits`, opened by its integer program."""
    opened = open_scored("digits")
    assert isinstance(opened, PortableModel)
    return opened


def test_a_program_explains_as_its_pixel_model(levels: np.ndarray, program: PortableModel) -> None:
    """To the bit; for gradients and layers the weights are loaded."""
    whole, alone = (ImageQuery.of(model, levels, label=3) for model in (pt.load("digits"), program))
    assert np.array_equal(whole.surprisal, alone.surprisal)
    assert whole.bits == alone.bits
    assert np.array_equal(condition_gain(whole).class_bits, condition_gain(alone).class_bits)
    for view in (gradient, perturbation_influence):
        assert np.array_equal(view(whole, 2, 5).values, view(alone, 2, 5).values)
    assert np.array_equal(logit_lens(whole).surprisal, logit_lens(alone).surprisal)


def test_a_page_says_what_it_leaves_out(levels: np.ndarray, program: PortableModel) -> None:
    """Without the weights there is no saliency and no section of layers; all else is there."""
    alone = replace(program, folder=None)
    explanation = pt.explain(alone, levels, continuations=1)
    page = explanation.to_html()
    assert explanation.layers is None
    assert explanation.sites == []
    assert escape(explanation.without_network) in page
    assert "<h3>Saliency</h3>" not in page
    assert "Layer by layer" not in page
    assert "<h2>What if</h2>" in page
    with pytest.raises(pt.ConfigError, match="needs the weights of the model"):
        gradient(explanation.query, 2, 5)
    whole = pt.explain("digits", levels, continuations=0, max_attributions=1)
    assert whole.without_network == ""
    assert "<h3>Saliency</h3>" in whole.to_html()
