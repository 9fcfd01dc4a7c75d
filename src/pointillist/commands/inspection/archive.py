"""Describe an archive that `compress` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def archive_facts(name: str) -> dict[str, Any]:
    """Describe an archive by its header, index, names and checksums; nothing is decoded.

    Raises:
        ArchiveError: if it is none.
    """
    from pointillist.compression import Archive
    from pointillist.compression.files import names_of
    from pointillist.errors import PointillistError

    archive = Archive(name)
    files = names_of(archive.metadata)
    facts: dict[str, Any] = {
        "archive": name,
        "images": len(archive),
        "records": len(archive.records),
        "file_size": Path(name).stat().st_size,
        "fingerprint": archive.header.fingerprint.hex(),
        "model": archive.metadata.get("model") or None,
        "labels": archive.header.labels,
        "files": None if files is None else [file.name for file in files],
        "damage": [str(error) for error in archive.check_bytes()],
    }
    try:
        pixels = archive.sub_pixels
    except PointillistError as error:
        return {**facts, "bits_per_dim": None, "notes": [str(error)]}
    return {
        **facts,
        "order": archive.codec.order.name,
        "bits_per_dim": 8 * facts["file_size"] / pixels if pixels else None,
    }
