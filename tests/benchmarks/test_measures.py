"""What measures the bundled models beside `evaluate`: codecs, recognised concepts, and the page of figures."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.commands.cli.output import print_report
from pointillist.images import ImageSpec
from tests.scripts import script

DOCS = Path(__file__).parents[2] / "docs"
PALETTE = ((0, 0, 0, 0), (140, 20, 20, 255), (30, 90, 30, 255), (60, 60, 120, 255))
SPRITES = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=PALETTE)

pytestmark = [pytest.mark.slow, pytest.mark.proof]  # scripts of measurements: nothing of the package depends on them


def test_entropy_of_levels() -> None:
    """Of each channel by itself: two equally likely levels are a bit, a constant is none."""
    codecs = script("measure_codecs")
    x = np.zeros((5, 2, 4, 4), np.uint8)
    x[:, 0, ::2] = 9
    assert codecs.entropy(x) == 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), st.sampled_from([(), (3,)]), st.integers(0, 99))
def test_a_mosaic_holds_every_picture(count: int, columns: int, channels: tuple[int, ...], seed: int) -> None:
    """Each at its place, row by row; what is left over is empty."""
    pictures = np.random.default_rng(seed).integers(1, 9, (count, 3, 2, *channels)).astype(np.uint8)
    whole = script("measure_codecs").mosaic(pictures, columns)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        assert np.array_equal(whole[3 * row : 3 * row + 3, 2 * column : 2 * column + 2], picture)
    assert np.count_nonzero(whole) == pictures.size


def test_codecs_are_lossless_and_primed_ones_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form of a palette image; a set that repeats the training images costs a primed codec next to nothing."""
    codecs = script("measure_codecs")
    for needed in ("JPEG XL e7", "JPEG XL e9"):  # of the extra `codecs`
        monkeypatch.delitem(codecs.PICTURES, needed)
    monkeypatch.delitem(codecs.STREAMS, "brotli 11")
    levels = np.random.default_rng(0).integers(0, 4, (20, 1, 8, 8)).astype(np.uint8)
    rows = {(row["codec"], row["layout"]): row for row in codecs.compare(levels, levels, SPRITES)}
    assert {form for _, layout in rows for form in ("indexes", "colours") if form in layout} == {"indexes", "colours"}
    assert rows["PNG", "mosaic 8 wide, indexes"]["bits_per_dim"] > 1.9
    assert rows["xz -9e", "primed with the training images"]["bits_per_dim"] < 0.4
    assert rows["xz -9e", "the set"]["bits_per_dim"] > 1.9
    assert all(row["bits_per_dim"] == 8 * row["bytes"] / levels.size for row in rows.values())
    with pytest.raises(AssertionError, match="not lossless"):
        codecs.size(codecs.pillow("JPEG", quality=10), levels[0, 0] * 60)


def test_jpeg_xl_and_brotli() -> None:
    """With the extra `codecs`: pictures come back, and bytes are fewer."""
    pytest.importorskip("imagecodecs", reason="needs the extra `codecs`")
    pytest.importorskip("brotli", reason="needs the extra `codecs`")
    codecs = script("measure_codecs")
    picture = np.tile(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), (4, 4, 3))
    assert codecs.size(codecs.PICTURES["JPEG XL e7"], picture) < picture.size
    assert len(codecs.brotli(picture.tobytes())) < picture.size // 4


def icons(sets: tuple[str, ...], split: str, seed: int) -> dict[str, np.ndarray]:
    """Three concepts, each a bright quarter of its own, with noise; the set is the level of the quarter."""
    rng = np.random.default_rng(seed)
    names = [(concept, artist) for concept in ("heart", "home", "star") for artist in sets for _ in range(8)]
    x = (rng.random((len(names), 8, 8)) < 0.1).astype(np.uint8)
    for image, (concept, artist) in zip(x, names, strict=True):
        row, column = divmod(("heart", "home", "star").index(concept), 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 2 + sets.index(artist) % 2
    columns = np.array(names)
    return {"x": x, "name": columns[:, 0], "set": columns[:, 1], "split": np.full(len(names), split)}


def test_classifiers_judge_concepts_and_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell real images of unknown artists apart; a model that knows nothing does not look like them."""
    measure = script("measure_concepts")
    monkeypatch.setattr(measure, "UNSEEN", {"icons": [("tdesign", "bi")]})
    monkeypatch.setattr(measure, "STYLES", {"icons": ("tabler", "ph")})
    monkeypatch.setattr(measure, "STEPS", {"icons": 40})  # of styles
    parts = [icons(("tabler", "ph", "tdesign", "bi"), split, seed) for seed, split in enumerate(("train", "test"))]
    data = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    image = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=True, mode="grey")
    torch.manual_seed(0)
    classes = ("tabler", "ph", "tdesign", "bi")
    model = pt.build("pixelcnn", shape=image, channels=4, layers=1, text="learned", classes=classes).eval()
    concepts = ["heart", "home", "star"]
    found, samples = measure.measure_concepts(model, data, "icons", concepts, 2, 40, seed=0)
    assert measure.frequent_names(data, 32) == concepts
    assert measure.frequent_names(data, 33) == []
    assert len(samples) == found["samples"]["count"] == 6
    assert found["real_images"] == 48
    assert found["real"] > 0.9
    assert found["samples_over_real"] == pytest.approx(found["samples"]["top1"] / found["real"])
    assert found["samples"]["top1"] < found["real"]
    assert set(found["by_concept"]) == set(concepts)
    for quick in (False, True):
        styles = measure.measure_styles(model, data, "icons", concepts, quick=quick, seed=0)
        assert styles["real"] > 0.9
        assert styles["samples"]["count"] == 6
    copied = measure.copies(model, samples, data)
    assert set(copied) == {"samples", "test"}
    assert measure.copies(model, pt.sample(model, 1, seed=0), {**data, "x": np.zeros_like(data["x"])})["test"] == 1


def test_concepts_are_fixed() -> None:
    """60 different ones; settings are chosen by others."""
    concepts = tomllib.loads((DOCS.parent / "benchmarks" / "concepts.toml").read_text(encoding="utf-8"))
    test, validation = concepts["test"], concepts["validation"]
    assert {name: len(set(found)) for name, found in test.items()} == {"icons": 60}
    assert not any(set(test[name]) & set(validation[name]) for name in test)


def test_the_page_says_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures of a model appear as soon as they are there, and no others do."""
    maker = script("make_zoo_page")
    monkeypatch.setattr(maker, "ZOO", tmp_path)
    monkeypatch.setattr(maker, "MEASURED", tmp_path)
    assert "| bits saved by the unseen name | not measured yet |" in maker.page()
    card = "# icons\n"
    print_report({"bits_per_dim": 0.9137, "bits_saved": {"text": _share(30.2)}})
    command = "pointillist evaluate icons icons.npz --split test --condition-metrics"
    card += f"\n```text\n$ {command}\n{capsys.readouterr().out.strip()}\n```\n\nMore.\n"
    (tmp_path / "icons").mkdir()
    (tmp_path / "icons" / "README.md").write_text(card)
    page = maker.page()
    assert "| 0.914 |" in page
    assert "| 30.2 |" in page
    assert maker.figures("icons")["bits_saved"] == {"text": "30.200"}


def _share(value: float) -> dict[str, Any]:
    return {"value": value, "interval_95": [value - 0.1, value + 0.1], "count": 9}


def test_prepared_prompts_hold_nothing_that_is_tested(tmp_path: Path) -> None:
    """No test name, synonym, plural or order of words that a benchmark tests is in the training split; mirrors are."""
    maker, measure = script("prepare_prompts"), script("measure_concepts")
    names = [*["arrow left", "leaf", "trash", "hard drive", "person"] * 30, "arrow right", *["people"] * 30]
    images = np.zeros((len(names), 4, 4), np.uint8)
    images[:, :, 0] = 1
    split = np.where(np.array(names) == "people", "test", "train")
    columns = {"set": np.full(len(names), "a"), "style": np.full(len(names), ""), "split": split}
    np.savez(tmp_path / "source.npz", x=images, name=np.array(names), **columns)
    maker.prepare(str(tmp_path / "source.npz"), str(tmp_path / "target.npz"))
    data = np.load(tmp_path / "target.npz")
    train = data["split"] == "train"
    captions = set(data["caption"][train].tolist())
    assert not captions & {"people", *(other for other, _ in measure.CONCEPTS["synonyms"]["icons"])}
    assert captions & {"rubbish", "garbage", "dustbin"}
    for name in {name for name in names if maker.is_tested(name)}:
        assert not captions & {measure.plural(name), " ".join(reversed(name.split())) if " " in name else ""}
    mirrored = train & (data["name"] == "arrow right")
    assert data["x"][mirrored][:, :, -1].any()
    assert not data["x"][train & (data["name"] == "arrow left")][:, :, -1].any()
    maker.prepare(str(tmp_path / "source.npz"), str(tmp_path / "all.npz"), everything=True)
    everything = np.load(tmp_path / "all.npz")
    assert "people" in everything["name"]
    assert set(everything["split"].tolist()) == {"train"}
