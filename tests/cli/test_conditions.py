"""Conditions on the command line, from training to samples: attributes, a vector, a hint of each origin."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.conditioning import HintConfig, TextConfig, registry
from pointillist.conditioning.hint import hint_rule
from pointillist.conditioning.text_encoders.cache import embedding_cache
from pointillist.conditioning.text_encoders.universal_sentence_encoder import UniversalSentenceEncoder
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import model_details
from pointillist.studio.conversion import condition_keywords, decode_conditions
from tests.laws.strategies import randomise_weights
from tests.tolerances import network_rounding

from .helpers import fails, run, train, write_images

pytestmark = pytest.mark.proof


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Twelve grey 5x6 images of 8 levels with everything there is to say about them."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "all.npz",
        x=rng.integers(0, 8, (12, 5, 6), np.uint8), y=np.arange(12) % 2, hair=np.array(["red", "grey", "blue"] * 4),
        v=rng.normal(size=(12, 3)), rough=rng.integers(0, 256, (12, 5, 6), np.uint8),
    )  # fmt: skip
    return tmp_path / "all.npz"


def test_everything_at_once(archive: Path) -> None:
    """Train, resume, inspect, sample, evaluate, fine-tune."""
    columns = ("--attribute-columns", "hair", "--vector-column", "v", "--hint-column", "rough", "--levels", "8")
    train(archive, *columns, "--steps", "2", "--out", "m")
    run("train", "--resume", "--out", "m", "--steps", "4")
    facts = json.loads(run("info", "m", "--json").output)
    assert [text.split(" (")[0] for text in facts["conditions"]] == ["label", "attribute hair", "vector", "hint"]
    assert "attribute hair" in Path("m/README.md").read_text()
    np.save("v.npy", np.ones(3))
    Image.fromarray(np.zeros((5, 6), np.uint8)).save("rough.png")
    asked = ("--attribute", "hair=red", "--condition", "vector=v.npy", "--hint", "rough.png")
    run("sample", "m", "-n", "2", "--label", "0", *asked, "--guidance", "2", "--seed", "1", "--out", "a.npz")
    expected = pt.sample(
        pt.load("m"), 2, 0, attributes={"hair": "red"}, vector=np.ones(3), hint=np.zeros((1, 5, 6), np.uint8),
        guidance=2.0, seed=1,
    )  # fmt: skip
    with np.load("a.npz") as written:
        assert np.array_equal(written["levels"], expected.levels)
    typed = ("--attribute", "hair=red", "--condition", "vector=1, 1.0,1", "--hint", "rough.png")
    run("sample", "m", "-n", "2", "--label", "0", *typed, "--guidance", "2", "--seed", "1", "--out", "b.npz")
    with np.load("b.npz") as written:
        assert np.array_equal(written["levels"], expected.levels)
    assert "must be [3]" in fails("sample", "m", "--condition", "vector=1,1")
    assert "must hold numbers" in fails("sample", "m", "--condition", "vector=red")
    measured = json.loads(run("evaluate", "m", archive, "--json").output)
    assert measured["conditions"] == ["label", "attributes", "vector", "hint"]
    train(archive, *columns[:2], "--levels", "8", "--init-from", "m", "--steps", "1", "--out", "n")
    assert pt.load("n").config.condition(HintConfig) == pt.load("m").config.condition(HintConfig)


def test_a_kind_of_a_user_is_an_option_and_a_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of `add_a_condition.md`: by `--condition`, and in the studio, without a word of it in either."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "add_a_condition.md").read_text(encoding="utf-8")
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    exec(page.split("```python\n")[1].split("```")[0], {"__name__": "my_condition"})
    model = pt.build("pixelcnn", shape=(1, 5, 6), levels=4, channels=8, layers=1, conditions={"brightness": {}})
    randomise_weights(model).save_pretrained("m")
    run("sample", "m", "-n", "2", "--condition", "brightness=0.9", "--seed", "1", "--out", "a.npz")
    expected = pt.sample(model, 2, brightness=0.9, seed=1)
    with np.load("a.npz") as written:
        assert np.array_equal(written["levels"], expected.levels)
    assert "`brightness` (=2) must lie in 0 to 1" in fails("sample", "m", "--condition", "brightness=2")
    assert set(model_details(model).conditions.others) == {"brightness"}
    values = schemas.ConditionValues(others={"brightness": 0.9})
    assert condition_keywords(values) == {"brightness": 0.9}
    decoded = decode_conditions(model, values, (5, 6))[0].parts["brightness"]
    assert decoded.known.all()
    assert decoded.values.tolist() == [np.float32(0.9)]
    for others, words in (({"hint": 3}, "use the field `hint`"), ({"warmth": 3}, "`warmth` is not a condition")):
        with pytest.raises(pt.ConfigError, match=words):
            condition_keywords(schemas.ConditionValues(others=others))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("hint", ["lowres:2", "grey", "outline", "half:left"])
def test_image_to_image(hint: str, tmp_path: Path) -> None:
    """The hint is derived from the images in training and evaluation, and given in sampling."""
    data = write_images(tmp_path / "pets")
    train(data, "--hint-rule", hint, "--levels", "4", "--steps", "1", "--no-labels", "--out", "m")
    assert json.loads(run("evaluate", "m", data, "--json").output)["conditions"] == ["hint"]
    Image.fromarray(np.zeros((3, 3, 3) if hint == "lowres:2" else (5, 6, 3), np.uint8)).save("given.png")
    run("sample", "m", "-n", "1", "--hint", "given.png", "--out", "out.png")
    image = next(Path(data).rglob("*.png"))
    run("sample", "m", "-n", "2", "--seed", "4", "--hint-from-image", image, "--out", "of.npz")
    ours = pt.load("m")
    given = hint_rule(ours.conditions.hint_reader).of(ours.image.level_array(Image.open(image)), ours.image)
    with np.load("of.npz") as found:
        np.testing.assert_array_equal(found["levels"], pt.sample(ours, 2, seed=4, hint=given).levels)
    assert "drop one of them" in fails("sample", "m", "--hint", "given.png", "--hint-from-image", image)


def test_what_is_not_right_is_a_sentence(archive: Path, model: Path) -> None:
    """Options and files."""
    train(archive, "--attribute-columns", "hair", "--levels", "8", "--steps", "1", "--out", "m")
    assert "NAME=VALUE" in fails("sample", "m", "--attribute", "red")
    assert "no hair 'pink'" in fails("sample", "m", "--attribute", "hair=pink")
    assert "no attribute 'eyes'" in fails("sample", "m", "--attribute", "eyes=blue")
    Path("bad.npy").write_bytes(b"x")
    assert "bad.npy cannot be read as npy" in fails("sample", "m", "--condition", "vector=bad.npy")
    assert "takes no hint" in fails("sample", "m", "--hint-from-image", "none.png")
    np.save("v.npy", np.ones(3))
    assert "trained without `vector`" in fails("sample", model, "--condition", "vector=v.npy")
    assert "`--condition` (='red') must be NAME=VALUE" in fails("sample", "m", "--condition", "red")
    assert "`--condition` (='label') must be one of vector" in fails("sample", "m", "--condition", "label=3")
    assert "drop one" in fails("train", archive, "--hint-rule", "outline", "--hint-column", "rough", "--out", "z")


def test_text_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captions of files, reworded in training; prompts in sampling and evaluation."""
    monkeypatch.setenv("POINTILLIST_CACHE", str(tmp_path / "cache"))
    data = write_images(tmp_path / "pets")
    words = ("--caption-column", "path", "--text-encoder", "use+learned", "--no-labels")
    more = ("--set", "train.captions.word_dropout=0.5", "--set", "train.captions.part_dropout=0.3")
    train(data, *words, *more, "--steps", "3", "--levels", "4", "--out", "m")
    run("train", "--resume", "--out", "m", "--steps", "5")
    text = pt.load("m").config.condition(TextConfig)
    assert text is not None
    assert text.encoder == "use+learned"
    asked = ("-n", "2", "--text", "cat", "--text", "a dog", "--guidance", "2", "--seed", "1")
    embedding_cache.cache_clear()  # as another process
    run("sample", "m", *asked, "--out", "d/")
    rows = [json.loads(line) for line in Path("d/metadata.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["cat", "cat", "a dog", "a dog"]
    embedding_cache.cache_clear()  # as one more, which finds the vectors of the same prompts
    with monkeypatch.context() as patch:
        patch.setattr(UniversalSentenceEncoder, "encode", lambda self, text: pytest.fail(f"{text} is encoded again"))
        run("sample", "m", *asked, "--out", "e/")
    first, second = ([path.read_bytes() for path in sorted(Path(folder).iterdir())] for folder in "de")
    assert first == second
    noted = run("sample", "m", "-n", "1", "--text", "a zxcv", "--out", "z.npz").output
    assert "No caption in training is near 'zxcv': nearest are " in noted
    away = ("--not", "a cat", "--best-of", "2", "--seed", "1", "--guidance", "2")
    run("sample", "m", "-n", "1", "--text", "a dog", *away, "--out", "away.npz")
    steered = pt.sample(pt.load("m"), 1, text="a dog", negative_prompt="a cat", best_of=2, guidance=2.0, seed=1)
    with np.load("away.npz") as archive:
        assert np.array_equal(archive["levels"], steered.levels)
    # after a few steps, prompts differ by less than a step of the integer program
    measured = json.loads(run("evaluate", "m", data, "--engine", "torch", "--json").output)
    assert measured["conditions"] == ["text", "words"]
    other = json.loads(run("evaluate", "m", data, "--text", "wall", "--engine", "torch", "--json").output)
    assert measured["bits_per_dim"] != other["bits_per_dim"]
    assert "text (use + learned)" in run("info", "m").output
    plain = ("--levels", "4", "--steps", "1", "--caption-column", "filename")
    train(data, *plain, "--text-encoder", "off", "--out", "n")
    assert pt.load("n").config.condition(TextConfig) is None
    assert "trained without text" in fails("sample", "n", "--text", "cat")


def test_prompts_by_labels_are_a_grid(tmp_path: Path) -> None:
    """A row of each prompt, a column of each label; the images are those of their conditions."""
    data = write_images(tmp_path / "pets")
    train(data, "--caption-column", "path", "--text-encoder", "learned", "--levels", "4", "--steps", "1", "--out", "m")
    Path("prompts.txt").write_text("a dog\na cat, dog\n", encoding="utf-8")
    grid = ("sample", "m", "-n", "2", "--texts", "prompts.txt", "--label", "each", "--seed", "1")
    run(*grid, "--out", "d/")
    rows = [json.loads(line) for line in Path("d/metadata.jsonl").read_text().splitlines()]
    assert [(row["text"], row["label"]) for row in rows] == [
        (text, label) for text in ("a dog", "a cat, dog") for label in ("cat", "cat", "dog", "dog")
    ]
    run(*grid, "--out", "grid.png")
    run("sample", "m", "-n", "8", "--seed", "1", "--out", "plain.png")
    with Image.open("grid.png") as sheet, Image.open("plain.png") as plain:
        assert sheet.width > plain.width / 2


def test_conditions_are_measured(tmp_path: Path) -> None:
    """In words and in JSON: bits saved, classes, captions, memorization."""
    data = write_images(tmp_path / "pets", count=10)
    options = ("--set", "data.valid_fraction=0.3", "--caption-column", "filename", "--text-encoder", "learned")
    train(data, *options, "--levels", "4", "--steps", "2", "--out", "m")
    how = (
        "evaluate",
        "m",
        data,
        "--split",
        "valid",
        "--condition-metrics",
        "--retrieval-candidates",
        "3",
        "--memorization",
        "4",
    )
    facts = json.loads(run(*how, "--json").output)
    assert set(facts["bits_saved"]) == {"label", "text", "everything"}
    assert (facts["classes"]["candidates"], facts["caption_retrieval"]["candidates"]) == (2, 3)
    assert facts["classes"]["top1"]["count"] == facts["count"] == 6
    assert 0 <= facts["memorization"]["samples"]["median"] <= 1
    shown = " ".join(run(*how).output.split())
    for words in (
        "bits saved label",
        "classes top1",
        "caption retrieval top1",
        "memorization samples",
        "chance 0.3333",
    ):
        assert words in shown
    assert "choose another `--split`" in fails("evaluate", "m", data, "--split", "train", "--memorization", "4")
    half, unguided = (json.loads(run(*how[:-2], "--guidance", g, "--json").output) for g in ("0.5", "0"))
    assert (facts["guidance"], half["guidance"]) == (1, 0.5)
    assert half["caption_retrieval_unguided"] == facts["caption_retrieval"]
    assert "caption_retrieval_unguided" not in facts
    assert len({found["nats"] for found in (facts, half, unguided)}) == 3
    saved = [found["bits_saved"]["everything"]["value"] for found in (facts, half, unguided)]
    assert saved[0] != saved[1]
    within = network_rounding(pt.load("m"), facts["nats"]) / math.log(2)
    label = facts["bits_saved"]["label"]["value"]
    assert abs(saved[2] - label) < within  # at guidance 0 the model has the label alone
    assert unguided["caption_retrieval"]["mrr"]["value"] == pytest.approx(1 / 2)  # nothing to tell captions apart by
    assert "0.5, where 1 is the model itself" in run(*how[:-2], "--guidance", "0.5").output
    assert "`--guidance` (=-1.0) must lie in 0 to 1,000" in fails("evaluate", "m", data, "--guidance", "-1")


def test_captions_are_ranked_by_the_command(tmp_path: Path) -> None:
    """For each image, as in Python, with its label; typed and of a file; one image has its table."""
    data = write_images(tmp_path / "pets", count=10)
    options = ("--set", "data.valid_fraction=0.3", "--caption-column", "path", "--text-encoder", "learned")
    train(data, *options, "--levels", "4", "--steps", "2", "--out", "m")
    Path("more.txt").write_text("a dog, red\n\nwall\n", encoding="utf-8")
    asked = ("--captions", "cat; dog", "--captions-file", "more.txt", "--caption-prior", "1,1,2,0")
    how = ("evaluate", "m", data, "--split", "valid", *asked)
    facts = json.loads(run(*how, "--json").output)["captions_ranked"]
    assert (facts["candidates"], len(facts["images"]), sum(facts["first"].values())) == (4, 6, 6)
    model = pt.load("m")
    images = pt.load_data(str(data), spec=model.image, classes=model.config.classes, valid_fraction=0.3).valid
    assert images is not None
    texts = ["cat", "dog", "a dog, red", "wall"]
    for i, row in enumerate(facts["images"]):
        batch = images.batch([i])
        assert batch.labels is not None
        ranking = pt.rank(model, batch.levels, texts, int(batch.labels[0]), prior=[1, 1, 2, 0])
        assert [each["text"] for each in row["captions"]] == list(ranking.texts)
        shares = [each["posterior"] for each in row["captions"]]
        np.testing.assert_allclose(shares, ranking.posterior, atol=network_rounding(model, ranking.log_likelihood))
        assert row["captions"][-1]["posterior"] == 0
    shown = run(*how).output
    assert "captions ranked  candidates 4, first " in shown
    captioned = facts["captioned"]
    assert captioned["count"] == sum(text in texts for text in images.texts or [])
    shown = run("evaluate", "m", data / "cat" / "0.png", "--captions", "cat; dog").output
    assert re.search(r"posterior +prior\b", shown)
    one = ("evaluate", "m", data)
    assert "needs captions: add `--captions`" in fails(*one, "--caption-prior", "1")
    assert "must be a number for each caption" in fails(*one, "--captions", "cat;dog", "--caption-prior", "1,x")
    assert "for each of 2 captions" in fails(*one, "--captions", "cat;dog", "--caption-prior", "1,1,1")
    assert "`--captions` (=' ; ') names nothing" in fails(*one, "--captions", " ; ")
    assert "has no word that the text encoder" in fails(*one, "--captions", "cat; \U0001f408")
    assert "(=none.txt) does not exist" in fails(*one, "--captions-file", "none.txt")


def test_some_images_are_evaluated(tmp_path: Path) -> None:
    """The same ones each time; no caption is ranked without repeats."""
    data = write_images(tmp_path / "pets", count=10)
    options = ("--set", "data.valid_fraction=0.3", "--caption-column", "filename", "--text-encoder", "learned")
    train(data, *options, "--levels", "4", "--steps", "2", "--out", "m")
    how = ("evaluate", "m", data, "--split", "train", "--condition-metrics", "--retrieval-repeats", "0", "--json")
    few, again, all_of_them = (
        json.loads(run(*how, *more).output) for more in (("--max-images", "5"), ("--max-images", "5"), ())
    )
    del few["seconds"], again["seconds"]
    assert few == again
    assert few["count"] == few["bits_saved"]["text"]["count"] == 5 < all_of_them["count"]
    assert "caption_retrieval" not in few


@pytest.mark.parametrize("prompt", ["", "\U0001f600\U0001f600", "\u53ea\u732b", "\x01\x02", "cat " * 10_000])
def test_a_prompt_without_a_known_word_is_an_error(prompt: str, tmp_path: Path) -> None:
    """Empty, emoji, another script, control characters, or without an end."""
    said = fails("sample", "scenes", "-n", "1", "--text", prompt, "-o", tmp_path / "image.png")
    assert "names nothing" in said or "no word that this model knows, such as" in said or "characters, over" in said
