"""axe-core finds nothing in pages of the site, as `docs/conf.py` and its theme write them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.test_accessibility import violations

pytest.importorskip("furo", reason="the theme of the site (the extra `docs`) is not installed")

DOCS = Path(__file__).parents[2] / "docs"
SECOND = """# A second page

Words before a table whose first column has no name, and code that is wider than a phone.

| | a | b |
|---|---|---|
| of a row | 1 | a value of so many words that a phone has no room for it in one line, nor in two of them |

```python
print("a line of code that is so long that it scrolls on a phone, whatever one does: its words go on and on and on")
```

## Further

Words.
"""


ADDRESS = "https://example.org/paint/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The front page and another one, with the settings of the site; without live pages."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    front = (DOCS / "index.md").read_text(encoding="utf-8")
    block = front[front.index("```{raw} html") : front.index("\n```", front.index("```{raw} html") + 3) + 4]
    tree = "\n\n```{toctree}\n:caption: Pages\nsecond\n```\n"
    head = front[: front.index("# Pointillist")]
    (source / "index.md").write_text(f"{head}# Pointillist\n\n{block}{tree}", encoding="utf-8")
    (source / "second.md").write_text(SECOND, encoding="utf-8")
    shutil.copytree(DOCS / "pictures", source / "pictures")
    command = [sys.executable, "-m", "sphinx", "-q", "-c", str(DOCS), "-b", "html", str(source), str(out)]
    environment = {**os.environ, "POINTILLIST_SITE": ADDRESS + "live/{model}.html"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return out


def test_a_link_in_a_chat_shows_a_picture(site: Path) -> None:
    """Its address is a whole one where that of the site is configured, and there is a file behind it."""
    image = re.search('content="([^"]*)" property="og:image"', (site / "index.html").read_text(encoding="utf-8"))
    assert image is not None
    assert image[1].startswith(ADDRESS + "_images/")
    name = image[1].removeprefix(ADDRESS + "_images/")
    assert f"](pictures/{name})" in (DOCS / "index.md").read_text(encoding="utf-8")  # which copies it there


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page_name", ["index", "second"])
def test_nothing_to_mend_in_the_site(
    browser: Browser, site: Path, page_name: str, scheme: str, size: tuple[int, int]
) -> None:
    """Contents, headings, tables and code of the theme, and the front page before its model has come."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto((site / f"{page_name}.html").as_uri())
    assert violations(page) == []
    context.close()
