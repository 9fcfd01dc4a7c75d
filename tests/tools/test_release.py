"""What a release says of itself agrees with the package: licences, versions, contents."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

import pointillist as pt
from tests.scripts import script

ROOT = Path(__file__).parents[2]
LICENCES = (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def package(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0]


def test_every_dependency_has_a_licence_on_the_page() -> None:
    """Also those of extras; and the page lists no other."""
    extras = PROJECT["optional-dependencies"].values()
    needed = {package(each) for each in [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]}
    table = LICENCES.partition("## Dependencies")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == needed


def test_every_model_and_data_file_has_its_licence_on_the_page() -> None:
    for model in pt.list_pretrained():
        row = re.search(rf"^\| model `{model.name}` \|.*\| (.+) \|$", LICENCES, re.MULTILINE)
        card = (ROOT / "src" / "pointillist" / "zoo" / model.name / "README.md").read_text(encoding="utf-8")
        stated = re.search(r"^license: (\S+)$", card, re.MULTILINE)
        assert row is not None
        assert stated is not None
        assert row[1].lower().replace(" ", "-") == stated[1], model.name
    for file in (ROOT / "src" / "pointillist" / "data" / "builtin").iterdir():
        assert file.suffix in (".md", ".py") or file.name.startswith("__") or f"`{file.name}`" in LICENCES, file.name


def test_the_versions_agree() -> None:
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert cited[1] == pt.__version__
    assert f"## {pt.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_an_incomplete_or_large_wheel_is_rejected(tmp_path: Path) -> None:
    """Each needed file, and the limit of its size."""
    release = script("make_release")

    def wheel(names: list[str], size: int = 0) -> Path:
        path = tmp_path / "a.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(f"x/{name}", b"\0" * size)
        return path

    lines = release.contents(wheel(list(release.NEEDED)))
    assert f"{len(release.NEEDED)} files" in lines[0]
    for missing in release.NEEDED:
        with pytest.raises(SystemExit, match=f"lacks {re.escape(missing)}"):
            release.contents(wheel([name for name in release.NEEDED if name != missing]))
    with pytest.raises(SystemExit, match="over 15,000,000"):
        release.contents(wheel(list(release.NEEDED), 2_000_000))


def test_the_examples_of_the_readme_are_what_is_run() -> None:
    """All commands, without their comments."""
    commands = script("make_release").examples()
    assert len(commands) >= 8
    assert all("#" not in command for command in commands)
    assert any(command.startswith("pointillist train uci-digits") for command in commands)
