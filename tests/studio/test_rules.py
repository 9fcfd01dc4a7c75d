"""Rules and negative prompts in the studio: the images of `sample`, seen as a painting."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.sampling.rules.config import parse_rules
from pointillist.studio import schemas
from pointillist.studio.sampling import run_job
from pointillist.studio.service import StudioService
from tests.studio.helpers import service as make_service
from tests.studio.test_link import MODULE, NODE, run


def test_maps_obey_the_rules_and_are_those_of_sample() -> None:
    """To the bit; the stream paints them, and their manifest draws them again."""
    model = pt.load("dungeons")
    dungeons = make_service(model)
    stairs = schemas.LevelCount(levels=["stairs up"], at_least=1, at_most=1)
    rules = schemas.MapRules(border=["outside", "wall"], counts=[stairs])
    samples = [schemas.SampleSpec(seed=5, index=i) for i in range(2)]
    try:
        (name,) = dungeons.models.entries
        job = dungeons.make_job(name, schemas.SampleRequest(samples=samples, size=[10, 12], rules=rules))
        events: list[object] = []
        images = run_job(job, events.append, lambda: None)
        levels = np.stack([image.levels.array() for image in images])
        expected = pt.sample(model, 2, seed=5, size=(10, 12), rules=rules.to_dict())
        np.testing.assert_array_equal(levels, expected.levels)
        names = model.image.level_names or ()
        assert set(levels[:, :, 0].ravel()) <= {names.index("outside"), names.index("wall")}
        assert (levels == names.index("stairs up")).sum((1, 2, 3)).tolist() == [1, 1]
        shown = [event for event in events if isinstance(event, schemas.Pixels)]
        assert sum(event.count for event in shown) == 10 * 12
        manifest = dungeons._make_manifest(dungeons.models[name].model, job.request, [x.sha256 for x in images])
        assert all(dungeons.reproduce(name, manifest).identical)
        unknown = schemas.SampleRequest(samples=samples, rules=schemas.MapRules(border=["nosuch"]))
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
    module = MODULE.with_name("map_rules.js")
    switches = {"walls": True, "stairs": True, "reachable": True}
    rules = schemas.MapRules(**run(f"link.rulesOf({json.dumps(switches)}, {json.dumps(image)})", module))
    parsed = parse_rules(rules.to_dict())
    assert parsed is not None
    assert parsed.border == ("outside", "wall")
    assert [count.levels for count in parsed.counts] == [("stairs up",), ("stairs down",)]
    assert "floor" in parsed.connected[0].levels
    assert "wall" not in parsed.connected[0].levels
    assert (
        run('link.switchesOf({level_names: ["a"]}).length + link.switchesOf({level_names: null}).length', module) == 0
    )
    assert run(f"link.rulesOf(link.noRules(), {json.dumps(image)})", module) is None
