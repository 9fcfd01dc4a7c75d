"""Settings of the documentation site, `make docs`: the pages of this folder, and a reference made of the docstrings."""

from __future__ import annotations

import pointillist

project, author, copyright = "Pointillist", "the Pointillist authors", "the Pointillist authors, Apache-2.0"
release = version = pointillist.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
html_theme = "furo"
html_title = f"Pointillist {release}"
default_role = "code"  # for text between single backticks in a docstring
smartquotes = False  # `--help` is two hyphens
