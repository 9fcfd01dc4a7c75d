"""`quantize`: a model in a smaller file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.report import Report, size_text
from pointillist.commands.training.settings import QuantizeSettings
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel


def quantize(settings: QuantizeSettings) -> Report:
    """Quantize the matrices of a model, add its integer program if that is asked for, and save it.

    Raises:
        PointillistError: naming what is wrong with a setting, the model or the images.
    """
    from pointillist.files.checkpoint.header import WEIGHTS
    from pointillist.files.checkpoint.quantization import quantize_weights
    from pointillist.files.writing import folder_lock
    from pointillist.model.folder.files import default_card
    from pointillist.model.folder.pretrained import load

    out = settings.out
    reject_filled(out, settings.force)
    if settings.integer != (settings.data is not None):
        raise ConfigError(
            "`--integer` and `--data` belong together: the integer program is calibrated on training images."
        )
    kind = settings.dtype or (None if settings.integer else "int8")
    source = load(settings.model)
    small = source if kind is None else quantize_weights(source, kind)
    if kind is not None:
        card = source.card or default_card(source.config, source.likelihood.name, source.num_parameters)
        small.card = f"{card}\n{_note(kind)}"
    if settings.data is not None:
        add_integer_program(small, settings.data, settings.images, settings.set)
    with folder_lock(out):
        reject_filled(out, settings.force)  # by a command that ended meanwhile
        small.save_pretrained(out)
    before = sum(t.numel() * t.element_size() for t in source.state_dict().values())
    after = (out / WEIGHTS).stat().st_size
    facts = {"dtype": kind, "bytes_before": before, "bytes": after, "out": str(out)}
    lines = [("weights", kind or "unchanged"), ("size", f"{size_text(after)}, {size_text(before)} before")]
    if settings.integer:
        facts["fingerprint"] = small.integer_model().integers.fingerprint
        assert small.integer_cost is not None
        facts["integers_cost"] = small.integer_cost.bits_per_dim
        lines.append(("integers", f"program {facts['fingerprint'][:16]}, costs {small.integer_cost}"))
    return Report(facts, [*lines, ("written", str(out))])


def add_integer_program(model: PixelModel, data: str, images: int, sets: Sequence[str]) -> None:
    """Make the integer model of a model, calibrated on images that are read as the model's own, and measure its cost.

    It becomes the default whatever it costs: it was requested.
    """
    from pointillist.data import load_data
    from pointillist.model.quantize_integer import quantize_integer
    from pointillist.training.integers import measure_cost
    from pointillist.training.runs.data import resolve_data_options

    options = resolve_data_options(model, data, sets, labels=True)
    classes = model.config.classes if options.labels else ()
    splits = load_data(data, options, spec=model.image, classes=classes)
    quantize_integer(model, splits, images=images)
    model.integer_cost = measure_cost(model, splits, is_default=True)


def reject_filled(out: Path, force: bool) -> None:
    """Reject an output that holds more than a lock, unless `force` is set.

    Raises:
        ConfigError: naming `--force`.
    """
    from pointillist.errors import ConfigError
    from pointillist.files.writing import LOCK

    if out.exists() and not force and (not out.is_dir() or any(path.name != LOCK for path in out.iterdir())):
        raise ConfigError(f"{out} is already there: add `--force` to replace the model in it, or give another path.")


def _note(kind: str) -> str:
    """Return the note for the model card: figures above it may have been measured on the original weights."""
    text = "int8 with one scale an output" if kind == "int8" else "bf16"
    return (
        f"## Weights\n\nThe matrices are quantized to {text} (`pointillist quantize`). "
        "Figures of the training were measured on the original weights.\n"
    )
