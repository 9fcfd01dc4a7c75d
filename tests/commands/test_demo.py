"""The demo writes what it promises, and its page says what `evaluate` says."""

from __future__ import annotations

import html
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands import demo as tour
from pointillist.commands.cli import app
from pointillist.commands.demo import WRITTEN, frequency_bits, run_demo
from pointillist.errors import ConfigError
from pointillist.studio.http.server import Server
from pointillist.training import Interrupted, train
from pointillist.training.trainer import Trainer
from tests.tolerances import DOUBLE

SMALL = {"channels": 8, "layers": 2, "head_channels": 8, "first_kernel": 3}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tour, "NETWORK", SMALL)
        out = tmp_path_factory.mktemp("demo") / "out"
        run_demo(out, steps=6, threads=1, command="pointillist demo <&>")
    return out


@pytest.fixture(scope="module")
def results(demo: Path) -> dict[str, Any]:
    return json.loads((demo / "results.json").read_text(encoding="utf-8"))


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
def page(demo: Path) -> str:
    return (demo / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader.seen


def test_all_files_are_there(demo: Path) -> None:
    assert {path.name for path in demo.iterdir()} == set(WRITTEN)
    for path in demo.iterdir():
        assert path.is_dir() or path.name == "demo.json" or path.stat().st_size > 500
    with Image.open(demo / "digits.gif") as gif:
        assert gif.n_frames == 65  # type: ignore[attr-defined]
    assert not (demo / "run" / "state").exists()
    assert (demo / "index.html").stat().st_size < 1_000_000
    assert f"pointillist sample {demo / 'model'} -n 8" in (demo / "digit.html").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_evaluate(demo: Path, results: dict[str, Any], page: str) -> None:
    model = pt.load(demo / "model")
    evaluation = pt.evaluate(model, pt.load_data("uci-digits").get("test"))
    assert results["bits_per_dim"] == pytest.approx(evaluation.bits_per_dim, abs=DOUBLE)
    assert results["interval_95"] == pytest.approx(evaluation.interval, abs=DOUBLE)
    assert results["nats"] == pytest.approx(evaluation.nats, rel=DOUBLE)
    assert results["test_images"] == evaluation.count == 360
    low, high = evaluation.interval
    assert f'<p class="number">{evaluation.bits_per_dim:.4g}</p>' in page
    assert f"interval {low:.4f} to {high:.4f}" in page
    assert f"<dd>{model.num_parameters():,}</dd>" in page
    counts = np.bincount(np.asarray(pt.load_data("uci-digits").get("test").labels))
    mean = sum(bits * count for bits, count in zip(results["per_class"].values(), counts, strict=True)) / 360
    assert mean == pytest.approx(results["bits_per_dim"], abs=DOUBLE)


def test_the_page_needs_nothing_from_elsewhere(page: str, tags: list[tuple[str, dict[str, str | None]]]) -> None:
    """But the report of a digit, which stands next to it."""
    page = page.replace('"http://www.w3.org/2000/svg"', "")  # the name of the SVG standard, which no browser fetches
    assert not re.search(r"https?:|@import|url\(|<script[^>]*\ssrc|\son\w+=", page)
    assert "<script" not in page
    links = [a[name] for _, a in tags for name in ("src", "href", "srcset", "poster", "data") if a.get(name)]
    assert [link for link in links if not (link or "").startswith("data:")] == ["digit.html"]
    assert "$" not in re.sub(r"base64,[^\"]*|<script.*?</script>", "", page, flags=re.S)


def test_every_picture_is_described_in_words(tags: list[tuple[str, dict[str, str | None]]]) -> None:
    pictures = [(tag, a) for tag, a in tags if tag in ("img", "svg")]
    assert len(pictures) == 4
    for tag, attributes in pictures:
        words = attributes.get("alt" if tag == "img" else "aria-label") or ""
        assert len(words) > 10, (tag, words)
        assert "nan" not in words


def test_what_a_user_gives_is_escaped(page: str) -> None:
    assert "pointillist demo &lt;&amp;&gt;" in page
    assert "demo <&>" not in page


def test_the_commands_at_the_end_work_as_pasted(
    demo: Path, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert {path.name for path in tmp_path.iterdir()} >= {"digit.html", "cat.png", "cat.html"}


@pytest.mark.slow
def test_again_replaces_its_own_files_only(
    demo: Path, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "NETWORK", SMALL)
    (demo / "mine.txt").write_text("mine")
    again = run_demo(demo, steps=6, threads=1)
    assert (demo / "mine.txt").read_text() == "mine"
    assert again["bits_per_dim"] == results["bits_per_dim"]


@pytest.mark.slow
def test_an_interrupted_demo_is_resumed(
    tmp_path: Path, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "NETWORK", SMALL)
    resumed = []

    def stop_early(*args: object, resume: bool, **kwargs: object) -> object:
        resumed.append(resume)
        if not resume:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Trainer, "_any_process_stopping", lambda self: self.progress.step >= 3)
                return train(*args, resume=resume, **kwargs)  # type: ignore[arg-type]
        return train(*args, resume=resume, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tour, "train", stop_early)
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        run_demo(out, steps=6, threads=1)
    assert not (out / "index.html").exists()
    assert run_demo(out, steps=6, threads=1)["bits_per_dim"] == results["bits_per_dim"]
    assert resumed == [False, True]


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
