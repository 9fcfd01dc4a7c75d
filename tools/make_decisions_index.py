"""Write the indexes of `docs/decisions` and `docs/experiments` from the pages: `python tools/make_decisions_index.py`.

A page begins with its title, `# 0001. Title` or `# Title`, and has the lines `- Status: ...` and `- Date: ...`. A test
compares the indexes with the pages.
"""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
HEADS = {
    "decisions": """# Decisions

What was decided, why, and the measurement behind it: one page each, never rewritten. A decision that no longer holds
gets a new page, and its status names that page. Trials that were not kept are in
[experiments](../experiments/index.md).

A new page takes the next number and the same sections: context, options, measurement (with command, data, seed,
hardware and date), decision, consequences. Then run `python tools/make_decisions_index.py`.
""",
    "experiments": """# Experiments

What was tried and not kept, by subject, so that nobody has to try it again unaware. What was kept is in
[decisions](../decisions/index.md).
""",
}


def index(folder: str) -> str:
    """Return the index page of a folder: a table of its pages, sorted by file name, and a hidden table of contents.

    Args:
        folder: `decisions` or `experiments`.

    Raises:
        ValueError: if a page has no title, status or date.
    """
    paths = sorted(path for path in (DOCS / folder).glob("*.md") if path.name != "index.md")
    rows = ["| page | status | date |", "|---|---|---|", *(_row(path) for path in paths)]
    contents = ["```{toctree}", ":hidden:", ":maxdepth: 1", "", *(path.stem for path in paths), "```"]
    made = "<!-- Made by tools/make_decisions_index.py: do not edit. -->"
    return "\n".join([HEADS[folder], made, "", *rows, "", *contents, ""])


def _row(path: Path) -> str:
    """Return the table row of a page."""
    text = path.read_text(encoding="utf-8")
    patterns = (r"# (.+)", r"- Status: (.+)", r"- Date: (\d{4}-\d\d-\d\d)")
    result = [re.search(f"^{pattern}", text, re.MULTILINE) for pattern in patterns]
    if not all(result):
        raise ValueError(f"{path.name} must have a title, `- Status: ...` and `- Date: YYYY-MM-DD`.")
    title, status, date = (match.group(1) for match in result if match)
    return f"| [{title}]({path.name}) | {status} | {date} |"


if __name__ == "__main__":
    for folder in HEADS:
        (DOCS / folder / "index.md").write_text(index(folder), encoding="utf-8")
