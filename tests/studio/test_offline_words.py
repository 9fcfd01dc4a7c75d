"""The bits of the words of a prompt in an exported page are those of the studio, for its integer program."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.model.folder.generation import MeasuredPrompts
from pointillist.studio import schemas
from pointillist.studio.answers import queries
from pointillist.studio.export.page import pack_model, script_text
from pointillist.studio.schemas import LIMITS
from tests.model.test_free_prompts import CAPTIONS, KINDS
from tests.model.test_prompt_names import model_of
from tests.studio.helpers import decoded
from tests.tolerances import rounding

PROMPT = "a red cat, under the beds"
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"exchange": {"index": 1, "replacement": "green"}},
    {"exchange": {"index": 2, "replacement": "owls"}},
]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the page")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model of learned words with its integer program."""
    path = tmp_path_factory.mktemp("words") / "model"
    model = model_of(CAPTIONS)
    model.measured_prompts = MeasuredPrompts(words=KINDS)
    pt.quantize_integer(model, np.random.default_rng(0).integers(0, 2, (4, 1, 4, 4)))
    model.save_pretrained(path)
    return path


def answers(folder: Path, tmp_path: Path, requests: list[dict[str, Any]]) -> list[Any]:
    """Answer requests for words as a page does."""
    packed, _ = pack_model("words", folder)
    script = tmp_path / "page.mjs"
    script.write_text(
        f"{script_text('offline/responder.js')}\n"
        f"const requests = {json.dumps(requests)}, order = [];\n"
        'const { Responder } = modules["offline/responder.js"];\n'
        f'const responder = new Responder("{packed}", (message, bytes) => {{\n'
        '  if (message.type === "chunk") order.push(JSON.parse(new TextDecoder().decode(bytes)));\n'
        '  if (message.type === "end" && order.length === requests.length) console.log(JSON.stringify(order));\n'
        "});\n"
        "const bytesOf = (request) => new TextEncoder().encode(JSON.stringify(request)).buffer;\n"
        'const head = (id) => ({ type: "request", id: String(id), address: "models/m/words" });\n'
        "requests.forEach((request, id) => responder.receive(head(id), [bytesOf(request)]));\n"
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    result: list[Any] = json.loads(done.stdout)
    return result


def test_a_page_measures_words_as_the_studio_does(folder: Path, tmp_path: Path) -> None:
    """Each word left out, exchanged, and exchanged by a plural of a known word."""
    model = pt.load(folder)
    levels = pt.sample(model, 1, text=PROMPT, seed=1).levels[0]
    image = {"levels": schemas.EncodedArray.of(levels, "uint8").model_dump(), "conditions": {"text": PROMPT}}
    requests = [{**image, **question, "engine": "integer"} for question in QUESTIONS]
    for request, answer in zip(requests, answers(folder, tmp_path, requests), strict=True):
        expected = queries.words(model, schemas.WordQuery.model_validate(request), LIMITS)
        assert answer["prompt"] == expected.prompt == "a red cat, under the bed"
        names = [(word.text, word.index, word.replacement, word.read) for word in expected.words]
        assert [(word["text"], word["index"], word["replacement"], word["read"]) for word in answer["words"]] == names
        saved = expected.saved.array()
        within = rounding(1.0, saved, terms=2, dtype=torch.float32)  # in which they are sent
        np.testing.assert_allclose(decoded(answer["saved"]), saved, rtol=0, atol=within)
        bits = [word.bits for word in expected.words]
        np.testing.assert_allclose([word["bits"] for word in answer["words"]], bits, rtol=0, atol=within * 16)
        said = [note.partition(": the nearest")[0].rstrip(".") for note in (answer["note"], expected.note)]
        assert said[0] == said[1]


@pytest.mark.parametrize(
    ("prompt", "index", "expected"),
    [
        ("a red cat", 1, {"green"}),
        ("a red cat", 2, {"owl", "cake", "kitten"}),
        ("a cat left of a bed", 2, {"right"}),
        ("an owl, at night", 1, {"cat", "cake", "kitten"}),
        ("a zxcv", 1, set()),
        ("a birthday cake", 2, {"cat", "owl", "kitten"}),
    ],
)
def test_words_of_the_kind_of_a_word(prompt: str, index: int, expected: set[str], tmp_path: Path) -> None:
    """Of its kind; of a phrase those that differ in the word."""
    kinds = {**KINDS.kinds, "side": ["left of", "right of", "next to"], "time": ["at night", "by day"]}
    script = tmp_path / "words.mjs"
    script.write_text(
        f"{script_text('state/prompt_words.js')}\n"
        'const { candidatesFor, promptWords } = modules["state/prompt_words.js"];\n'
        f"const word = promptWords({json.dumps(prompt)}).find(({{ index }}) => index === {index});\n"
        f"console.log(JSON.stringify(candidatesFor({json.dumps(prompt)}, word, {json.dumps(kinds)})));\n"
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == expected
