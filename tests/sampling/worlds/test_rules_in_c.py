"""Worlds and maps by rules in an exported program in C: the levels and the sentences of Python; damage is named."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.engine.library import runtime_text
from pointillist.studio.export.program_in_c import export_c
from tests.hostile.fuzz_runtime import compiler

from .test_world import RULES

SIZE, MARGIN = 6, 2
SEEDS = (7, 2**33 + 5)
CHUNKS = ((0, 0), (1, 1), (-1, 0), (0, -1), (-3, -2))
CASES: dict[str, dict[str, Any]] = {
    "all": RULES,
    "fixed": {"fixed": [{"row": row, "column": -1, "level": row % 3} for row in range(-9, 9)]},
    "two-passages": {"connected": [{"levels": ["floor"]}, {"levels": ["key", "floor"]}], "adjacency": "observed"},
    "joined-by-paths": {"connected": [{"levels": ["key"]}]},
    "pairs": {"adjacency": {"right": [["wall", "floor"], ["floor", "wall"], [2, 2], ["wall", 0]], "never": [[0, 1]]}},
    "counts": {"counts": [{"levels": ["key"], "at_least": 3}, {"levels": [0, 2], "at_least": 5, "at_most": 9}]},
    "seam": {
        "adjacency": "observed",
        "fixed": [{"row": 2, "column": 5, "level": "wall"}, {"row": 2, "column": 6, "level": "key"}],
    },
    "none-left": {"counts": [{"levels": ["key"], "at_most": 0}], "fixed": [{"row": 5, "column": 3, "level": "key"}]},
    "too-many": {"counts": [{"levels": ["key", "floor"], "at_least": 33}], "tries": 3},
    "more-than-there-are": {"counts": [{"levels": ["key"], "at_least": 37}]},
    "dead-end": {"adjacency": {"right": [[0, 1], [1, 2], [2, 0]], "down": [[0, 2], [1, 1], [2, 0]]}, "tries": 2},
}
"""Rules of three levels, of chunks of 6x6."""
MET = ("all", "fixed", "joined-by-paths", "counts")
"""Those that all chunks obey."""

MAIN = Template("""#include <stdio.h>
#include <stdlib.h>
#include "model.h"
#include "rules.h"
extern const pt_known ${symbol}_known;
extern const pt_world_rules ${symbol}_rules;
int main(int argc, char **argv) {
  const pt_model *m = &$symbol;
  const char *wrong = pt_wrong_rules(&${symbol}_rules, m->levels);
  int64_t bytes = pt_world_memory(m, &${symbol}_known, &${symbol}_rules, $size, $margin, 9);
  if (wrong) return puts(wrong), bytes < 0 ? 3 : 4;
  char *reserved = malloc((size_t)bytes + 64);
  void *memory = reserved + -(uintptr_t)reserved % 64;
  for (int i = 1; i + 2 < argc; i += 3) {
    uint64_t seed = strtoull(argv[i], 0, 10);
    pt_world *world = pt_world_begin(m, &${symbol}_known, &${symbol}_rules, seed, -1, $size, $margin, 9, memory);
    const uint16_t *levels = pt_chunk(world, atoi(argv[i + 1]), atoi(argv[i + 2]));
    for (int k = 0; levels && k < $size * $size; k++) printf("%d ", levels[k]);
    puts(levels ? "" : pt_world_error(world));
  }
  free(reserved);
  return 0;
}
""")  # `remembered` is the least: chunks leave the memory, and come again

MAP_MAIN = """#include <stdio.h>
#include <stdlib.h>
#include "model.h"
#include "maps.h"
extern const pt_map_rules model_model_map_rules;
int main(int argc, char **argv) {
  const pt_model *m = &model_model;
  int64_t bytes = pt_map_memory(m, &model_model_map_rules), pixels = (int64_t)m->height * m->width;
  if (bytes < 0) return 3;
  int64_t *levels = malloc((size_t)(8 * pixels));
  char *reserved = malloc((size_t)bytes + 64);
  void *memory = reserved + -(uintptr_t)reserved % 64;
  for (int i = 1; i + 2 < argc; i += 3) {
    pt_request request = pt_request_of(m, strtoull(argv[i], 0, 10));
    request.temperature = atof(argv[i + 1]), request.top_p = atof(argv[i + 2]);
    int64_t tries = pt_paint_map(m, &request, &model_model_map_rules, memory, levels);
    if (tries) printf("%d:", (int)tries);
    for (int k = 0; tries && k < pixels; k++) printf(" %d", (int)levels[k]);
    puts(tries ? "" : pt_map_error(memory));
  }
  free(reserved), free(levels);
  return 0;
}
"""


@dataclass(frozen=True)
class Exported:
    """A folder with the objects of a model, which need only be joined with rules."""

    folder: Path
    options: tuple[str, ...]

    def run(self, text: str, *arguments: object, objects: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Compile rules, and run with them: by default those of worlds."""
        (self.folder / "the_rules.c").write_text(text, encoding="utf-8")
        command = [str(compiler()), *self.options, "the_rules.c", *(objects or OBJECTS), "-lm", "-o", "walk"]
        subprocess.run(command, cwd=self.folder, check=True)
        return subprocess.run(
            ["./walk", *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False
        )


PAINT = tuple(f"{name}.o" for name in ("maps", "model", "paint", "pointillist", "sentences"))
OBJECTS = tuple(f"{name}.o" for name in ("main", "known", "rules", "world")) + PAINT


@pytest.fixture(
    scope="module", params=["", pytest.param("address,undefined", marks=[pytest.mark.slow, pytest.mark.proof])]
)
def exported(request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The program of the tiny model, also under sanitizers."""
    if compiler() is None or shutil.which("make") is None:
        pytest.skip("There is no C compiler, or no make, here: install them to build an exported program.")
    folder = tmp_path_factory.mktemp("c")
    pt.export(model, c=folder)
    main = MAIN.substitute(symbol="model_model", size=SIZE, margin=MARGIN)
    (folder / "main.c").write_text(main, encoding="utf-8")
    (folder / "map_main.c").write_text(MAP_MAIN, encoding="utf-8")
    for name in ("maps.c", "maps.h"):  # of an export with `map_rules`, which this one has not
        (folder / name).write_text(runtime_text(name), encoding="utf-8")
    checked = (f"-fsanitize={request.param}", "-fno-sanitize-recover=all") if request.param else ()
    level = "-O1" if checked else "-O0"  # as tiny a model runs in less time than a compiler takes for -O1
    subprocess.run(
        ["make", "--silent", f"CC={compiler()}", f"CFLAGS={level} {' '.join(checked)}", *OBJECTS, "map_main.o"],
        cwd=folder,
        check=True,
    )
    return Exported(folder, checked)


def rules_of(model: Path, rules: dict[str, Any]) -> str:
    """Rules in C, as the command writes them."""
    return export_c("model", model, rules=pt.Rules.model_validate(rules))["world_rules.c"]


def expected(model: Path, rules: dict[str, Any]) -> list[str]:
    """A line for each chunk of each seed: its levels, or the sentence."""
    lines = []
    for seed in SEEDS:
        for x, y in CHUNKS:
            world = pt.World(model, seed, rules, chunk_size=SIZE, margin=MARGIN)
            try:
                lines.append(" ".join(map(str, world.chunk(x, y).reshape(-1).tolist())))
            except pt.ConfigError as error:
                lines.append(str(error))
    return lines


@pytest.mark.parametrize("case", CASES)
def test_chunks_and_sentences_are_those_of_python(model: Path, exported: Exported, case: str) -> None:
    """Fixed tiles, seams, passages, paths to a hub, counts; and rules that cannot be met, in the same words."""
    arguments = [number for seed in SEEDS for chunk in CHUNKS for number in (seed, *chunk)]
    done = exported.run(rules_of(model, CASES[case]), *arguments)
    assert done.returncode == 0, done.stderr
    drawn, lines = [line.rstrip() for line in done.stdout.splitlines()], expected(model, CASES[case])
    assert drawn == lines
    assert any("cannot be met" in line or "did not obey" in line for line in lines) == (case not in MET)


DAMAGE = {
    "{3, adjacency": ("{4, adjacency", "another number of levels"),
    "adjacency[] = {\n": ("adjacency[] = {\n4096u + ", "`adjacency` has levels that the model lacks"),
    "counted_0[] = {\n": ("counted_0[] = {\n8u + ", "set of `counts` has levels that the model lacks"),
    "connected_0[] = {\n": ("connected_0[] = {\n1ull << 63 | ", "set of `connected` has levels that the model lacks"),
    '"key", 0, 2': ('"key", -1, 2', "number of `counts` is out of range"),
    '"floor, key", 1': ('"floor, key", 3', "passages of `connected` have a level that the model lacks"),
    "{-1, -1, 1}": ("{-1, -1, -1}", "`fixed` tile has a level that the model lacks"),
    "{0, -1, 2}": ("{1ll << 50, -1, 2}", "lies beyond all chunks"),
    ", 100, counts": (", 0, counts", "`tries` must lie in 1 to 1,000,000"),
    "adjacency, 1, 1, 2": ("adjacency, 5000, 1, 2", "at most 2,048"),
    "counts, connected, fixed}": ("0, connected, fixed}", "set of `counts`"),
    "connected, fixed}": ("connected, 0}", "number of `fixed` tiles is wrong"),
}
"""Damage of the text of RULES in C, and the sentence that names it."""


@pytest.mark.parametrize("place", DAMAGE)
def test_damaged_rules_are_named(model: Path, exported: Exported, place: str) -> None:
    """Sizes, bits, levels and numbers out of range: no memory is reserved for them."""
    text, (damaged, sentence) = rules_of(model, RULES), DAMAGE[place]
    assert place in text
    done = exported.run(text.replace(place, damaged), 7, 0, 0)
    assert done.returncode == 3, done.stderr
    assert sentence in done.stdout


MAPS: dict[str, dict[str, Any]] = {
    "free": pt.Rules(),
    "sites": {
        "border": ["wall", "key"],
        "regions": [{"levels": ["floor", 2], "rows": "1:-1", "columns": ":3"}],
        "fixed": [{"row": -2, "column": -3, "level": "key"}],
        "mirror": "y",
    },
    "neighbours": {"adjacency": "observed", "counts": [{"levels": ["key"], "at_least": 2, "at_most": 4}]},
    "whole": {
        "adjacency": {"observed": True, "never": [["key", "key"]]},
        "connected": [{"levels": ["floor", "key"]}],
        "paths": [{"from": "key", "to": ["key", "floor"], "through": ["floor"]}],
        "counts": [{"levels": ["floor"], "at_least": 8}],
    },
    "seldom": {"counts": [{"levels": ["key", "floor"], "at_least": 45}, {"levels": ["key"], "at_least": 20}]},
    "never-drawn": {"counts": [{"levels": ["key"], "at_least": 60}], "connected": [{"levels": ["wall"]}], "tries": 4},
    "dead-end": {"adjacency": {"right": [[0, 1], [1, 2], [2, 0]], "down": [[0, 2], [1, 1], [2, 0]]}, "tries": 2},
}
"""Rules of maps of 8x8 sites of three levels."""
DRAWS = [(seed, *how) for seed in (7, 2**33 + 5) for how in ((1.0, 1.0), (0.7, 0.8))]


def map_rules_of(model: Path, rules: dict[str, Any]) -> str:
    """Rules of maps in C, as the command writes them."""
    return export_c("model", model, map_rules=pt.Rules.model_validate(rules))["map_rules.c"]


@pytest.mark.parametrize("case", MAPS)
def test_maps_and_sentences_are_those_of_python(model: Path, exported: Exported, case: str) -> None:
    """Every kind of rule, with temperature and top-p too: levels, how often they were drawn, or the sentence."""
    lines = []
    for seed, temperature, top_p in DRAWS:
        try:
            rules = None if case == "free" else MAPS[case]
            drawn = pt.sample(model, 1, seed=seed, rules=rules, temperature=temperature, top_p=top_p)
            tries = 1 if drawn.tries is None else drawn.tries[0]
            lines.append(f"{tries}: {' '.join(map(str, drawn.levels.flatten().tolist()))}")
        except pt.ConfigError as error:
            lines.append(str(error))
    numbers = [number for draw in DRAWS for number in draw]
    done = exported.run(map_rules_of(model, MAPS[case]), *numbers, objects=("map_main.o", *PAINT))
    assert (done.returncode, done.stdout.splitlines()) == (0, lines), done.stderr
    assert all(": " in line and "did not" in line for line in lines) == (case in ("never-drawn", "dead-end"))


MAP_DAMAGE = {
    ".channels = 1": ".channels = 2",
    ".height = 8": ".height = 7",
    ".levels = 3": ".levels = 4",
    "allowed[] = {\n": "allowed[] = {\n1ull << 63 | ",
    ".limits = limits": ".limits = 0",
    ".kind = 1": ".kind = 9",
    "words, 100": "0, 100",
    "100}": "0}",
}
"""Damage of rules of maps in C."""


@pytest.mark.parametrize("place", MAP_DAMAGE)
def test_damaged_rules_of_maps_get_no_memory(model: Path, exported: Exported, place: str) -> None:
    """Sizes, bits, kinds and numbers that are out of range, or do not suit the model."""
    text = map_rules_of(model, {**RULES, "fixed": [], "counts": [{"levels": ["key"], "at_least": 1, "at_most": 9}]})
    assert place in text
    assert exported.run(text.replace(place, MAP_DAMAGE[place]), objects=("map_main.o", *PAINT)).returncode == 3


def test_rules_that_cannot_be_met_are_named(model: Path, exported: Exported) -> None:
    """Rules that a program makes itself: a site without levels, and a rule of the map."""
    text = map_rules_of(model, {"counts": [{"levels": ["key"], "at_least": 1}]})
    for place, damaged, sentence in (
        ("7u,7u};", "7u,0u};", "The rules cannot be met: no level is left at row 7, column 7: change one of them."),
        (".number = 1", ".number = 65", "The rule `counts` key at least 1 cannot be met with the other rules"),
    ):
        assert place in text
        done = exported.run(text.replace(place, damaged), 7, 1, 1, objects=("map_main.o", *PAINT))
        assert done.stdout.startswith(sentence), done.stdout


def test_rules_that_no_program_takes_are_rejected(tmp_path: Path, model: Path) -> None:
    """Of a model without worlds, of a page, and those that need a border."""
    with pytest.raises(pt.ConfigError, match="`rules` bind the worlds of a program in C, and digits draws none"):
        pt.export("digits", c=tmp_path / "digits", rules={"adjacency": "observed"})
    with pytest.raises(pt.ConfigError, match="`rules` are part of a program in C, and none is written"):
        pt.export(model, js=tmp_path / "js", rules={"adjacency": "observed"})
    with pytest.raises(pt.ConfigError, match=r"`border` .* is not a rule of worlds"):
        pt.export(model, c=tmp_path / "c", rules={"border": ["wall"]})
    key = {"row": 0, "column": 0, "level": "key"}
    with pytest.raises(pt.ConfigError, match="The rule `border` wall cannot be met with `fixed` key at row 0"):
        pt.export(model, c=tmp_path / "c", map_rules={"border": ["wall"], "fixed": [key]})
    with pytest.raises(pt.ConfigError, match="`map_rules` are part of a program in C, and none is written"):
        pt.export(model, js=tmp_path / "js", map_rules={"border": ["wall"]})
    assert np.all([not path.exists() for path in (tmp_path / "digits", tmp_path / "js", tmp_path / "c")])
