"""Count the files that five data flows enter: `python tools/trace_flows.py [--source PATH/src] [--json] [--list]`.

    python tools/trace_flows.py                          # this checkout
    python tools/trace_flows.py --list explain           # the files of one flow, and the functions called in each
    python tools/trace_flows.py --source /tmp/old/src    # another one, such as a `git worktree` of an old commit

The flows are whole commands, driven through the command line, and one request to the studio: `evaluate digits` on two
PNGs, `sample emoji --text "red heart"`, `train uci-digits --steps 1`, `explain digits a.png`, and a sampling request
with its streamed answer. Each runs twice in a process; the second run is traced by `sys.setprofile` in all threads, so
imports, compilation and caches are not counted. Only calls of functions that are defined in `pointillist` count; a call
that goes through torch or another library is a call from the nearest function of `pointillist` up the stack.

    files       files of which a function was called
    functions   distinct functions, methods, lambdas and generators called
    edges       distinct pairs (file of the caller, file of the callee), of two different files
    mutual      pairs of files that call each other
    hops        changes of file along the sequence of cross-file calls, each pair of functions the first time only;
                calls inside `engine` and the set-up of modules on the meta device are left out
    returns     hops into a file that was entered before

`files`, `functions`, `edges` and `mutual` are given with and without `pointillist/engine`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

# names that differ between commits: the first that exists is taken
SERVICES = (("pointillist.studio.service", "StudioService"), ("pointillist.studio.room", "Room"))
BODIES: tuple[dict[str, Any], ...] = (
    {"canvases": [{"seed": 0}]},
    {"images": [{"seed": 0}]},
    {"samples": [{"seed": 0}]},
)
META_INIT = ("meta_init", "skeleton", "_Unfilled.__torch_function__")
COLUMNS = (
    "files", "files_without_engine", "functions", "functions_without_engine",
    "edges", "edges_without_engine", "mutual", "mutual_without_engine", "hops", "returns",
)  # fmt: skip


class Tracer:
    """Record calls between functions of one package, in all threads that start after it was made.

    Args:
        root: folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve()) + os.sep
        self.active = False
        self.functions: dict[CodeType, str] = {}
        self.calls: dict[tuple[CodeType, CodeType], tuple[str, str]] = {}
        self._files: dict[str, str | None] = {}
        threading.setprofile(self._on_event)

    def trace(self, run: Callable[[], None]) -> dict[str, int]:
        """Run twice, record the second time, and return the figures."""
        run()
        self.functions, self.calls = {}, {}
        self.active = True
        sys.setprofile(self._on_event)
        try:
            run()
        finally:
            sys.setprofile(None)
            self.active = False
        return figures(self.functions, self.calls)

    def _file(self, code: CodeType) -> str | None:
        """Path inside the package, or None for other code."""
        name = code.co_filename
        if name not in self._files:
            inside = name.startswith(self.root)
            self._files[name] = name[len(self.root) :].replace(os.sep, "/") if inside else None
        return self._files[name]

    def _on_event(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.active or event != "call" or frame.f_code.co_name == "<module>":
            return
        file = self._file(frame.f_code)
        if file is None:
            return
        self.functions.setdefault(frame.f_code, file)
        caller = frame.f_back
        while caller is not None and (out := self._file(caller.f_code)) is None:
            caller = caller.f_back
        if caller is not None and out is not None and out != file:
            self.calls.setdefault((caller.f_code, frame.f_code), (out, file))


def in_engine(file: str) -> bool:
    """Tell files of `pointillist/engine` from others."""
    return file.startswith("engine/")


def figures(functions: dict[CodeType, str], calls: dict[tuple[CodeType, CodeType], tuple[str, str]]) -> dict[str, int]:
    """The columns of the table, of what a tracer recorded (in order of time)."""
    out: dict[str, int] = {}
    for suffix, engine in (("", True), ("_without_engine", False)):
        kept = {file for file in functions.values() if engine or not in_engine(file)}
        edges = {(a, b) for a, b in calls.values() if engine or not (in_engine(a) or in_engine(b))}
        out["files" + suffix] = len(kept)
        out["functions" + suffix] = sum(file in kept for file in functions.values())
        out["edges" + suffix] = len(edges)
        out["mutual" + suffix] = sum((b, a) in edges for a, b in edges) // 2
    set_up = {pair for pair in calls if any(code.co_qualname in META_INIT for code in pair)}
    out["hops"], out["returns"] = hops([files for pair, files in calls.items() if pair not in set_up])
    return {name: out[name] for name in COLUMNS}


def listing(functions: dict[CodeType, str]) -> str:
    """One line for each file entered: its number of functions, its path and their names."""
    by_file: dict[str, list[str]] = {}
    for code, file in functions.items():
        by_file.setdefault(file, []).append(code.co_qualname)
    return "\n".join(f"{len(names):4}  {file:42} {', '.join(names)}" for file, names in sorted(by_file.items()))


def hops(calls: list[tuple[str, str]]) -> tuple[int, int]:
    """Changes of file along a sequence of calls, and how many of them enter a file again."""
    path: list[str] = []
    for pair in calls:
        if all(in_engine(file) for file in pair):
            continue
        for file in pair:
            if not path or path[-1] != file:
                path.append(file)
    changes = max(0, len(path) - 1)
    return changes, changes - max(0, len(set(path)) - 1)


def command(*arguments: str) -> Callable[[], None]:
    """A run of `pointillist ARGUMENTS` in this process."""
    from typer.testing import CliRunner

    app = import_module("pointillist.cli").app

    def run() -> None:
        result = CliRunner().invoke(app, list(arguments))
        if result.exit_code != 0:
            raise SystemExit(f"pointillist {' '.join(arguments)}: {result.output}{result.exception or ''}")

    return run


def studio_request() -> Callable[[], None]:
    """A sampling request to a studio with `digits`, whose stream is read to its end."""
    from fastapi.testclient import TestClient

    service = next(made for made in (_attribute(*names) for names in SERVICES) if made is not None)(["digits"])
    app = import_module("pointillist.studio.app").create_app(service)
    client = TestClient(app, base_url="http://127.0.0.1")
    client.__enter__()
    until = time.monotonic() + 300
    paths = client.get("/api/openapi.json").json()["paths"]
    info = next(name for name in ("/api/info", "/api/hello") if name in paths)
    while '"ready"' not in client.get(info).text:
        if time.monotonic() > until:
            raise SystemExit(f"The studio is not ready: {client.get(info).text}")
        time.sleep(0.5)
    (path,) = [name for name, methods in paths.items() if "x-ndjson" in json.dumps(methods.get("post", {}))]

    path = path.replace("{model}", "digits")
    refused = ""
    for body in BODIES:
        answer = client.post(path, json=body)
        if answer.status_code == 200 and "finished" in answer.text:
            return partial(_request, client, path, body)
        refused = answer.text
    raise SystemExit(f"The studio answers {path} with {refused[-500:]}")


def _request(client: Any, path: str, body: dict[str, Any]) -> None:
    """Send a request and read its answer to the end."""
    client.post(path, json=body).raise_for_status()


def _attribute(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ModuleNotFoundError:
        return None


def flows(folder: Path) -> dict[str, Callable[[], Callable[[], None]]]:
    """The five flows by name; each is prepared when it is called."""
    import numpy as np
    from PIL import Image

    (folder / "two").mkdir()
    for name in ("a", "b"):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (28, 28)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "two" / f"{name}.png")
    picture, runs = str(folder / "two" / "a.png"), count()

    def fresh(suffix: str, *arguments: str) -> Callable[[], None]:
        """A command that writes to another file or folder each time."""
        return lambda: command(*arguments, "--out", str(folder / f"{next(runs)}{suffix}"))()

    return {
        "evaluate": lambda: command("evaluate", "digits", str(folder / "two")),
        "sample": lambda: fresh(".png", "sample", "emoji", "--text", "red heart", "--seed", "0"),
        "train": lambda: fresh("", "train", "uci-digits", "--steps", "1"),
        "explain": lambda: fresh(".html", "explain", "digits", picture),
        "studio": studio_request,
    }


def main() -> None:
    """Print the table."""
    here = Path(__file__).parents[1] / "src"
    parser = argparse.ArgumentParser(description="Count the files that five data flows enter.")
    parser.add_argument("--source", type=Path, default=here, help="folder that holds the package `pointillist`")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", action="store_true", help="print the files that each flow enters and their functions")
    parser.add_argument("flows", nargs="*", help="evaluate, sample, train, explain, studio; all by default")
    options = parser.parse_args()
    source = options.source.resolve()
    sys.path.insert(0, str(source))
    tracer = Tracer(source / "pointillist")
    package = import_module("pointillist")
    if Path(str(package.__file__)).parents[1] != source:
        raise SystemExit(f"`pointillist` is imported from {package.__file__}, not from {source}.")
    with tempfile.TemporaryDirectory() as folder:
        prepared = flows(Path(folder))
        out = {}
        for name in options.flows or prepared:
            out[name] = tracer.trace(prepared[name]())
            if options.list:
                print(f"{name}\n{listing(tracer.functions)}\n")
    if options.json:
        print(json.dumps(out, indent=2))
    else:
        print(f"{'':10}" + "".join(f"{name.replace('_without_engine', ' -eng'):>15}" for name in COLUMNS))
        for name, row in out.items():
            print(f"{name:10}" + "".join(f"{row[column]:15,}" for column in COLUMNS))
    sys.stdout.flush()
    os._exit(0)  # the threads of the studio would wait for requests


if __name__ == "__main__":
    main()
