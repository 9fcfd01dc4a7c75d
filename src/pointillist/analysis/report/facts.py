"""What a page says in words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pointillist._version import __version__
from pointillist.analysis.views import Views
from pointillist.conditioning import labels_from_input

_WORDS = (
    (-3.0, "far less surprising than the model foresaw: suspiciously plain"),
    (-2.0, "less surprising than the model foresaw"),
    (2.0, "about as surprising as the model foresaw"),
    (3.0, "more surprising than the model foresaw"),
)


def describe_z(z: float) -> str:
    """The deviation of an image in words."""
    return next((words for limit, words in _WORDS if z < limit), "far more surprising than the model foresaw")


def describe_conditions(views: Views) -> str:
    """What the model was told."""
    told, model = views.asked.told, views.asked.model
    words = []
    for name, part in told.parts.items():
        if not bool(part.known.any()):
            continue
        number = int(labels_from_input(told.parts["label"], 1)[0]) if name == "label" else -1
        words.append(f"label {model.config.classes[number]}" if name == "label" else name)
    return ", ".join(words) or ("nothing" if told.parts else "nothing: it listens to nothing")


def table_rows(views: Views, stored: str) -> Sequence[tuple[str, str]]:
    """The facts at the end of a page."""
    maps, model = views.maps, views.asked.model
    channels, height, width = views.asked.shape
    order = "ordered" if model.image.ordered else "unordered"
    rows = [
        ("image", f"{height} x {width}, {channels} channel(s), {model.image.levels:,} {order} levels"),
        ("model", f"{views.title}: {model.config.model_type}, {model.num_parameters:,} parameters"),
        ("likelihood", model.likelihood.name),
        ("told", describe_conditions(views)),
        ("order", (views.asked.order or model.order()).name),
        ("bits", f"{maps.bits:.4f}, that is {maps.bits_per_dim:.4f} bits/dim"),
        ("expected", f"{maps.expected:.4f} bits, deviation {float(maps.variance.sum()) ** 0.5:.4f}, z {maps.z:+.4f}"),
        ("stored here", stored),
        ("software", f"pointillist {__version__}"),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
    ]
    if len(maps.names) > 1:
        parts = (f"{name} {bits:.2f}" for name, bits in zip(maps.names, maps.channel_bits, strict=True))
        rows.insert(6, ("by channel", ", ".join(parts) + " bits"))
    return rows
