"""Sentences and numbers of the report page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pointillist._version import __version__
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.views import Views
from pointillist.conditioning import AttributesConfig, MaskedValue, labels_from_input

_DESCRIPTIONS = (
    (
        -3.0,
        "far less surprising than the model expected: the image is plainer than its samples, or it needs more training",
    ),
    (-2.0, "less surprising than the model expected"),
    (2.0, "about as surprising as the model expected"),
    (3.0, "more surprising than the model expected"),
)


def describe_z(z_score: float) -> str:
    """Describe the z-score of an image in words."""
    far = "far more surprising than the model expected"
    return next((words for limit, words in _DESCRIPTIONS if z_score < limit), far)


def describe_conditions(views: Views) -> str:
    """Describe the conditions on the image, such as `label cat, prompt "a cat"`; "no condition" if there is none."""
    parts = views.query.conditions.parts
    words = [_describe(views.query, name, part) for name, part in parts.items() if bool(part.known.any())]
    return ", ".join(words) or ("no condition" if parts else "no condition: the model is unconditional")


def _describe(query: ImageQuery, name: str, part: MaskedValue) -> str:
    config = query.model.config
    if name == "label":
        return f"label {config.classes[int(labels_from_input(part, 1)[0])]}"
    if name == "text" and query.prompt:
        return f"prompt \u201c{query.prompt}\u201d"
    attributes = config.condition(AttributesConfig)
    if name == "attributes" and attributes is not None:
        values = zip(
            attributes.values.items(),
            part.values[0].tolist(),
            part.known[0].tolist(),
            strict=True,
        )
        return ", ".join(f"{attribute} {names[value]}" for (attribute, names), value, known in values if known)
    return name


def table_rows(views: Views, stored: str) -> Sequence[tuple[str, str]]:
    """Return the rows of the table at the end of the page.

    Args:
        stored: description of the stored distributions.
    """
    maps, model = views.maps, views.query.model
    channels, height, width = views.query.shape
    order = "ordered" if model.image.ordered else "unordered"
    rows = [
        ("image", f"{height} x {width}, {channels} channel(s), {model.image.levels:,} {order} levels"),
        ("model", f"{views.title}: {model.config.model_type}, {model.num_parameters:,} parameters"),
        ("likelihood", model.likelihood.name),
        ("conditions", describe_conditions(views)),
        ("order", views.query.order.name),
        ("bits", f"{maps.bits:.4f}, that is {maps.bits_per_dim:.4f} bits/dim"),
        ("expected", f"{maps.expected:.4f} bits, standard deviation {maps.std:.4f}, z-score {maps.z_score:+.4f}"),
        ("stored here", stored),
        ("software", f"pointillist {__version__}"),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
    ]
    if len(maps.names) > 1:
        parts = (f"{name} {bits:.2f}" for name, bits in zip(maps.names, maps.channel_bits, strict=True))
        rows.insert(6, ("by channel", ", ".join(parts) + " bits"))
    return rows
