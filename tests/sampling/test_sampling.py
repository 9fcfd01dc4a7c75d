"""The interface of `sample`: arguments, errors, result, guidance alone. What it draws is tested in `laws/`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.completion.canvas import extend, make_seamless
from pointillist.conditioning import MaskedValue
from pointillist.conditioning.tokens import WordReader
from pointillist.engine.interpreter import Interpreter
from pointillist.sampling.config import (
    SamplingConfig,
    SamplingKwargs,
    choose_engine,
    choose_float_engine,
    split_keywords,
)
from pointillist.sampling.draws import UNCONDITIONAL_SHARE
from pointillist.sampling.engines import create_stepper
from pointillist.sampling.inversion import recover_uniforms
from pointillist.sampling.request import Request
from pointillist.sampling.uniforms import seeded_uniforms
from tests.equality import assert_close, equal
from tests.laws.strategies import randomise_weights
from tests.tolerances import network_rounding


@pytest.fixture
def model() -> pt.PixelModel:
    """A labelled RGB model."""
    return randomise_weights(
        pt.build("gated-pixelcnn", shape=(3, 3, 4), levels=4, channels=4, layers=2, head_channels=4, classes=3)
    )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n": 0}, pt.ConfigError, r"`n` \(=0\)"),
        ({"batch_size": 0}, pt.ConfigError, "`batch_size`"),
        ({"guidance": -1}, pt.ConfigError, r"`guidance` \(=-1\)"),
        ({"guidance": math.inf}, pt.ConfigError, "`guidance`"),
        ({"guidance": math.nan}, pt.ConfigError, "`guidance`"),
        ({"temperature": -0.1}, pt.ConfigError, "`temperature`"),
        ({"temperature": math.nan}, pt.ConfigError, "`temperature`"),
        ({"top_p": 0}, pt.ConfigError, "`top_p`"),
        ({"top_p": 1.1}, pt.ConfigError, "`top_p`"),
        ({"seed": -1}, pt.ConfigError, r"`seed` \(=-1\)"),
        ({"engine": "fast"}, pt.EngineError, "`engine`.*auto, integer, torch, numpy, naive"),
        ({"label": "cow"}, pt.ConfigError, "no class 'cow'"),
        ({"label": [0, 1, 2]}, pt.ShapeError, "3 labels do not fit 2 images"),
        ({"text": "a red dragon"}, pt.ConfigError, "`text`"),
        ({"size": (0, 4)}, pt.ConfigError, "`size`"),
        ({"uniforms": np.zeros((2, 3, 4, 3))}, pt.ShapeError, r"must be \(2, 3, 3, 4\)"),
        ({"uniforms": np.ones((2, 3, 3, 4))}, pt.ConfigError, r"must lie in \[0, 1\)"),
        ({"uniforms": np.full((2, 3, 3, 4), np.nan)}, pt.ConfigError, "must lie in"),
        (
            {"uniforms": np.zeros((2, 3, 3, 4)), "seed": 1},
            pt.ConfigError,
            r"`seed` \(=1\) changes nothing .* `uniforms`",
        ),
        ({"negative_prompt": "blue"}, pt.ConfigError, r"`negative_prompt` \(='blue'\).*set `guidance` above 1"),
        ({"negative_prompt": "blue", "guidance": 2.0}, pt.ConfigError, r"`negative_prompt` \(='blue'\).*without text"),
        ({"best_of": 0}, pt.ConfigError, r"`best_of` \(=0\)"),
        ({"best_of": 2}, pt.ConfigError, r"`best_of` \(=2\) chooses by the bits that a condition saves"),
        ({"best_of": 2, "label": 1, "uniforms": np.zeros((2, 3, 3, 4))}, pt.ConfigError, "leave out `uniforms`"),
    ],
)
def test_a_wrong_argument_is_named(model: pt.PixelModel, arguments: dict[str, Any], error: type, words: str) -> None:
    """One sentence, before sampling."""
    with pytest.raises(error, match=words):
        pt.sample(model, **{"n": 2, **arguments})


def test_result(model: pt.PixelModel) -> None:
    """Levels, images, likelihoods, labels, seed."""
    found = pt.sample(model, 3, label=[0, "1", -1], seed=7)
    assert len(found) == 3
    assert found.levels.shape == (3, 3, 3, 4)
    assert found.array.shape == (3, 3, 4, 3)
    assert found.array.dtype == np.uint8
    assert equal(model.to_levels(found.array), found.levels)
    assert [i.size for i in found.images] == [(4, 3)] * 3
    assert found.labels.tolist() == [0, 1, -1]
    assert found.seed == 7
    assert_close(found.bits_per_dim, -found.nats / math.log(2) / 36)
    uniforms = np.random.default_rng(0).random((1, 3, 3, 4))
    assert pt.sample(model, 1, uniforms=uniforms).seed is None
    assert equal(
        pt.sample(model, 1, uniforms=torch.from_numpy(uniforms)).levels, pt.sample(model, 1, uniforms=uniforms).levels
    )


def test_without_a_seed_every_call_differs_and_returns_its_seed(model: pt.PixelModel) -> None:
    """So that an image can be sampled again."""
    first, second = pt.sample(model, 2), pt.sample(model, 2)
    assert first.seed != second.seed
    assert equal(pt.sample(model, 2, seed=first.seed).levels, first.levels)


def test_the_seed_of_torch_repeats_a_call_without_a_seed(model: pt.PixelModel) -> None:
    """`torch.manual_seed` is how users of torch make a program repeatable."""
    calls = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            calls.append([pt.sample(model, 2).seed, pt.sample(model, 2).seed])
    assert calls[0] == calls[1]
    assert calls[0][0] != calls[0][1]


@pytest.mark.parametrize("temperature", [-0.1, float("inf"), float("nan")])
def test_a_temperature_is_a_finite_number(model: pt.PixelModel, temperature: float) -> None:
    with pytest.raises(pt.PointillistError, match="must be a finite number, 0 or more"):
        pt.sample(model, 1, temperature=temperature)


def test_stream_gives_the_same_images_in_batches(model: pt.PixelModel) -> None:
    """Lazily: the second batch is sampled when it is consumed."""
    parts = list(Request.of(5, seed=3, batch_size=2).resolve(model).stream())
    assert [len(p) for p in parts] == [2, 2, 1]
    assert np.array_equal(np.concatenate([p.levels for p in parts]), pt.sample(model, 5, seed=3).levels)


def test_the_model_is_unchanged(model: pt.PixelModel) -> None:
    """Mode and weights; sampling does not touch the global random state."""
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    pt.sample(model, 1, seed=0)
    assert equal(torch.get_rng_state(), state)
    assert model.training
    assert all(equal(before[k], v) for k, v in model.state_dict().items())


def test_other_sizes_where_the_model_allows_them() -> None:
    """Any size without learned positions; a clear refusal with them."""
    free = pt.build("pixelcnn", shape=(1, 4, 4), levels=2, channels=3, layers=1)
    assert pt.sample(free, 1, size=(2, 7), seed=0).array.shape == (1, 2, 7, 1)
    fixed = pt.build("pixelcnn", shape=(1, 4, 4), levels=2, channels=3, layers=1, position_channels=2)
    assert pt.sample(fixed, 1, size=(4, 4), seed=0).levels.shape == (1, 1, 4, 4)
    with pytest.raises(pt.ShapeError, match="knows only 4x4"):
        pt.sample(fixed, 1, size=(4, 5))


@pytest.mark.parametrize("engine", ["torch", "numpy", "naive"])
def test_what_no_machine_can_hold_is_refused_before_memory_is_taken(engine: str) -> None:
    """Also the random numbers, which come before any engine."""
    free = pt.build("pixelcnn", shape=(1, 4, 4), levels=2, channels=3, layers=1)
    with pytest.raises(pt.EngineError, match="GiB may be used: what would fit: one image of `size="):
        pt.sample(free, 1, size=(65_536, 65_536), engine=engine)


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_best_of_keeps_the_candidate_with_the_largest_score(model: pt.PixelModel, temperature: float) -> None:
    """The exact score of every candidate decides, whatever the batch size; the gain of the kept one is told."""
    how: dict[str, Any] = {"label": [0, 1, 2, 0, 1], "seed": 5, "temperature": temperature}
    rows: list[tuple[int, int]] = []
    best = pt.sample(model, 5, best_of=4, batch_size=2, on_row=lambda done, row, _: rows.append((done, row)), **how)
    assert rows == [(done, row) for done in (0, 2, 4) for row in range(1, 13)]
    candidates = []
    for number in range(4):
        uniforms = seeded_uniforms(5, range(5), model.image.shape, number)
        candidates.append(pt.sample(model, 5, how["label"], uniforms=uniforms, temperature=temperature))
    assert equal(candidates[0].levels, pt.sample(model, 5, **how).levels)
    with torch.no_grad():
        unconditional = torch.stack([model.log_prob(c.levels).double() for c in candidates])
    nats = torch.from_numpy(np.stack([c.nats for c in candidates]))
    gains = nats - unconditional
    chosen = (nats - UNCONDITIONAL_SHARE * unconditional).argmax(0)
    assert len(set(chosen.tolist())) > 1
    assert best.gain is not None
    within = network_rounding(model, nats, unconditional)
    assert_close(best.gain, gains.gather(0, chosen[None])[0], rtol=0, atol=within)
    for image, number in enumerate(chosen.tolist()):
        assert equal(best.levels[image], candidates[number].levels[image])
        assert_close(best.nats[image], candidates[number].nats[image], rtol=0, atol=within)
    assert pt.sample(model, 5, best_of=1, **how).gain is None


def test_the_best_completions_are_kept(model: pt.PixelModel) -> None:
    """Of whole images: known pixels stay, and the gain is exact."""
    start = pt.sample(model, 1, label=1, seed=0).levels[0]
    known = np.zeros((3, 4), bool)
    known[:2] = True
    found = pt.inpaint(model, start, known, 3, label=1, seed=2, best_of=3)
    first = pt.inpaint(model, start, known, 3, label=1, seed=2)
    assert equal(found.levels[:, :, :2], start[None, :, :2].repeat(3, 0))
    with torch.no_grad():
        scores = [model.log_prob(x.levels, label).double() for x in (found, first) for label in (1, None)]
    within = network_rounding(model, *scores)
    assert_close(found.gain, scores[0] - scores[1], rtol=0, atol=within)
    kept, others = (scores[i] - UNCONDITIONAL_SHARE * scores[i + 1] for i in (0, 2))
    assert bool((kept >= others - within).all())


def test_settings_are_declared_alike() -> None:
    """The keywords of `sample` are the fields of `SamplingConfig`; another keyword is a TypeError."""
    assert SamplingKwargs.__annotations__.keys() == SamplingConfig.__dataclass_fields__.keys()
    settings, conditions = split_keywords({"guidance": 2.0, "order": "raster", "hint": 1})
    assert (settings, conditions) == ({"guidance": 2.0, "order": "raster"}, {"hint": 1})
    with pytest.raises(TypeError, match="guidence"):
        pt.sample(pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=3, layers=1), 1, guidence=2.0)  # type: ignore[call-arg]


def test_an_unknown_engine_lists_the_known_ones(model: pt.PixelModel) -> None:
    """At the door."""
    with pytest.raises(pt.EngineError, match="choose one of"):
        pt.sample(model, 1, engine="warp")


def test_the_loop_over_sub_pixels_computes_in_floating_point(model: pt.PixelModel) -> None:
    """Also for a model whose images are drawn from its integer program: `auto` takes an engine for floats."""
    pt.quantize_integer(model, torch.zeros(2, *model.image.shape, dtype=torch.int64), images=2)
    assert choose_engine(model) == "integer"
    assert choose_float_engine(model) == "numpy"
    assert isinstance(create_stepper(model, model.encode(None, 1), 1, 2, 2), Interpreter)
    with pytest.raises(pt.EngineError, match="must compute in floating point here"):
        create_stepper(model, model.encode(None, 1), 1, 2, 2, "integer")


def test_prompts_are_encoded_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many images: their encodings would not fit in memory. The images do not depend on it."""
    model = randomise_weights(
        pt.build("pixelcnn", shape=(1, 2, 3), levels=4, preset="tiny", text="learned+tokens", classes=3)
    )
    prompts, avoided = [f"a {'red' if i % 2 else 'blue'} cat" for i in range(7)], ["dog", "", *["cat"] * 5]
    how: dict[str, Any] = {"guidance": 2.0, "negative_prompt": avoided, "seed": 1, "label": [0, 1, 2, 0, 1, 2, 0]}
    whole = pt.sample(model, 7, text=prompts, batch_size=7, **how)
    sizes: list[int] = []
    look_up = WordReader.look_up

    def recorded(self: WordReader, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        sizes.extend([len(prompts)] if any(prompts) else [])
        return look_up(self, prompts, keep=keep)

    monkeypatch.setattr(WordReader, "look_up", recorded)
    parts = list(Request.of(7, text=prompts, batch_size=3, **how).resolve(model).stream())
    assert sizes == [3, 3, 3, 3, 1, 1]
    assert [part.texts for part in parts] == [tuple(prompts[:3]), tuple(prompts[3:6]), tuple(prompts[6:])]
    assert np.array_equal(np.concatenate([part.levels for part in parts]), whole.levels)
    one = pt.sample(model, 7, text="a red cat", batch_size=3, seed=1)
    assert equal(one.levels, pt.sample(model, 7, text=["a red cat"] * 7, batch_size=7, seed=1).levels)
    with pytest.raises(pt.ShapeError, match="2 texts do not fit 7 images"):
        Request.of(7, text=prompts[:2], batch_size=2).resolve(model)


LEVELS = np.zeros((1, 4, 4), np.int64)
KNOWN = np.tri(4, dtype=bool)
CALLS: dict[str, Callable[..., Any]] = {
    "sample": lambda model, **how: pt.sample(model, 2, seed=0, **how),
    "sample_seamless": lambda model, **how: pt.sample_seamless(model, 2, seed=0, **how),
    "inpaint": lambda model, **how: pt.inpaint(model, LEVELS, KNOWN, 2, seed=0, **how),
    "vary": lambda model, **how: pt.vary(model, LEVELS, 0.5, 2, seed=0, **how),
    "extend": lambda model, **how: extend(model, LEVELS, (4, 6), seed=0, **how),
    "make_seamless": lambda model, **how: make_seamless(model, LEVELS, "x", 2, seed=0, **how),
    "recover_uniforms": lambda model, **how: recover_uniforms(model, LEVELS, **how),
    "evaluate": lambda model, **how: pt.evaluate(model, LEVELS[None], **how),
}


def built(**conditions: Any) -> pt.PixelModel:
    """A model of random weights."""
    return randomise_weights(pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=3, channels=4, layers=1, **conditions))


@pytest.mark.parametrize("guidance", [0, 2.5])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_guidance_without_conditions_is_refused(call: Callable[..., Any], guidance: float) -> None:
    """The remedy is a condition that the model takes; with one, the call works."""
    model = built(classes=["cat", "dog"])
    sentence = rf"^`guidance` \(={guidance}\) changes nothing without `label`: add that, or leave it out\.$"
    for nothing in ({}, {"label": None}):
        with pytest.raises(pt.ConfigError, match=sentence):
            call(model, guidance=guidance, **nothing)
    call(model, guidance=guidance, label="dog")
    call(model, guidance=1)
    with pytest.raises(pt.ConfigError, match=r"changes nothing in a model without conditions: leave it out\.$"):
        call(built(), guidance=guidance)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_guidance_of_a_model_is_no_guidance_of_the_user(call: Callable[..., Any]) -> None:
    """A model whose own guidance is 3 is sampled without conditions as before."""
    model = built(classes=["cat", "dog"])
    model.generation_config = pt.GenerationConfig(guidance=3.0)
    call(model)


def test_a_negative_prompt_is_enough() -> None:
    """It is what guidance leads away from; an empty one is not, nor an empty prompt."""
    plain = pt.sample("scenes", 1, seed=0, temperature=1.0)
    away = pt.sample("scenes", 1, seed=0, temperature=1.0, guidance=2.0, negative_prompt="a cat at night")
    assert not equal(away.levels, plain.levels)
    for empty in ({"negative_prompt": " "}, {"text": ""}):
        with pytest.raises(pt.ConfigError, match="changes nothing without `label` or `text`"):
            pt.sample("scenes", 1, guidance=2.0, **empty)
