"""Check that a tag may be published: `python tools/check_tag.py v0.1.0`, or `make release-version TAG=v0.1.0`.

The tag is the version of the package, the changelog has a dated section of it, `CITATION.cff` names it, and the
addresses in `pyproject.toml` lie in the repository that publishes (`GITHUB_REPOSITORY`, where it is set).
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def mistakes(tag: str, root: Path = ROOT, repository: str | None = None) -> list[str]:
    """List what is wrong, each in a sentence."""
    system = (root / "src" / "pointillist" / "system.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', system, re.MULTILINE)
    number = "" if version is None else version[1]
    lines = [] if tag == f"v{number}" else [f"The tag {tag} is not v{number}, the version in system.py."]
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(number)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.MULTILINE):
        lines.append(f"CHANGELOG.md has no line `## {number} (YYYY-MM-DD)`.")
    if f"\nversion: {number}\n" not in (root / "CITATION.cff").read_text(encoding="utf-8"):
        lines.append(f"CITATION.cff does not name version {number}.")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"]["Repository"]
    lines += [
        f"`urls.{name}` in pyproject.toml is {project['urls'][name]}, and the repository is {address}."
        for name in ("Changelog", "Issues")
        if not project["urls"][name].startswith(f"{address}/")
    ]
    if repository is not None and not address.endswith(f"/{repository}"):
        lines.append(f"`urls.Repository` in pyproject.toml is {address}, and {repository} publishes.")
    return lines


def main(arguments: list[str]) -> int:
    """Print what is wrong; exit code 1 if anything is."""
    if len(arguments) != 1:
        print("Give one tag, such as v0.1.0.")
        return 2
    lines = mistakes(arguments[0], repository=os.environ.get("GITHUB_REPOSITORY"))
    print("\n".join(lines) or f"{arguments[0]} may be published.")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
