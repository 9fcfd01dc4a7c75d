"""A page in one file that paints with a model: it opens from disk, and asks no server."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from pointillist.engine.library import WEBASSEMBLY
from pointillist.files.checkpoint.header import CARD
from pointillist.model.folder.portable import PortableModel, program_files
from pointillist.rules.adjacency import RECORD
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import model_details
from pointillist.studio.export.lowered import PackedProgram
from pointillist.studio.export.prompts import caption_table, prompt_table
from pointillist.studio.page_text import page_text, script_text, style_text
from pointillist.studio.schemas import LIMITS
from pointillist.system import __version__

_LICENSE = re.compile(r"^license:\s*(.+)$", re.MULTILINE)


def export_page(name: str, folder: Path) -> str:
    """Return a page, HTML, that paints with the integer program of a model folder.

    Raises:
        CheckpointError: if the folder holds no program.
        EngineError: if the library in C cannot run it.
    """
    packed, fingerprint = pack_model(name, folder)
    about = f"{name}, licence {license_of(folder)}, program {fingerprint[:16]}, pointillist {__version__}"
    icon = base64.b64encode(page_text("icon.svg").encode()).decode()
    return Template(template("page.html")).substitute(
        title=escape(f"{name} \u2013 pointillist"),
        icon=f"data:image/svg+xml;base64,{icon}",
        style=style_text("offline/offline.css"),
        about=about.replace("<", ""),
        model=packed,
        worker=_script("offline/worker.js"),
        script=_script("offline/main.js"),
    )


def export_module(name: str, folder: Path) -> dict[str, str]:
    """Return the files of a module for JavaScript, by name: the model, its types, an example; see `export_page`."""
    script, (packed, _) = script_text("offline/module.js"), pack_model(name, folder)
    return {
        f"{name}.js": f'{script}\nconst packed = "{packed}";\n'
        'export const open = () => modules["offline/module.js"].Model.open(packed);\n',
        f"{name}.d.ts": template("model.d.ts"),
        "example.mjs": Template(template("example.mjs")).substitute(name=name),
        "package.json": json.dumps({"name": name, "private": True, "type": "module", "main": f"{name}.js"}) + "\n",
    }


def template(name: str) -> str:
    """Return the text of a file of this package."""
    return files("pointillist.studio.export").joinpath(name).read_text(encoding="utf-8")


def pack_model(name: str, folder: Path) -> tuple[str, str]:
    """Return all that a page needs of a model folder, compressed, as base64; and the fingerprint of its program."""
    written, arrays = program_files(folder)
    opened = PortableModel.open(folder)
    source = opened.integer_model
    pairs = zip(source.programs, json.loads(written)["programs"], strict=True)
    packed = [PackedProgram.of(*pair) for pair in pairs]
    shown = schemas.ModelInfo(
        id=name, name=name, state="ready", step=None, error=None, details=_details(model_details(opened), source)
    )
    sections = [written, arrays, WEBASSEMBLY.read_bytes(), *(program.data for program in packed)]
    contents = {
        "version": __version__,
        "license": license_of(folder),
        "model": shown.model_dump(mode="json"),
        "limits": LIMITS.model_dump(mode="json"),
        "programs": [{"places": program.arrays} for program in packed],
        "prompts": prompt_table(opened),
        "captions": caption_table(opened),
        "pairs": opened.training_record.get(RECORD),
        "lengths": [len(section) for section in sections],
    }
    return _packed(contents, sections), source.fingerprint


def license_of(folder: Path) -> str:
    """Return the licence that the card of a model names."""
    card = folder / CARD
    match = _LICENSE.search(card.read_text(encoding="utf-8")) if card.exists() else None
    return "not stated" if match is None else match[1].strip()


def _details(details: schemas.ModelDetails, program: Any) -> schemas.ModelDetails:
    """Leave out conditions that a page cannot encode."""
    keywords = {part.keyword for part in program.parts[0]}
    held = details.conditions
    conditions = held.model_copy(
        update={
            "attributes": {},
            "others": {},
            "text": held.text if "text" in keywords else None,
            "labels": held.labels if "label" in keywords else [],
            "hint": held.hint if _is_drawn(held.hint) and "hint" in keywords else None,
        }
    )
    others = {"orders": list(program.orders), "engine": "integer"}
    return details.model_copy(update={"conditions": conditions, **others})


def _is_drawn(hint: schemas.HintKind | None) -> bool:
    """Return True for a hint of integers of which every pixel is known, on the grid of the image."""
    return hint is not None and hint.image is not None and hint.derive in (None, "outline", "grey")


def _packed(contents: dict[str, Any], sections: list[bytes]) -> str:
    """Compress what the page reads: the length of the JSON text, the text, the sections."""
    head = json.dumps(contents).encode()
    whole = b"".join([struct.pack("<I", len(head)), head, *sections])
    return base64.b64encode(zlib.compress(whole, 9)).decode("ascii")


def _script(entry: str) -> str:
    """Return a script as it may stand in a page."""
    return script_text(entry).replace("</script", "<\\/script")
