"""Write `docs/models.md` and its pictures from the registry: `python tools/make_models.py` (about half a minute).

Run it after adding a model; a test compares the page with the registry. `--text` leaves the pictures as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pointillist as pt
from pointillist.model.listing import ModelSummary
from pointillist.networks import entry, names
from pointillist.visualization import save_png

Row = dict[str, Any]

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
ROWS = PAGE.with_name("presets.jsonl")
PICTURES = PAGE.with_name("pictures")
ROW, COLUMN, PRESET = 20, 13, "small"
BUSY = 1.5  # load average from which a measurement with one thread is not alone
HEAD = f"""# The models

<!-- Made by tools/make_models.py from the registry: do not edit. -->

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

Parameters are for 28 x 28 grey images with 256 levels; those of a paper's preset for the images of the paper.
"""
COSTS = """## What training costs

Images a second of processor time on one thread, and the peak of memory, for whole training steps of 16 images with 256
levels (forward, backward, Adam, average of weights). {where}. `python benchmarks/measure_presets.py` measures it anew.

{table}
"""
PAPERS = """## The sizes of the papers

`--preset paper-...` gives a network its paper's size, and a training its authors' optimiser, schedule, batch and
average of weights; settings in a file or on the command line win over both. Their numbers of parameters are worked out
by hand in `tests/test_papers.py`, and what a site sees is measured there; [comparisons.md](comparisons.md) has them
beside released models. We have read the authors' code where there is some (PixelCNN++, PixelSNAIL), but none of the
papers' own PDFs: what comes from write-ups or from memory, and what we had to choose, is marked.
"""


def page() -> str:
    """The whole page."""
    summaries = pt.list_models()
    return "\n".join([HEAD, costs(), *map(_section, summaries), papers()])


def costs() -> str:
    """What training each of our presets costs, as `measure_presets.py` found it."""
    lines = ROWS.read_text(encoding="utf-8").splitlines() if ROWS.exists() else []
    every: list[Row] = [json.loads(line) for line in lines]
    found: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in every:
        found.setdefault((row["model"], row["preset"]), {})[row["image"], row["precision"]] = row
    kinds = list(dict.fromkeys(kind for rows in found.values() for kind in rows))
    heads = [f"{image}, {precision}" for image, precision in kinds]
    table = [
        "| model | preset | parameters |" + "".join(f" {head} |" for head in heads),
        "|---" * (3 + len(kinds)) + "|",
    ]
    for (model, preset), rows in found.items():
        count = next(iter(rows.values()))["parameters"]
        cells = [f"{rows[k]['images_per_second']:.1f}, {rows[k]['megabytes']:,} MB" if k in rows else "" for k in kinds]
        table.append(f"| `{model}` | `{preset}` | {count:,} | {' | '.join(cells)} |")
    where = "; ".join(sorted({f"{row['machine']}, {row['date']}" for row in every})) or "Not measured yet"
    if any(row.get("load", BUSY) >= BUSY for row in every):
        where += "; provisional, other work ran on the machine"
    return COSTS.format(where=where, table="\n".join(table))


def _section(summary: ModelSummary) -> str:
    name = summary.name
    sizes = ", ".join(f"`{preset}` {count:,}" for preset, count in summary.presets.items())
    likelihoods = "; ".join(f"{kind}: {', '.join(fitting)}" for kind, fitting in summary.likelihoods.items())
    return f"""## `{name}`

{summary.summary[:1].upper()}{summary.summary[1:]}.

| | |
|---|---|
| parameters | {sizes} |
| conditions | {", ".join(summary.conditions) or "none"} |
| likelihoods | {likelihoods} |
| orders | {"; ".join(f"{kind}, from each corner, along rows or columns (8)" for kind in summary.orders)} |

![What {name} sees from one site](pictures/{name}.png)
"""


def papers() -> str:
    """The presets of the papers: settings, training, source, and what is not verified."""
    parts = [PAPERS]
    for name in names():
        for preset, paper in entry(name).papers.items():
            shape = " x ".join(map(str, paper.shape[1:])) + (" RGB" if paper.shape[0] == 3 else "")
            told = [("network", paper.network), ("model", paper.model), ("training", paper.train)]
            lines = [f"| {what} | {_settings(settings)} |" for what, settings in told if settings]
            parts.append(
                f"### `{name}` {preset}\n\n| | |\n|---|---|\n| images | {shape}, {paper.levels} levels |\n"
                + "\n".join([*lines, f"| source | {paper.source} |"])
                + "".join(f"\n| **not verified** | {fault} |" for fault in paper.unverified)
                + "\n"
            )
    return "\n".join(parts)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}` {value}" for key, value in settings.items())


def draw() -> None:
    """The picture of each model."""
    for summary in pt.list_models():
        order = "s-curve" if "S-curve" in summary.orders else "raster"
        model = pt.build(summary.name, shape=(1, 28, 28), preset=PRESET, orders=order)
        field = pt.receptive_field(model, ROW, COLUMN, name=f"{summary.name} {PRESET}")
        save_png(field.image(), PICTURES / f"{summary.name}.png")
        print(field)


if __name__ == "__main__":
    if "--text" not in sys.argv:
        draw()
    PAGE.write_text(page(), encoding="utf-8")
