"""Images drawn before the first pixel is shown, by rules and negative prompts too, and worlds: those of Python."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.sampling.rules.config import parse_rules
from pointillist.studio import schemas
from pointillist.studio.answers.queries import tiles as tiles_of
from pointillist.studio.sampling import run_job
from pointillist.studio.service import StudioService
from tests.studio.helpers import service as make_service
from tests.studio.test_link import NODE, run
from tests.tolerances import DOUBLE, network_rounding, rounding

GUIDANCE = 2.0


@pytest.fixture(scope="module")
def digits() -> StudioService:
    """A model with labels that completes images, and one without labels."""
    return make_service(pt.load("digits"))


@pytest.fixture(scope="module")
def dungeons() -> StudioService:
    """A model that draws endless maps."""
    return make_service(pt.load("dungeons"))


def request_of(**settings: Any) -> schemas.SampleRequest:
    """Three images of a seed, of which the first is left out."""
    labels = schemas.ConditionValues(label=3)
    samples = [schemas.SampleSpec(seed=5, index=i, conditions=labels) for i in (1, 2)]
    return schemas.SampleRequest(**{"samples": samples, "guidance": GUIDANCE, **settings})


@pytest.mark.parametrize(
    "settings",
    [{"best_of": 3}, {"seamless": "x"}, {"seamless": "x", "engine": "numpy"}, {"best_of": 2, "seamless": "both"}],
)
def test_images_are_those_of_sample(digits: StudioService, settings: dict[str, Any]) -> None:
    """To the bit; the stream shows them, and their manifest paints them again."""
    ((name, entry),) = digits.models.entries.items()
    job = digits.make_job(name, request_of(**settings))
    events: list[object] = []
    images = run_job(job, events.append, lambda: None)
    levels = np.stack([image.levels.array() for image in images])
    how: dict[str, Any] = {"label": 3, "seed": 5, "guidance": GUIDANCE, **settings}
    sides = how.pop("seamless", None)
    expected: Any = (
        pt.sample(entry.model, 3, **how) if sides is None else pt.sample_seamless(entry.model, 3, sides=sides, **how)
    )
    np.testing.assert_array_equal(levels, expected.levels[1:])
    bits, due = [image.bits for image in images], -expected.nats[1:] / np.log(2)
    within = network_rounding(entry.model, due) if settings.get("engine") == "numpy" else 0.0
    np.testing.assert_allclose(bits, due, rtol=DOUBLE, atol=within)
    shown = [event for event in events if isinstance(event, schemas.Pixels)]
    assert sum(event.count for event in shown) == 28 * 28
    manifest = job.loaded.manifest(job.request, images)
    assert all(digits.reproduce(name, manifest).identical)


def test_maps_of_a_batch_are_those_of_its_steps(digits: StudioService, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library in C writes while it draws is what numpy writes step by step: images, bits and maps."""
    (name,) = digits.models.entries
    found = []
    for kernels in (None, "none"):
        if kernels is not None:
            monkeypatch.setenv("POINTILLIST_KERNELS", kernels)
        events: list[object] = []
        images = run_job(digits.make_job(name, request_of(distributions=True)), events.append, lambda: None)
        shown = [event for event in events if isinstance(event, schemas.Pixels)]
        maps = [np.concatenate([getattr(e, part).array() for e in shown], 1) for part in ("surprisal", "entropy")]
        found.append(([image.sha256 for image in images], [image.bits for image in images], maps))
    assert found[0][:2] == found[1][:2]
    for one, other in zip(found[0][2], found[1][2], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=rounding(one, terms=16, dtype=torch.float32))


def test_variations_are_those_of_vary(digits: StudioService) -> None:
    """Regions of an image are drawn again, to the bit."""
    ((name, entry),) = digits.models.entries.items()
    image = pt.sample(entry.model, 1, label=3, seed=1).levels[0]
    variation = schemas.Variation(levels=schemas.EncodedArray.of(image, "uint8"), strength=0.3, kind="regions")
    samples = [spec.model_copy(update={"variation": variation}) for spec in request_of().samples]
    job = digits.make_job(name, request_of(samples=samples))
    images = np.stack([one.levels.array() for one in run_job(job, lambda event: None, lambda: None)])
    expected = pt.vary(entry.model, image, 0.3, 3, label=3, seed=5, guidance=GUIDANCE)
    np.testing.assert_array_equal(images, expected.levels[1:])
    assert not np.array_equal(images[0], image)
    without = variation.model_copy(update={"levels": None})
    samples = [spec.model_copy(update={"variation": without}) for spec in samples]
    with pytest.raises(ConfigError, match="needs `levels`"):
        digits.make_job(name, request_of(samples=samples))


def test_what_does_not_go_together_is_said(digits: StudioService, dungeons: StudioService) -> None:
    """A start, rules, no condition to choose by."""
    (name,) = digits.models.entries
    levels, known = np.zeros((1, 28, 28), np.uint8), np.zeros((28, 28), np.uint8)
    encode = schemas.EncodedArray.of
    start = schemas.StartImage(levels=encode(levels, "uint8"), known=encode(known, "uint8"))
    for setting in ({"best_of": 2}, {"seamless": "y"}):
        with pytest.raises(ConfigError, match=f"`{next(iter(setting))}` and `start` do not go together"):
            request_of(start=start, **setting)
    with pytest.raises(ConfigError, match="leave `seamless` out"):
        request_of(seamless="x", rules=pt.Rules())
    with pytest.raises(ConfigError, match="give a prompt or a label"):
        digits.make_job(name, schemas.SampleRequest(samples=[schemas.SampleSpec(seed=1)], best_of=2))


def test_parts_of_an_endless_map_are_those_of_a_world(dungeons: StudioService, digits: StudioService) -> None:
    """Whatever was asked for before; other models say that they draw none."""
    ((_, entry),) = dungeons.models.entries.items()
    world = pt.World("dungeons", seed=7)
    for row, column in ((-20, 30), (0, 0)):
        query = schemas.WorldQuery(seed=7, row=row, column=column, height=9, width=40)
        tiles = tiles_of(entry.model, query, dungeons.limits).levels.array()
        np.testing.assert_array_equal(tiles[0], world.tiles(row, column, 9, 40))
    place = {"seed": 7, "row": 0, "column": 0, "height": 32, "width": 64}
    rules = pt.Rules(adjacency="observed", connected=[{"levels": ["floor", "door"]}])
    ruled = tiles_of(entry.model, schemas.WorldQuery(**place, rules=rules), dungeons.limits).levels.array()
    expected = pt.World("dungeons", 7, {"adjacency": "observed", "connected": [{"levels": ["floor", "door"]}]})
    np.testing.assert_array_equal(ruled[0], expected.tiles(0, 0, 32, 64))
    query = schemas.WorldQuery(**place, rules=pt.Rules(border=["wall"]))
    with pytest.raises(ConfigError, match=r"`border` .* is not a rule of worlds"):
        tiles_of(entry.model, query, dungeons.limits)
    assert [info.details.endless for info in dungeons.models.infos() if info.details] == [True]
    assert [info.details.endless for info in digits.models.infos() if info.details] == [False]


def test_maps_obey_the_rules_and_are_those_of_sample() -> None:
    """To the bit; the stream paints them, and their manifest draws them again."""
    model = pt.load("dungeons")
    dungeons = make_service(model)
    stairs = {"levels": ["stairs up"], "at_least": 1, "at_most": 1}
    rules = pt.Rules(border=["outside", "wall"], counts=[stairs])
    samples = [schemas.SampleSpec(seed=5, index=i) for i in range(2)]
    try:
        (name,) = dungeons.models.entries
        job = dungeons.make_job(name, schemas.SampleRequest(samples=samples, size=[10, 12], rules=rules))
        events: list[object] = []
        images = run_job(job, events.append, lambda: None)
        levels = np.stack([image.levels.array() for image in images])
        expected = pt.sample(model, 2, seed=5, size=(10, 12), rules=rules)
        np.testing.assert_array_equal(levels, expected.levels)
        names = model.image.level_names or ()
        assert set(levels[:, :, 0].ravel()) <= {names.index("outside"), names.index("wall")}
        assert (levels == names.index("stairs up")).sum((1, 2, 3)).tolist() == [1, 1]
        shown = [event for event in events if isinstance(event, schemas.Pixels)]
        assert sum(event.count for event in shown) == 10 * 12
        manifest = job.loaded.manifest(job.request, images)
        assert all(dungeons.reproduce(name, manifest).identical)
        unknown = schemas.SampleRequest(samples=samples, rules=pt.Rules(border=["nosuch"]))
        with pytest.raises(ConfigError, match="nosuch"):
            dungeons.make_job(name, unknown)
    finally:
        dungeons.close()


def test_a_negative_prompt_is_that_of_sample(captioned: StudioService) -> None:
    """It needs guidance, and says so."""
    (name,) = captioned.models.entries
    model = captioned.models[name].model
    samples = [schemas.SampleSpec(seed=3, conditions=schemas.ConditionValues(text="red"))]
    request = schemas.SampleRequest(samples=samples, guidance=2.0, negative_prompt="blue")
    (image,) = run_job(captioned.make_job(name, request), lambda event: None, lambda: None)
    expected = pt.sample(model, 1, text="red", seed=3, guidance=2.0, negative_prompt="blue")
    np.testing.assert_array_equal(image.levels.array(), expected.levels[0])
    with pytest.raises(ConfigError, match="works through guidance"):
        captioned.make_job(name, request.model_copy(update={"guidance": 1.0}))


@pytest.fixture
def captioned() -> StudioService:
    """A model that learned words."""
    return make_service(
        pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=4, channels=4, layers=1, text="learned").eval()
    )


@pytest.mark.skipif(NODE is None, reason="The module of the switches is run in Node, which is not here.")
def test_the_switches_of_the_page_are_rules_of_the_model() -> None:
    """All three of them; a model of other levels has none."""
    image = {"level_names": list(pt.load("dungeons").image.level_names or ())}
    module = "state/map_rules.js"
    switches = {"walls": True, "stairs": True, "reachable": True}
    rules = run(f"link.rulesOf({json.dumps(switches)}, {json.dumps(image)})", module)
    parsed = parse_rules(rules)
    assert parsed is not None
    assert parsed.border == ("outside", "wall")
    assert [count.levels for count in parsed.counts] == [("stairs up",), ("stairs down",)]
    assert "floor" in parsed.connected[0].levels
    assert "wall" not in parsed.connected[0].levels
    assert (
        run('link.switchesOf({level_names: ["a"]}).length + link.switchesOf({level_names: null}).length', module) == 0
    )
    assert run(f"link.rulesOf({{}}, {json.dumps(image)})", module) is None
    said = parsed.model_dump(mode="json", by_alias=True)  # as a manifest has them
    for each, expected in ((rules, switches), (said, switches), ({**rules, "fixed": [{"row": 0}]}, None)):
        assert run(f"link.switchesOfRules({json.dumps(each)}, {json.dumps(image)})", module) == expected
