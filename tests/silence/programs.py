"""Programs beside Python: an exported page and an exported module in Node, which answer line by line."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pointillist.studio.export.page import pack_model, script_text

NODE = shutil.which("node")
LINES = """
const { createInterface } = await import("node:readline");
for await (const line of createInterface({ input: process.stdin }))
  try { process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\\n`); }
  catch (error) { process.stdout.write(`${JSON.stringify({ error: error.message })}\\n`); }
"""
PAGE = """
const { readFileSync } = await import("node:fs");
const { Responder } = modules["offline/responder.js"];
const waiting = new Map();
const responder = new Responder(readFileSync(process.argv[2], "utf8"), (message, bytes) => {
  const one = waiting.get(message.id);
  if (message.type === "head") one.status = message.status;
  if (message.type === "chunk") one.text += new TextDecoder().decode(bytes);
  if (message.type === "end") one.done({ status: one.status, text: one.text });
});
let number = 0;
const answer = ({ address, body }) => new Promise((done) => {
  const id = String(number++);
  waiting.set(id, { done, text: "" });
  const bytes = body ? [new TextEncoder().encode(JSON.stringify(body)).buffer] : [];
  responder.receive({ type: "request", id, address }, bytes);
});
"""
MODULE = """
import { open } from "./NAME.js";
const model = await open();
const answer = ({ request, world, tiles }) => {
  const { seed, ...settings } = world ?? {};
  if (world) return { levels: [...model.world(seed, settings).tiles(...tiles)] };
  const { levels, notes } = model.paint(request);
  return { levels: [...levels], notes };
};
"""


class Node:
    """A script in Node that answers a line of JSON with a line of JSON."""

    def __init__(self, script: Path, *arguments: str) -> None:
        command = [str(NODE), str(script), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @classmethod
    def of_module(cls, folder: Path, name: str) -> Node:
        """Open the module that `pt.export(js=folder)` wrote."""
        script = folder / "answer.mjs"
        script.write_text(MODULE.replace("NAME", name) + LINES, encoding="utf-8")
        return cls(script)

    def ask(self, **message: Any) -> Any:
        """Send a message, and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the program."""
        with self.process:  # closes its input and output, and waits for its end
            pass


def page_of(name: str, source: str) -> Node:
    """Run the scripts of an exported page in Node, with what answers its requests."""
    folder = Path(tempfile.mkdtemp())
    packed, script = folder / "packed.txt", folder / "page.mjs"
    packed.write_text(pack_model(name, folder_of(source))[0], encoding="utf-8")
    script.write_text(script_text("offline/responder.js") + PAGE + LINES, encoding="utf-8")
    return Node(script, str(packed))


def folder_of(source: str) -> Path:
    """Return the folder of a model, of a bundled one too."""
    from pointillist.zoo import list_pretrained

    return next((each.folder for each in list_pretrained() if each.name == source), Path(source))
