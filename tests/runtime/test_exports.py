"""What `pointillist export` writes in C and JavaScript paints the pictures of Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli.app import app
from pointillist.studio.export.program_in_c import export_c
from tests.hostile.fuzz_runtime import compiler
from tests.portable.networks import integer_case

NODE = shutil.which("node")
MEGABYTE = 10**6


def picture(command: list[str], folder: Path) -> np.ndarray:
    """The picture that a program writes, RGB."""
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "picture.ppm").write_bytes(done.stdout)
    return np.array(Image.open(folder / "picture.ppm").convert("RGB"))


def colours(samples: pt.Samples) -> np.ndarray:
    """The first picture of some samples, over white."""
    image = samples.images[0].convert("RGBA")
    return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a program of digits, as `make` builds it in a fifth of the time that optimisation takes."""
    if compiler() is None or shutil.which("make") is None:
        pytest.skip("There is no C compiler, or no make, here: install them to build an exported program.")
    folder = tmp_path_factory.mktemp("c")
    pt.export("digits", c=folder)
    subprocess.run(["make", "--silent", f"CC={compiler()}", "CFLAGS=-O0"], cwd=folder, check=True)
    return folder


def test_c_paints_the_pictures_of_python(in_c: Path) -> None:
    """By label, for seeds of one word and of two."""
    for seed, label in ((7, "3"), (2**40 + 1, "8")):
        drawn = picture(["./example", str(seed), label], in_c)
        np.testing.assert_array_equal(drawn, colours(pt.sample("digits", 1, seed=seed, label=label)))


def test_c_reads_its_arguments(in_c: Path) -> None:
    """A seed that is none, and a label that is not there, are sentences and no picture."""
    for arguments, sentence in (
        (["7", "99"], "there is no label 99"),
        (["x"], "the seed x must be a whole number"),
        (["-1"], "the seed -1 must be a whole number"),
        (["1.5"], "the seed 1.5"),
        ([str(2**53)], "0 to 2^53 - 1"),
        (["7", "3", "heart"], 'there is no prompt "heart"'),
    ):
        done = subprocess.run(["./example", *arguments], cwd=in_c, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr


@pytest.mark.slow
@pytest.mark.proof
def test_c_is_small(in_c: Path, tmp_path: Path) -> None:
    """pointillist.c, with rules, tiles of AMX and the stage of archives, is below 130 KB, with digits below 1.1 MB."""
    shutil.copytree(in_c, tmp_path, dirs_exist_ok=True)
    subprocess.run(["make", "--silent", "-B", f"CC={compiler()}", "CFLAGS=-Os"], cwd=tmp_path, check=True)
    sections = subprocess.run(
        ["size", "pointillist.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert int(sections.splitlines()[1].split()[3]) < 0.13 * MEGABYTE
    assert (tmp_path / "example").stat().st_size < 1.1 * MEGABYTE
    assert len((tmp_path / "example.c").read_text().splitlines()) <= 45


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processor", "options"), [("aarch64", ["-cpu", "max"]), ("aarch64", ["-cpu", "cortex-a72"]), ("riscv64", [])]
)
def test_c_paints_the_same_on_other_processors(processor: str, options: list[str], tmp_path: Path) -> None:
    """Emulated: ARM with products of bytes in vectors and without, and RISC-V."""
    emulator = shutil.which(f"qemu-{processor}")
    if emulator is None or find_spec("ziglang") is None:
        pytest.skip(f"qemu-{processor} or ziglang is not installed: install both to run programs of that processor.")
    pt.export("digits", c=tmp_path)
    cross = f"CC={sys.executable} -m ziglang cc -target {processor}-linux-musl -static -Wno-psabi"
    subprocess.run(["make", "--silent", cross, "CFLAGS=-O2"], cwd=tmp_path, check=True, capture_output=True)
    for seed, label in ((7, "3"), (2**40 + 1, "8")):
        drawn = picture([emulator, *options, "./example", str(seed), label], tmp_path)
        np.testing.assert_array_equal(drawn, colours(pt.sample("digits", 1, seed=seed, label=label)))


@pytest.mark.one_in(2)
def test_c_knows_the_example_prompts(in_c: Path, tmp_path: Path) -> None:
    """With the guidance that suits the model; the features of a frozen encoder are part of the program."""
    pt.export("icons", c=tmp_path)
    subprocess.run(["make", "--silent", f"CC={compiler()}", "CFLAGS=-Os"], cwd=tmp_path, check=True)
    settings = pt.load("icons").generation_config
    expected = pt.sample(
        "icons", 1, seed=7, label="tabler", text="heart", guidance=settings.guidance, temperature=settings.temperature
    )
    np.testing.assert_array_equal(picture(["./example", "7", "tabler", "heart"], tmp_path), colours(expected))


LEVELS_IN_C = """#include <stdio.h>
#include <stdlib.h>
#include "model.h"
int main(int argc, char **argv) {
  const pt_model *m = &model_tokens;
  pt_request request = pt_request_of(m, strtoull(argv[1], 0, 10));
  request.label = atoi(argv[2]), request.prompt = atoi(argv[3]);
  request.guidance = atof(argv[4]), request.temperature = atof(argv[5]);
  int64_t count = (int64_t)m->channels * m->height * m->width, *levels = malloc((size_t)(8 * count));
  char *reserved = malloc((size_t)pt_memory(m) + 64), *memory = reserved + -(uintptr_t)reserved % 64;
  pt_paint(m, &request, memory, levels);
  for (int64_t i = 0; i < count; i++) printf("%d ", (int)levels[i]);
  free(reserved), free(levels);
  return argc != 6;
}
"""
PROMPTS = ("red cat", "a big dog")


def test_c_paints_by_tokens(in_c: Path, tmp_path: Path) -> None:
    """By labels, prompts as tokens, and guidance, under sanitizers."""
    model, _, _ = integer_case("tokens")
    model.save_pretrained(tmp_path / "tokens")
    files = export_c("tokens", tmp_path / "tokens", PROMPTS)
    for file, text in {**files, "example.c": LEVELS_IN_C}.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    checked = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if shutil.which("gcc") else []
    command = [shutil.which("gcc") or str(compiler()), "-O1", "-std=c11", "-Wall", "-Wextra", "-Werror", *checked]
    subprocess.run(
        [*command, "example.c", "model.c", "paint.c", in_c / "pointillist.o", "-o", "example"], cwd=tmp_path, check=True
    )
    for seed, label, prompt, guidance, temperature in (
        (7, -1, -1, 1, 1),
        (2**40 + 1, 1, 0, 2.5, 1),
        (3, 0, -1, 1.5, 0.8),
        (4, -1, 1, 3, 0.5),
    ):
        conditions: dict[str, Any] = {}
        if label >= 0:
            conditions["label"] = model.classes[label]
        if prompt >= 0:
            conditions["text"] = PROMPTS[prompt]
        how = {"guidance": guidance if conditions else 1, "temperature": temperature}
        numbers = [seed, label, prompt, *how.values()]
        arguments = ["./example", *map(str, numbers)]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
        drawn = pt.sample(tmp_path / "tokens", 1, seed=seed, **conditions, **how)
        assert [int(level) for level in done.stdout.split()] == drawn.levels.flatten().tolist()


RULES = {
    "adjacency": "observed",
    "counts": [{"levels": ["chest"], "at_least": 1, "at_most": 3}],
    "connected": [{"levels": ["floor", "door", "grass", "key", "stairs up", "stairs down", "chest", "monster"]}],
    "fixed": [{"row": 31, "column": 3, "level": "chest"}, {"row": -33, "column": -1, "level": "floor"}],
}


@pytest.mark.parametrize("rules", [None, RULES], ids=["free", "rules"])
@pytest.mark.parametrize("sanitizers", ["", pytest.param("address,undefined", marks=pytest.mark.slow)])
def test_c_walks_the_worlds_of_python(sanitizers: str, rules: dict[str, Any] | None, tmp_path: Path) -> None:
    """Nine chunks and their neighbours, by rules too; also under the address and undefined-behaviour sanitizers."""
    if compiler() is None or shutil.which("make") is None:
        pytest.skip("There is no C compiler, or no make, here: install them to build an exported program.")
    pt.export("dungeons", c=tmp_path, rules=rules)
    checked = f"-fsanitize={sanitizers} -fno-sanitize-recover=all" if sanitizers else ""
    command = ["make", "--silent", f"CC={compiler()}", f"CFLAGS=-O1 {checked}", f"LDFLAGS={checked}", "walk"]
    subprocess.run(command, cwd=tmp_path, check=True)
    world = pt.World("dungeons", 2**33 + 5, rules)
    assert world.model.tileset is not None
    colours_of_levels = world.model.tileset.mean_colours()[:, :3]
    for column, row in ((-3, -2),) if sanitizers else ((0, 0), (-3, -2)):
        drawn = picture(["./walk", str(world.seed), str(column), str(row)], tmp_path)
        np.testing.assert_array_equal(drawn, colours_of_levels[world.tiles(32 * row, 32 * column, 96, 96)])


@pytest.mark.skipif(NODE is None, reason="Node is not here: install it to run an exported module")
def test_javascript_paints_the_pictures_of_python(tmp_path: Path) -> None:
    """In Node, by the command line; its types name what it has."""
    result = CliRunner().invoke(app, ["export", "digits", "--js", str(tmp_path)])
    assert result.exit_code == 0, result.output
    drawn = picture([str(NODE), "example.mjs", "7", "3"], tmp_path)
    np.testing.assert_array_equal(drawn, colours(pt.sample("digits", 1, seed=7, label="3")))
    script = 'import { open } from "./digits.js"; console.log(Object.keys(await open()).join());'
    command = [str(NODE), "--input-type=module", "-e", script]
    names = subprocess.check_output(command, cwd=tmp_path, text=True)
    typed = set(re.findall(r"^  readonly (\w+):", (tmp_path / "digits.d.ts").read_text(), re.MULTILINE))
    assert typed == set(names.strip().split(",")) - {"opened"}


def test_errors_are_sentences(tmp_path: Path) -> None:
    """Nothing to write, a folder that is not empty, a model without a program."""
    (tmp_path / "there").write_text("")
    for arguments, sentence in (
        ([], "There is nothing to write"),
        (["--js", str(tmp_path)], "is already there: add `--force`"),
        (["--js", str(tmp_path / "x"), "--html", str(tmp_path / "x")], "must differ"),
    ):
        result = CliRunner().invoke(app, ["export", "digits", *arguments])
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert not (tmp_path / "x").exists()
    pt.build("pixelcnn", shape=(1, 4, 4), levels=2, preset="tiny").save_pretrained(tmp_path / "plain")
    with pytest.raises(pt.CheckpointError, match="has no integer program"):
        pt.export(tmp_path / "plain", html=tmp_path / "page.html")
    with pytest.raises(pt.CheckpointError, match=r"^`model` has no integer program"):  # not the folder it is saved to
        pt.export(pt.build("pixelcnn", shape=(1, 4, 4), levels=2, preset="tiny"), html=tmp_path / "page.html")


@pytest.mark.skipif(compiler() is None, reason="There is no C compiler here: install one to build an exported program.")
@pytest.mark.parametrize(
    ("model", "label", "how"),
    [("digits", "3", {}), ("dungeons", "window", {}), ("dungeons", "window", {"map_rules": {"border": ["wall"]}})],
    ids=["digits", "worlds", "rules"],
)
def test_the_files_in_c_are_all_that_a_compiler_needs(
    model: str, label: str, how: dict[str, Any], tmp_path: Path
) -> None:
    """`cc *.c -lm` in the folder makes the example: no Makefile, no macro, no other file."""
    pt.export(model, c=tmp_path, **how)
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    subprocess.run([str(compiler()), "-O0", "-w", *sources, "-lm", "-o", "example"], cwd=tmp_path, check=True)
    drawn = picture(["./example", "7", label], tmp_path)
    if model == "digits":  # which Python does not draw by tiles
        np.testing.assert_array_equal(drawn, colours(pt.sample(model, 1, seed=7, label=label)))
