"""`info MODEL --program`: the recorded program of a model, and what it costs."""

from __future__ import annotations

from dataclasses import asdict
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
