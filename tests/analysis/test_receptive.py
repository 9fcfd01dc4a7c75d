"""Receptive fields: what is measured is what the laws declare, and the picture shows it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pointillist as pt
from pointillist.images.visualization.heatmap import LATER, LEAKED, MISSED, SEEN
from pointillist.images.visualization.pixels import ACCENT
from pointillist.model.training_record import TrainingRecord
from pointillist.networks import names
from pointillist.nn import causal
from pointillist.nn.passes import FullPass
from tests.laws.causal import dependencies, sub_pixels
from tests.laws.context import declared
from tests.laws.strategies import make_model
from tests.scripts import script
from tests.tolerances import FORMULA

pytestmark = pytest.mark.proof

DOCS = Path(__file__).parents[2] / "docs"


def expected(model: pt.PixelModel, table: torch.Tensor, place: int, height: int, width: int) -> np.ndarray:
    """A row of a table over sub-pixels (row, column, sub-pixel) as `c h w`; a coupled pixel is one entry."""
    seen = np.zeros((model.dims.groups, height, width), bool)
    for (row, column, group), sees in zip(sub_pixels(model, height, width), table[place].tolist(), strict=True):
        seen[group, row, column] = sees
    return np.broadcast_to(seen, (model.image.channels, height, width))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_the_field_is_the_declared_context(name: str, data: st.DataObject) -> None:
    """At a random site of grey and RGB images, with and without coupled channels: equal as sets."""
    channels, likelihood = data.draw(st.sampled_from([(1, "auto"), (3, "auto"), (3, "mixture")]))
    height, width = data.draw(st.sampled_from([(1, 1), (4, 5), (6, 4)]))
    model = make_model(name, pt.ImageSpec.infer((channels, height, width), 4), likelihood=likelihood)  # type: ignore[arg-type]
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    channel = data.draw(st.integers(0, channels - 1))
    groups = model.dims.groups
    place = sub_pixels(model, height, width).index((row, column, channel if groups > 1 else 0))
    found = pt.receptive_field(model, row, column, channel)
    assert np.array_equal(found.depends, expected(model, declared(model, height, width), place, height, width))
    count = height * width * groups
    before = torch.ones(count, count, dtype=torch.bool).tril(-1)
    assert np.array_equal(found.earlier, expected(model, before, place, height, width))
    assert found.num_leaked == 0
    assert found.num_seen + found.num_missing == found.num_earlier


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_the_field_is_that_of_brute_force(name: str) -> None:
    """Every site of a small image, against the whole table of gradients at random weights."""
    model = make_model(name, pt.ImageSpec.infer((1, 4, 5), 2), {"layers": 1})
    table = dependencies(model, 4, 5)
    for place, (row, column, _) in enumerate(sub_pixels(model, 4, 5)):
        found = pt.receptive_field(model, row, column).depends
        assert np.array_equal(found, expected(model, table, place, 4, 5))


def test_the_blind_spot_and_the_triangle() -> None:
    """The masked kernels miss a wedge at the upper right; rows of LSTMs see a triangle; the others see all."""
    fields = {n: pt.receptive_field(pt.build(n, shape=(1, 12, 12), preset="small"), 9, 2) for n in names()}
    assert fields["pixelcnn"].depends[0, 8].tolist() == [True] * 6 + [False] * 6  # 2 + half of the first kernel
    assert fields["row-lstm"].num_missing > 0
    for name in ("gated-pixelcnn", "diagonal-bilstm"):
        assert fields[name].num_missing == 0
        assert fields[name].num_seen == 9 * 12 + 2
    assert "sees 110 of 110 earlier pixels" in str(fields["gated-pixelcnn"])


def test_the_last_channel_is_asked_unless_told() -> None:
    model = make_model("pixelcnn", pt.ImageSpec.infer((3, 3, 3), 4))
    assert pt.receptive_field(model, 0, 0).site == (0, 0, 2)
    assert pt.receptive_field(model, 0, 0).num_seen == 2
    assert pt.receptive_field(model, 0, 0, 0).num_earlier == 0


def test_the_model_and_the_random_state_stay_as_they_are() -> None:
    model = pt.build("pixelcnn", shape=(1, 5, 5), levels=4, preset="tiny").train()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    first, again = (pt.receptive_field(model, 3, 2, images=torch.zeros(2, 1, 5, 5, dtype=torch.int64)) for _ in "ab")
    assert model.training
    assert all(torch.equal(v, before[k]) and v.dtype == before[k].dtype for k, v in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert first._repr_png_() == again._repr_png_()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ordered", [True, False])
def test_strength_is_the_gradient_of_the_log_probability(channels: int, ordered: bool) -> None:
    """Against one image at a time, through the public likelihood."""
    image = pt.ImageSpec(channels=channels, height=4, width=4, levels=5, ordered=ordered)
    model = make_model("gated-pixelcnn", image)
    x = torch.randint(5, (3, channels, 4, 4))
    field = pt.receptive_field(model, 2, 1, images=x)
    wanted = np.zeros((channels, 4, 4))
    for one in x.split(1):
        canvas = model.canvas(one).detach().requires_grad_()
        params = model.backbone(canvas, FullPass(), model.encode(None, 1))
        nats = model.likelihood.log_prob(params, one)[0, -1, 2, 1]
        (gradient,) = torch.autograd.grad(nats, canvas)
        wanted += gradient[0].reshape(channels, -1, 4, 4).abs().sum(1).numpy() / 3
    assert field.strength is not None
    assert np.allclose(field.strength, wanted, rtol=FORMULA, atol=0)
    assert not field.strength[~field.depends].any()
    assert pt.receptive_field(model, 2, 1).strength is None


def test_a_trained_model_is_asked_for_its_strength() -> None:
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=2, preset="tiny")
    model.training_record = TrainingRecord(step=1)
    assert pt.receptive_field(model, 2, 2).strength is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((4, 0), r"`row` \(=4\).*4 x 5.*0 to 3"),
        ((-1, 0), r"`row` \(=-1\)"),
        ((0, 5), r"`column` \(=5\).*0 to 4"),
        ((0, 0, 1), r"`channel` \(=1\).*give 0\."),
    ],
)
def test_a_site_outside_is_a_sentence(arguments: tuple[int, ...], words: str) -> None:
    model = make_model("pixelcnn", pt.ImageSpec.infer((1, 4, 5), 2))
    with pytest.raises(pt.ConfigError, match=words):
        pt.receptive_field(model, *arguments)


def test_sizes_that_do_not_fit_are_sentences() -> None:
    model = make_model("pixelcnn", pt.ImageSpec.infer((1, 4, 5), 2), position=True)
    with pytest.raises(pt.ShapeError, match="6x6"):
        pt.receptive_field(model, 0, 0, size=(6, 6))
    free = make_model("pixelcnn", pt.ImageSpec.infer((1, 4, 5), 2))
    assert pt.receptive_field(free, 5, 5, size=(6, 7)).depends.shape == (1, 6, 7)
    with pytest.raises(pt.ShapeError, match="1 of 4x5"):
        pt.receptive_field(free, 0, 0, size=(6, 7), images=torch.zeros(1, 1, 4, 5, dtype=torch.int64))


def centre_colours(field: pt.ReceptiveField) -> np.ndarray:
    """The colour beside the edge of each cell of the first map of one channel."""
    picture = np.asarray(field.image())
    _, height, width = field.depends.shape
    scale = 24
    left = (picture.shape[1] - width * scale) // 2
    return picture[14 + 2 : 14 + height * scale : scale, left + 3 : left + width * scale : scale]


def test_the_picture_has_the_colour_of_each_kind() -> None:
    field = pt.receptive_field(make_model("pixelcnn", pt.ImageSpec.infer((1, 7, 8), 2), {"layers": 1}), 5, 3)
    colours = centre_colours(field)
    for row, column in np.ndindex(7, 8):
        kind = (field.depends | (~field.earlier * 2))[0, row, column]
        wanted = ACCENT if (row, column) == (5, 3) else {0: MISSED, 1: SEEN}.get(int(kind), LATER)
        assert tuple(colours[row, column]) == wanted


def test_a_leak_is_found_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask that lets a sub-pixel see itself, planted: counted, told, and in a colour of its own."""
    see_before = causal.channel_causal_mask
    monkeypatch.setattr(causal, "channel_causal_mask", lambda out, into, *, strict: see_before(out, into, strict=False))
    field = pt.receptive_field(make_model("pixelcnn", pt.ImageSpec.infer((1, 4, 5), 2)), 2, 1)
    assert field.num_leaked == 1
    assert "and 1 that are not earlier" in str(field)
    assert tuple(centre_colours(field)[2, 1]) == LEAKED


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 40), (3, 30, 2), (4, 3, 3), (6, 2, 2), (1, 150, 300)])
def test_any_shape_makes_a_picture(shape: tuple[int, int, int]) -> None:
    """Thin, tiny, large and many channels, with strength, also where nothing is seen."""
    earlier = np.zeros(shape, bool)
    field = pt.ReceptiveField("a model", (0, 0, 0), earlier, earlier, np.zeros(shape), ("",) * shape[0])
    with Image.open(io.BytesIO(field._repr_png_())) as picture:
        assert 200 < picture.width < 1600
        assert 60 < picture.height < 1600


def test_the_page_of_the_models_is_up_to_date() -> None:
    """`python tools/make_models.py` was run after the last change of the registry; its pictures are small."""
    module = script("make_models")
    assert module.PAGE.read_text(encoding="utf-8") == module.page()
    for name in names():
        assert (module.PICTURES / f"{name}.png").stat().st_size < 30_000


@pytest.mark.one_in(6)
@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("name", names())
def test_the_table_of_missing_context_is_what_is_measured(name: str, preset: str) -> None:
    """`docs/evidence/contexts.json` of the two smaller presets, measured again."""
    module = script("make_models")
    stored = json.loads(module.CONTEXTS.read_text(encoding="utf-8"))[name]
    assert module.measure_contexts(name, (preset,)) == {preset: stored[preset]}
