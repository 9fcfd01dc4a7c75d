"""The explorer of a report: an image, and everything about the pixel under the pointer, encoded for the page."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from pointillist.analysis.condition_gain import WordGain
from pointillist.analysis.distribution import QUANTILES
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, gradient_unit
from pointillist.analysis.report import sections
from pointillist.analysis.surprisal import MAX_Z
from pointillist.analysis.views import Views
from pointillist.images import as_pil, to_picture
from pointillist.images.array_types import Float, Shaped, UInt8
from pointillist.images.visualization import diverging_colors, html, png_bytes, sequential_colors
from pointillist.images.visualization.html import bundle

_FOLDER = files("pointillist.analysis.report")
_PAGE = _FOLDER / "page"


@dataclass(frozen=True)
class Explorer:
    """The explorer of one image, as pieces of a page.

    Attributes:
        section: HTML of the section.
        script: elements with its data and its behaviour, for the end of the page.
        note: description of the stored distributions.
    """

    section: str
    script: str
    note: str


def explorer_style() -> str:
    """Return the style sheet of the explorer, for a page that has `html.base_style`."""
    return (_FOLDER / "explorer.css").read_text(encoding="utf-8")


def render_explorer(views: Views, room: int) -> Explorer:
    """Render the explorer of an image.

    Args:
        views: the image.
        room: number of characters that it may take; the distributions are stored as exactly as fits.
    """
    _, height, width = views.query.shape
    template = Template((_FOLDER / "explorer.html").read_text(encoding="utf-8"))
    attribution = _attribution(views)
    section = template.substitute(
        words=_words(views),
        width=width,
        height=height,
        tabs=_tabs(views),
        scales=_scales(views),
        attribution_left=attribution if len(views.maps.names) > 1 else "",
        attribution_right=attribution if len(views.maps.names) == 1 else "",  # next to a single chart
    )
    behaviour = bundle("main.js", lambda path: (_PAGE / path).read_text(encoding="utf-8"))
    data = _data(views)
    limit = (room - len(section) - len(behaviour) - len(_json(data))) * 3 // 4  # base 64 takes 4 bytes for 3
    table = encode_distributions(views.query, limit=min(TABLE_BYTES, limit))
    packed = _json({**data, "table": table.to_dict()})
    script = f'<script type="application/json" id="data">{packed}</script>\n'
    script += f"<script>\n(() => {{\n{behaviour}\n}})();\n</script>"
    return Explorer(section, script, table.note)


def _json(data: dict[str, object]) -> str:
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/")


def _data(views: Views) -> dict[str, object]:
    """Return the data of the page's script, except for the distributions."""
    query, maps, image = views.query, views.maps, views.query.model.image
    channels, height, width = query.shape
    arrays: dict[str, np.ndarray] = {
        "x": query.levels,
        "surprisal": maps.surprisal,
        "entropy": maps.entropy,
        "variance": maps.variance,
        "order_index": maps.order_index.min(0) // channels,
    }
    if views.conditions is not None:
        arrays["saved"] = views.conditions.saved
    words = None
    if views.conditions is not None and _gains(views):
        words = {"left_out": len(views.conditions.words), **encode_words(_gains(views))}
    gradients = None
    if views.sites:
        pixels = [row * width + column for row, column in views.sites]
        packed = encode_gradient_maps(views.gradient_maps, signed=image.ordered)
        gradients = {"pixels": pixels, "unit": gradient_unit(query), **packed}
    return {
        "shape": [channels, height, width],
        "levels": image.levels,
        "ordered": image.ordered,
        "image": {
            "mode": image.mode,
            "channels": channels,
            "levels": image.levels,
            "palette": None if image.palette is None else [list(colour) for colour in image.palette],
            "values": image.values.tolist() if image.mode in ("grey", "rgb", "rgba") else None,
            "level_names": None if image.level_names is None else list(image.level_names),
        },
        "names": list(maps.names),
        "color_max": maps.color_max,
        "max_z": MAX_Z,
        "picture": html.data_uri(png_bytes(as_pil(to_picture(image, query.levels))), "png"),
        "start": int(maps.surprisal.sum(0).argmax()),
        "cumulative": list(sections.CUMULATIVE_ENDS),
        "arrays": encode_arrays(arrays),
        "gradients": gradients,
        "words": words,
    }


def _tabs(views: Views) -> str:
    words = [("image", "Image"), ("surprisal", "Surprise"), ("entropy", "Entropy"), ("excess", "Excess")]
    if views.conditions is not None:
        words.append(("conditions", "Conditions"))
    return "".join(
        f'<button type="button" data-view="{key}" aria-pressed="{str(key == "image").lower()}">{word}</button>'
        for key, word in words
    )


def _scales(views: Views) -> str:
    """Render the colour scale of each tab."""
    top = views.maps.color_max * len(views.maps.names)
    excess = html.diverging_scale(MAX_Z, "sigma above the expected surprise")
    out = [
        '<div data-scale="image"><p>The image as it is.</p></div>',
        f'<div data-scale="surprisal entropy" hidden>{sections.bits_bar(views)}</div>',
        f'<div data-scale="excess" hidden>{excess}</div>',
    ]
    if views.conditions is not None:
        saved = html.diverging_scale(top, "bits with the conditions")
        out.append(f'<div data-scale="conditions" hidden>{saved}</div>')
    if _gains(views):
        saved = html.diverging_scale(top, "bits with the word")
        out.append(f'<div data-scale="word" hidden>{saved}<p>The word: <b id="word-name"></b></p></div>')
    return "".join(out)


def _gains(views: Views) -> tuple[WordGain, ...]:
    """Return the gains of words: left out in turn, then exchanged."""
    return () if views.conditions is None else (*views.conditions.words, *views.conditions.exchanges)


def _words(views: Views) -> str:
    """Render the prompt, each word a button that shows its map; of a prompt that is too long, a sentence."""
    if views.conditions is None or not (views.conditions.num_words or views.conditions.exchanges):
        return ""
    gains, title = _gains(views), '<div class="prompt"><h2>The prompt, word by word</h2>'
    too_long = f"<p>{escape(views.conditions.too_long)}</p>" if views.conditions.too_long else ""
    if not gains:
        return f"{title}{too_long}</div>"
    parts = (views.query.prompt or "").split()
    numbers = {gain.word.index: number for number, gain in enumerate(views.conditions.words)}
    shown = []
    for index, part in enumerate(parts):
        if index in numbers:
            gain = gains[numbers[index]]
            before, _, after = part.partition(gain.word.text)
            marks = [f"<span>{escape(text)}</span>" if text else "" for text in (before, after)]
            shown.append(_word_button(gain, numbers[index]).join(marks))
        else:
            shown.append(f"<span>{escape(part)}</span>")
    first = len(views.conditions.words)
    exchanges = "".join(_word_button(gain, first + number) for number, gain in enumerate(views.conditions.exchanges))
    more = f'<div class="exchanges">{exchanges}</div>' if exchanges else ""
    return (
        f'{title}{too_long}<div id="words" role="group" aria-label="Prompt">'
        f"{''.join(shown)}{more}</div><p>Pass over a word: the pixels where it saves bits light up. Pass over a pixel: "
        "its words do. Each word is left out in turn (leave-one-out): it saves log<sub>2</sub> of the probability with "
        "it, minus the same without it, given the pixels before. Below each word is the sum over the image, an exact "
        "difference of two likelihoods. Words share what they tell, so the sums do not add up to the bits of the "
        "prompt. Blue saves bits, red costs bits.</p></div>"
    )


def _word_button(gain: WordGain, number: int) -> str:
    """Render a word as a button, with the bits that it saves."""
    bits = f"{gain.bits:+,.1f}".replace("-", "\u2212") if gain.read else "not read"
    return (
        f'<button type="button" data-word="{number}" data-name="{escape(gain.name)}" aria-pressed="false">'
        f"{escape(gain.name)}<small>{bits}</small></button>"
    )


def _attribution(views: Views) -> str:
    """Render the gradient map next to the image; without the network, the reason."""
    if views.without_network:
        return f'<p class="left-out">{escape(views.without_network)}</p>'
    if not views.sites:
        return ""
    count, pixels = len(views.sites), views.maps.surprisal[0].size
    some = "" if count == pixels else f" Stored for the {count:,} most surprising pixels."
    signed = views.query.model.image.ordered
    meaning = (
        "Red: a higher level there would make this pixel more likely; blue: less likely."
        if signed
        else "Brighter means stronger."
    )
    floats = " Gradients are taken of the network in floating point." if views.query.in_integers else ""
    ramp = np.linspace(-1 if signed else 0, 1, 256)[None]
    colours = diverging_colors(ramp, 1.0) if signed else sequential_colors(ramp, 1.0)
    scale = html.data_uri(png_bytes(as_pil(colours)), "png")
    return (
        '<div class="attribution"><div class="stage"><canvas id="gradient" aria-label="Effect of earlier pixels on '
        'this one"></canvas><div id="mark2"></div></div><div><h3>Saliency</h3><p>How strongly the log-probability of '
        f"this pixel responds to each earlier one, on a square-root scale. {meaning}{floats}{some}</p>"
        f'<div class="scale" id="gradient-scale"><img src="{scale}" alt="Colour scale of the saliency"><div><span><b '
        'id="gradient-low"></b></span><span><b id="gradient-top"></b></span></div></div>'
        '<p id="no-gradient" hidden>Not stored for this pixel.</p></div></div>'
    )


_WORD_VALUES = 250_000  # of all maps of words on a page: 61 words of 64x64 pixels
_STEPS = 32_767  # of 16 bits with a sign


def encode_words(gains: Sequence[WordGain]) -> dict[str, object]:
    """Encode the bits that words save at each pixel, of as many words as fit.

    They are stored in 16 bits, as a share of the largest of their map.
    """
    size = gains[0].saved[0].size
    by_size = sorted(range(len(gains)), key=lambda i: -float(np.abs(gains[i].saved).sum()))
    words = sorted(by_size[: max(1, _WORD_VALUES // size)])
    maps = np.stack([gains[i].saved.sum(0) for i in words])
    top = np.abs(maps).max((1, 2))
    shares = np.rint(_STEPS * maps / np.where(top > 0, top, 1)[:, None, None]).astype("<i2")
    return {"words": words, "data": to_base64(deflate(shares)), "top": top.tolist(), "steps": _STEPS}


MAX_BITS = 40.0  # surprisal of the smallest probability that 8 bits hold
LIKELIEST = 16
TABLE_BYTES = 1_400_000  # deflated; the page holds them in base 64
_RAW_BYTES = 64_000_000  # a larger table is not tried


@dataclass(frozen=True)
class EncodedDistributions:
    """Distributions of all sub-pixels of an image, with their means and quantiles.

    Attributes:
        count: number of levels that are stored of each: the likeliest, or all in their order.
        data: the encoded distributions, deflated (zlib).
        note: description of the encoding for the reader of the page.
    """

    count: int
    data: bytes
    note: str

    def to_dict(self) -> dict[str, object]:
        """Return the data of the page."""
        return {"count": self.count, "data": to_base64(self.data), "max_bits": MAX_BITS, "quantiles": list(QUANTILES)}


def encode_distributions(query: ImageQuery, limit: int = TABLE_BYTES) -> EncodedDistributions:
    """Encode the distribution of every sub-pixel, in at most about `limit` bytes."""
    levels = query.model.image.levels
    if query.levels.size * levels <= _RAW_BYTES:
        note = (
            "The probability of every level is stored in 8 bits, on a scale of the square root of its bits: within "
            f"{100 * _error(1.0):.1f} % at one bit, {100 * _error(8.0):.0f} % at eight. The other numbers are exact."
        )
        data = _encode_levels(query, levels)
        if len(data) <= limit:
            return EncodedDistributions(levels, data, note)
    count = min(LIKELIEST, levels)
    words = " with the mean and five quantiles" if query.model.image.ordered else ""
    note = f"The distributions are too large for one page: it stores the {count} likeliest levels of each{words}."
    return EncodedDistributions(count, _encode_levels(query, count), note)


def _encode_levels(query: ImageQuery, count: int) -> bytes:
    """Encode levels of each sub-pixel with their probabilities in 8 bits, its mean and its quantiles."""
    kinds = {"level": ("<u2", count), "quantile": ("<u2", len(QUANTILES)), "mean": ("<f4", 1), "bits": ("u1", count)}
    out = {name: np.zeros((*query.shape, size), kind) for name, (kind, size) in kinds.items()}
    for channel in range(query.shape[0]):
        for rows, log_probs in query.iter_log_probs(channel):
            here = channel, rows
            if count < len(log_probs):
                levels = np.argsort(-log_probs, axis=0, kind="stable")[:count]
                out["level"][here] = np.moveaxis(levels, 0, -1)
                out["bits"][here] = np.moveaxis(encode_log_probs(np.take_along_axis(log_probs, levels, 0)), 0, -1)
            else:
                out["bits"][here] = np.moveaxis(encode_log_probs(log_probs), 0, -1)
            if query.model.image.ordered:
                probs = np.exp(log_probs)
                below = probs.cumsum(0)
                at = np.stack([(below < mark - 1e-12).sum(0) for mark in QUANTILES], -1)
                out["quantile"][here] = at.clip(max=len(below) - 1)
                out["mean"][here] = np.tensordot(np.arange(len(below)), probs, 1)[..., None]
    if count == query.model.image.levels:
        del out["level"]
    return zlib.compress(b"".join(part.tobytes() for part in out.values()), 9)


def encode_log_probs(log_probs: np.ndarray) -> UInt8[np.ndarray, ...]:
    """Encode log-probabilities in nats as 255 sqrt(bits / max_bits)."""
    bits = np.clip(-log_probs / NATS_PER_BIT, 0, MAX_BITS)
    result: np.ndarray = np.rint(255 * np.sqrt(bits / MAX_BITS)).astype(np.uint8)
    return result


def _error(bits: float) -> float:
    """Return the largest relative error of a probability of so many bits."""
    step = 2 * math.sqrt(bits * MAX_BITS) / 255  # bits between neighbouring bytes
    return float(2 ** (step / 2) - 1)


def encode_gradient_maps(maps: Float[np.ndarray, "n h w"], *, signed: bool) -> dict[str, object]:
    """Encode maps of gradients in 8 bits: the square root of the share of the largest size of each map.

    Signed values take 1 to 255, with 0 at 128; others 0 to 255.
    """
    top = np.abs(maps).reshape(len(maps), -1).max(1) if len(maps) else np.zeros(0)
    share = np.abs(maps) / np.where(top > 0, top, 1)[:, None, None]
    root = np.sign(maps) * np.sqrt(share)
    result = np.rint(128 + 127 * root if signed else 255 * root).astype(np.uint8)
    return {"data": to_base64(deflate(result)), "top": [float(f"{value:.3g}") for value in top], "signed": signed}


def encode_arrays(arrays: Mapping[str, Shaped[np.ndarray, ...]]) -> dict[str, object]:
    """Encode float arrays by name, in 32 bits, one after the other."""
    index, start = {}, 0
    for name, array in arrays.items():
        index[name] = {"start": start, "shape": list(array.shape)}
        start += array.size
    whole = np.concatenate([np.asarray(a, "<f4").ravel() for a in arrays.values()])
    planes = whole.view(np.uint8).reshape(-1, 4).T  # bytes of equal significance side by side deflate better
    return {"data": to_base64(deflate(planes)), "arrays": index}


def deflate(array: np.ndarray) -> bytes:
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 9)


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
