"""Answers of an exported page, which runs in Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from pointillist.studio.export.page import pack_model, script_text


def answers(folder: Path, tmp_path: Path, what: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer a request as the page of a model folder does, in less than a gigabyte of memory."""
    script = tmp_path / "page.mjs"
    script.write_text(
        f"{script_text('offline/responder.js')}\n"
        'const { Responder } = modules["offline/responder.js"], chunks = [];\n'
        f'const responder = new Responder("{pack_model("model", folder)[0]}", (message, bytes) => {{\n'
        '  if (message.type === "chunk") chunks.push(new TextDecoder().decode(bytes));\n'
        '  if (message.type === "end") console.log(chunks.join(""));\n'
        "});\n"
        f"const body = new TextEncoder().encode({json.dumps(json.dumps(request))}).buffer;\n"
        f'responder.receive({{ type: "request", id: "0", address: "models/m/{what}" }}, [body]);\n'
        'import { existsSync, readFileSync } from "node:fs";\n'
        # the peak in kB; `resourceUsage` counts the program that started this one, too
        'const STATUS = "/proc/self/status", peak = () => existsSync(STATUS)\n'
        '  ? /VmHWM:\\s+(\\d+)/.exec(readFileSync(STATUS, "utf8"))[1] : process.resourceUsage().maxRSS;\n'
        'process.on("exit", () => console.error(peak()));\n'
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert int(done.stderr.splitlines()[-1]) < 2**20
    return [json.loads(line) for line in done.stdout.splitlines() if line]
