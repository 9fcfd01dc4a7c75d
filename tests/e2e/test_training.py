"""Watching a training run: curves, sample sheets, the same canvas painted by each checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import pointillist as pt
from pointillist.images.visualization import image_grid, save_png
from pointillist.model.training_record import TrainingRecord
from pointillist.studio.service import StudioService
from tests.e2e.helpers import grey, opened, pixels, pixels_of, point, serving
from tests.e2e.models import digits


def write_checkpoint(run: Path, step: int) -> pt.PixelModel:
    """What a training writes at a step: metrics, a sample sheet, the newest model."""
    model = digits()
    model.training_record = TrainingRecord(step=step)
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "bits_per_dim": 4.0 - step / 100, "speed": 120.0}) + "\n")
        file.write(json.dumps({"step": step, "valid_bits_per_dim": 3.9 - step / 100}) + "\n")
    (run / "samples").mkdir(exist_ok=True)
    save_png(image_grid(pt.sample(model, 4, seed=0).drawn()), run / "samples" / f"step-{step:07d}.png")
    model.save_pretrained(run / "last")
    return model


def test_a_run_is_watched(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new checkpoint paints the same canvas, and the curve and the sheet follow."""
    monkeypatch.setattr("pointillist.studio.answers.training_run._INTERVAL", 0.05)
    write_checkpoint(tmp_path, 100)
    with serving(StudioService([], run=tmp_path), wait=False) as server, opened(browser, server.url) as page:
        page.get_by_label("Seed", exact=True).fill("3")
        page.get_by_label("Seed", exact=True).blur()
        panel = page.get_by_role("region", name="Training")
        expect(panel).to_contain_text("2.900")
        expect(panel.get_by_role("button", name="Show the canvas of step 100")).to_be_visible()
        expect(panel.get_by_role("img", name="Sample sheet of step 100")).to_be_visible()
        second = write_checkpoint(tmp_path, 200)
        expect(panel).to_contain_text("1.900")
        expect(panel.get_by_role("img", name="Sample sheet of step 200")).to_be_visible()
        newest = panel.get_by_role("button", name="Show the canvas of step 200")
        expect(newest).to_have_attribute("aria-pressed", "true")  # followed
        expected = grey(pt.sample(second, 1, seed=3).levels[0, 0])
        np.testing.assert_array_equal(pixels(page)[..., 0], expected)
        np.testing.assert_array_equal(pixels_of(newest.locator("canvas"))[..., 0], expected)
        point(page, 3, 3)  # a pixel takes the place of the panel, also of an image of the run
        expect(panel).to_be_hidden()
        expect(page.locator(".channel .chart").first).to_be_visible()
        page.mouse.move(2, 2)
        panel.get_by_role("button", name="Show the canvas of step 100").click()
        assert (pixels(page)[..., 0] != expected).any()
