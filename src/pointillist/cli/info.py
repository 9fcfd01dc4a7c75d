"""`pointillist info`: describe a model or a data set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.hierarchy import hierarchy_facts, is_hierarchy, print_hierarchy_facts, reject_options
from pointillist.cli.output import fresh_path, names_text, print_facts, print_json, shape_text, size_text
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.data import DataSplits

EPILOG = """Examples:

  pointillist info runs/digits

  pointillist info uci-digits

  pointillist info my-images/ --set data.size=32 --json

  pointillist info pixelcnn:small --receptive-field 12,7 --out field.png

  pointillist info gated-pixelcnn:base --program"""

_FIELD = "Receptive field"


def _option(*flags: str, value: str, text: str) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=_FIELD)


_SITE = "Draw the receptive field of a pixel (or ROW,COLUMN,CHANNEL). MODEL may be an untrained NAME:PRESET."
Site = Annotated[str | None, _option("--receptive-field", value="ROW,COLUMN", text=_SITE)]
Out = Annotated[
    Path | None,
    _option("--out", "-o", value="PNG", text="Picture to write. Default: field.png, or the next free field-N.png."),
]
Order = Annotated[str | None, _option(value="NAME", text="Pixel generation order; default: the model's first.")]
Size = Annotated[str | None, _option(value="SIZE", text="Image size, 32 or 48x64; default: the model's own, or 28.")]
Listed = Annotated[
    bool,
    typer.Option("--program", metavar=FLAG, help="List the instructions of the sampling program, with their cost."),
]
Force = Annotated[bool, _option("--force", value=FLAG, text="Overwrite the picture.")]


def info(
    name: Annotated[
        str, typer.Argument(metavar="MODEL|DATA|PXL", help="Model as for sample, images as for train, or an archive.")
    ],
    as_json: Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON.")] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a data setting, as data.size=32.")
    ] = None,
    program: Listed = False,
    site: Site = None,
    out: Out = None,
    size: Size = None,
    order: Order = None,
    force: Force = False,
) -> None:
    """Describe a model, images or an archive: sizes, conditions, training record; receptive field; sampling program."""
    from pointillist.errors import ConfigError

    if is_hierarchy(name):
        given = {"--program": program, "--receptive-field": site, "--set": sets}
        reject_options("info", {**given, "--out": out, "--size": size, "--order": order})
        result = hierarchy_facts(name)
        print_json(result) if as_json else print_hierarchy_facts(result)
        return
    if program:
        _print_program(name, size, order, as_json, bool(sets) or site is not None or out is not None or force)
        return
    if site is not None:
        from pointillist.cli.info_receptive_field import field_facts

        if sets or is_data(name):
            raise ConfigError(f"`--receptive-field` (={site!r}) describes a model, not images: name a model.")
        facts = field_facts(name, site, out or fresh_path(Path("field.png"), force), size, force, order)
    elif out is not None or size is not None or order is not None or force:
        raise ConfigError(
            "`--out`, `--size`, `--order` and `--force` belong to `--receptive-field ROW,COLUMN` (or, `--size` and "
            "`--order`, to `--program`): add it."
        )
    elif is_archive(name):
        from pointillist.cli.info_archive import archive_facts

        facts = archive_facts(name)
    elif not is_data(name):
        if sets:
            raise ConfigError(f"`--set` (={sets[0]!r}) sets how images are read, and {name} is a model: leave it out.")
        facts = model_facts(name)
    else:
        facts = data_facts(name, sets or [])
    if as_json:
        print_json(facts)
    else:
        print_facts([(key.replace("_", " "), text_of(key, value)) for key, value in facts.items()])


def _print_program(name: str, size: str | None, order: str | None, as_json: bool, more: bool) -> None:
    """Print the disassembly of the program, or its cost as JSON."""
    from pointillist.cli.info_program import program_facts, program_text, recorded
    from pointillist.errors import ConfigError

    if more or is_data(name):
        raise ConfigError("`--program` describes a model, and goes with `--size`, `--order` and `--json` only.")
    programs = recorded(name, size, order)
    if as_json:
        print_json(program_facts(programs))
    else:
        typer.echo(program_text(programs))


def is_archive(name: str) -> bool:
    """Return whether a name means a file that `compress` writes."""
    return Path(name).suffix.lower() == ".pxl"


def is_data(name: str) -> bool:
    """Return whether a name means images: a built-in data set, or a path that is no model folder."""
    from pointillist.zoo import resolve

    path = Path(name)
    if path.exists():
        return not (
            (path / "config.json").is_file() or (path / "run.toml").is_file() or path.suffix in (".safetensors", ".pt")
        )
    if resolve(name) is not None:
        return False
    from pointillist.data import builtin_names  # waits for torch

    first = name.partition(":")[0]
    return (
        first in builtin_names() or first == "hf" or path.suffix in (".npz", ".npy", ".parquet") or name.endswith("/")
    )


def model_facts(name: str) -> dict[str, Any]:
    """Describe the model of a folder, a bundled name or a hub id, from its settings and the header of its weights."""
    from pointillist.model.description import describe_model
    from pointillist.zoo import resolve

    folder = resolve(name)
    if folder is None:
        from pointillist.model.files import find_model  # waits for torch

        folder = find_model(name, {})
    facts = describe_model(folder)
    facts["checked"] = "settings and header; the weights are read and checked when the model is loaded"
    facts["image"]["text"] = shape_text(SimpleNamespace(**facts["image"]))
    return facts


def data_facts(name: str, sets: list[str]) -> dict[str, Any]:
    """Describe the images that `load_data` reads from a source."""
    from pointillist.data import load_data
    from pointillist.files.settings_tree import assign, parse_assignment
    from pointillist.training.run_config import RunConfig

    tree: dict[str, Any] = {"data": {}}
    for key, value in map(parse_assignment, sets):
        assign(tree, key, value)
    splits = load_data(name, RunConfig.from_dict(tree).data.options)
    first = splits.get(splits.names[0])
    return {
        "images": first.name,
        "splits": {part: len(splits.get(part)) for part in splits.names},
        "image": {**first.spec.model_dump(mode="json", exclude={"palette"}), "text": shape_text(first.spec)},
        "classes": list(first.classes),
        "images_per_class": _counts(splits),
        "captions": first.texts is not None,
        "attributes": {name: list(values) for name, values in first.annotations.values.items()},
        "vector": None if first.annotations.vectors is None else first.annotations.vectors.shape[1],
        "hint": None if first.annotations.hints is None else list(first.annotations.hints.shape[1:]),
        "notes": list(first.notes),
    }


def _counts(splits: DataSplits) -> dict[str, int]:
    import numpy as np

    parts = [splits.get(name) for name in splits.names]
    classes = parts[0].classes
    labels = [p.labels for p in parts if p.labels is not None]
    if not labels:
        return {}
    counts = np.bincount(np.concatenate(labels), minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=False)}


def text_of(key: str, value: Any) -> str:
    """Format a fact for the table; JSON has all of it."""
    if key == "settings":
        return _changed(value)
    if key == "site":
        return ", ".join(f"{what} {number}" for what, number in zip(("row", "column", "channel"), value, strict=True))
    if key == "file_size":
        return size_text(value)
    if isinstance(value, dict):
        return str(value["text"]) if "text" in value else ", ".join(_flat(value)) or "none"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "none" if key in ("notes", "damage") else names_text(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)


def _changed(settings: dict[str, Any]) -> str:
    """Format the settings of a run that differ from the defaults; the network has its own line."""
    from pointillist.cli.config_fields import default_value

    lines = [f"{key} = {_word(value)}" for key, value in _pairs(settings) if default_value(key) != value]
    return "\n".join(line for line in lines if not line.startswith("model.network.")) or "all defaults"


def _pairs(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten a tree to dotted keys and values."""
    out: list[tuple[str, Any]] = []
    for key, value in tree.items():
        out += _pairs(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return out


def _flat(tree: dict[str, Any]) -> list[str]:
    return [f"{key} {_word(value)}" for key, value in _pairs(tree)]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        " ".join(map(str, value)) if isinstance(value, list) else f"{value:,}" if isinstance(value, int) else str(value)
    )
