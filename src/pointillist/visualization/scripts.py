"""Join ES modules to one script, so that a page in a single file has no module to fetch.

A module keeps its scope: it becomes a function that returns what it exports. Modules import each other by relative
paths, `import { a, b } from "../shared/dom.js";`, one import a line; modules of `shared` belong to every page.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from importlib.resources import files

SHARED = files("pointillist.visualization") / "page" / "shared"
_IMPORT = re.compile(r'^import (\{[^}]*\}|\w+) from "(\.{1,2}/[\w./-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function\*?|class|const) (\w+))", re.MULTILINE)
# a comment after code has no quotes, so that `//` within a string is none
_COMMENTS = re.compile(r"[ \t]*/\*\*.*?\*/\n?|^[ \t]*//[^\n]*\n|[ \t]+// [^\n\"'`]*$|^\n", re.DOTALL | re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """Join a module and all that it imports.

    Args:
        entry: path of the module from the folder of the page.
        read: returns the text of a module by its path; modules of `shared/` are read here.

    Returns:
        Statements that define `modules`: the exports of each module by its path.

    Example:
        script = bundle("main.js", lambda path: (folder / path).read_text())
    """
    texts: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    unread = [entry]
    while unread:
        path = unread.pop()
        if path not in texts:
            folder, name = posixpath.split(path)
            texts[path] = (SHARED / name).read_text(encoding="utf-8") if folder == "shared" else read(path)
            imports[path] = [_resolve(path, target) for _, target in _IMPORT.findall(texts[path])]
            unread += imports[path]
    order = TopologicalSorter(imports).static_order()
    return "\n".join(["const modules = {};", *(_function(path, texts[path]) for path in order)])


def _resolve(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _function(path: str, text: str) -> str:
    """Return the statement that runs a module and keeps its exports, without types and comments."""

    def constant(match: re.Match[str]) -> str:
        names, source = match[1].replace(" as ", ": "), f'modules["{_resolve(path, match[2])}"]'
        return f"const {names} = {source};" if names.startswith("{") else f"const {names} = {source}.default;"

    exports = _EXPORT.findall(text)
    text = _EXPORT.sub("", _IMPORT.sub(constant, _COMMENTS.sub("", text)))
    if _DEFAULT.search(text):
        text, exports = _DEFAULT.sub("const $default = ", text), [*exports, "default: $default"]
    return f'modules["{path}"] = (() => {{\n{text}\nreturn {{ {", ".join(exports)} }};\n}})();'
