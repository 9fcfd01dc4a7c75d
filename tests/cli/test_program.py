"""The program as a whole: quick help, one sentence for every fault, the documentation."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from pointillist import __version__
from pointillist.commands.cli import app
from pointillist.commands.cli.app import COMMANDS
from pointillist.commands.cli.messages import for_command_line, user_message
from pointillist.errors import ConfigError

from ..scripts import script
from .helpers import fails, run

HEAVY = ("torch", "numpy", "pydantic", "PIL", "huggingface_hub", "accelerate")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        ([""], []),
        ([name for name in COMMANDS if name != "train"], ["pydantic"]),
        (["train"], ["numpy", "pydantic", "PIL"]),
    ],
    ids=["program", "commands", "train"],
)
def test_help_waits_for_nothing_heavy(names: list[str], allowed: list[str]) -> None:
    """Neither `--help` nor a command's help imports a heavy library; that of `train` imports the config classes."""
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pointillist.commands.cli import app\n"
        f"for name in {names!r}:\n"
        "    assert CliRunner().invoke(app, [*filter(None, [name]), '--help']).exit_code == 0, name\n"
        f"print(*(m for m in {HEAVY!r} if m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # newer typers parse the options of a command (not of the program) with pydantic themselves
    assert set(found.stdout.split()) <= set(allowed)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples(name: str) -> None:
    shown = run(name, "--help").output
    assert "Example" in shown
    assert f"pointillist {name}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_version() -> None:
    assert run("--version").output.strip() == f"pointillist {__version__}"


def test_warnings_of_the_package_are_notes() -> None:
    """They begin with a word in the column of words, as all lines that commands print."""
    code = (
        "import logging\nfrom pointillist.commands.cli import app\napp(['models'], standalone_mode=False)\n"
        "logging.getLogger('pointillist.engine').warning('Slow.')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr == "note       Slow.\n"


def test_misspelt_command_names_the_right_one() -> None:
    assert "Did you mean 'train'?" in fails("trian")


def test_unknown_option_and_missing_argument() -> None:
    assert "--nope" in fails("models", "--nope")
    assert "MODEL" in fails("sample")


@pytest.mark.parametrize(("typed", "named"), [(["-n", "0"], "0"), (["-n", "many"], "many"), (["--threads=-3"], "-3")])
def test_a_number_out_of_range_is_named(typed: list[str], named: str) -> None:
    """As it was typed, beside its option."""
    shown = " ".join(fails("sample", "digits", *typed).replace("│", " ").split())
    assert f"'{typed[0].partition('=')[0]}': {named} " in shown
    assert "Input" not in shown


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    monkeypatch.setenv("POINTILLIST_DEBUG", "0")
    result = CliRunner().invoke(app, ["info", "nowhere", "--debug"])
    assert isinstance(result.exception, Exception)
    assert not isinstance(result.exception, SystemExit)


def test_a_keyboard_interrupt_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pointillist.model.folder.opening.list_models", stop)
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 130
    assert "stopped" in result.output


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), ["a/b", "no space", "free some space"]),
        (PermissionError(errno.EACCES, "Permission denied", "x"), ["x", "denied", "permissions"]),
        (MemoryError(), ["memory", "--batch-size"]),
        (ConfigError("`a` (=1) must be 2."), ["`a` (=1)"]),
    ],
)
def test_faults_are_sentences(error: Exception, words: list[str]) -> None:
    told = user_message(error)
    assert told is not None
    assert all(word in told for word in words)


def test_a_missing_extra_names_the_command_and_no_option() -> None:
    """`text` is an extra there, though `sample` has an option of this name."""
    command = typer.main.get_command(app).get_command(None, "sample")  # type: ignore[attr-defined]
    told = user_message(ModuleNotFoundError("No module named 'torch'", name="torch"), "sample")
    assert told is not None
    assert told.startswith("`pointillist sample`, with these settings, needs the extra `train`: run")
    sentence = "'a quokka' needs the extra `text`: leave out `text`."
    assert for_command_line(sentence, command) == "'a quokka' needs the extra `text`: leave out `--text`."


def test_our_own_faults_stay_tracebacks() -> None:
    assert user_message(KeyError("x")) is None
    assert user_message(BrokenPipeError(errno.EPIPE, "Broken pipe")) is None


def test_page_of_the_commands_is_up_to_date() -> None:
    """`python tools/make_cli.py` was run after the last change of an option."""
    module = script("make_cli")
    assert module.PAGE.read_text(encoding="utf-8") == module.page()


def test_shell_completion_knows_commands_and_options() -> None:
    root = typer.main.get_command(app)
    with root.make_context("pointillist", [], resilient_parsing=True) as context:
        assert {"train", "sample"} <= {item.value for item in root.shell_complete(context, "")}


@pytest.mark.parametrize("columns", [80, 120])
def test_models_lists_all(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable at both widths: no line is broken by the terminal, and what all models share is said once."""
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = run("models").output
    assert max(map(len, shown.splitlines())) <= columns
    for word in ("gated-pixelcnn", "pixelcnn", "tiny", "2016b", "paper-cifar10 53.7 M", "1.04 M", "labels"):
        assert word in shown
    assert shown.count("bernoulli") == 1


def test_models_as_json_has_everything() -> None:
    import json

    listed = json.loads(run("models", "--json").stdout)["models"]
    first = {model["name"]: model for model in listed}["gated-pixelcnn"]
    assert first["presets"]["tiny"] == 129_536
    assert "labels" in first["conditions"]
    assert first["likelihoods"]["palette, codes"] == ["categorical", "factored"]


def test_large_numbers_have_three_figures() -> None:
    from pointillist.commands.cli.inspection import short

    assert [short(n) for n in (999, 1000, 129_536, 1_041_664, 53_657_320, 10**9)] == [
        "999", "1 k", "130 k", "1.04 M", "53.7 M", "1 G",
    ]  # fmt: skip
