"""The demo writes what it promises, and its page says what `evaluate` says."""

from __future__ import annotations

import html
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.cli import app
from pointillist.demo import DemoResult, icons, prompt_samples, run_demo
from pointillist.demo import run as demo_run
from pointillist.demo.results import frequency_bits
from pointillist.demo.workspace import Workspace
from pointillist.errors import ConfigError
from pointillist.model.generation import GenerationConfig
from pointillist.studio.server import Server
from pointillist.training import Interrupted, train
from pointillist.training.trainer import Trainer
from pointillist.zoo import ZOO

SMALL = {"channels": 8, "layers": 2, "head_channels": 8, "first_kernel": 3}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_run, "_MODEL", SMALL)
        return run_demo(tmp_path_factory.mktemp("demo") / "out", steps=6, threads=1, command="pointillist demo <&>")


class Reader(HTMLParser):
    """Tags that are open, and what the page points at."""

    VOID = ("meta", "link", "img", "br", "rect", "circle", "line", "polyline", "polygon", "image", "source")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(demo: DemoResult) -> str:
    return demo.workspace.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader.seen


def test_all_files_are_there(demo: DemoResult) -> None:
    workspace = demo.workspace
    names = [icons.MODEL, *(folder.name for folder in prompt_samples.find_prompt_models())]
    prompted = [workspace.prompt_samples(name) for name in names]
    for path in (workspace.page, workspace.results, workspace.samples, workspace.animation, workspace.maps, *prompted):
        assert path.stat().st_size > 500
    with Image.open(workspace.animation) as gif:
        assert gif.n_frames == 65  # type: ignore[attr-defined]
    assert not (workspace.run / "state").exists()
    assert workspace.page.stat().st_size < 1_000_000


def test_the_numbers_are_those_of_evaluate(demo: DemoResult, page: str) -> None:
    results = demo.results
    model = pt.load(demo.workspace.model)
    evaluation = pt.evaluate(model, pt.load_data("uci-digits").get("test"))
    assert results.bits_per_dim == pytest.approx(evaluation.bits_per_dim, abs=1e-9)
    assert results.interval == pytest.approx(evaluation.interval, abs=1e-9)
    assert results.nats == pytest.approx(evaluation.nats, abs=1e-7)
    assert results.test_images == evaluation.count == 360
    low, high = evaluation.interval
    assert f"{evaluation.bits_per_dim:.4f} bits/dim, 95 % interval {low:.4f} to {high:.4f}" in page
    assert f"{evaluation.nats:.3f} nats an image" in page
    assert f"{model.num_parameters:,} parameters" in page
    mean = sum(c.bits_per_dim * c.count for c in results.per_class) / 360
    assert mean == pytest.approx(results.bits_per_dim, abs=1e-9)
    assert json.loads(demo.workspace.results.read_text())["bits_per_dim"] == results.bits_per_dim


def test_the_model_survives_disk_and_the_samplers_agree(demo: DemoResult) -> None:
    assert demo.results.reloaded_equal
    assert demo.results.cross_check.equal
    assert demo.results.cross_check.images == 4


def test_the_page_needs_nothing_from_elsewhere(page: str, tags: list[tuple[str, dict[str, str | None]]]) -> None:
    page = page.replace('"http://www.w3.org/2000/svg"', "")  # the name of the SVG standard, which no browser fetches
    assert not re.search(r"https?:|@import|url\(|<script[^>]*\ssrc|\son\w+=", page)
    assert page.count("<script") == 2  # the data of the explorer, and what it does
    for _, attributes in tags:
        for name in ("src", "href", "srcset", "poster", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "$" not in re.sub(r"base64,[^\"]*|<script.*?</script>", "", page, flags=re.S)


def test_every_picture_is_described_in_words(tags: list[tuple[str, dict[str, str | None]]]) -> None:
    pictures = [(tag, a) for tag, a in tags if tag in ("img", "svg")]
    assert len(pictures) > 30
    for tag, attributes in pictures:
        words = attributes.get("alt" if tag == "img" else "aria-label") or ""
        assert len(words) > 10, (tag, words)
        assert "nan" not in words


def test_what_a_user_gives_is_escaped(page: str) -> None:
    assert "pointillist demo &lt;&amp;&gt;" in page
    assert "demo <&>" not in page


def test_new_digits_stand_under_their_class(demo: DemoResult, tags: list[tuple[str, dict[str, str | None]]]) -> None:
    alts = [a["alt"] for tag, a in tags if tag == "img" and "new images" in (a.get("alt") or "")]
    assert alts == [f"8 new images sampled for the class {name}" for name in range(10)]


def test_the_page_begins_with_icons(tags: list[tuple[str, dict[str, str | None]]], page: str) -> None:
    """Every example prompt in every style, one sample each, as the command below gives them."""
    alts = [a["alt"] for tag, a in tags if tag == "img"]
    config = GenerationConfig.read(ZOO / icons.MODEL)
    cells = [f"{prompt} in the style {style}" for style in config.labels[:4] for prompt in config.prompts[:8]]
    assert alts[: len(cells)] == cells
    command = html.unescape(re.findall(r"<code>(pointillist sample icons .*?)</code>", page)[0])
    options = command.partition(" ")[2]
    assert shlex.split(options)[:3] == ["sample", "icons", "--text"]


def test_samples_from_prompts_are_shown(
    demo: DemoResult, tags: list[tuple[str, dict[str, str | None]]], page: str
) -> None:
    """Of each other pretrained model conditioned on text, with its command; a sentence where there is none."""
    shown = [a["alt"] for tag, a in tags if tag == "img" and "samples of each" in (a.get("alt") or "")]
    assert len(shown) == len(prompt_samples.find_prompt_models()) == len(demo.prompt_samples) - 1
    assert all(file.is_file() for file in demo.prompt_samples.values())
    assert prompt_samples.NONE in prompt_samples.render_section({}, 0)
    assert (prompt_samples.NONE in page) == (not shown)


def test_the_commands_at_the_end_work_as_pasted(
    demo: DemoResult, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the demo was started; those of a folder that nobody has are parsed only."""
    monkeypatch.chdir(tmp_path)
    lines = [
        html.unescape(line)
        for block in re.findall(r"<pre[^>]*><code>(.*?)</code>", page, re.S)
        for line in block.split("\n")
    ]
    assert [shlex.split(line)[1] for line in lines] == ["studio", "explain", "sample", "explain", "train", "sample"]
    served: list[str] = []

    def run(server: Server, on_started: object) -> None:
        served.append(server.url)
        server.close()

    monkeypatch.setattr(Server, "run", run)
    for line in lines[:4]:
        found = CliRunner().invoke(app, shlex.split(line)[1:])
        assert found.exit_code == 0, f"{line}: {found.output}"
    assert len(served) == 1
    assert {path.name for path in tmp_path.iterdir()} >= {"digit.html", "rocket.png", "rocket.html"}


@pytest.mark.slow
def test_again_replaces_its_own_files_only(demo: DemoResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_run, "_MODEL", SMALL)
    folder = demo.workspace.folder
    (folder / "mine.txt").write_text("kept")
    before = demo.workspace.results.read_text()
    again = run_demo(folder, steps=6, threads=1)
    assert (folder / "mine.txt").read_text() == "kept"
    assert again.results.bits_per_dim == json.loads(before)["bits_per_dim"]


@pytest.mark.slow
def test_an_interrupted_demo_is_resumed(tmp_path: Path, demo: DemoResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_run, "_MODEL", SMALL)
    resumed = []

    def stop_early(*args: object, resume: bool, **kwargs: object) -> object:
        resumed.append(resume)
        if not resume:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Trainer, "_any_process_stopping", lambda self: self.progress.step >= 3)
                return train(*args, resume=resume, **kwargs)  # type: ignore[arg-type]
        return train(*args, resume=resume, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(demo_run, "train", stop_early)
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        run_demo(out, steps=6, threads=1)
    assert not (out / "index.html").exists()
    done = run_demo(out, steps=6, threads=1)
    assert resumed == [False, True]
    assert done.results.bits_per_dim == demo.results.bits_per_dim


def test_other_settings_start_afresh(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "out")
    assert workspace.open({"seed": 0}) == (False, 0.0)
    (workspace.run / "state" / "step-000000001").mkdir(parents=True)
    workspace.record({"seed": 0}, seconds=2.5, trained=False)
    assert workspace.open({"seed": 0}) == (True, 2.5)
    assert workspace.open({"seed": 1}) == (False, 0.0)
    assert not workspace.run.exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="no demo has written"):
        run_demo(tmp_path, steps=1)
    with pytest.raises(ConfigError, match="`steps`"):
        run_demo(tmp_path / "new", steps=0)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_frequency_bits_of_fair_coins() -> None:
    train = np.array([0, 1] * 500).reshape(1000, 1, 1, 1)
    assert frequency_bits(train, train[:2], 2) == pytest.approx(1.0)
