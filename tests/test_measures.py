"""What measures the shipped models beside `evaluate`: codecs, kinds that a classifier sees, and the page of figures."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.cli.evaluation_report import metrics_lines
from pointillist.cli.output import print_facts
from pointillist.data import ImageDataset
from pointillist.images import ImageSpec

from .scripts import script

DOCS = Path(__file__).parents[1] / "docs"
PALETTE = ((0, 0, 0, 0), (140, 20, 20, 255), (30, 90, 30, 255), (60, 60, 120, 255))
SPRITES = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=PALETTE)

pytestmark = pytest.mark.slow  # scripts of measurements: nothing of the package depends on them


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


def tiles(names: list[str], seed: int, kinds: ModuleType) -> ImageDataset:
    """Tiles of three kinds, each of one colour with some noise, and some of no kind."""
    rng = np.random.default_rng(seed)
    of = {"wall": ("dungeon feature", 1), "dragons": ("monster", 2), "potion": ("item", 3), "hat": ("item", 0)}
    x = np.stack([np.where(rng.random((1, 8, 8)) < 0.8, of[name.split(",")[0]][1], 0) for name in names])
    classes = ("dungeon feature", "monster", "item")
    labels = np.array([classes.index(of[name.split(",")[0]][0]) for name in names])
    return ImageDataset(x.astype(np.uint8), SPRITES, labels=labels, texts=names, classes=classes)


def test_kinds_are_told_by_folder_and_name() -> None:
    """Of one pattern alone; each prompt asks for a kind that there is."""
    kinds = script("measure_kinds")
    names = list(kinds.KINDS)
    assert len(names) == 20
    assert len(kinds.PROMPTS) == 8
    assert set(kinds.PROMPTS.values()) <= set(names)
    assert kinds.kind_of("monster", "dragons, red dragon") == names.index("dragon")
    assert kinds.kind_of("item", "armour/shields, shield kite") == names.index("shield")
    assert kinds.kind_of("player part", "hand2, lantern") is None
    assert kinds.kind_of("effect", "effect, cloud acid") == names.index("cloud")
    assert kinds.kind_of("player part", "transform, dragon form") is None


def test_a_classifier_judges_samples_and_real_tiles() -> None:
    """It tells kinds of real tiles apart, and a model that knows nothing does not look like them."""
    kinds = script("measure_kinds")
    names = [f"{folder}, thing {i}" for i in range(12) for folder in ("wall", "dragons", "potion", "hat")]
    splits = pt.DataSplits(train=tiles(names, 0, kinds), test=tiles(names, 1, kinds))
    torch.manual_seed(0)
    model = pt.build("pixelcnn", image=SPRITES, channels=4, layers=1, text="learned").eval()
    state = torch.random.get_rng_state()
    found = kinds.measure(model, splits, each=2, steps=30)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert found["test"]["count"] == 36
    assert found["test"]["share"] > 0.9
    assert set(found["test"]["by_kind"]) == {"wall", "dragon", "potion"}
    assert found["samples"]["count"] == 16
    assert found["samples_over_test"] == pytest.approx(found["samples"]["share"] / found["test"]["share"])
    assert found["samples"]["share"] < found["test"]["share"]
    again = kinds.train(*kinds.tiles_of(model, splits.train), steps=3)
    same = kinds.train(*kinds.tiles_of(model, splits.train), steps=3)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), same.parameters(), strict=True))
    asked = tiles(["wall, stone wall"] * 3, 0, kinds)
    with pytest.raises(AssertionError, match="stone wall"):
        kinds.measure(model, pt.DataSplits(train=asked, test=asked))


def test_the_page_says_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made of the files that are here; figures of a model appear as soon as they are there, and no others do."""
    maker = script("make_zoo_page")
    assert (DOCS / "evidence" / "zoo.md").read_text(encoding="utf-8") == maker.page(), (
        "run `python tools/make_zoo_page.py`"
    )
    monkeypatch.setattr(maker, "ZOO", tmp_path)
    monkeypatch.setattr(maker, "MEASURED", tmp_path)
    assert "| bits/pixel of the 707 test tiles, given caption and category | not measured yet |" in maker.page()
    assert "primed |" not in maker.page()
    card = "# tiles\n"
    metrics = metrics_lines({"bits_saved": {"text": _share(30.2)}})
    print_facts([("bits/dim", "0.9137   (95 % interval 0.7 to 1)"), *metrics])
    command = "pointillist evaluate tiles tiles.npz --split test --condition-metrics"
    card += f"\n```text\n$ {command}\n{capsys.readouterr().out.strip()}\n```\n\nMore.\n"
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / "README.md").write_text(card)
    page = maker.page()
    assert "| 0.914 |" in page
    assert "| 30.2 |" in page
    assert maker.figures("tiles")["bits_saved"] == {"text": "30.20"}


def _share(value: float) -> dict[str, Any]:
    return {"value": value, "interval_95": [value - 0.1, value + 0.1], "count": 9}
