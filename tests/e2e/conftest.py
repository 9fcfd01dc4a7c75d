"""One studio and one headless Chromium for all tests of the page; skipped with a sentence where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.models import digits, outliner, slow
from tests.studio.helpers import coloured, labelled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

if find_spec("playwright") is None:  # the extra `e2e`
    collect_ignore_glob = ["test_*.py"]

CHROMIUM = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-default-apps", "--disable-sync", "--no-first-run", "--no-default-browser-check",
]  # fmt: skip


SMOKE = {
    "test_files_are_small_and_name_no_other_host",
    "test_types_are_those_of_the_server",
    "test_paint_shows_the_images_of_sample",
    "test_stop_ends_the_work_and_keeps_what_is_there",
    "test_maps_lie_over_the_image_and_say_their_scale",
    "test_every_condition_has_a_field",
    "test_hovering_shows_a_distribution_that_sums_to_1",
    "test_erase_and_fill",
    "test_a_drawn_hint_is_painted_at_once",
    "test_presets_and_examples_are_a_click",
    "test_two_settings_make_a_grid",
    "test_pictures_are_exact_and_enlarged",
    "test_pixels_are_chosen_and_keys_are_listed",
    "test_a_touch_holds_a_pixel",
    "test_paint_hover_and_keep",
    "test_a_run_is_watched",
    "test_copy_cut_and_paste",
    "test_nothing_to_mend_at_first",
    "test_the_inside_of_the_network_is_shown",
    "test_a_map_is_shown_and_saved_by_its_tiles",
    "test_a_page_paints_the_pictures_of_the_command_line",
    "test_a_page_without_a_bundler",
}
"""One test for each panel of the page, and those without a browser: `make test` runs these, `make test-slow` all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the other tests of this folder as slow."""
    for item in items:
        if item.path.parent == Path(__file__).parent and getattr(item, "originalname", item.name) not in SMOKE:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("The page is tested in Chromium, which is not here: `apt-get install chromium`, or set "
                    "POINTILLIST_CHROMIUM to its path.")  # fmt: skip
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def service() -> Iterator[StudioService]:
    """Five models with random weights: digits with labels, colours of a palette, RGB, a slow one, one of outlines.

    The weights are the same in any order of tests.
    """
    torch.manual_seed(0)
    found = StudioService([digits(), coloured(), labelled(), slow(), outliner()])
    yield found
    found.close()


@pytest.fixture(scope="session")
def studio(service: StudioService) -> Iterator[Server]:
    """The studio, once its models are ready."""
    server = Server(service)
    server.start()
    service.models.wait(600)
    assert [(info.state, info.error) for info in service.models.infos()] == [("ready", None)] * 5
    yield server
    server.close()


@pytest.fixture
def page(browser: Browser, studio: Server) -> Iterator[Page]:
    """The page, with its models ready. Afterwards: it asked nobody but the studio, and no script failed."""
    from tests.e2e.helpers import opened

    with opened(browser, studio.url) as found:
        yield found
