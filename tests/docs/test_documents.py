"""What the documents show works: decision pages, and the README's Python; links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts import script
from tests.tolerances import FORMULA

ROOT = Path(__file__).parents[2]
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

    assert RunConfig.from_dict(read_toml(recipe)).model.type


def test_docs_hold_no_scripts() -> None:
    """Generators are in `tools/`, measurements in `benchmarks/`."""
    assert [path.name for path in sorted((ROOT / "docs").rglob("*.py")) if "_build" not in path.parts] == ["conf.py"]


def test_the_readme_is_short() -> None:
    """A screen and a half, with at least three pictures: the rest belongs to the pages."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert text.count("![") >= 3


def test_the_site_lists_every_page_once() -> None:
    """Each entry of the front page is a page, and each how-to, reference, explanation and figure is an entry."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"```\{toctree\}\n(.*?)```", text, re.S)
    entries = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    folders = ("how-to", "reference", "explanation", "evidence")
    files = [path for path in (ROOT / "docs").glob("*/*") if path.suffix in (".md", ".ipynb")]
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in files}
    assert len(pages) == len(files)  # a page and a notebook of one name would be one page
    assert len(entries) == len(set(entries))
    assert set(entries) <= pages
    assert {page for page in pages if page.startswith(folders)} <= set(entries)


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
RESULTS = {
    "static binarised MNIST": "results",
    "`icons`": "zoo",
    "`scenes`": "zoo",
    "8x8 digits": "results",
    "sampling": "speed",
}
"""The page of `docs/evidence` on which a row of the README's table of results stands."""
SECTIONS = [("compress.md", "## How small, how fast", "compression"), ("detect.md", "## How well it works", "anomaly")]
"""Sections of how-to pages with figures, and the pages of `docs/evidence` on which these stand."""


def figures(text: str) -> list[str]:
    """Return the numbers that only a measurement gives: those with decimals, or of four digits and more."""
    return [number for number in NUMBER.findall(text) if "." in number or len(number.replace(",", "")) > 3]


def missing(text: str, page: str) -> list[str]:
    """Return the figures of a text that no number of a page of `docs/evidence` rounds to."""
    evidence = (ROOT / "docs" / "evidence" / f"{page}.md").read_text(encoding="utf-8")
    measured = [float(number.replace(",", "")) for number in NUMBER.findall(evidence)]
    result = []
    for figure in figures(text):
        digits = len(figure.partition(".")[2])
        value = float(figure.replace(",", ""))
        if not any(abs(number - value) <= 0.5 * 10**-digits + FORMULA for number in measured):
            result.append(figure)
    return result


@pytest.mark.parametrize(("row", "page"), RESULTS.items())
def test_results_of_the_readme_were_measured(row: str, page: str) -> None:
    """The figures of a row stand on the page of the measurement."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^\| {re.escape(row)}.*$", text, re.MULTILINE)
    figure = line.split("|")[2]
    assert len(figures(figure)) >= 3
    assert not missing(figure, page)


@pytest.mark.parametrize(("guide", "heading", "page"), SECTIONS)
def test_figures_of_a_guide_were_measured(guide: str, heading: str, page: str) -> None:
    """As those of the README."""
    text = (ROOT / "docs" / "how-to" / guide).read_text(encoding="utf-8")
    section = text.partition(heading)[2].partition("\n## ")[0]
    assert figures(section)
    assert not missing(section, page)


def test_figures_of_the_paper_were_measured() -> None:
    """Each stands on some page of evidence, and each picture is there and has its command."""
    text = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8").partition("# Summary")[2]
    pages = ["results", "zoo", "speed", "comparisons", "anomaly"]
    stale = set(figures(text)).intersection(*(missing(text, page) for page in pages))
    assert stale <= {"2016", "2017", "2018", "2020"}  # of citations
    assert 750 <= len(text.split()) <= 1250
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((\w+\.png)\)", text)
    assert len(pictures) == 3
    assert all((ROOT / "paper" / name).is_file() and f"--out paper/{name}" in make for name in pictures)
    keys = set(re.findall(r"@(\w+)", text))
    assert keys == set(re.findall(r"@inproceedings\{(\w+)", (ROOT / "paper" / "paper.bib").read_text(encoding="utf-8")))


def test_a_stale_figure_is_noticed() -> None:
    """The check can fail."""
    assert missing("79.37 nats, 12.345 bits", "results") == ["12.345"]


def test_the_page_of_the_bundled_models_is_generated() -> None:
    """It is what its generator writes."""
    page = (ROOT / "docs" / "evidence" / "zoo.md").read_text(encoding="utf-8")
    assert page == script("make_zoo_page").page(), "run `python tools/make_zoo_page.py`"


def test_pages_are_sorted_by_kind() -> None:
    """Every page is in the folder of its kind."""
    kinds = {"tutorial", "how-to", "reference", "explanation", "evidence", "decisions", "pictures"}
    kinds |= {"site"}  # styles and scripts of the site
    folders = {path.name for path in (ROOT / "docs").iterdir() if path.is_dir()} - {"_build", "__pycache__"}
    assert folders == kinds
    assert [path.name for path in (ROOT / "docs").glob("*.md")] == ["index.md"]


FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))


def test_the_index_lists_every_decision() -> None:
    """Each page with its title, status and date; each earlier decision with its number, and no number left out."""
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        heads = [re.search(rf"^{head}(.+)", text, re.MULTILINE) for head in ("# ", "- Status: ", "- Date: ")]
        title, status, date = (head.group(1) for head in heads if head)
        assert f"| [{title}]({path.name}) | {status} | {date[:10]} |" in index
    numbers = [int(row) for row in re.findall(r"^\| \[?(\d{4})", index, re.MULTILINE)]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda p: p.stem)
def test_sections(path: Path) -> None:
    """A page has its number in the title, and all sections once, in order."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]}. ")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections == ["Context", "Options", "Measurement", "Decision", "Consequences"]
