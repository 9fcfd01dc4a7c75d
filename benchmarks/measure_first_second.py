"""Time from a command to its answer, in fresh processes: `python benchmarks/measure_first_second.py [REPEATS] [JSON]`.

Each command is run once unmeasured, as byte code (also where the environment asks for none), compiled code, vectors of
prompts and files of the system are then cached, and then `REPEATS` times. Seconds of the clock depend on what else the
machine does: the load is reported, and the seconds of the processor, of all threads of the process, do not count the
waiting.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pointillist.zoo import ZOO

CAT = ("--text", "a cat sitting on a red sofa")
COMMANDS = {
    "--help": ("--help",),
    "models": ("models",),
    "info icons": ("info", "icons"),
    "info scenes": ("info", "scenes"),
    "sample one digit": ("sample", "digits", "-n", "1", "--seed", "1", "--out", "digit.png", "--force"),
    "sample digits": ("sample", "digits", "-n", "8", "--seed", "1", "--out", "digits.png", "--force"),
    "sample icons": ("sample", "icons", "-n", "8", "--text", "heart", "--seed", "1", "--out", "hearts.png", "--force"),
    "sample scenes": ("sample", "scenes", "-n", "8", *CAT, "--seed", "1", "--out", "cats.png", "--force"),
    "sample one scene": ("sample", "scenes", "-n", "1", *CAT, "--seed", "1", "--out", "cat.png", "--force"),
    "example rules": ("example", "rules", "--force"),
    "sample with rules": (
        *("sample", "dungeons", "-n", "1", "--size", "28x64", "--rules", "rules.toml", "--seed", "1"),
        *("--out", "dungeons.png", "--force"),
    ),
    "explain scenes": ("explain", "scenes", "cat.png", *CAT, "--out", "cat.html", "--force"),
}
FIRST_PIXEL = """
from dataclasses import replace
import pointillist.model.portable
model = pointillist.model.portable.load({folder!r})
size, order = (28, 28), model.order()
steps = replace(model, executor={executor!r}).steps(1, size, model.encode(None, 1, size, order), order)
steps.frequencies()
"""
"""The distribution of the first pixel of `digits`, from the import on and without torch."""
PROGRAMS = {
    "python": "pass",
    "import numpy, pydantic": "import numpy, pydantic.main",
    "import torch": "import torch",
    "pt.sample": "import pointillist as pt; pt.sample('digits', 1)",
}
"""The imports below which no command can be, and the first call from Python."""


def measure(command: list[str], repeats: int, folder: Path) -> dict[str, Any]:
    """Run a command once unmeasured and then `repeats` times; return medians in seconds."""
    wall, processor, environment = [], [], os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    for number in range(repeats + 1):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if number:
            wall.append(seconds)
            processor.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return {
        "wall_s": round(statistics.median(wall), 2),
        "processor_s": round(statistics.median(processor), 2),
        "processor_range_s": [round(min(processor), 2), round(max(processor), 2)],
    }


def report(repeats: int, out: Path | None) -> None:
    """Measure every program and command; write after each to `out`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {"repeats": repeats, "cores": os.cpu_count()}
        result["python_version"] = platform.python_version()
        result["load_before"] = [round(load, 1) for load in os.getloadavg()]
        programs = {what: [sys.executable, "-c", code] for what, code in PROGRAMS.items()}
        for executor in ("compiled", "numpy"):
            code = FIRST_PIXEL.format(folder=str(ZOO / "digits"), executor=executor)
            programs[f"first pixel, {executor}"] = [sys.executable, "-c", code]
        programs |= {what: [sys.executable, "-m", "pointillist", *words] for what, words in COMMANDS.items()}
        for what, program in programs.items():
            result[what] = measure(program, repeats, folder)
            result["load_after"] = [round(load, 1) for load in os.getloadavg()]
            wall, processor = result[what]["wall_s"], result[what]["processor_s"]
            print(f"{what:22} {wall:7.2f} s, processor {processor:6.2f} s", flush=True)
            if out is not None:
                out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 5, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
