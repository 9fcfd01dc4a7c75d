"""Data about an archive: JSON values, such as the names of the files that its pictures come from."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from pointillist.compression.container import METADATA, Record
from pointillist.errors import ArchiveError, DataError
from pointillist.files.reading import parse_json

JSON = 1
"""Kind of metadata."""
MAX_BYTES = 64 << 20
"""Largest size of the JSON."""


def encode_metadata(values: Mapping[str, Any]) -> Record:
    """Return the record of JSON values.

    Raises:
        DataError: if they are too many.
    """
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > MAX_BYTES:
        raise DataError(
            f"The names of the files have {len(text):,} bytes, over the limit of {MAX_BYTES:,}: split them."
        )
    return Record(METADATA, JSON, zlib.compress(text, 9))


def decode_metadata(record: Record, name: str) -> dict[str, Any]:
    """Return JSON values; none for a kind of metadata that this release does not know.

    Raises:
        ArchiveError: if they are damaged or too large.
    """
    if record.count != JSON:
        return {}
    decoder = zlib.decompressobj()
    try:
        text = decoder.decompress(record.content, MAX_BYTES)
        if decoder.unconsumed_tail or not decoder.eof:
            raise ArchiveError(f"The names in {name} are larger than {MAX_BYTES:,} bytes, or cut off: copy it again.")
        result = parse_json(text.decode(), f"The data about {name}", "copy it again", ArchiveError)
    except (zlib.error, UnicodeDecodeError, DataError) as error:
        raise ArchiveError(f"The names in {name} cannot be read ({error}): copy it again.") from error
    return result if isinstance(result, dict) else {}
