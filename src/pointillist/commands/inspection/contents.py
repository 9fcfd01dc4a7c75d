"""Facts for `info`: the recorded program of a model with its cost, and the contents of an archive."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.inspection.receptive_field import named_model

if TYPE_CHECKING:
    from pointillist.engine import Program


def recorded(name: str, size: str | None, order: str | None) -> list[Program]:
    """The program of every stage of a model, which may be an untrained `NAME:PRESET`."""
    from pointillist.data import parse_size
    from pointillist.model.recorded import record_model

    wanted = None if size is None else parse_size(size)
    model, _, _ = named_model(name, wanted, order)
    return record_model(model, wanted or (model.image.height, model.image.width), order)


def program_text(programs: list[Program]) -> str:
    """Every instruction, part by part."""
    from pointillist.engine.disassembly import describe

    return "\n\n".join(describe(program) for program in programs)


def program_facts(programs: list[Program]) -> dict[str, Any]:
    """Cost of every part of each stage, and of the image."""
    from pointillist.engine.disassembly import costs, image_operations

    return {
        "stages": [
            {
                "height": program.height,
                "width": program.width,
                "weight_bytes": program.weight_bytes,
                "parts": [asdict(part) for part in costs(program)],
                "operations": image_operations(program),
            }
            for program in programs
        ]
    }


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
