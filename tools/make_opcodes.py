"""Write the table of opcodes for C, for JavaScript and for the page on the format: `python tools/make_opcodes.py`.

The table is in `pointillist.engine.opcodes`: inputs, widths, and type, shape and range of each constant. A test
compares what it gives with the files.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from pathlib import Path

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.engine.opcodes import CODES, OPCODES, Opcode
from pointillist.engine.opcodes.base import ConstantType

ROOT = Path(__file__).parents[1]
HEADER, SCRIPT = ROOT / "runtime" / "core" / "opcodes.h", ROOT / "runtime" / "opcodes.js"
PAGE = ROOT / "docs" / "reference" / "program_format.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \|.*$", re.MULTILINE)
"""A row of the page about an opcode; the page has a table for each version."""
WIDTHS = {None: "ANY", "wide": "WORDS", "narrow": "BYTES"}
COUNTS = {
    ("odd",): "A_TABLE",
    ("1",): "ONE",
    ("m",): "OF_Y",
    ("n", "m"): "OF_X_AND_Y",
    ("height", "width", "m"): "OF_SITES",
}
"""How C names the numbers of a constant, by its shape."""


def header() -> str:
    """Return the table in C."""
    rows = [f"  [{name}] = {_row_in_c(OPCODES[name])}," for name in CODES]
    names = [", ".join(list(CODES)[at : at + 9]) for at in range(0, len(CODES), 9)]
    return "\n".join(
        [
            "/* Likelihoods and opcodes, by tools/make_opcodes.py from the package: do not edit. */",
            f"enum {{ {', '.join(kind.upper() for kind in LIKELIHOODS)} }};",
            "enum {\n  " + ",\n  ".join(names) + ", CODES\n};",
            "static const opcode_rule RULES[CODES] = {",
            *rows,
            "};",
            "",
        ]
    )


def _row_in_c(opcode: Opcode) -> str:
    least, most = opcode.inputs
    constants = [] if opcode.is_packed else [_constant_in_c(kind) for kind in opcode.constants.values()]
    head = f"{least}, {most}, {WIDTHS[opcode.takes]}, {WIDTHS[opcode.makes]}, {int(opcode.each_channel)}"
    return f"{{{head}, {len(constants)}, {{{', '.join(constants) or '{0}'}}}}}"


def _constant_in_c(kind: ConstantType) -> str:
    high = 31 if kind.bits == 32 else kind.high
    limits = (0, 0) if high == 2**63 - 1 else (kind.low, high)
    return f"{{{kind.dtype.upper()}, {COUNTS[kind.shape]}, {limits[0]}, {limits[1]}}}"


def script() -> str:
    """Return the table in JavaScript."""
    rows = [f"  {name}: {_row_in_javascript(each)}," for name, each in sorted(OPCODES.items()) if each.has_integers]
    return "\n".join(
        [
            "// Opcodes, by tools/make_opcodes.py from src/pointillist/engine/opcodes: do not edit.",
            "",
            "/** Type, axes and range, null for all of the type.",
            " *  @typedef {[string, string[], number[] | null]} ConstantType */",
            "/** Least and largest number of inputs, and the constants.",
            " *  @type {Record<string, {inputs: number[], constants: Record<string, ConstantType>}>} */",
            "export const OPCODES = {",
            *rows,
            "};",
            "",
        ]
    )


def _row_in_javascript(opcode: Opcode) -> str:
    constants = ", ".join(f"{name}: {_constant_in_javascript(kind)}" for name, kind in opcode.constants.items())
    return f"{{ inputs: {list(opcode.inputs)}, constants: {{ {constants} }} }}".replace("{  }", "{}")


def _constant_in_javascript(kind: ConstantType) -> str:
    limits = "null" if kind.high == 2**63 - 1 else f"[{kind.low}, {kind.high}]"
    return f'["{_letters(kind)}", {json.dumps(kind.shape)}, {limits}]'


def _row_of_page(name: str) -> str:
    constants = ", ".join(f"`{key}`{_words(kind)}" for key, kind in OPCODES[name].constants.items())
    return f"| `{name}` | {constants} | {_meaning(OPCODES[name])} |".replace("|  |", "| |")


def _meaning(opcode: Opcode) -> str:
    """Return the output of an opcode, channel k, from its docstring; `see below` if a section describes it."""
    words = (inspect.getdoc(opcode) or "").partition("In the format: ")[2]
    return " ".join(words.split()) or "see below"


def _words(kind: ConstantType) -> str:
    if kind.bits:
        return ""
    shape = "" if kind.shape == ("m",) else f" `[{', '.join(kind.shape)}]`"
    return f" {_letters(kind)}{shape}"


def _letters(kind: ConstantType) -> str:
    return kind.dtype.upper().replace("INT", "I")


def page() -> str:
    """Return the page with the rows of all opcodes in its tables, in the order in which they stand there."""
    return ROW.sub(lambda row: _row_of_page(row[1]), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for file, text in ((HEADER, header()), (SCRIPT, script()), (PAGE, page())):
        file.write_text(text, encoding="utf-8")
        print(f"Wrote {file.relative_to(ROOT)}")
