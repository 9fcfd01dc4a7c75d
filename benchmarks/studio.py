"""Latency of the studio compared with `sample`: `python benchmarks/studio.py [MODEL ...] [--rounds N]`.

A server is started like `pointillist studio`, in its own process, with one thread. Then sampling over HTTP and
`pt.sample` in this process alternate (same model, seeds, engine and threads; no process starts within a measurement):

- first pixel: from opening the connection until the first event with pixels arrives;
- whole image: until the last event arrives, compared with `sample`, in wall and CPU time of the process that works.

- memory: of the server's process before and after `--paintings` more images of the first model, and half as many
  fills of them, with `--paintings` instead of the table of latencies;
- fill: 8 candidates for the middle quarter of an image, at the settings with which the page starts and the model's
  first example prompt or label, with `--fill` instead of the table of latencies.

Ratios are formed within a round, and the table shows medians. MODEL is a folder, a shipped name, or an untrained
NAME[:PRESET].
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
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import torch

import pointillist as pt
from pointillist.networks import names
from pointillist.studio import schemas
from pointillist.system import describe_machine, describe_versions, today
from speed.timing import MedianRange

CANVASES = (1, 4)
DEFAULT_MODELS = ("gated-pixelcnn:tiny", "gated-pixelcnn:base", "pixelcnn-pp:tiny")


@dataclass(frozen=True)
class Latency:
    """Seconds of one job."""

    first: float
    whole: float
    cpu: float


class Server:
    """A studio in its own process, with its models ready."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = psutil.Process(process.pid), urlsplit(address)
        while any(model["state"] != "ready" for model in self.models()):
            time.sleep(0.2)

    def models(self) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self._get("/api/info")["models"]
        failed = [model["error"] for model in result if model["state"] == "failed"]
        if failed:
            raise SystemExit(failed[0])
        return result

    def sample(self, model: str, count: int, seed: int) -> Latency:
        """Sample, and read events as they arrive."""
        body = json.dumps({"samples": [{"seed": seed, "index": index} for index in range(count)]})
        before, started = self._cpu(), time.perf_counter()
        connection = self._connect()
        connection.request("POST", f"/api/models/{model}/sample", body, {"content-type": "application/json"})
        answer, first, line = connection.getresponse(), 0.0, b""
        while b'"type":"finished"' not in line:
            line = answer.readline()
            if not first and b'"type":"pixels"' in line:
                first = time.perf_counter() - started
            if not line or b'"type":"failed"' in line:
                raise SystemExit(f"The painting failed: {line.decode()}")
        whole = time.perf_counter() - started
        connection.close()
        return Latency(first, whole, self._cpu() - before)

    def fill(self, model: str, body: dict[str, Any]) -> Latency:
        """Fill a hole, and wait for the candidates."""
        before, started = self._cpu(), time.perf_counter()
        connection = self._connect()
        connection.request("POST", f"/api/models/{model}/fill", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"The fill failed: {text.decode()}")
        whole = time.perf_counter() - started
        connection.close()
        return Latency(whole, whole, self._cpu() - before)

    def megabytes(self) -> float:
        """Return the memory of the process."""
        return float(self.process.memory_info().rss) / 1e6

    def _get(self, path: str) -> dict[str, Any]:
        connection = self._connect()
        connection.request("GET", path)
        result: dict[str, Any] = json.loads(connection.getresponse().read())
        return result

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address.hostname or "", self.address.port, timeout=600)

    def _cpu(self) -> float:
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)


@contextmanager
def studio(folders: list[str]) -> Iterator[Server]:
    """Run a server within the block."""
    command = [sys.executable, "-m", "pointillist", "studio", *folders, "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().split()[1])
    finally:
        process.terminate()
        process.wait(30)


def sampled(model: pt.PixelModel, count: int, seed: int) -> Latency:
    """Time `sample` for the same images."""
    spent, started = time.process_time(), time.perf_counter()
    pt.sample(model, count, seed=seed)
    whole = time.perf_counter() - started
    return Latency(whole, whole, time.process_time() - spent)


def folder_of(name: str, parent: str) -> str:
    """Return the model's folder; build and save an untrained model first."""
    kind, _, preset = name.partition(":")
    if kind not in names():
        return name
    torch.manual_seed(0)
    folder = str(Path(parent, name.replace(":", "-")))
    pt.build(kind, shape=(1, 28, 28), levels=256, preset=preset or None).save_pretrained(folder)
    return folder


def row(name: str, count: int, studio: list[Latency], direct: list[Latency]) -> str:
    """Format a row of the table."""
    pairs = list(zip(studio, direct, strict=True))
    wall, cpu = (
        MedianRange.from_values([getattr(p, what) / getattr(s, what) for p, s in pairs]) for what in ("whole", "cpu")
    )
    first, whole, alone = (
        MedianRange.from_values([1000 * seconds for seconds in result])
        for result in ([p.first for p in studio], [p.whole for p in studio], [s.whole for s in direct])
    )
    return (
        f"| `{name}` | {count} | {first.median:.0f} ({first.low:.0f} to {first.high:.0f}) | {whole.median:.0f} | "
        f"{alone.median:.0f} | {wall.median:.2f} ({wall.low:.2f} to {wall.high:.2f}) | {cpu.median:.2f} |"
    )


def fill_request(model: pt.PixelModel, details: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a request to fill the middle quarter of a sample, as the page sends it."""
    start = details["generation"]
    conditions: dict[str, Any] = {"text": start["prompts"][0]} if start["prompts"] else {}
    if start["labels"]:
        conditions = {"label": start["labels"][0]}
    if start["hints"]:
        conditions["hint"] = start["hints"][0]["levels"]
    height, width = model.image.height, model.image.width
    known = np.ones((height, width), np.uint8)
    known[height // 4 : height - height // 4, width // 4 : width - width // 4] = 0
    levels = pt.sample(model, 1, seed=seed).levels[0].astype(np.uint8)
    encode = schemas.EncodedArray.of
    image = {"levels": encode(levels, "uint8").model_dump(), "known": encode(known, "uint8").model_dump()}
    settings = {name: start[name] for name in ("guidance", "temperature", "top_p")}
    return {"start": image, "conditions": conditions, "candidates": 8, "seed": seed, **settings}


def fills(server: Server, names: list[str], folders: list[str], rounds: int) -> None:
    """Measure fills, and print a table in Markdown."""
    print("| model | fill, s | CPU time, s |\n|---|---|---|")
    for name, folder, shown in zip(names, folders, server.models(), strict=True):
        model, details = pt.load(folder), shown["details"]
        server.fill(shown["id"], fill_request(model, details, 0))  # what is compiled once
        out = [server.fill(shown["id"], fill_request(model, details, seed)) for seed in range(1, rounds + 1)]
        wall, cpu = (MedianRange.from_values([getattr(each, what) for each in out]) for what in ("whole", "cpu"))
        print(f"| `{name}` | {wall.median:.2f} ({wall.low:.2f} to {wall.high:.2f}) | {cpu.median:.2f} |", flush=True)


def memory(server: Server, folder: str, paintings: int) -> None:
    """Measure the memory of the server while it paints and fills, and print it in quarters of the work."""
    shown = server.models()[0]
    request = fill_request(pt.load(folder), shown["details"], 0)
    server.sample(shown["id"], 1, 0)
    server.fill(shown["id"], request)
    for name, count, act in (
        ("paintings", paintings, lambda seed: server.sample(shown["id"], 1, seed)),
        ("fills", paintings // 2, lambda seed: server.fill(shown["id"], {**request, "seed": seed})),
    ):
        sizes = [server.megabytes()]
        for seed in range(1, count + 1):
            act(seed)
            if seed % max(1, count // 4) == 0:
                sizes.append(server.megabytes())
        print(f"{count} {name}, MB: {', '.join(f'{size:.0f}' for size in sizes)}", flush=True)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=DEFAULT_MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--paintings", type=int, default=0, help="images after which memory is compared")
    parser.add_argument("--fill", action="store_true", help="time fills of the middle quarter")
    args = parser.parse_args()
    torch.set_num_threads(1)
    busy = psutil.cpu_percent(interval=1.0)
    print(f"{describe_machine()}; {describe_versions()}; {today()}; {busy:.0f} % busy just before.\n")
    if args.fill or args.paintings:
        with tempfile.TemporaryDirectory() as parent:
            folders = [folder_of(name, parent) for name in args.models]
            with studio(folders) as server:
                if args.fill:
                    fills(server, args.models, folders, args.rounds)
                if args.paintings:
                    memory(server, folders[0], args.paintings)
        return
    print(
        "| model | canvases | first pixel, ms | whole, ms | `sample`, ms | whole over `sample` | the same in CPU time |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as parent:
        folders = [folder_of(name, parent) for name in args.models]
        with studio(folders) as server:
            for name, folder, shown in zip(args.models, folders, server.models(), strict=True):
                model = pt.load(folder)
                for count in CANVASES:
                    sampled(model, count, 0)
                    rounds = [
                        (server.sample(shown["id"], count, seed), sampled(model, count, seed))
                        for seed in range(args.rounds)
                    ]
                    print(row(name, count, *map(list, zip(*rounds, strict=True))), flush=True)


if __name__ == "__main__":
    main()
