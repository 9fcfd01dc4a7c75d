"""Write `docs/models.md` and its pictures from the registry: `python docs/make_models.py` (about half a minute).

Run it after adding a model; a test compares the page with the registry.
"""

from __future__ import annotations

import typing
from pathlib import Path

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.factory import ModelSummary
from pointillist.likelihoods import LikelihoodName
from pointillist.pictures import save_png

PAGE = Path(__file__).with_name("models.md")
PICTURES = PAGE.with_name("pictures")
ROW, COLUMN, PRESET = 20, 13, "small"
KINDS = {
    "binary": pt.ImageSpec.infer((1, 8, 8), 2),
    "grey, RGB, RGBA": pt.ImageSpec.infer((3, 8, 8)),
    "palette, codes": pt.ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False),
}
HEAD = f"""# The models

<!-- Made by docs/make_models.py from the registry: do not edit. -->

The pictures show what a model **can** see, measured and not drawn by hand: the parameters of the orange site are
differentiated with respect to every sub-pixel of the image, in float64 and at random weights. Blue pixels have an
influence, hatched ones come earlier but have none, dark ones are painted later. Site ({ROW}, {COLUMN}) of 28 x 28 grey
pixels, preset `{PRESET}`, in raster order, or in an S-curve where a model can follow it. For any model and site, also
for a trained one with how strongly it listens:

```bash
pointillist info pixelcnn:small --receptive-field 12,7 --out field.png
pointillist info locally-masked-pixelcnn:small --receptive-field 12,7 --order s-curve-columns-br
pointillist info runs/digits --receptive-field 4,4
```

Parameters are for 28 x 28 grey images with 256 levels.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(summary) for summary in pt.models())])


def _section(summary: ModelSummary) -> str:
    name = summary.name
    sizes = ", ".join(f"`{preset}` {count:,}" for preset, count in summary.presets.items())
    likelihoods = "; ".join(f"{kind}: {', '.join(fitting(name, image))}" for kind, image in KINDS.items())
    return f"""## `{name}`

{summary.summary[:1].upper()}{summary.summary[1:]}.

| | |
|---|---|
| parameters | {sizes} |
| conditions | {", ".join(conditions(name)) or "none"} |
| likelihoods | {likelihoods} |
| orders | {orders(name)} |

![What {name} sees from one site](pictures/{name}.png)
"""


def fitting(name: str, image: pt.ImageSpec) -> list[str]:
    """The likelihoods with which a model of such images can be built."""
    return [n for n in typing.get_args(LikelihoodName) if n != "auto" and _builds(name, image, likelihood=n)]


def orders(name: str) -> str:
    """In which it can paint."""
    rasters = "raster, from each corner, along rows or columns (8)"
    return f"{rasters}; S-curve, likewise (8)" if _builds(name, KINDS["binary"], orders="s-curve") else rasters


def conditions(name: str) -> list[str]:
    """What the model can be told besides the image."""
    image = KINDS["binary"]
    told: dict[str, dict[str, typing.Any]] = {
        "labels": {"classes": 2},
        "attributes": {"attributes": {"hair": 2}},
        "a vector": {"vector": 2},
        "text": {"text": "learned"},
        "a hint (an image on the same grid)": {"hint": 1},
        "learned positions (they fix the size)": {"position_width": 2},
    }
    return [what for what, settings in told.items() if _builds(name, image, **settings)]


def _builds(name: str, image: pt.ImageSpec, **settings: typing.Any) -> bool:
    try:
        pt.build(name, image=image, preset="tiny", **settings)
    except ConfigError:
        return False
    return True


def draw() -> None:
    """The picture of each model."""
    for summary in pt.models():
        order = "s-curve" if _builds(summary.name, KINDS["binary"], orders="s-curve") else "raster"
        model = pt.build(summary.name, shape=(1, 28, 28), preset=PRESET, orders=order)
        field = pt.receptive_field(model, ROW, COLUMN, name=f"{summary.name} {PRESET}")
        save_png(field.image(), PICTURES / f"{summary.name}.png")
        print(field)


if __name__ == "__main__":
    draw()
    PAGE.write_text(page(), encoding="utf-8")
