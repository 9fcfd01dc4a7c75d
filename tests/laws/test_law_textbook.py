"""Each network is the one of its paper: same outputs as a textbook version, same number of parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .strategies import models
from .textbook import TEXTBOOK, check_parameter_count, check_textbook


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", list(TEXTBOOK))
@given(data=st.data())
def test_network_is_the_one_of_its_paper(name: str, data: st.DataObject) -> None:
    """For random settings, kinds of image and conditions."""
    model = data.draw(models(name, max_levels=5, tokens=False)).eval()
    check_textbook(model, model.image.height, model.image.width)
    check_parameter_count(model)
