"""Laws of roads: the command, Python, jobs, the studio, an exported page, a module and C are one sampler."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

import pointillist as pt
from pointillist.cli import app
from pointillist.commands.jobs.settings import JobSpec
from pointillist.commands.jobs.worker import Worker
from tests.hostile.fuzz_runtime import compiler
from tests.runtime.test_exports import colours, picture
from tests.studio.helpers import decoded, encoded, events

from .filling import drawn as drawn_hole
from .lab import (
    Lab,
    NothingComparedError,
    SilentError,
    Subject,
    law,
    listening,
    near,
    same,
    with_integers,
    with_text_parts,
)
from .programs import NODE

OPTIONS = {"label": "--label", "text": "--text", "seed": "--seed", "guidance": "--guidance", "order": "--order",
           "temperature": "--temperature", "top_p": "--top-p"}  # fmt: skip


def command(words: list[Any], about: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code:
        raise SilentError(f"{about}: exit code {done.exit_code}, {done.output[-300:]} {done.exception!r}")
    return str(done.stdout)


def words_of(how: dict[str, Any]) -> list[Any]:
    """Return keywords of `pt.sample` as options; a prompt is one prompt, and quoted if it has a semicolon."""
    words = [part for name, option in OPTIONS.items() if name in how for part in (option, how[name])]
    if "size" in how:
        words += ["--size", "x".join(map(str, how["size"]))]
    if "vector" in how:
        words += ["--condition", f"vector={','.join(map(str, how['vector']))}"]
    for name, value in how.get("attributes", {}).items():
        words += ["--attribute", f"{name}={value}"]
    return words


@law(5)
def by_command(rng: random.Random, lab: Lab) -> None:
    """`pointillist sample` into an archive."""
    subject, n = lab.choose(rng), rng.randint(1, 4)
    how, out = subject.draw(rng), lab.path(".npz")
    command(["sample", subject.source, "-n", n, *words_of(how), "--out", out], f"{subject.name} {how}")
    samples = pt.sample(subject.source, n, **how)
    with np.load(out) as stored:
        same([samples.levels, samples.nats], [stored["levels"], stored["nats"]], f"{subject.name} {how} by command")


@law(3)
def by_jobs(rng: random.Random, lab: Lab) -> None:
    """A job of any number of tasks and processes, merged."""
    subject, n = lab.choose(rng, with_integers), rng.randint(1, 7)
    how, out = subject.draw(rng), lab.path()
    settings = {k: v for k, v in how.items() if k in ("seed", "guidance", "temperature", "top_p", "order")}
    settings |= {k: [how[k]] for k in ("label", "text") if k in how}
    if "size" in how:
        settings["size"] = "x".join(map(str, how["size"]))
    how = {k: v for k, v in how.items() if k in ("size", *settings)}
    if how.get("guidance") is not None and not {"label", "text"} & how.keys():
        how.pop("guidance")
        settings.pop("guidance")
    batch, tasks, world = rng.randint(1, n), rng.randint(1, 4), rng.randint(1, 2)
    values = {"model": subject.source, "n": n, "batch_size": batch, **settings}
    spec = JobSpec(job="sample", settings=values, out=out, tasks=tasks, time_limit=None)
    for rank in reversed(range(world)):
        Worker(spec).run_share(rank, world)
    pt.jobs.merge(out, out.with_suffix(".npz"))
    samples = pt.sample(subject.source, n, **how)
    with np.load(out.with_suffix(".npz")) as stored:
        about = f"{subject.name} {how}, {tasks} tasks, batches of {batch}"
        same([samples.levels, samples.nats], [stored["levels"], stored["nats"]], about)


def request_of(how: dict[str, Any], n: int) -> dict[str, Any]:
    """Return keywords of `pt.sample` as a request to the studio."""
    conditions = {k: how[k] for k in ("label", "text", "attributes") if k in how}
    if "vector" in how:
        conditions["others"] = {"vector": how["vector"]}
    settings = {k: how[k] for k in ("guidance", "temperature", "top_p", "order") if k in how}
    size = {"size": list(how["size"])} if "size" in how else {}
    samples = [{"seed": how["seed"], "index": i, "conditions": conditions} for i in range(n)]
    return {"samples": samples, **settings, **size}


def finished(lines: str, about: str) -> np.ndarray:
    """Return the levels of the images of a stream."""
    last = events(lines)[-1]
    if last.get("type") != "finished":
        raise SilentError(f"{about}: {last}")
    return np.stack([decoded(image["levels"]) for image in last["images"]]).astype(np.int64)


def without_defaults(subject: Subject, how: dict[str, Any]) -> dict[str, Any]:
    """Return keywords with the model's own settings written out: a request to the studio has none."""
    stored = subject.model.generation_config.sampling
    conditioned = {"label", "text", "attributes", "vector"} & how.keys()
    written = {k: v for k, v in stored.items() if k != "guidance" or conditioned}
    return {**{k: v for k, v in written.items() if k in ("guidance", "temperature", "top_p")}, **how}


@law(5)
def by_studio(rng: random.Random, lab: Lab) -> None:
    """The studio over HTTP."""
    subject, n = lab.choose(rng), rng.randint(1, 4)
    how = without_defaults(subject, subject.draw(rng))
    about = f"{subject.name} {how} by the studio"
    answer = lab.studio.post(f"/api/models/{studio_name(lab, subject)}/sample", json=request_of(how, n))
    if answer.status_code != 200:
        raise SilentError(f"{about}: {answer.status_code} {answer.text}")
    same(pt.sample(subject.model, n, **how).levels, finished(answer.text, about), about)


def studio_name(lab: Lab, subject: Subject) -> str:
    """Return the name of a model in the studio."""
    entries = lab.studio and lab._service.models.entries
    return next(name for name, entry in entries.items() if entry.source == subject.source)


@law(5)
def by_page(rng: random.Random, lab: Lab) -> None:
    """The scripts of an exported page, in Node, whose requests are those of the studio."""
    subject = lab.choose(rng, with_integers, lambda s: NODE is not None and not s.takes("hint"))
    how, n = subject.draw(rng), rng.randint(1, 2)
    if with_text_parts(subject):
        how.pop("text", None)
        how = {"label": rng.choice(subject.model.classes), **how} if subject.model.classes else how
        if not {"label", "vector", "attributes"} & how.keys():
            how.pop("guidance", None)
    how = without_defaults(subject, how)
    about = f"{subject.name} {how} by the page"
    address = f"/api/models/{subject.name}/sample"
    answer = lab.page(subject).ask(address=address, body=request_of(how, n))
    if answer.get("status") != 200:
        raise SilentError(f"{about}: {answer}")
    same(pt.sample(subject.model, n, **how).levels, finished(answer["text"], about), about)


@law(4)
def by_module(rng: random.Random, lab: Lab) -> None:
    """The module for JavaScript, in Node: the model's own settings are its defaults too."""
    subject = lab.choose(
        rng, with_integers, lambda s: NODE is not None and not (s.takes("vector") or s.takes("attributes"))
    )
    how = subject.draw(rng)
    if with_text_parts(subject):
        how.pop("text", None)
        if "label" not in how:
            how.pop("guidance", None)
    names = {"top_p": "topP"}
    request = {names.get(k, k): v for k, v in how.items() if k != "size"}
    if "size" in how:
        request["height"], request["width"] = how["size"]
    answer = lab.module(subject).ask(request=request)
    about = f"{subject.name} {request} by the module"
    if "error" in answer:
        raise SilentError(f"{about}: {answer['error']}")
    same(pt.sample(subject.model, 1, **how).levels.reshape(-1), answer["levels"], about)


def program_of(lab: Lab, subject: Subject) -> Path:
    """Return the folder of the program in C of a model, built."""
    folder = lab.folder / f"c-{subject.name}"
    if not folder.exists():
        pt.export(subject.source, c=folder)
        build = ["make", "--silent", f"CC={compiler()}", "CFLAGS=-O1", "example"]
        subprocess.run(build, cwd=folder, check=True)
    return folder


@law(4)
def by_program_in_c(rng: random.Random, lab: Lab) -> None:
    """The example in C, by seed and label."""
    names = ["digits", "gated-pixelcnn", "pixelcnn-pp", "icons", "labelled"]
    subject = lab.choose(rng, with_integers, lambda s: s.name in names and compiler() is not None)
    seed, label = rng.randrange(2**53), rng.choice(subject.model.classes)
    drawn = picture(["./example", str(seed), label], program_of(lab, subject))
    expected = pt.sample(subject.model, 1, seed=seed, label=label)
    same(colours(expected), drawn, f"{subject.name} {seed} {label} in C")


@law(4)
def fill_by_studio(rng: random.Random, lab: Lab) -> None:
    """A hole, filled by the studio and by `inpaint`."""
    subject, n = lab.choose(rng), rng.randint(1, 3)
    x, known, how = drawn_hole(rng, subject)
    method = rng.choice(["auto", "sequential"])
    start = {"levels": encoded(x, "uint16" if subject.model.image.levels > 256 else "uint8"), "known": encoded(known)}
    request = {"start": start, "candidates": n, "method": method, "seed": how["seed"]}
    request |= {"conditions": {k: how[k] for k in ("label", "text") if k in how}}
    request |= {k: how[k] for k in ("guidance", "temperature") if k in how}
    answer = lab.studio.post(f"/api/models/{studio_name(lab, subject)}/fill", json=request)
    expected = pt.inpaint(subject.model, x, known, n, method=method, **how)
    about = f"{subject.name} {how} {method}: filled by the studio"
    if answer.status_code != 200:
        raise SilentError(f"{about}: {answer.status_code} {answer.text}")
    if answer.json()["method"] != expected.method:
        raise NothingComparedError("the studio draws in order where particles would be over its limits")
    filled = [decoded(one["image"]["levels"]) for one in answer.json()["candidates"]]
    same(expected.levels, [filled[i] for i in expected.numbers], about)


def answer_method(answer: dict[str, Any]) -> str:
    """Return the method that a page names."""
    return str(json.loads(answer["text"])["method"])


@law(3)
def fill_by_page(rng: random.Random, lab: Lab) -> None:
    """A hole, filled by an exported page, where `inpaint` needs no particles."""
    subject = lab.choose(rng, with_integers, lambda s: NODE is not None and not s.takes("hint"))
    x, known, how = drawn_hole(rng, subject)
    if with_text_parts(subject) or how.get("guidance"):
        how = {k: v for k, v in how.items() if k not in ("text", "guidance")}
    method = rng.choice(["auto", "sequential"])
    expected = pt.inpaint(subject.model, x, known, 1, method=method, **how)
    if expected.method == "smc":
        raise NothingComparedError("a page draws no particles here")
    start = {"levels": encoded(x, "uint16" if subject.model.image.levels > 256 else "uint8"), "known": encoded(known)}
    request = {"start": start, "candidates": 1, "method": method, "seed": how["seed"]}
    request |= {"conditions": {k: how[k] for k in ("label", "text") if k in how}}
    request |= {k: how[k] for k in ("temperature",) if k in how}
    answer = lab.page(subject).ask(address=f"/api/models/{subject.name}/fill", body=request)
    about = f"{subject.name} {how} {method}: filled by the page"
    if answer.get("status") != 200:
        raise SilentError(f"{about}: {answer}")
    if {answer_method(answer), expected.method} == {"known", "sequential"}:
        raise NothingComparedError("a page says that it draws by the known pixels, where a model completes images")
    (one,) = json.loads(answer["text"])["candidates"]
    same(expected.levels[0], decoded(one["image"]["levels"]), about)


@law(3)
def fill_by_command(rng: random.Random, lab: Lab) -> None:
    """`pointillist inpaint` of a picture by a region, a mask and a table of cells is `pt.inpaint`."""
    subject = lab.choose(rng, lambda s: s.model.image.mode == "grey" and s.model.image.levels in (2, 4, 16, 256))
    sample = pt.sample(subject.model, 1, seed=rng.randrange(99), size=subject.size)
    height, width = subject.size
    top, left = rng.randrange(height), rng.randrange(width)
    known = np.ones((height, width), bool)
    known[top : top + 3, left : left + 4] = False
    how = {"seed": rng.randrange(2**53), "particles": 8}
    if subject.model.classes and rng.random() < 0.5:
        how["label"] = rng.choice(subject.model.classes)
    path, out = lab.path(".png"), lab.path(".npz")
    sample.images[0].save(path)
    words = ["inpaint", subject.source, path, "-n", 2, "--seed", how["seed"], "--particles", 8, "--out", out]
    words += ["--label", how["label"]] if "label" in how else []
    if rng.random() < 0.5:
        words += ["--region", f"{top}:{min(height, top + 3)},{left}:{min(width, left + 4)}"]
    else:
        from PIL import Image

        mask = lab.path(".png")
        Image.fromarray((~known).astype(np.uint8) * 255).save(mask)
        words += ["--mask", mask]
    about = f"{subject.name} {how} by `inpaint`"
    command(words, about)
    expected = pt.inpaint(subject.source, sample.levels[0], known, 2, **how)
    with np.load(out) as stored:
        same(expected.levels, stored["levels"], about)


@law(3)
def score_by_all(rng: random.Random, lab: Lab) -> None:
    """The bits of an image by the studio, by the page and by `evaluate`."""
    subject = lab.choose(rng, with_integers)
    x = pt.sample(subject.model, 1, seed=rng.randrange(999), size=subject.size).levels
    label = rng.choice(subject.model.classes) if subject.model.classes and rng.random() < 0.6 else None
    with listening():
        bits = pt.evaluate(subject.model, x, label=label).nats / np.log(2)
    levels = encoded(x[0], "uint16" if subject.model.image.levels > 256 else "uint8")
    body = {"levels": levels, "conditions": {} if label is None else {"label": label}}
    answer = lab.studio.post(f"/api/models/{studio_name(lab, subject)}/score", json=body)
    about = f"{subject.name} {label}: bits"
    if answer.status_code != 200:
        raise SilentError(f"{about} by the studio: {answer.status_code} {answer.text}")
    near(bits, answer.json()["bits"], f"{about} by the studio", 1e-9)
    if NODE is not None and not subject.takes("hint"):
        answer = lab.page(subject).ask(address=f"/api/models/{subject.name}/score", body=body)
        if answer.get("status") != 200:
            raise SilentError(f"{about} by the page: {answer}")
        near(bits, json.loads(answer["text"])["bits"], f"{about} by the page", 1e-9)
