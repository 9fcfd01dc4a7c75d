"""Run the notebooks of `docs/tutorial` and store their outputs: `python tools/make_notebooks.py [NAME ...]`.

The cells of a notebook run in order in an empty folder. Of a value that shows itself as a picture, the picture and the
name of its class are stored.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from IPython.core.formatters import DisplayFormatter

FOLDER = Path(__file__).parents[1] / "docs" / "tutorial"


def run(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the notebook with the outputs of its cells, which run in a folder and share their names."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    cells, number = [], 0
    with contextlib.chdir(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                outputs = outputs_of("".join(cell["source"]), scope, number)
                cell = {**cell, "execution_count": number, "outputs": outputs}
            cells.append(cell)
    return {**notebook, "cells": cells}


def outputs_of(source: str, scope: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run a cell: what it prints, and the value of its last line."""
    tree, value, printed = ast.parse(source), None, io.StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), scope)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), scope)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(True)})
    if value is not None:
        shown, _ = DisplayFormatter().format(value)
        data = {"text/plain": shown["text/plain"].splitlines(True)}
        if "image/png" in shown:
            png = shown["image/png"]
            png = png if isinstance(png, str) else base64.b64encode(png).decode("ascii")
            data = {"image/png": png, "text/plain": [type(value).__name__]}
        outputs.append({"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"})
    return outputs


def texts(notebook: dict[str, Any]) -> list[str]:
    """Return the text of each output."""
    return [
        "".join(output["text"] if "text" in output else output["data"]["text/plain"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
    ]


def main() -> None:
    """Write the notebooks."""
    parser = argparse.ArgumentParser(description="Run the notebooks of docs/tutorial and store their outputs.")
    parser.add_argument("names", nargs="*", default=[path.stem for path in sorted(FOLDER.glob("*.ipynb"))])
    for name in parser.parse_args().names:
        path = FOLDER / f"{name}.ipynb"
        with tempfile.TemporaryDirectory() as folder:
            notebook = run(json.loads(path.read_text(encoding="utf-8")), Path(folder))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
