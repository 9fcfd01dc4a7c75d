"""What the documents show works: the README's Python runs as it stands, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_python_of_the_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of `docs/how-to/explain.md`."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "explain.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert blocks
    for block in blocks:
        exec(compile(block, "how-to/explain.md", "exec"), {})
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links of a page point to files that exist."""
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").rglob("*.toml")), ids=lambda p: p.name)
def test_recipes_are_valid(recipe: Path) -> None:
    """Every recipe names only settings that exist, in range."""
    from pointillist.files.settings_tree import read_toml
    from pointillist.training.runs.config import RunConfig

    if recipe.parent.name == "hierarchy":
        from pointillist.hierarchy.config import hierarchy_run

        assert hierarchy_run(recipe, {"data.source": "uci-digits"}).stages
        return
    assert RunConfig.from_dict(read_toml(recipe)).model.type


def test_docs_hold_no_scripts() -> None:
    """Generators are in `tools/`, measurements in `benchmarks/`."""
    assert [path.name for path in sorted((ROOT / "docs").rglob("*.py")) if "_build" not in path.parts] == ["conf.py"]


def test_the_readme_is_short() -> None:
    """At most 150 lines, with at least three pictures: the rest belongs to the pages."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert text.count("![") >= 3


def test_pages_are_sorted_by_kind() -> None:
    """Every page is in the folder of its kind."""
    kinds = {"tutorial", "how-to", "reference", "explanation", "evidence", "decisions", "experiments", "pictures"}
    folders = {path.name for path in (ROOT / "docs").iterdir() if path.is_dir()} - {"_build", "__pycache__"}
    assert folders == kinds
    assert [path.name for path in (ROOT / "docs").glob("*.md")] == ["index.md"]
