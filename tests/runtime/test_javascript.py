"""The second implementation, in JavaScript: the same levels and frequencies as Python, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.compression import compress
from pointillist.conditioning.known import KnownConfig
from pointillist.conditioning.portable import BITS
from pointillist.conditioning.prompts import PAD, hash_ngrams
from pointillist.conditioning.text import TextConfig
from pointillist.distributions.transform import Transform
from pointillist.engine.c.lower import lower
from pointillist.engine.head.transform import transform_frequencies
from pointillist.engine.library import WEBASSEMBLY
from pointillist.images import ImageSpec
from pointillist.model.portable import load, save
from pointillist.model.portable.conditions import join_inputs
from pointillist.sampling.uniforms import seeded_uniforms
from pointillist.zoo import list_pretrained
from tests.compression.golden.make import ARCHIVES, stored_images
from tests.compression.golden.make import HERE as GOLDEN_ARCHIVES
from tests.engine.test_integer_transform import SETTINGS, frequencies
from tests.golden_images import CASES, PATH, digest, integer_model, stored_integers
from tests.integer_draws import draw_encoded, draw_integers, encoded, intervals_of
from tests.laws.strategies import models, random_inputs
from tests.portable.golden.make import EXPECTED, MODELS
from tests.portable.golden.make import HERE as GOLDEN_MODELS
from tests.portable.networks import INTEGER_NETWORKS
from tests.portable.test_condition_kinds import VALUES, model_with
from tests.portable.test_integer_properties import integer_model_of
from tests.tolerances import rounding

from . import matrix

RUNTIME, NODE = Path(__file__).parents[2] / "runtime", shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not here: install it to compare with JavaScript")
ENTRIES: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
FOLDERS = {model.name: model.folder for model in list_pretrained()}
QUICK = ("dungeons", "dungeons-narrow", "icons-styled", "outline-to-tile-hint")


def javascript(*jobs: dict[str, Any], seconds: float | None = 600) -> list[Any]:
    """Run jobs in Node, for so many seconds at most."""
    assert NODE is not None
    command = [NODE, str(Path(__file__).parent / "run.js")]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr
    result: list[Any] = json.loads(done.stdout)
    return result


def flat(inputs: dict[str, np.ndarray], image: int) -> dict[str, list[int]]:
    """Return the conditions of an image, as JSON."""
    return {name: x[image % len(x)].reshape(-1).tolist() for name, x in inputs.items()}


def test_it_is_small() -> None:
    """A student can read it: at most 600 lines run programs of version 1, and with archives 600 of code."""
    lines = (RUNTIME / "pointillist.js").read_text(encoding="utf-8").splitlines()
    more = (RUNTIME / "archive.js").read_text(encoding="utf-8").splitlines()
    code = [line for line in [*lines, *more] if line.strip() and not line.strip().startswith(("//", "/*", "*"))]
    assert len(lines) <= 600
    assert len(code) <= 600


def test_uniforms_are_those_of_numpy() -> None:
    """For numbers of one word and of two; of more than four words together."""
    seeds = [(0, 0), (7, 3), (2**32 - 1, 1), (2**32, 0), (2**53 - 1, 2**31), (123456789, 2**33), (7, 0, 1, 0)]
    seeds += [(2**40, 3, 2**33, 0), (2**53 - 1, 2**52, 2**51, 1)]
    results = javascript(*({"job": "uniforms", "numbers": numbers, "count": 50} for numbers in seeds))
    for numbers, result in zip(seeds, results, strict=True):
        assert result == np.random.default_rng(numbers).random(50).tolist()


@settings(max_examples=20)
@given(result=frequencies(), transform=SETTINGS, seed=st.integers(0, 99))
def test_transforms(result: np.ndarray, transform: Transform, seed: int) -> None:
    """Guidance, temperature, top-p and allowed levels, at the ends of their ranges too."""
    count = len(result) // 2
    allowed = np.random.default_rng(seed).random((count, result.shape[1])) < 0.5
    allowed[~allowed.any(axis=1), 0] = True
    due = transform_frequencies(result if transform.is_guided else result[:count], transform, allowed)
    jobs = [
        {
            "job": "transform", "conditional": result[i].tolist(), "guidance": transform.guidance,
            "reference": result[count + i].tolist() if transform.is_guided else None,
            "temperature": transform.temperature, "topP": transform.top_p, "allowed": allowed[i].tolist(),
        }
        for i in range(count)
    ]  # fmt: skip
    assert javascript(*jobs) == due.tolist()


@pytest.mark.parametrize("name", [*sorted(ARCHIVES.keys() - {"packed"}), "metadata", "named"])
def test_golden_archives(name: str) -> None:
    """Each decodes to the images that it was made of; metadata are passed over."""
    images_of = name if name in ARCHIVES else "one"
    file, folder = GOLDEN_ARCHIVES / f"{name}.pxl", GOLDEN_MODELS / ARCHIVES[images_of][0]
    (records,) = javascript({"job": "archive", "folder": str(folder), "file": str(file)})
    expected = stored_images(images_of)
    assert [level for record in records for level in record["levels"]] == expected.reshape(-1).tolist()
    assert {(record["height"], record["width"]) for record in records} == {expected.shape[2:]}


@pytest.mark.parametrize(
    ("name", "learn"), [("grey16", False), ("grey16", True), ("photos", True), ("outline-to-tile", True)]
)
def test_an_archive(name: str, learn: bool, tmp_path: Path) -> None:
    """A level of 16 bits is found by halving: no table of 65,536 for a pixel. The stage learns the same as in C."""
    shape = {"photos": (2, 3, 9, 5), "outline-to-tile": (1, 1, 40, 34)}.get(name, (1, 1, 5, 7))
    levels = np.random.default_rng(0).normal(40, 0.6, shape).round().astype(np.int64)
    (tmp_path / "a.pxl").write_bytes(compress(name, levels, learn=learn))
    (records,) = javascript({"job": "archive", "folder": str(FOLDERS[name]), "file": str(tmp_path / "a.pxl")})
    assert records[0]["levels"] == levels.reshape(-1).tolist()


def test_an_unknown_option_is_rejected() -> None:
    """By name, before anything is drawn."""
    with pytest.raises(AssertionError, match="There is no option top_p: choose from seed, index"):
        javascript({"job": "sample", "folder": str(FOLDERS["digits"]), "options": {"seed": 4, "top_p": 0.9}})


@pytest.mark.parametrize("temperature", [1.0, 0.9])
def test_draws_of_16_bits(temperature: float) -> None:
    """By intervals, and at a temperature by the frequencies of all levels, which are the same distribution."""
    expected = pt.sample("grey16", 1, seed=4, size=(3, 4), temperature=temperature)
    options = {"seed": 4, "height": 3, "width": 4, "temperature": temperature}
    (result,) = javascript({"job": "sample", "folder": str(FOLDERS["grey16"]), "options": options})
    assert result["levels"] == expected.levels.reshape(-1).tolist()
    logs = np.log(np.array(result["frequencies"]) / 2**24)
    np.testing.assert_allclose(logs.sum(), expected.nats[0], rtol=0, atol=rounding(logs, terms=len(logs)))


@pytest.mark.parametrize("name", ["one", "labels", "packed", "table", "named"])
def test_a_damaged_archive_is_rejected(name: str) -> None:
    """Any flipped bit: by a sentence, never by other pixels."""
    file, folder = GOLDEN_ARCHIVES / f"{name}.pxl", GOLDEN_MODELS / ARCHIVES.get(name, ARCHIVES["one"])[0]
    (results,) = javascript({"job": "damaged", "folder": str(folder), "file": str(file)})
    assert len(results) == 2 * file.stat().st_size
    assert all(isinstance(result, str) and "damaged" in result for result in results)


def test_a_damaged_program_is_rejected() -> None:
    """Its fingerprint covers both files; `weights` and spaces are not part of it."""
    folder = GOLDEN_MODELS / "gated-pixelcnn"
    text, rng = (folder / "program.json").read_bytes(), np.random.default_rng(0)
    inside = [p for p in rng.integers(text.index(b'"image"'), len(text), 40).tolist() if text[p : p + 1].isalnum()]
    places = [[0, place] for place in inside] + [[1, place] for place in rng.integers(0, 10**6, 40).tolist()]
    assert set(javascript({"job": "damagedProgram", "folder": str(folder), "places": places})[0]) == {"rejected"}


@pytest.mark.parametrize("name", MODELS)
def test_golden_programs(name: str) -> None:
    """Every opcode, head and order: the draws that the first release made."""
    expected, model = (
        json.loads((GOLDEN_MODELS / EXPECTED).read_text(encoding="utf-8"))[name],
        load(GOLDEN_MODELS / name),
    )
    rng, shape = np.random.default_rng(7), (2, model.image.channels, model.image.height, model.image.width)
    rng.integers(0, model.image.levels, shape)
    uniforms = rng.integers(0, 2**53, shape) / 2.0**53
    label = {"label": 1} if model.classes else {}
    for order in model.orders:
        options = [{"order": order, "uniforms": u.reshape(-1).tolist(), **label} for u in uniforms]
        jobs = [{"job": "sample", "folder": str(GOLDEN_MODELS / name), "options": each} for each in options]
        drawn = [level for result in javascript(*jobs) for level in result["levels"]]
        assert " ".join(map(str, drawn)) == expected["orders"][order]["draws"]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else (pytest.mark.slow, pytest.mark.proof)) for n in CASES]
)
def test_golden_pictures(name: str) -> None:
    """Every bundled model, under guidance, temperature and top-p too, has the stored hash."""
    case = CASES[name]
    inputs = stored_integers(case, ENTRIES[name]) if case.text or case.outline else None
    jobs = []
    for image in range(case.count):
        options: dict[str, Any] = {
            "uniforms": case.uniforms[image].reshape(-1).tolist(), "height": case.shape[2], "width": case.shape[3],
            "guidance": case.guidance, "temperature": case.temperature, "topP": case.top_p,
        }  # fmt: skip
        options |= {"order": case.order} if case.order else {}
        options |= {"label": case.label[image]} if case.label else {}
        options |= {"inputs": flat(inputs, image)} if inputs else {}
        options |= {"text": case.text[image]} if case.text else {}
        jobs.append({"job": "sample", "folder": str(FOLDERS[case.model]), "options": options})
    levels = np.array([result["levels"] for result in javascript(*jobs)]).reshape(case.shape)
    assert digest(levels) == ENTRIES[name]["levels"]


@pytest.mark.parametrize("prompt", ["orb spider", "Größe ÆØ 日本語", "a_b-c  9", "x", "!"])
def test_a_seed_and_a_prompt_name_a_picture(prompt: str) -> None:
    """Of learned words: from the seed, the prompt and the label alone, under guidance."""
    model, transform = integer_model("outline-to-tile"), Transform(2.0, 0.9, 0.95)
    options = {"seed": 2**40 + 1, "index": 5, "text": prompt, "label": "monster", "height": 32, "width": 32}
    settings = {"guidance": 2.0, "temperature": 0.9, "topP": 0.95}
    (result,) = javascript({"job": "sample", "folder": str(FOLDERS["outline-to-tile"]), "options": options | settings})
    uniforms = seeded_uniforms(2**40 + 1, [5], (1, 32, 32))
    levels, nats = draw_integers(model, uniforms, "monster", text=prompt, transform=transform)
    assert result["levels"] == levels.reshape(-1).tolist()
    assert np.log(np.array(result["frequencies"]) / 2**16).sum() == pytest.approx(nats[0])


@pytest.mark.parametrize(("shape", "levels"), [((1, 5, 4), 4), ((3, 2, 6), 3)])
def test_known_pixels(shape: tuple[int, int, int], levels: int, tmp_path: Path) -> None:
    """A completing model reads them before the first draw: its integers, in the size of its images and in another."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=shape, levels=levels, layers=1, channels=6, known=True).eval()
    rng = np.random.default_rng(3)
    stored = pt.quantize_integer(model, torch.from_numpy(rng.integers(0, levels, (4, *shape))))
    save(stored, tmp_path)
    order, jobs, due = stored.order(), [], []
    for size in (shape[1:], (7, 3)):
        x, known = rng.integers(0, levels, (1, shape[0], *size)), rng.random(size) < 0.6
        inputs = encoded(stored, 1, size, order, known=(x, known))
        _, sizes = intervals_of(stored, x, inputs, order)
        due.append(sizes.reshape(-1).tolist())
        options = {"height": size[0], "width": size[1], "observed": x.reshape(-1).tolist(), "all": True}
        options["known"] = [level if is_known else None for level, is_known in _flat_known(x, known)]
        jobs.append({"job": "sample", "folder": str(tmp_path), "options": options})
    assert [result["frequencies"] for result in javascript(*jobs)] == due


@pytest.mark.parametrize("kind", ["known", "unordered"])
def test_grids_of_the_library(kind: str, tmp_path: Path) -> None:
    """The map of known pixels by WebAssembly, by JavaScript and by Python, in the size of the model and in another."""
    torch.manual_seed(3)
    image = ImageSpec(channels=1, height=6, width=5, levels=5, ordered=kind == "known", mode="codes")
    known_config = KnownConfig(marginals=kind == "known")  # whose logits follow the map in the program
    model = pt.build("gated-pixelcnn", shape=image, channels=8, layers=2, known=known_config)
    rng = np.random.default_rng(5)
    pt.quantize_integer(model, rng.integers(0, 5, (6, 1, 6, 5)), images=6)
    stored = save(model.integer_model(), tmp_path)
    programs = [*stored.programs, *(part.program for part in stored.parts[0] if part.program is not None)]
    paths = [tmp_path / f"{number}.bin" for number in range(len(programs))]
    for path, program in zip(paths, programs, strict=True):
        path.write_bytes(lower(program).tobytes())
    for size in ((6, 5), (9, 4)):
        x, known = rng.integers(0, 5, (1, 1, *size)), rng.random(size) < 0.6
        due = encoded(stored, 1, size, stored.order(), known=(x, known))["map"].reshape(-1)
        job: dict[str, Any] = {"job": "grids", "folder": str(tmp_path), "library": str(WEBASSEMBLY)}
        job |= {"lowered": list(map(str, paths)), "height": size[0], "width": size[1]}
        (results,) = javascript(job | {"known": [n if is_known else None for n, is_known in _flat_known(x, known)]})
        for result in results:
            np.testing.assert_array_equal(result, due)


@pytest.mark.parametrize("kind", ["attributes", "vector", "hint", "text+tokens"])
def test_values_of_conditions(kind: str, tmp_path: Path) -> None:
    """Named values, a vector of large numbers, and a hint in another size: the frequencies of Python."""
    model = model_with(kind)
    stored = save(model.integer_model(), tmp_path)
    order, size, jobs, expected = stored.order("raster-tr"), (5, 6), [], []
    values: list[Any] = [VALUES[kind], None]
    if kind == "hint":
        size, values = (4, 9), [np.arange(36).reshape(1, 4, 9) % 2, None]
    x = np.random.default_rng(3).integers(0, 4, (1, 1, *size))
    keyword = kind.partition("+")[0]
    for value in values:
        inputs = encoded(stored, 1, size, order, **{keyword: value})
        expected.append(intervals_of(stored, x, inputs, order)[1].reshape(-1).tolist())
        given = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else value
        options = {"height": size[0], "width": size[1], "observed": x.reshape(-1).tolist(), "all": True, keyword: given}
        jobs.append({"job": "sample", "folder": str(tmp_path), "options": {**options, "order": "raster-tr"}})
    assert [result["frequencies"] for result in javascript(*jobs)] == expected
    assert expected[0] != expected[1]


@pytest.mark.parametrize("settings", [{}, {"chunkSize": 6, "margin": 2}], ids=["default", "small"])
def test_worlds_are_those_of_python(settings: dict[str, int]) -> None:
    """Chunks of every phase, in another order of visits, at negative coordinates, of a seed of two words."""
    world = pt.World("dungeons", 2**33 + 5, chunk_size=settings.get("chunkSize", 32), margin=settings.get("margin", 8))
    chunks = [(1, 1), (-1, -3), (0, 0), (-2, 1)] if settings else [(1, -1)]
    job = {"job": "world", "folder": str(FOLDERS["dungeons"]), "seed": 2**33 + 5, "chunks": chunks}
    (results,) = javascript({**job, "settings": settings})
    for (x, y), result in zip(chunks, results, strict=True):
        assert result == world.chunk(x, y).reshape(-1).tolist()


def _flat_known(x: np.ndarray, known: np.ndarray) -> list[tuple[int, bool]]:
    """Return each level with whether it is known, as `[channels, height, width]` in a row."""
    return list(zip(x.reshape(-1).tolist(), np.broadcast_to(known, x.shape[1:]).reshape(-1).tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.proof
def test_implementations_draw_the_same_pictures() -> None:
    """Ten pictures of `tests.runtime.matrix`: of every bundled model, half of them under guidance."""
    assert matrix.digest_of("javascript", 10) == matrix.digest_of("auto", 10)


def test_features_of_prompts() -> None:
    """Of learned words and of the vector of a frozen encoder, in every part that reads prompts."""
    vector = np.random.default_rng(0).normal(size=512).astype(np.float32) / np.float32(22)
    job = {"job": "features", "folder": str(FOLDERS["icons"]), "text": "heart", "sentence": vector.tolist()}
    (result,) = javascript(job)
    encoders = {p.name: p.encoder for p in integer_model("icons").parts[0] if p.encoder is not None}
    words = encoders["words"].reader.read("heart", 1, (1, 1)).values
    for name, values in (("text", vector[None]), ("words", words)):
        due = encoders[name].features(values, np.ones(1, bool))[0]
        assert np.array_equal(np.array(result[name]) / 2.0**BITS, due)


@pytest.mark.parametrize("text", ["a cat", "a red cat sitting on a blue sofa, at night", "cat " * 40])
def test_features_of_words_in_their_order(text: str) -> None:
    """Of one word up to more than are read."""
    (result,) = javascript({"job": "features", "folder": str(FOLDERS["scenes"]), "text": text, "sentence": None})
    (part,) = (p for p in integer_model("scenes").parts[0] if p.name == "words")
    assert part.encoder is not None
    due = part.encoder.features(part.encoder.reader.read(text, 1, (1, 1)).values, np.ones(1, bool))[0]
    assert np.array_equal(np.array(result["words"]) / 2.0**BITS, due)


@pytest.mark.parametrize("ngrams", ["characters", "words"])
def test_features_of_tokens(tmp_path: Path, ngrams: str) -> None:
    """Of words alone, and with their neighbours."""
    text = TextConfig.model_validate({"encoder": "learned+tokens", "ngrams": ngrams}).completed()
    model = pt.build("gated-pixelcnn", shape=(1, 5, 6), levels=4, preset="tiny", text=text)
    pt.quantize_integer(model, torch.randint(0, 4, (3, 1, 5, 6)))
    save(model.integer_model(), tmp_path)
    (part,) = (p for p in model.integer_model().parts[0] if p.name == "tokens")
    assert part.encoder is not None
    for prompt in ("a cat", "a red cat sitting on a blue sofa", "cat " * 40):
        (result,) = javascript({"job": "features", "folder": str(tmp_path), "text": prompt, "sentence": None})
        read = part.encoder.reader.read(prompt, 1, (1, 1))
        due = part.encoder.features(read.values, read.known)[0]
        assert np.array_equal(np.array(result["tokens"]) / 2.0**BITS, due)


@given(text=st.text(max_size=30))
@settings(max_examples=20)
def test_ngrams(text: str) -> None:
    """Python's words and lower case: letters, digits and _ of any script that both know."""
    assume(all(ord(c) < 0x3000 and (c.isascii() or c.isalpha() or c.isspace()) for c in text))
    buckets = hash_ngrams(text, 2**31, 64)
    assert len(javascript({"job": "ngrams", "text": text, "length": 64})[0]) == (buckets != PAD).sum()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", INTEGER_NETWORKS)
@settings(max_examples=2)
@given(data=st.data())
def test_random_programs(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any network, likelihood, condition, order and size, under guidance too: the levels and frequencies of Python."""
    model = data.draw(models(name))
    assume(min(model.image.height, model.image.width) > 1)
    folder = tmp_path_factory.mktemp("program")
    stored = save(integer_model_of(model), folder)
    order = stored.order(data.draw(st.sampled_from(list(stored.orders))))
    shape = (1, stored.image.channels, stored.image.height, stored.image.width)
    inputs = model.integer_model().encode(random_inputs(model, 1), 1, shape[2:], order)
    transform = Transform(data.draw(st.sampled_from([1.0, 2.5])) if inputs else 1.0, 0.8, 0.9)
    joined = join_inputs(inputs, encoded(stored, 1, shape[2:], order)) if transform.is_guided else inputs
    uniforms = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape)
    levels, nats = draw_encoded(stored, uniforms, joined, order, transform)
    options = {"uniforms": uniforms.reshape(-1).tolist(), "inputs": flat(inputs, 0), "order": order.name}
    options |= {"guidance": transform.guidance, "temperature": 0.8, "topP": 0.9}
    (result,) = javascript({"job": "sample", "folder": str(folder), "options": options})
    assert result["levels"] == levels.reshape(-1).tolist()
    total = 2.0 ** stored.program(order).head.precision
    assert np.log(np.array(result["frequencies"]) / total).sum() == pytest.approx(nats[0])
