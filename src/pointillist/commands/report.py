"""Results of commands: facts, as text by one table of units for all, and the work of a job; notes while they work."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import counted

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from pointillist.data.options import DataOptions
    from pointillist.model.protocols import LikelihoodModel

Facts = dict[str, Any]
"""The result of a command: values of JSON by name; what is None has no line in the text."""

_FORMS = {
    "anomalous": ("anomalous", "{:,} images"),
    "bits_per_dim": ("bits/dim", "{:.4f}"),
    "deviation": ("sd", "{:+.1f}"),
    "dims": ("dims", "{:,} an image"),
    "expected_bits": ("expected", "{:.2f} bits"),
    "fingerprint": ("fingerprint", "{:.16}"),
    "highest": ("highest", "{:.4f}"),
    "guidance": ("guidance", "{:g}, where 1 is the model itself"),
    "interval_95": ("95 % interval", "{0[0]:.4f} to {0[1]:.4f}"),
    "maps_divergence": ("divergence", "{:.4f} bits an unknown cell, head to realisations"),
    "maps_largest_difference": ("difference", "{:.3f} at most, of a probability"),
    "lost": ("lost", "{:,} images or more"),
    "lowest": ("lowest", "{:.4f}"),
    "nats": ("nats", "{:.3f} an image"),
    "out": ("written", ""),
    "p_value": ("p", "{:.4f}"),
    "rule_acceptance": ("rules", "{:.1%} of the maps that were drawn obeyed them"),
    "seconds": ("time", "{:.1f} s"),
    "seed": ("seed", "{}"),
    "site": ("site", "row {0[0]}, column {0[1]}, channel {0[2]}"),
    "valid_bits_per_dim": ("validation", "{:.4f} bits/dim"),
    "z_score": ("z-score", "{:+.2f} standard deviations"),
}
"""Label and form of the facts that need more than their name and a number."""
_HIDDEN = ("log_weights", "masked_pixels", "pred_label", "pred_score", "settings", "statistics")
_SIZES = ("bytes", "bytes_before", "file_size", "size_on_disk")


def lines_of(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield a name and a text for each fact that is known and not a table.

    ```python
    list(lines_of({"bits_per_dim": 1.03, "order": "raster"}))  # [("bits/dim", "1.0300"), ("order", "raster")]
    ```
    """
    texts = ((label_of(name), fact_text(name, value)) for name, value in facts.items())
    yield from (line for line in texts if line[1])


def table_of(rows: Sequence[Facts], most: int) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the cells of the first rows, without columns of which nothing is shown."""
    shown = {label_of(name): [fact_text(name, row[name]) for row in rows[:most]] for name in rows[0]}
    columns = {label: cells for label, cells in shown.items() if any(cells)}
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def label_of(name: str) -> str:
    """Return the name of a fact for people."""
    return _FORMS[name][0] if name in _FORMS else name.replace("_", " ")


def fact_text(name: str, value: Any) -> str:
    """Format a fact; empty for one that is not shown."""
    text = "" if name in _HIDDEN else text_of(value)
    if name in _SIZES and text:
        return size_text(value)
    form = _FORMS[name][1] if name in _FORMS and not isinstance(value, Mapping) else ""
    return form.format(value) if form and text else text


def text_of(value: Any) -> str:
    """Format a value of JSON; empty for one that is unknown, or that is a table.

    A mapping with `value` and `interval_95` is a mean with its confidence interval; `text` says all of another one.
    """
    if isinstance(value, Mapping):
        if "interval_95" in value:
            return f"{value['value']:.3f} (95 % {value['interval_95'][0]:.3f} to {value['interval_95'][1]:.3f})"
        if isinstance(value.get("text"), str):
            return str(value["text"])
        parts = {label_of(name): fact_text(name, each) for name, each in value.items() if not _is_long(each)}
        return ", ".join(f"{name} {text}".strip() for name, text in parts.items() if text)
    if isinstance(value, list | tuple):
        return _list_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value != value:
        return ""
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _list_text(values: Sequence[Any]) -> str:
    if is_table(values) or None in values or any(value != value for value in values):
        return ""
    if _is_long(values) and isinstance(values[0], float):
        return f"{text_of(min(values))} to {text_of(max(values))}"
    texts = list(map(text_of, values))
    return "\n".join(texts) if any(" " in text for text in texts) else names_text(texts)


def _is_long(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > _FEW and not isinstance(value[0], str)


def is_table(value: Any) -> bool:
    """Return True for a list of rows, each a mapping."""
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def note(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def console(*, stderr: bool = False) -> Console:
    """Return a terminal on stdout or stderr. It does not break lines: the terminal does."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def size_text(count: int) -> str:
    """Format a number of bytes."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def shape_text(image: Any) -> str:
    """Format a kind of image."""
    order = "ordered" if image.ordered else "unordered"
    channels = counted(image.channels, "channel")
    return f"{image.mode}, {image.height} x {image.width}, {channels}, {image.levels:,} {order} levels"


def names_text(names: Sequence[str], most: int = 20) -> str:
    """Format the first of some names, and the number of many."""
    count = f"{len(names)}: " if len(names) > _FEW else ""
    return f"{count}{', '.join(names[:most])}{', ...' if len(names) > most else ''}"


_FEW = 4  # names that need no count


Arrays = dict[str, "np.ndarray"]
"""Results of some items: arrays whose first axis counts them."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work of a job in one process: what the function `job` of a command returns for its settings.

    ```python
    Work(count=9, batch_size=4, compute=lambda start, stop: {"x": np.arange(start, stop)}, facts={})
    ```

    Attributes:
        count: number of items, which are numbered from 0.
        batch_size: items of a batch. Batches are fixed, so tasks and workers do not change a bit.
        compute: computes the items `start .. stop`, as one batch; if it fails, they are computed one by one.
        facts: what results depend on apart from the settings, and what merging needs; JSON, equal in every process.
        files: the file of each item, if any.
        skipped: why each file that could not be read was left out before the items were numbered, by name.
        item_bytes: memory that the results of an item take until its task is finished.
        needs_torch: False if torch takes no part in the results; it is then not loaded.
    """

    count: int
    batch_size: int
    compute: Callable[[int, int], Arrays]
    facts: Mapping[str, object]
    files: Sequence[str] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    item_bytes: int = 64
    needs_torch: bool = True


def model_facts(model: LikelihoodModel) -> dict[str, object]:
    """Return the fingerprint, the kind of image and the classes of a model, for a manifest."""
    image = model.image.model_dump(mode="json")
    return {"fingerprint": model.fingerprint, "image": image, "classes": list(model.classes)}


def item_options(options: DataOptions, data: str, size: tuple[int, int]) -> DataOptions:
    """Let pictures that cannot be read, or have another size, be rejected by themselves."""
    options = options.changed(skip_bad=True)
    required = options.size is None and Path(data).is_dir()
    return options.changed(size=size, resize_mode="require") if required else options


def files_digest(files: Sequence[Path]) -> str:
    """Compute the SHA-256 of the content of files."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)};".encode() + content)
    return digest.hexdigest()
