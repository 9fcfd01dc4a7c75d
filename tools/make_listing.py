"""Measure the networks of the package for `pointillist models`: `python tools/make_listing.py`.

Writes `src/pointillist/model/folder/listing.json`; a test compares it with this script.
"""

from __future__ import annotations

import json

from pointillist.model.folder.building import measure_network
from pointillist.model.folder.opening import LISTING
from pointillist.networks import names


def listing() -> str:
    """Return the text of the file."""
    return json.dumps([measure_network(name) for name in names()], indent=1) + "\n"


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8")
