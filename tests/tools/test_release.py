"""What a release says of itself agrees with the package: licences, versions, contents."""

from __future__ import annotations

import hashlib
import json
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
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8").partition("references:")[0].lower()
    assert all(word.lower() in cff for word in [zenodo["title"], zenodo["license"], *zenodo["keywords"]])
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


def test_the_examples_of_the_tour_are_what_is_run() -> None:
    """All commands, without their comments."""
    commands = script("make_release").examples()
    assert len(commands) >= 8
    assert all("#" not in command for command in commands)
    assert any(command.startswith("pointillist train uci-digits") for command in commands)


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_steps_of_workflows_are_targets(path: Path) -> None:
    """Each step is an action of a version, or a target of the Makefile; nothing has a right that it does not need."""
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    steps = re.findall(r"^ +(?:- )?run: (.+)$", text, re.MULTILINE)
    assert steps
    for step in steps:
        assert re.match(r"make ([\w-]+)", step), step
        assert step.split()[1] in targets, step
    assert all("@" in action or action.startswith("./") for action in re.findall(r"uses: (\S+)", text))
    assert "\npermissions:\n  contents: read\n" in text
    assert "secrets." not in text


def test_all_platforms_and_versions_are_tested() -> None:
    """Those that the classifiers name, on both processors."""
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    versions = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+", name)]
    assert all(f'"{version}"' in text for version in versions)
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert all(name in text for name in ("ubuntu-24.04-arm", "macos-15,", "macos-15-intel", "windows-2025"))
    assert list(script("make_release").PYTHONS) == versions


def test_a_tag_is_compared_with_everything_that_names_a_version(tmp_path: Path) -> None:
    """A wrong tag, no date, another repository; and a tree in which all agree."""
    mistakes = script("check_tag").mistakes
    assert any("is not v" in line for line in mistakes("v9.9.9"))
    for name in ("src/pointillist/system.py", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    log = tmp_path / "CHANGELOG.md"
    log.write_text(
        re.sub(
            rf"^## {re.escape(pt.__version__)} .*$", f"## {pt.__version__} (2026-12-01)", log.read_text(), flags=re.M
        )
    )
    repository = PROJECT["urls"]["Repository"].partition(".com/")[2]
    assert mistakes(f"v{pt.__version__}", tmp_path, repository) == []
    assert any("publishes" in line for line in mistakes(f"v{pt.__version__}", tmp_path, "someone/else"))
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text().replace('Issues = "https://github.com/', 'Issues = "https://example.org/'))
    assert any("`urls.Issues`" in line for line in mistakes(f"v{pt.__version__}", tmp_path, repository))
    project.write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    log.write_text("# Changelog\n")
    assert mistakes(f"v{pt.__version__}", tmp_path) == [f"CHANGELOG.md has no line `## {pt.__version__} (YYYY-MM-DD)`."]


def test_the_bill_of_materials_names_the_libraries() -> None:
    """Each with the hash of its bytes, and every dependency of the core; a build of a wheel adds it."""
    bill, version = script("make_sbom").bill(ROOT, "1.2.3"), "1.2.3"
    parts = {part["name"]: part for part in bill["components"]}
    for path in (ROOT / "src" / "pointillist" / "engine" / "c" / "lib").iterdir():
        if path.suffix in (".so", ".dylib", ".dll", ".wasm"):
            assert parts[path.name]["hashes"][0]["content"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert parts[path.name]["version"] == version
    assert {package(each) for each in PROJECT["dependencies"]} <= set(parts)
    assert {each["ref"] for each in bill["dependencies"]} == {
        "pointillist",
        *(part["bom-ref"] for part in parts.values()),
    }


def test_types_are_counted() -> None:
    """The share, and the names that lack some, of a report as pyright writes it."""
    measure = script("measure_public_types")
    symbols = [
        {"name": "a.x", "isExported": True, "isTypeKnown": True, "diagnostics": []},
        {"name": "a.y", "isExported": True, "isTypeKnown": False, "diagnostics": [{"message": "no type\nof y"}]},
        {"name": "b.z", "isExported": False, "isTypeKnown": False, "diagnostics": []},
    ]
    counts = {"withKnownType": 1, "withAmbiguousType": 0, "withUnknownType": 1}
    report = {"typeCompleteness": {"symbols": symbols, "exportedSymbolCounts": counts}}
    assert measure.share(report) == 0.5
    assert measure.incomplete(report) == ["a.y: no type"]


@pytest.mark.slow
@pytest.mark.proof
def test_public_names_have_complete_types() -> None:
    """As a user's type checker sees the package; it takes a minute."""
    measure = script("measure_public_types")
    pytest.importorskip("pyright", reason="pyright is in the extra `dev`")
    if not measure.pyright("--version"):
        pytest.skip("pyright cannot be started: it fetches itself when it is first used")
    incomplete = measure.incomplete(measure.measure())
    assert len(incomplete) <= measure.MOST, "\n".join(incomplete)
