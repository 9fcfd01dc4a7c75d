"""Time the first image of a fresh process, beyond imports: compiling kernels, or loading compiled ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pointillist.errors import EngineError
from pointillist.model.pixel_model import PixelModel

_PROGRAM = """
import json, sys, time
import torch
import pointillist as pt
from pointillist.model.config import ModelConfig
from pointillist.model.pixel_model import PixelModel
torch.set_num_threads(1)
config, height, width, engine = json.load(open(sys.argv[1]))
model = PixelModel(ModelConfig.from_dict(config)).eval()
if engine == "integer":
    pt.quantize_integer(model, torch.zeros(1, model.image.channels, height, width, dtype=torch.int64))
seconds = []
for _ in range(2):
    started = time.process_time()
    pt.sample(model, 1, seed=0, engine=engine, size=(height, width))
    seconds.append(time.process_time() - started)
print(json.dumps(seconds))
"""


@dataclass(frozen=True)
class StartupTime:
    """CPU seconds that the first image of a process takes more than its second.

    Attributes:
        first_use: in the first process, where nothing may be in the kernel cache yet.
        later_use: in the next process.
    """

    engine: str
    first_use: float
    later_use: float


def measure_startup(model: PixelModel, size: tuple[int, int], engine: str) -> StartupTime:
    """Sample an image with untrained weights in two fresh processes, one after the other.

    Raises:
        EngineError: if such a process fails.
    """
    first, later = (_fresh_process(model, size, engine) for _ in range(2))
    return StartupTime(engine, first, later)


def _fresh_process(model: PixelModel, size: tuple[int, int], engine: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings.json"
        settings.write_text(json.dumps([model.config.model_dump(mode="json"), *size, engine]), encoding="utf-8")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _PROGRAM, str(settings)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise EngineError(f"A fresh process with the engine {engine!r} failed: {done.stderr.strip().splitlines()[-1]}")
    first, second = map(float, json.loads(done.stdout.splitlines()[-1]))
    return max(0.0, first - second)
