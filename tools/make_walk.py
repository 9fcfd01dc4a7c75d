"""Write the line numbers of `docs/explanation/walk.md`: `python tools/make_walk.py`.

The page links to functions, as [`name`](path#L1). A test compares its lines with the source.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "walk.md"
LINK = re.compile(r"\[`(\w+)`\]\(((?:\.\./)+(?:src|runtime)/[\w./]+)#L\d+\)")


def text() -> str:
    """Return the page with the lines at which the functions begin.

    Raises:
        ValueError: if a file has no such function.
    """

    def link(match: re.Match[str]) -> str:
        name, path = match[1], match[2]
        for number, line in enumerate((PAGE.parent / path).read_text(encoding="utf-8").splitlines(), 1):
            if re.match(rf"\s*(?:def|class) {name}\b|(?:\w+ )+\*?{name}\([^;]*$", line):
                return f"[`{name}`]({path}#L{number})"
        raise ValueError(f"{path} has no `{name}`: mend {PAGE.name}.")

    return LINK.sub(link, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
