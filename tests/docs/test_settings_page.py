"""The generated reference pages are current: settings, and the Python reference."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

import pointillist
from pointillist.conditioning import condition_kinds
from pointillist.data import DataOptions
from pointillist.model.folder.settings import ModelSettings
from pointillist.networks import entry, names
from pointillist.sampling.rules.config import Adjacency, Connected, Count, Fixed, RegionLevels, Route, Rules
from pointillist.training.config import TrainConfig
from tests.scripts import script

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_settings_page_is_current() -> None:
    """`docs/reference/settings.md` is what `tools/make_settings.py` writes."""
    page = REFERENCE / "settings.md"
    assert page.read_text(encoding="utf-8") == script("make_settings").page(), "run python tools/make_settings.py"


def test_rules_page_is_current_and_has_every_rule() -> None:
    """`docs/reference/rules.md` is what `tools/make_settings.py` writes; every field of every table has a row."""
    text = (REFERENCE / "rules.md").read_text(encoding="utf-8")
    assert text == script("make_settings").rules_page(), "run python tools/make_settings.py"
    for config in (Rules, RegionLevels, Fixed, Count, Connected, Route, Adjacency):
        for name, field in config.model_fields.items():
            assert f"| `{field.alias or name}` |" in text or f"`[[{name}]]`" in text or f"`[{name}]`" in text


def test_settings_page_has_every_setting() -> None:
    """Every field of every class of settings has a row."""
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    configs: list[type[BaseModel]] = [ModelSettings, DataOptions, TrainConfig, *condition_kinds().values()]
    configs += [entry(name).backbone.Config for name in names()]
    configs += [a for f in TrainConfig.model_fields.values() if isinstance(a := f.annotation, type)]
    for config in configs:
        for name, field in getattr(config, "model_fields", {}).items():
            group = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            shown = f"[train.{name}]" if group and config is TrainConfig else f"| `{name}` |"
            assert shown in text or name == "conditions", f"{config.__name__}.{name}"


def test_a_setting_without_description_is_rejected() -> None:
    """The page cannot be made where a docstring leaves out a field."""

    class Config(BaseModel):
        """Settings.

        Attributes:
            width: features.
        """

        width: int = 1
        depth: int = 1

    with pytest.raises(ValueError, match="does not describe depth"):
        script("make_settings").descriptions(Config)


def test_python_reference_is_current() -> None:
    """`docs/reference/api.md` and `docs/reference/api/*.md` are what `tools/make_api.py` writes."""
    made = script("make_api").pages()
    written = {path.relative_to(REFERENCE).as_posix() for path in (REFERENCE / "api").glob("*.md")} | {"api.md"}
    assert written == set(made)
    for name, text in made.items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, "run python tools/make_api.py"


def test_python_reference_has_every_public_name() -> None:
    """Every name of `pointillist.__all__` has a section, with a docstring and an example; a package has a page."""
    packages = {name for name in pointillist.__all__ if isinstance(getattr(pointillist, name), ModuleType)}
    assert all((REFERENCE / "api" / f"{name}.md").exists() for name in packages)
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")
    sections = {part.partition("`\n")[0]: part for part in text.split("\n## `")[1:]}
    assert set(sections) == set(pointillist.__all__) - packages
    assert {name for names in script("make_api").TASKS.values() for name in names} == set(pointillist.__all__)
    for name, section in sections.items():
        assert name == "__version__" or section.count("```python") >= 2, name
