"""How long the studio lets one wait, beside `sample`: `python benchmarks/studio.py [MODEL ...] [--rounds N]`.

A server is started as `pointillist studio` does it, in its own process, with one thread. Then a painting over HTTP and
`pt.sample` in this process (the same model, seeds, engine and threads; no process is started within a time) take turns:

- first pixel: from the click, that is from opening the connection, until the first event with pixels is here;
- whole image: until the last event is here, against `sample`, on the wall and in CPU time of whichever process works.

A ratio is formed within a round; medians count. MODEL is a folder, a shipped name, or an untrained NAME[:PRESET].
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import torch

import pointillist as pt
from pointillist.bench.timing import Spread
from pointillist.machine import describe_machine, describe_versions, today
from pointillist.networks import names

CANVASES = (1, 4)
USUAL = ("gated-pixelcnn:tiny", "gated-pixelcnn:base", "pixelcnn-pp:tiny")


@dataclass(frozen=True)
class Waited:
    """Seconds of one painting."""

    first: float
    whole: float
    cpu: float


class Server:
    """A studio in a process of its own, and its models ready."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = psutil.Process(process.pid), urlsplit(address)
        while any(model["state"] != "ready" for model in self.models()):
            time.sleep(0.2)

    def models(self) -> list[dict[str, str]]:
        connection = self._connect()
        connection.request("GET", "/api/hello")
        found: list[dict[str, str]] = json.loads(connection.getresponse().read())["models"]
        failed = [model["error"] for model in found if model["state"] == "failed"]
        if failed:
            raise SystemExit(failed[0])
        return found

    def paint(self, model: str, count: int, seed: int) -> Waited:
        """Paint, and read events as they come."""
        body = json.dumps({"canvases": [{"seed": seed, "index": index} for index in range(count)]})
        before, started = self._cpu(), time.perf_counter()
        connection = self._connect()
        connection.request("POST", f"/api/models/{model}/paint", body, {"content-type": "application/json"})
        answer, first, line = connection.getresponse(), 0.0, b""
        while b'"type":"finished"' not in line:
            line = answer.readline()
            if not first and b'"type":"pixels"' in line:
                first = time.perf_counter() - started
            if not line or b'"type":"failed"' in line:
                raise SystemExit(f"The painting failed: {line.decode()}")
        whole = time.perf_counter() - started
        connection.close()
        return Waited(first, whole, self._cpu() - before)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address.hostname or "", self.address.port, timeout=600)

    def _cpu(self) -> float:
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)


@contextmanager
def studio(folders: list[str]) -> Iterator[Server]:
    """A server, for as long as the block lasts."""
    command = [sys.executable, "-m", "pointillist", "studio", *folders, "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().split()[1])
    finally:
        process.terminate()
        process.wait(30)


def sampled(model: pt.PixelModel, count: int, seed: int) -> Waited:
    """The same images by `sample`."""
    spent, started = time.process_time(), time.perf_counter()
    pt.sample(model, count, seed=seed)
    whole = time.perf_counter() - started
    return Waited(whole, whole, time.process_time() - spent)


def folder_of(name: str, parent: str) -> str:
    """Where the model is; one that is not trained is built and saved."""
    kind, _, preset = name.partition(":")
    if kind not in names():
        return name
    torch.manual_seed(0)
    folder = str(Path(parent, name.replace(":", "-")))
    pt.build(kind, shape=(1, 28, 28), levels=256, preset=preset or None).save_pretrained(folder)
    return folder


def row(name: str, count: int, painted: list[Waited], plain: list[Waited]) -> str:
    """One line of the table."""
    pairs = list(zip(painted, plain, strict=True))
    wall, cpu = (Spread.of([getattr(p, what) / getattr(s, what) for p, s in pairs]) for what in ("whole", "cpu"))
    first, whole, alone = (
        Spread.of([1000 * seconds for seconds in found])
        for found in ([p.first for p in painted], [p.whole for p in painted], [s.whole for s in plain])
    )
    return (
        f"| `{name}` | {count} | {first.median:.0f} ({first.low:.0f} to {first.high:.0f}) | {whole.median:.0f} | "
        f"{alone.median:.0f} | {wall.median:.2f} ({wall.low:.2f} to {wall.high:.2f}) | {cpu.median:.2f} |"
    )


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=USUAL, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    busy = psutil.cpu_percent(interval=1.0)
    print(f"{describe_machine()}; {describe_versions(pt.__version__)}; {today()}; {busy:.0f} % busy just before.\n")
    print(
        "| model | canvases | first pixel, ms | whole, ms | `sample`, ms | whole over `sample` | the same in CPU time |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as parent:
        folders = [folder_of(name, parent) for name in asked.models]
        with studio(folders) as server:
            for name, folder, shown in zip(asked.models, folders, server.models(), strict=True):
                model = pt.load(folder)
                for count in CANVASES:
                    sampled(model, count, 0)
                    rounds = [
                        (server.paint(shown["id"], count, seed), sampled(model, count, seed))
                        for seed in range(asked.rounds)
                    ]
                    print(row(name, count, *map(list, zip(*rounds, strict=True))), flush=True)


if __name__ == "__main__":
    main()
