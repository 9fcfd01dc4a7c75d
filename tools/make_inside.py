"""Write the numbers of `docs/tutorial/inside.md` and take the picture `docs/pictures/explain.png` of its report.

`python tools/make_inside.py`, after `digits` or its report changed; the picture needs Chromium.

The commands of the page run in an empty folder, and each number is replaced where its sentence stands. A sentence that
is no longer true is an error: then the page needs another image, or other words.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pointillist as pt
from make_studio_pictures import shrink
from pointillist.analysis.report.explanation import Explanation

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "tutorial" / "inside.md", DOCS / "pictures" / "explain.png"
SIZE = {"width": 1000, "height": 1600}  # of the window of the picture
LABEL = "3"
WHITE = 15


def run(page: str, folder: Path) -> Explanation:
    """Run the commands of the page, and explain the image that they sample."""
    block = re.search(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert block is not None
    for line in block[1].splitlines():
        subprocess.run([sys.executable, "-m", *shlex.split(line)], cwd=folder, check=True, capture_output=True)
    return pt.explain("digits", folder / "three.png", label=LABEL)


def likely_pixel(report: Explanation) -> tuple[int, int]:
    """Return row and column of the white pixel that surprised most, although white was the likeliest level."""
    _, height, width = report.query.shape
    best: tuple[float, int, int] = (0.0, 0, 0)
    for row, column in ((row, column) for row in range(height) for column in range(width)):
        view = report.distribution(row, column)
        if view.observed == WHITE == view.top(1)[0][0]:
            best = max(best, (view.surprisal, row, column))
    return best[1:]


def facts(report: Explanation) -> dict[str, tuple[object, ...]]:
    """Return passages of the page with gaps, and the numbers that belong in the gaps.

    Raises:
        AssertionError: if a sentence around a number is not true.
    """
    maps, gain, layers, what_if = report.maps, report.conditions, report.layers, report.counterfactuals[0]
    assert gain is not None
    assert layers is not None
    (row, column), (edit,) = likely_pixel(report), what_if.edits
    view = report.distribution(row, column)
    saved = gain.to_dict()
    assert abs(maps.z_score) < 2, "not typical"
    better = [str(label) for label, bits in enumerate(saved["class_bits"]) if bits < saved["unconditional_bits"]]
    assert better == [LABEL], f"labels that save bits: {better}"
    assert what_if.bits_change > 0, "the edit saves bits"
    return {
        "the image costs **{}** bits": (f"{maps.bits:,.1f}",),
        "likely as {} coins": (f"{maps.bits:.0f}",),
        "expected **{} ± {}** bits": (f"{maps.expected:,.1f}", f"{maps.std:.1f}"),
        "**{}** standard deviations": (f"{abs(maps.z_score):.1f}",),
        "Click row {}, column {} (": (row, column),
        "report.html#{},{}`": (row, column),
        "level **{}**, white, with **{} %**": (WHITE, f"{100 * view.top(1)[0][1]:.0f}"),
        "a surprise of **{}** bits": (f"{view.surprisal:.2f}",),
        "with level {} instead of {} at row {}, column {},": (edit.level, edit.old_level, edit.row, edit.column),
        "takes **{}** bits, **{}** more": (f"{what_if.after.bits:,.1f}", f"{what_if.bits_change:.1f}"),
        "saves **{}** bits of **{}**": (f"{saved['saved_bits']:.1f}", f"{saved['unconditional_bits']:,.1f}"),
        "takes **{}** bits, after the fifth **{}**, at the end {}. Each": (
            *(f"{layers.bits[depth]:,.1f}" for depth in (1, 5)),
            f"{maps.bits:,.1f}",
        ),
    }


def fill(page: str, passage: str, values: tuple[object, ...]) -> str:
    """Replace the numbers of a passage, which may run over several lines."""
    parts = [re.escape(part).replace(r"\ ", r"\s+") for part in passage.split("{}")]
    (found,) = re.finditer("([^*`]+?)".join(f"({part})" for part in parts), page)
    fixed = found.groups()[::2]
    new = "".join(f"{before}{value}" for before, value in zip(fixed, (*values, ""), strict=True))
    return page[: found.start()] + new + page[found.end() :]


def take(report: Path, row: int, column: int) -> None:
    """Take the picture of a report at a pixel."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{report.as_uri()}#{row},{column}")
        page.locator("html.live").wait_for()
        page.screenshot(path=PICTURE)
        shrink(PICTURE)
        browser.close()


def main() -> None:
    """Write the page, and take the picture."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        report = run(page, Path(folder))
        for passage, values in facts(report).items():
            page = fill(page, passage, values)
        take(Path(folder) / "report.html", *likely_pixel(report))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
