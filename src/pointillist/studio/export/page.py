"""A page in one file that paints with a model: it opens from disk, and asks no server."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from pointillist.analysis.condition_gain import prompt_words
from pointillist.conditioning.known import OBSERVED
from pointillist.conditioning.portable import to_fixed
from pointillist.conditioning.prompts import SentenceFeatures
from pointillist.engine.c.blob import TYPES, constants_of, pack
from pointillist.engine.c.lower import gathers_of_products, lower, rows_together
from pointillist.engine.library import WEBASSEMBLY, runtime_text
from pointillist.engine.program import Program
from pointillist.files.arrays import CARD
from pointillist.images.visualization.html import bundle, data_uri, tokens_style
from pointillist.model.folder.opening import open_folder
from pointillist.model.portable import ProgramModel
from pointillist.model.portable.files import program_files
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import caption_words, learned_words
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import model_details
from pointillist.studio.schemas import LIMITS
from pointillist.system import __version__

_NAMES = {number: f"{'U' if dtype.kind == 'u' else 'I'}{8 * dtype.itemsize}" for dtype, number in TYPES.items()}
_LEAST = 64
"""Bytes of an array below which it stays where it is."""


@dataclass(frozen=True)
class PackedProgram:
    """The bytes of a program without its large arrays, and where each of them belongs.

    Attributes:
        data: the bytes, with zeros in place of these arrays.
        arrays: offset, name, type and rank of each, and `rows`: the inputs of a packed matrix that are read
            together; none for an array that is stored as it is.
    """

    data: bytes
    arrays: list[dict[str, Any]]

    @classmethod
    def of(cls, program: Program, document: Any) -> PackedProgram:
        """Lower a program; `document` is its entry of `program.json`, which names the arrays.

        Raises:
            EngineError: if the library in C cannot run it.
        """
        data, arrays = bytearray(lower(program).tobytes()), []
        offsets = constants_of(bytes(data))
        written, gathers = [i for part in document["code"] for i in part], gathers_of_products(program)
        for i, stored in zip((i for _, part in program.parts() for i in part), written, strict=True):
            for name, array in i.constants.items():
                packed = name == "matrix" and i.opcode in ("LINEAR", "SCAN")
                rows = rows_together(i, gathers) if packed else []
                content = (pack(array, rows) if packed else array).tobytes()
                offset = offsets.pop(content, None) if len(content) >= _LEAST else None
                if offset is not None:
                    data[offset : offset + len(content)] = bytes(len(content))
                    kind = {"dtype": _NAMES[TYPES[array.dtype]], "rank": array.ndim}
                    arrays.append({"offset": offset, "tensor": stored["constants"][name], **kind, "rows": rows})
        return cls(bytes(data), arrays)


WORDS = 300
"""Most frequent words of the captions that the table has. A prompt takes about 300 bytes of a page."""


def caption_table(model: ProgramModel) -> dict[str, Any]:
    """Return names that samples seldom showed, and the words of captions, where prompts are read by them.

    `learned` has what they are read by if the model has learned its words; None where a sentence encoder reads prompts.
    """
    measured, learned = model.measured_prompts, learned_words(model)
    words = caption_words(model) if measured.recognised or learned is not None else ()
    return {"missed": list(measured.missed), "words": " ".join(words), "learned": learned and learned.exported()}


def held_prompts(model: LikelihoodModel) -> list[str]:
    """Return the prompts whose features a page holds if a frozen encoder reads them; it reads others by their letters.

    They are the examples of a model, the names that its samples were recognised by, these without each of their words,
    for the bits of a word, and the most frequent words of its captions.
    """
    vocabulary = model.training_record.captions
    words = vocabulary.words[:WORDS] if vocabulary is not None else ()
    names = [*model.generation_config.prompts, *model.measured_prompts.recognised]
    shorter = [word.left_out_of(name) for name in names for word in prompt_words(name)]
    return [prompt for prompt in dict.fromkeys([*names, *words, *shorter]) if prompt]


def prompt_table(model: ProgramModel) -> dict[str, dict[str, list[int]]]:
    """Return features of `held_prompts` in steps of 2^-18, by the part of the condition that reads them, and by prompt.

    `pt.sample` computes the same integers from the vectors of the encoder.
    """
    prompts = held_prompts(model)
    table: dict[str, dict[str, list[int]]] = {}
    for part in model.parts[0]:
        if isinstance(part.encoder, SentenceFeatures) and prompts:
            read = part.encoder.reader.read(prompts, len(prompts), (1, 1))
            features = to_fixed(part.encoder.features(read.values, read.known))
            table[part.name] = dict(zip(prompts, features.tolist(), strict=True))
    return table


_LICENSE = re.compile(r"^license:\s*(.+)$", re.MULTILINE)


def export_page(name: str, folder: Path) -> str:
    """Return a page, HTML, that paints with the integer program of a model folder.

    Raises:
        CheckpointError: if the folder holds no program.
        EngineError: if the library in C cannot run it.
    """
    packed, fingerprint = pack_model(name, folder)
    about = f"{name}, licence {license_of(folder)}, program {fingerprint[:16]}, pointillist {__version__}"
    about += missing_conditions(name, folder)
    return Template(template("page.html")).substitute(
        name=escape(name),
        icon=data_uri(page_text("icon.svg").encode(), "svg+xml"),
        style=style_text("offline/offline.css"),
        about=about.replace("<", ""),
        model=packed,
        length=len(packed),
        worker=_script("offline/workers/worker.js"),
        script=_script("offline/main.js"),
    )


def export_module(name: str, folder: Path) -> dict[str, str]:
    """Return the files of a module for JavaScript, by name: the model, its types, an example; see `export_page`."""
    script, (packed, fingerprint) = script_text("offline/module.js"), pack_model(name, folder)
    return {
        f"{name}.js": f'{script}\nconst packed = "{packed}";\n'
        'export const open = () => modules["offline/module.js"].Model.open(packed);\n'
        f'export default {{ name: {json.dumps(name)}, fingerprint: "{fingerprint}", data: packed }};\n',
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
    opened = open_folder(folder)
    document = json.loads(written)
    grids = [part.program for parts in opened.parts for part in parts if part.program is not None]
    stored = [part["program"] for parts in document["parts"] for part in parts if part.get("program")]
    pairs = zip([*opened.programs, *grids], [*document["programs"], *stored], strict=True)
    packed = [PackedProgram.of(*pair) for pair in pairs]
    shown = schemas.ModelInfo(
        id=name, name=name, state="ready", step=None, error=None, details=_details(model_details(opened), opened)
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
        "pairs": opened.training_record.adjacency,
        "lengths": [len(section) for section in sections],
    }
    return _packed(contents, sections), opened.fingerprint


def license_of(folder: Path) -> str:
    """Return the licence that the card of a model names."""
    card = folder / CARD
    match = _LICENSE.search(card.read_text(encoding="utf-8")) if card.exists() else None
    return "not stated" if match is None else match[1].strip()


def _details(details: schemas.ModelDetails, program: ProgramModel) -> schemas.ModelDetails:
    """Leave out what a page cannot do: encode some conditions, and draw again by particles."""
    keywords = {part.keyword for part in program.parts[0]}
    held = details.conditions
    conditions = held.model_copy(
        update={
            "attributes": held.attributes if "attributes" in keywords else {},
            "others": {name: form for name, form in held.others.items() if name in keywords & {"vector"}},
            "text": held.text if "text" in keywords else None,
            "labels": held.labels if "label" in keywords else [],
            "hint": held.hint if _is_drawn(held.hint) and "hint" in keywords else None,
        }
    )
    able = {"conditions": conditions, "orders": list(program.orders), "redraws": OBSERVED in keywords}
    return details.model_copy(update={**able, "engine": "integer"})


def missing_conditions(name: str, folder: Path) -> str:
    """Return a sentence on the conditions of a model that its page cannot encode; empty if there are none."""
    model = open_folder(folder)
    held = model_details(model)
    missing = _condition_names(held.conditions) - _condition_names(_details(held, model).conditions)
    if not missing:
        return ""
    names = " and ".join(sorted(missing))
    return f". It has no field for {names}, which it cannot encode: pointillist studio {name} has one"


def _condition_names(held: schemas.SupportedConditions) -> set[str]:
    kinds = {"label": held.labels, "text": held.text, "hint": held.hint}
    return {*held.attributes, *held.others, *(kind for kind, value in kinds.items() if value)}


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


PAGE = files("pointillist.studio").joinpath("page")
_STYLES = ("tools.css", "studio.css", "layouts.css")  # later ones override earlier ones


def page_text(path: str) -> str:
    """Return the text of a file of the page; files of `runtime/` are the decoder in JavaScript."""
    folder, _, name = path.rpartition("/")
    return runtime_text(name) if folder == "runtime" else PAGE.joinpath(path).read_text(encoding="utf-8")


def script_text(entry: str) -> str:
    """Join a module of the page and all that it imports; see `bundle`."""
    return bundle(entry, page_text)


def style_text(*more: str) -> str:
    """Join the style sheets of the page, and further ones, without comments and indentation."""
    sheets = tokens_style(".studio") + "".join(page_text(name) for name in (*_STYLES, *more))
    return re.sub(r"^[ \t]+|[ \t]*/\*.*?\*/\n?", "", sheets, flags=re.DOTALL | re.MULTILINE)
