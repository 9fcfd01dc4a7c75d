"""Laws of roads: the command, Python, jobs, the studio, an exported page, a module and C are one sampler."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli import app
from tests.hostile.fuzz_runtime import compiler
from tests.runtime.test_exports import colours, picture
from tests.studio.helpers import decoded, encoded, events

from .filling import drawn as drawn_hole
from .lab import Lab, NothingComparedError, SilentError, Subject, law, same, with_integers, with_text_parts
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
