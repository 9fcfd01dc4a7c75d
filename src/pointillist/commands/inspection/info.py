"""`info`: a model, its receptive field, images or an archive, described; the example files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pointillist.commands.inspection.settings import ExampleSettings, InfoSettings
from pointillist.commands.paths import fresh_output, reject_existing
from pointillist.commands.report import Facts, shape_text
from pointillist.data.readers.numpy_files import uci_digits
from pointillist.errors import ConfigError, check_name

if TYPE_CHECKING:
    from pointillist.data import DataSplits
    from pointillist.data.tilemaps import Tileset
    from pointillist.engine import Program
    from pointillist.model.pixel_model import PixelModel


def info(settings: InfoSettings) -> Facts:
    """Describe a model, images or an archive.

    Raises:
        PointillistError: naming what is wrong with a setting, or why it cannot be read.
    """
    name = settings.name
    if settings.program or settings.receptive_field is not None:
        option = "--program" if settings.program else "--receptive-field"
        other = settings.set or settings.palette or settings.tileset
        if other or is_data(name) or (settings.program and settings.receptive_field is not None):
            raise ConfigError(
                f"`{option}` describes a model, and goes with `--size`, `--order` and `--json`: name a model."
            )
        return _program(settings) if settings.program else _field(settings)
    if settings.list_prompts:
        return _prompts(settings)
    reading = {"size": settings.size, "palette": settings.palette, "tileset": settings.tileset}
    typed = {key: value for key, value in reading.items() if value is not None}
    if is_data(name) and not is_archive(name):
        return data_facts(name, (*(f"data.{key}={value}" for key, value in typed.items()), *settings.set))
    for key, value in (*typed.items(), *(("set", each) for each in settings.set)):
        raise ConfigError(f"`--{key}` (={value}) is how images are read, and {name} is not images: leave it out.")
    return _archive_facts(name) if is_archive(name) else model_facts(name)


def _field(settings: InfoSettings) -> Facts:
    if settings.out is not None:
        return field_facts(settings, settings.out)
    with fresh_output(Path("field.png"), settings.force) as path:
        return field_facts(settings, path)


def _program(settings: InfoSettings) -> Facts:
    """Disassemble the program; its cost is for JSON."""
    from pointillist.engine.disassembly import describe

    programs = _recorded(settings.name, settings.size, settings.order)
    return {**_program_facts(programs), "listing": "\n\n".join(map(describe, programs))}


def _prompts(settings: InfoSettings) -> Facts:
    """List the measured prompts of a model, or the words of its captions by kind."""
    from pointillist.model.folder.generation import MeasuredPrompts
    from pointillist.zoo import resolve

    measured = MeasuredPrompts.read(resolve(settings.name) or Path(settings.name))
    if not measured.recognised and measured.words.kinds:
        lines = [f"{kind}: {', '.join(words)}" for kind, words in measured.words.kinds.items()]
        return {**measured.model_dump(mode="json"), "listing": "\n".join(lines)}
    if not measured.recognised:
        raise ConfigError(
            f"{settings.name} has no list of measured prompts (prompts.json): `pointillist info {settings.name}` "
            "describes the model."
        )
    return {**measured.model_dump(mode="json"), "listing": "\n".join(measured.recognised)}


def is_archive(name: str) -> bool:
    """Return whether a name means a file that `compress` writes."""
    return Path(name).suffix.lower() == ".pxl"


def is_data(name: str) -> bool:
    """Return whether a name means images: a built-in data set, or a path that is not a model folder."""
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
    # no name of a model has the ending of a file: it is missing data
    return first in builtin_names() or first == "hf" or path.suffix != "" or name.endswith("/")


def model_facts(name: str) -> Facts:
    """Describe the model of a folder, a bundled name or a hub id, from its settings and the header of its weights."""
    from pointillist.commands.run_options import default_value
    from pointillist.files.settings_tree import flatten
    from pointillist.model.folder.settings import describe_model
    from pointillist.zoo import resolve

    folder = resolve(name)
    if folder is None:
        from pointillist.model.folder.settings import find_model  # waits for torch

        folder = find_model(name, {})
    facts = describe_model(folder)
    facts["checked"] = "settings and header; the weights are read and checked when the model is loaded"
    facts["image"]["text"] = shape_text(SimpleNamespace(**facts["image"]))
    changed = ((key, value) for key, value in flatten(facts.get("settings", {})) if default_value(key, value) != value)
    # the network has its own line
    facts["changed_settings"] = [f"{key} = {value}" for key, value in changed if not key.startswith("model.network.")]
    return facts


def data_facts(name: str, sets: Sequence[str]) -> Facts:
    """Describe the images that `load_data` reads from a source."""
    from pointillist.data import load_data
    from pointillist.files.settings_tree import expand, parse_assignment
    from pointillist.training.runs.config import RunConfig

    tree = expand({"data": {}, **dict(map(parse_assignment, sets))})
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
        **({} if first.tileset is None else {"tileset": _tiles(first.tileset)}),
    }


def _tiles(tileset: Tileset) -> str:
    height, width = tileset.tile_size
    return f"{len(tileset)} {'tile' if len(tileset) == 1 else 'tiles'} of {width}x{height} pixels"


def _counts(splits: DataSplits) -> dict[str, int]:
    parts = [splits.get(name) for name in splits.names]
    classes = parts[0].classes
    labels = [p.labels for p in parts if p.labels is not None]
    if not labels:
        return {}
    counts = np.bincount(np.concatenate(labels) + 1, minlength=1 + len(classes))[1:]  # -1: without a label
    return {name: int(count) for name, count in zip(classes, counts, strict=False)}


def _recorded(name: str, size: str | None, order: str | None) -> list[Program]:
    """Record the program of every stage of a model, which may be an untrained `NAME:PRESET`."""
    from pointillist.data import parse_size
    from pointillist.model.recorded import record_model

    wanted = None if size is None else parse_size(size)
    model, _, _ = named_model(name, wanted, order)
    return record_model(model, wanted or (model.image.height, model.image.width), order)


def _program_facts(programs: list[Program]) -> Facts:
    """Return the cost of every part of each stage, and of the image."""
    from pointillist.engine.disassembly import costs, image_operations

    return {
        "stages": [
            {
                "height": program.height,
                "width": program.width,
                "weight_bytes": program.weight_bytes,
                "parts": [asdict(part) for part in costs(program)],
                "operations": image_operations(program),
            }
            for program in programs
        ]
    }


def _archive_facts(name: str) -> Facts:
    """Describe an archive by its header, index, names and checksums; nothing is decoded.

    Raises:
        ArchiveError: if it is none.
    """
    from pointillist.compression import Archive
    from pointillist.compression.models import bundled_folder
    from pointillist.errors import PointillistError

    archive = Archive(name)
    about, folder = archive.about, bundled_folder(archive.header.fingerprint)
    facts: Facts = {
        "archive": name,
        "images": len(archive),
        "records": len(archive.records),
        "file_size": Path(name).stat().st_size,
        "fingerprint": archive.header.fingerprint.hex(),
        "model": about.model or (None if folder is None else folder.name),
        "labels": archive.header.labels,
        "files": None if about.files is None else [file.name for file in about.files],
        "damage": [str(error) for error in archive.check_bytes()],
    }
    try:
        pixels = archive.sub_pixels
    except PointillistError as error:
        return {**facts, "bits_per_dim": None, "notes": [str(error)]}
    return {
        **facts,
        "order": archive.codec.order.name,
        "bits_per_dim": 8 * facts["file_size"] / pixels if pixels else None,
    }


_SAMPLES = 8  # images of a trained model over which the strength of dependence is averaged
_SIZE = (28, 28)


def field_facts(settings: InfoSettings, out: Path) -> Facts:
    """Write the picture of a receptive field, and return its numbers.

    Raises:
        ConfigError: naming what is wrong with the position, the model or the file.
    """
    from pointillist.analysis.receptive_field import receptive_field
    from pointillist.data import parse_size
    from pointillist.images.visualization import save_png
    from pointillist.sampling.api import sample

    row, column, channel = parse_site(str(settings.receptive_field))
    reject_existing(out, settings.force, ".png")
    wanted, order = None if settings.size is None else parse_size(settings.size), settings.order
    model, title, trained = named_model(settings.name, wanted, order)
    images = sample(model, _SAMPLES, seed=0, size=wanted, order=order).levels if trained else None
    field = receptive_field(model, row, column, channel, size=wanted, images=images, name=title, order=order)
    save_png(field.image(), out)
    return {
        "model": title,
        "site": list(field.site),
        "seen": field.num_seen,
        "earlier": field.num_earlier,
        "missing": field.num_missing,
        "leaked": field.num_leaked,
        "summary": str(field),
        "picture": str(out),
    }


def parse_site(text: str) -> tuple[int, int, int | None]:
    """Parse `"12,7"` to row, column and no channel; `"12,7,2"` to all three.

    Raises:
        ConfigError: if `text` is neither.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*)?", text)
    if match is None:
        raise ConfigError(
            f"`--receptive-field` (={text!r}) must be ROW,COLUMN or ROW,COLUMN,CHANNEL, from 0, for example 12,7."
        )
    return int(match[1]), int(match[2]), None if match[3] is None else int(match[3])


def named_model(name: str, size: tuple[int, int] | None, order: str | None) -> tuple[PixelModel, str, bool]:
    """Return a trained model, or an untrained one by `name[:preset]`; its title; and whether it is trained."""
    from pointillist.model.folder.building import build
    from pointillist.model.folder.opening import list_models, load_weights

    kind, _, preset = name.partition(":")
    if kind in (summary.name for summary in list_models()) and not Path(name).exists():
        model = build(kind, shape=(1, *(size or _SIZE)), preset=preset or None, orders=order or "raster")
        return model, f"{kind} {preset}".strip(), False
    model = load_weights(name)
    return model, f"{Path(name).name} ({model.config.model_type})", not model.training_record.is_empty


EXAMPLES = {
    "tile": "tile.png: a 32x32 tile with transparency, for hints",
    "photo": "photo.png: a 64x64 part of a photograph",
    "digits": "digits/: 200 digits of 8x8 pixels as PNG files, in a folder for each class",
    "rules": "rules.toml: rules for maps of the bundled model `dungeons`",
    "tiled-extension": "pointillist.js: fill, extend and vary maps in Tiled, by calling this command",
}
"""Name and description of each example; the description begins with the default path."""

_FOLDER = Path(str(files("pointillist.data"))) / "builtin"
_PER_CLASS = 20


def example(settings: ExampleSettings) -> Path | None:
    """Write an example that does not exist yet, and return its path; None without a name.

    Raises:
        ConfigError: if there is no such example, or its path is taken.
    """
    if settings.name is None:
        return None
    target = settings.path or default_path(settings.name)
    if settings.name != "digits":
        reject_existing(target, settings.force)
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is already there: give the path of a new folder.")
    write_example(settings.name, target)
    return target


def default_path(name: str) -> Path:
    """Return the path to which an example is written by default.

    Raises:
        ConfigError: if there is no such example.
    """
    check_name("There is no example", name, EXAMPLES)
    return Path(EXAMPLES[name].partition(":")[0])


def write_example(name: str, path: Path) -> None:
    """Write an example: a file, or for `digits` a folder.

    ```python
    write_example("tile", Path("tile.png"))
    ```

    Raises:
        ConfigError: if there is no such example.
    """
    source = _FOLDER / default_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name != "digits":
        shutil.copyfile(source, path)
        return
    digits = uci_digits()
    assert digits.labels is not None
    for label in range(10):
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        for number, row in enumerate(np.flatnonzero(digits.labels == label)[:_PER_CLASS]):
            grey = (digits.values[row, 0].astype(np.int64) * 255 // 16).astype(np.uint8)
            Image.fromarray(grey).save(path / str(label) / f"{number:02d}.png")
