"""Settings of commands: those of sampling are those of `SamplingConfig`, and a job has those of its command."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pointillist.commands.archives import CompressSettings
from pointillist.commands.jobs.manifest import JOBS
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings
from pointillist.commands.settings import Settings, settings_of
from pointillist.sampling.config import SamplingConfig

_DEFAULTS = {field.name: field.default for field in fields(SamplingConfig)}


@pytest.mark.parametrize(
    "config", [SampleSettings, InpaintSettings, EvaluateSettings, ExplainSettings, DetectSettings, CompressSettings]
)
def test_settings_of_sampling_have_its_defaults(config: type[Settings]) -> None:
    """A setting that `SamplingConfig` has too has its default there, or none: then it is the model's."""
    shared = [setting for setting in settings_of(config) if setting.name in _DEFAULTS]
    assert shared
    for setting in shared:
        assert setting.default in (None, _DEFAULTS[setting.name]), setting.name


@pytest.mark.parametrize("config", JOBS.values())
def test_a_job_has_the_settings_of_its_command(config: type[Settings]) -> None:
    """All but some that exist."""
    names = [setting.name for setting in settings_of(config)]
    left_out = config.plain_only.split()
    assert set(left_out) <= set(names)
    assert [setting.name for setting in settings_of(config, job=True)] == [n for n in names if n not in left_out]


def test_types_are_those_of_sampling() -> None:
    """A setting without an annotation has the type of the field; what may be many there is typed once here."""
    types = {setting.name: setting.type for setting in settings_of(SampleSettings)}
    assert types["guidance"] == float | None
    assert types["batch_size"] is int
    assert types["negative_prompt"] == str | None
    assert types["rules"] == str | None
