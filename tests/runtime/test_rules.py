"""Rules in JavaScript: the maps, the worlds and the sentences of Python."""

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
from pointillist.engine import library
from pointillist.images import ImageSpec
from pointillist.studio.export import page
from tests.sampling.worlds.conftest import model_fixture as worlds_model  # noqa: F401
from tests.sampling.worlds.test_rules_in_c import CASES, CHUNKS, MARGIN, SEEDS, SIZE, expected

from .test_javascript import javascript

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run JavaScript")
LEVELS = ("wall", "floor", "key")
MODULE = """import { readFileSync } from "node:fs";
import { open } from "./model.js";
const painter = await open(), results = [];
for (const { seed, chunk, world, request } of JSON.parse(readFileSync(0, "utf8"))) try {
  results.push([...(chunk ? painter.world(seed, world).chunk(...chunk) : painter.paint(request).levels)]);
} catch (error) { results.push(error.message); }
console.log(JSON.stringify({ compiled: painter.compiled, results }));
"""

MAPS: dict[str, dict[str, Any]] = {
    "border": {"border": ["wall"], "adjacency": "observed"},
    "mirror": {"mirror": "both", "counts": [{"levels": ["key"], "at_most": 4, "at_least": 1}]},
    "regions": {
        "regions": [{"levels": ["floor", 2], "rows": "1:-1", "columns": ":3"}],
        "fixed": [{"row": -1, "column": -2, "level": "key"}, {"row": 0, "column": 0, "level": "0"}],
    },
    "pairs": {"adjacency": {"right": [[0, 1], [1, 1], [1, 2], [2, 1], [1, 0]], "never": [["wall", "key"]]}},
    "observed-and-more": {"adjacency": {"observed": True, "right": [["wall", "key"]], "never": [[1, 2]]}},
    "one-piece": {"connected": [{"levels": ["floor", "key"]}], "counts": [{"levels": ["floor"], "at_least": 3}]},
    "path": {"paths": [{"from": "key", "to": "floor", "through": ["floor"]}], "border": ["wall", "key"], "mirror": "x"},
    "neighbours-are-met-late": {"adjacency": {"right": [[0, 1], [1, 2], [2, 0]], "down": [[0, 0], [1, 1], [2, 2]]}},
    "no-level": {"border": ["wall"], "fixed": [{"row": 0, "column": 3, "level": "floor"}]},
    "no-level-alone": {"regions": [{"levels": ["wall"]}], "fixed": [{"row": 2, "column": 3, "level": 1}]},
    "too-few": {"counts": [{"levels": ["key"], "at_least": 43}]},
    "too-many": {"counts": [{"levels": ["key"], "at_most": 3}], "regions": [{"levels": ["key"], "rows": "2:3"}]},
    "no-path": {"regions": [{"levels": ["wall", "key"]}], "paths": [{"from": "key", "to": "floor", "through": [0]}]},
    "never-drawn": {"counts": [{"levels": ["key", "floor"], "at_least": 42}], "tries": 4},
    "cut": {
        "regions": [{"levels": [k], "rows": r} for k, r in ((0, "2:4"), (1, ":1"), (1, "5:"))],
        "connected": [{"levels": [1]}],
    },
    "beyond": {"fixed": [{"row": 6, "column": 0, "level": 0}]},
    "no-range": {"regions": [{"levels": [0], "rows": "4:2"}]},
}
"""Rules of maps of 6x7 sites of three levels; those from `no-level` on cannot be met."""
HEIGHT, WIDTH = 6, 7
FIRST_UNMET = "no-level"
SETTINGS = ({}, {"temperature": 0.7, "top_p": 0.8})


@pytest.fixture(scope="session")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module of the tiny model of worlds."""
    folder = tmp_path_factory.mktemp("module")
    pt.export(model, js=folder)
    return folder


def compiled(folder: Path, jobs: list[dict[str, Any]], *, is_compiled: bool = True) -> list[Any]:
    """Run jobs of a module in Node, which has WebAssembly or lacks it."""
    command = [str(shutil.which("node")), "--input-type=module", "-e", MODULE]
    done = subprocess.run(command, cwd=folder, input=json.dumps(jobs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["compiled"] == is_compiled
    results: list[Any] = answer["results"]
    return results


def in_words(results: list[Any]) -> list[str]:
    """Levels as text, and sentences."""
    return [each if isinstance(each, str) else " ".join(map(str, each)) for each in results]


@pytest.mark.parametrize("case", CASES)
def test_worlds_are_those_of_python(model: Path, exported: Path, case: str) -> None:
    """The cases of the program in C."""
    rules, lines = CASES[case], expected(model, CASES[case])
    settings = {"chunkSize": SIZE, "margin": MARGIN, "rules": rules}
    jobs = [{"seed": seed, "chunk": chunk, "world": settings} for seed in SEEDS for chunk in CHUNKS]
    assert in_words(compiled(exported, jobs)) == lines


def is_map(line: str) -> bool:
    """Return True for levels, and False for a sentence."""
    return line.replace(" ", "").isdigit()


def drawn(model: Any, rules: dict[str, Any], seed: int, **how: Any) -> str:
    """The map of Python as text, or its sentence."""
    try:
        levels = pt.sample(model, 1, size=(HEIGHT, WIDTH), rules=rules, seed=seed, **how).levels
        return " ".join(map(str, levels.reshape(-1).tolist()))
    except pt.ConfigError as error:
        return str(error)


def options_of(seed: int, how: dict[str, Any]) -> dict[str, Any]:
    """Settings of a draw in JavaScript."""
    names = {"temperature": "temperature", "top_p": "topP", "guidance": "guidance", "label": "label", "order": "order"}
    return {"seed": seed, "height": HEIGHT, "width": WIDTH, **{names[name]: value for name, value in how.items()}}


@pytest.mark.parametrize("case", MAPS)
def test_maps_are_those_of_python(model: Path, exported: Path, case: str) -> None:
    """Every rule, with temperature and top-p too; rules that cannot be met are named by the same sentence."""
    rules, is_met = MAPS[case], list(MAPS).index(case) < list(MAPS).index(FIRST_UNMET)
    draws = [(seed, how) for how in SETTINGS for seed in (7, 2**33 + 5)]
    lines = [drawn(model, rules, seed, **{"guidance": 1.0, "temperature": 1.0, **how}) for seed, how in draws]
    assert [is_map(line) for line in lines] == [is_met] * len(lines)
    options = [options_of(seed, how) for seed, how in draws]
    requests = [{"request": {"guidance": 1, "temperature": 1, "topP": 1, **each, "rules": rules}} for each in options]
    assert in_words(compiled(exported, requests)) == lines


@pytest.mark.parametrize("order", ["s-curve", "s-curve-columns-br", "s-curve-tr"])
def test_orders_and_guidance(order: str, tmp_path: Path) -> None:
    """S-curves, other corners, columns first; a label under guidance: rows of the order are drawn, and drawn again."""
    image = ImageSpec(channels=1, height=HEIGHT, width=WIDTH, levels=3, ordered=False, mode="codes", level_names=LEVELS)
    torch.manual_seed(0)
    model = pt.build(
        "locally-masked-pixelcnn", shape=image, channels=8, layers=1, classes=("cat", "dog"), orders=[order]
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (8, 1, HEIGHT, WIDTH)))
    pt.quantize_integer(model, x, images=8)
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    pt.export(folder, js=tmp_path / "js")
    rules = {"counts": [{"levels": ["key"], "at_least": 9}], "connected": [{"levels": ["wall", "floor"]}]}
    for how in ({"order": order}, {"label": "dog", "guidance": 2.5, "temperature": 0.8, "top_p": 0.95}):
        line = drawn(folder, rules, 3, **{"guidance": 1.0, "temperature": 1.0, **how})
        assert is_map(line)
        request = {"guidance": 1, "temperature": 1, "topP": 1, **options_of(3, how), "rules": rules}
        assert in_words(compiled(tmp_path / "js", [{"request": request}])) == [line]


def test_a_module_without_webassembly_takes_no_rules(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It draws maps and worlds without rules, and says what rules need."""
    (tmp_path / "library.wasm").write_bytes(library.WEBASSEMBLY.read_bytes()[:100])
    monkeypatch.setattr(page, "WEBASSEMBLY", tmp_path / "library.wasm")
    pt.export(model, js=tmp_path)
    world = {"chunkSize": SIZE, "margin": MARGIN}
    jobs = [{"seed": 7, "chunk": [0, 0], "world": world}, {"request": {"rules": MAPS["mirror"]}}]
    plain, refused = compiled(tmp_path, jobs, is_compiled=False)
    assert plain == pt.World(model, 7, chunk_size=SIZE, margin=MARGIN).chunk(0, 0).reshape(-1).tolist()
    assert "Rules need WebAssembly" in refused


WRONG: dict[str, tuple[Any, str]] = {
    "no-object": (["border"], "`rules` must be an object"),
    "no-rule": ({"edges": [1]}, "There is no rule `edges`: choose from regions, fixed"),
    "no-table": ({"counts": {"levels": [1]}}, "`counts` must be a list of objects with levels, at_least, at_most."),
    "no-key": ({"fixed": [{"row": 0, "col": 1, "level": 1}]}, "`fixed` must be a list of objects"),
    "no-levels": ({"connected": [{"levels": []}]}, "`levels` of `connected` must be a list of levels"),
    "no-tile": ({"fixed": [{"row": 0.5, "column": 1, "level": 1}]}, "A tile of `fixed` must have a row"),
    "level-beyond": ({"border": [3]}, "The level 3 of a rule is not one of this model: give a name or 0 to 2."),
    "level-below": ({"border": [-1]}, "The level -1 of a rule is not one of this model"),
    "no-such-name": ({"border": ["water"]}, "The level 'water' of a rule is not one of this model"),
    "negative": ({"counts": [{"levels": [1], "at_least": -1}]}, "must be numbers of sites"),
    "crossed": ({"counts": [{"levels": [1], "at_least": 3, "at_most": 2}]}, "`at_least` (=3) of `counts` must be at"),
    "no-mirror": ({"mirror": "z"}, "`mirror` (=z) must be none, x, y or both."),
    "no-tries": ({"tries": 0}, "`tries` (=0) must lie in 1 to 1000000"),
    "a-file": ({"adjacency": {"observed": "maps.npz"}}, "files are read in Python alone"),
    "no-pairs": ({"adjacency": {"right": [[0, 1, 2]]}}, "`adjacency` must list pairs of levels"),
    "pair-beyond": ({"adjacency": {"never": [[0, 9]]}}, "The level 9 of a rule is not one of this model"),
    "paths-beyond": ({"paths": [{"from": 0, "to": 7}]}, "The level 7 of a rule is not one of this model"),
}
"""Rules that are no rules, and what is said of them."""


def test_rules_that_are_none_are_named(model: Path, exported: Path) -> None:
    """By a sentence, before anything is drawn; also the rules that a world has not."""
    requests = [{"request": {"height": HEIGHT, "width": WIDTH, "rules": rules}} for rules, _ in WRONG.values()]
    for (_, sentence), result in zip(WRONG.values(), compiled(exported, requests), strict=True):
        assert isinstance(result, str)
        assert sentence in result
    of_maps: tuple[dict[str, Any], ...] = ({"border": [0]}, {"mirror": "x"}, {"regions": [{"levels": [0]}]})
    worlds, lines = [{"seed": 7, "chunk": [0, 0], "world": {"rules": rules}} for rules in of_maps], []
    for rules in of_maps:
        with pytest.raises(pt.ConfigError) as raised:
            pt.World(model, 7, rules)
        lines.append(str(raised.value))
    assert compiled(exported, worlds) == lines


@pytest.mark.parametrize(
    "pairs", [{"right": [[0, 9]], "down": []}, {"right": [[0]] * 4, "down": [[0]]}, {"right": 1}, {}]
)
def test_damaged_pairs_are_named(pairs: dict[str, Any]) -> None:
    """Levels out of range, too many rows, no lists: nothing is drawn by them."""
    (result,) = javascript({"job": "adjacency", "levels": {"count": len(LEVELS), "names": LEVELS, "pairs": pairs}})
    assert "are damaged" in result
