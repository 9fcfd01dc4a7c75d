"""Write `docs/reference/models.md` and its figures from the registry: `python tools/make_models.py`.

It takes two minutes of the processor. Run it after adding a model or changing a preset; a test compares the page with
the registry. `--text` writes only the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pointillist as pt
from pointillist.images.visualization import save_png
from pointillist.model.folder.opening import ModelSummary
from pointillist.networks import entry, names

Row = dict[str, Any]

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "models.md"
ROWS = PAGE.parents[1] / "evidence" / "presets.jsonl"
CONTEXTS = PAGE.parents[1] / "evidence" / "contexts.json"
PICTURES = PAGE.parents[1] / "pictures"
ROW, COLUMN, PRESET = 20, 13, "small"
CORNERS = ((27, 27), (14, 0))  # the last pixel of 28 x 28, and one with most of its earlier pixels on its right
BUSY = 1.5  # load average from which other work ran beside a measurement with one thread
HEAD = f"""# The models

<!-- Made by tools/make_models.py from the registry: do not edit. -->

The figures show the receptive field of each model, measured and not drawn by hand: the parameters of the orange pixel
are differentiated with respect to every sub-pixel of the image, in float64 and at random weights. Blue pixels have an
influence, hatched ones come earlier but have none, dark ones are sampled later. Pixel ({ROW}, {COLUMN}) of a 28 x 28
grey image, preset `{PRESET}`, in raster order, or in an S-curve if the model supports it. The same figure for any model
and pixel; for a trained model it also shows the strength of the influence:

```bash
pointillist info pixelcnn:small --receptive-field 12,7 --out field.png
pointillist info locally-masked-pixelcnn:small --receptive-field 12,7 --order s-curve-columns-br
pointillist info runs/digits --receptive-field 4,4
```

Parameters are counted for 28 x 28 grey images with 256 levels, of a paper's preset for the images of the paper.
"""
COSTS = """## Cost of training

Images per second of processor time on one thread, and peak memory, for whole training steps of 16 images with 256
levels (forward, backward, AdamW, average of weights). {where}. `python benchmarks/measure_presets.py` repeats the
measurement.

{table}
"""
CONTEXT = """## Context

Earlier pixels that a network does **not** see, of the {last} before the last pixel of a 28 x 28 image and of the {side}
before pixel (14, 0), in raster order: `pt.receptive_field(model, row, column).num_missing` at random weights. Measure
it at the size of your images.

| network | `tiny` | `small` | `base` |
|---|---|---|---|
{rows}

`pixelcnn` and, in raster order, `locally-masked-pixelcnn` see nothing beyond a diagonal to the upper right, whatever
their depth; `row-lstm` sees a triangle. `pixelcnn-pp` misses what is far away in the pair of rows that no coarse grid
covers yet: one more layer in each block of `small` leaves 13 of 17. `parallel-multiscale` draws groups of pixels that
are independent of each other: earlier pixels of the same group are counted here.
"""
PAPERS = """## Presets of the papers

`--preset paper-...` selects the network size of a paper and the optimiser, schedule, batch size and weight averaging of
its authors; settings in a run config or on the command line override both. `tests/networks/test_papers.py` derives
their numbers of parameters by hand and measures their receptive fields; [Comparison](../evidence/comparisons.md) sets
them beside released models. We have read the authors' code where it is public (PixelCNN++, PixelSNAIL), but none of the
papers' own PDFs: figures from write-ups or from memory, and our own choices, are marked.
"""


def page() -> str:
    """Write the whole page."""
    summaries = pt.list_models()
    return "\n".join([HEAD, contexts(), costs(), _networks(summaries), papers()])


def contexts() -> str:
    """Write the table of missing context from the results of `measure_contexts`."""
    measured: dict[str, dict[str, list[int]]] = json.loads(CONTEXTS.read_text(encoding="utf-8"))
    last, side = (row * 28 + column for row, column in CORNERS)
    lines = [
        f"| `{name}` | {' | '.join(', '.join(map(str, counts)) for counts in presets.values())} |"
        for name, presets in measured.items()
    ]
    return CONTEXT.format(last=last, side=side, rows="\n".join(lines))


def measure_contexts(name: str, presets: Sequence[str] = ("tiny", "small", "base")) -> dict[str, list[int]]:
    """Count the earlier pixels that a network does not see, for each preset and pixel."""
    result = {}
    for preset in presets:
        model = pt.build(name, shape=(1, 28, 28), preset=preset)
        result[preset] = [pt.receptive_field(model, row, column).num_missing for row, column in CORNERS]
    return result


def costs() -> str:
    """Write the table of training costs from the results of `measure_presets.py`."""
    lines = ROWS.read_text(encoding="utf-8").splitlines() if ROWS.exists() else []
    every: list[Row] = [json.loads(line) for line in lines]
    result: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in every:
        result.setdefault((row["model"], row["preset"]), {})[row["image"], row["precision"]] = row
    kinds = list(dict.fromkeys(kind for rows in result.values() for kind in rows))
    heads = [f"{image}, {precision}" for image, precision in kinds]
    table = [
        "| model | preset | parameters |" + "".join(f" {head} |" for head in heads),
        "|---" * (3 + len(kinds)) + "|",
    ]
    for (model, preset), rows in result.items():
        count = next(iter(rows.values()))["parameters"]
        cells = [f"{rows[k]['images_per_second']:.1f}, {rows[k]['megabytes']:,} MB" if k in rows else "" for k in kinds]
        table.append(f"| `{model}` | `{preset}` | {count:,} | {' | '.join(cells)} |")
    where = "; ".join(sorted({f"{row['machine']}, {row['date']}" for row in every})) or "Not measured yet"
    if any(row.get("load", BUSY) >= BUSY for row in every):
        where += "; provisional, other work ran on the machine"
    return COSTS.format(where=where, table="\n".join(table))


def _rows(summary: ModelSummary) -> dict[str, str]:
    """Return the rows of the table of a network."""
    sizes = ", ".join(f"`{preset}` {count:,}" for preset, count in summary.presets.items())
    return {
        "parameters": sizes,
        "conditions": ", ".join(summary.conditions) or "none",
        "likelihoods": "; ".join(f"{kind}: {', '.join(fitting)}" for kind, fitting in summary.likelihoods.items()),
        "orders": "; ".join(f"{kind}, from each corner, along rows or columns (8)" for kind in summary.orders),
    }


def _networks(summaries: Sequence[ModelSummary]) -> str:
    """Write what all networks share in one table, and a section of each with what is its alone."""
    tables = [_rows(summary) for summary in summaries]
    shared = {head: row for head, row in tables[0].items() if all(table[head] == row for table in tables)}
    parts = ["## Every network", *_table(shared)]
    for summary, table in zip(summaries, tables, strict=True):
        parts += [f"## `{summary.name}`", "", f"{summary.summary[:1].upper()}{summary.summary[1:]}."]
        parts += _table({head: row for head, row in table.items() if head not in shared})
        parts += [f"![Receptive field of {summary.name}](../pictures/{summary.name}.png)", ""]
    return "\n".join(parts)


def _table(rows: Mapping[str, str]) -> list[str]:
    return ["", "| | |", "|---|---|", *(f"| {head} | {row} |" for head, row in rows.items()), ""]


def papers() -> str:
    """Write the presets of the papers: settings, training, source, and unverified figures."""
    parts = [PAPERS]
    for name in names():
        said: dict[str, str] = {}
        for preset, paper in entry(name).papers.items():
            shape = " x ".join(map(str, paper.shape[1:])) + (" RGB" if paper.shape[0] == 3 else "")
            parts_of = [("network", paper.network), ("model", paper.model), ("training", paper.train)]
            table = {head: _settings(settings) for head, settings in parts_of if settings} | {"source": paper.source}
            same = [head for head, row in table.items() if said.get(head) == row]
            said |= table
            lines = [f"| {head} | {row} |" for head, row in table.items() if head not in same]
            lines += [f"| {', '.join(same)} | as above |"] if same else []
            lines += [f"| **not verified** | {figure} |" for figure in paper.unverified]
            head = f"### `{name}` {preset}\n\n| | |\n|---|---|\n| images | {shape}, {paper.levels} levels |"
            parts.append("\n".join([head, *lines, ""]))
    return "\n".join(parts)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}` {value}" for key, value in settings.items())


def draw() -> None:
    """Draw the receptive field of each model."""
    for summary in pt.list_models():
        order = "s-curve" if "S-curve" in summary.orders else "raster"
        model = pt.build(summary.name, shape=(1, 28, 28), preset=PRESET, orders=order)
        field = pt.receptive_field(model, ROW, COLUMN, name=f"{summary.name} {PRESET}")
        save_png(field.image(), PICTURES / f"{summary.name}.png")
        print(field)


if __name__ == "__main__":
    if "--text" not in sys.argv:
        draw()
        measured = {name: measure_contexts(name) for name in names()}
        CONTEXTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
