"""Settings of the documentation site, `make docs`: the pages of this folder."""

from __future__ import annotations

import pointillist

project, author, copyright = "Pointillist", "the Pointillist authors", "the Pointillist authors, Apache-2.0"
release = version = pointillist.__version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
html_theme = "furo"
html_title = f"Pointillist {release}"
smartquotes = False  # `--help` is two hyphens
