"""`pointillist detect`: odd images, by a model of normal ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import print_facts, print_json, print_table, reject_existing
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector, AnomalyReport
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist detect runs/parts new-parts/ --fit good-parts/

  pointillist detect runs/parts new-parts/

  pointillist detect runs/parts new-parts/ --false-alarms 0.01 --heatmaps maps/ --report report.html

  pointillist detect digits scans/ --fit clean/ --detector runs/detector

  pointillist detect runs/parts new-parts/ --fail-on-anomaly --json"""

_FITTING, _OUTPUT = "The detector", "Output"

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model of normal images: folder, name, hf:USER/MODEL.")]
Data = Annotated[str, typer.Argument(metavar="DATA", help="Images to judge; a folder is read a batch at a time.")]
Fit = Annotated[
    str | None,
    typer.Option(metavar="NORMAL", help="Fit on these normal images, unseen in training.", rich_help_panel=_FITTING),
]
DetectorFolder = Annotated[
    Path | None,
    typer.Option("--detector", metavar="DIR", help="Folder of the detector. Default: MODEL.", rich_help_panel=_FITTING),
]
Background = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Model of noise-mutated images: adds a ratio.", rich_help_panel=_FITTING),
]
Conditions = Annotated[
    bool,
    typer.Option(
        "--conditions", metavar=FLAG, help="With --fit: also score with labels, captions.", rich_help_panel=_FITTING
    ),
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(
        "--false-alarms",
        metavar="X",
        help="Share of normal images that may be called odd. Default: the detector's, or 0.05.",
    ),
]
Split = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of DATA that has splits: train, valid, test or all (default).")
]
Windows = Annotated[
    bool, typer.Option("--windows", metavar=FLAG, help="Keep larger images as they are, and score them by windows.")
]
Heatmaps = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the heat map over each image as PNG.", rich_help_panel=_OUTPUT),
]
Report = Annotated[
    Path | None, typer.Option(metavar="HTML", help="Write a page with the oddest images.", rich_help_panel=_OUTPUT)
]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="CSV", help="Write a line for each image.", rich_help_panel=_OUTPUT),
]
Json = Annotated[
    bool, typer.Option("--json", metavar=FLAG, help="Print JSON, and nothing else, on stdout.", rich_help_panel=_OUTPUT)
]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="Lines of the table.", rich_help_panel=_OUTPUT)]
FailOnAnomaly = Annotated[
    bool, typer.Option("--fail-on-anomaly", metavar=FLAG, help="Exit with 1 if an image is called odd.")
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images at once; the result does not change.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a data setting, such as data.size=32; repeatable."),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, or auto.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace existing files.", rich_help_panel=_OUTPUT)]


def detect(
    model: Model,
    data: Data,
    fit: Fit = None,
    contamination: FalseAlarms = None,
    detector: DetectorFolder = None,
    background: Background = None,
    conditions: Conditions = False,
    split: Split = None,
    windows: Windows = False,
    heatmaps: Heatmaps = None,
    report: Report = None,
    csv_path: Csv = None,
    as_json: Json = False,
    top: Top = 20,
    fail_on_anomaly: FailOnAnomaly = False,
    batch_size: BatchSize = 64,
    sets: Sets = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Find odd images by a model of normal ones, with p-values and heat maps."""
    from pointillist.anomaly import AnomalyReport
    from pointillist.anomaly.files import own_folder
    from pointillist.anomaly.table import write_csv
    from pointillist.model.pretrained import load
    from pointillist.system import resolve_device

    for path in (report, csv_path):
        if path is not None:
            reject_existing(path, force)
    if heatmaps is not None:
        _reject_filled(heatmaps, force)
    loaded = load(model).to(resolve_device(device))
    other = None if background is None else load(background).to(resolve_device(device))
    reading: dict[str, Any] = {"sets": sets or [], "split": split, "windows": windows}
    folder = detector or own_folder(model)
    if fit is None:
        out = _load(folder, model, loaded, other)
    else:
        _reject_detector(folder, force)
        settings: dict[str, Any] = {"background": other, "conditions": conditions, "batch_size": batch_size}
        if contamination is not None:
            settings["contamination"] = contamination
        out = _fit(loaded, fit, folder, settings, reading)
    out.set_params(batch_size=batch_size)
    if contamination is not None:
        out.set_params(contamination=contamination)
    result = AnomalyReport(out.contamination)
    for record in out.records(open_images(loaded, data, conditions=out.conditions, **reading)):
        result.add(record)
        if heatmaps is not None:
            _write_overlay(heatmaps, record)
    facts = [("model", model), ("data", data), ("detector", str(folder or "not stored"))]
    if report is not None:
        result.save(report, facts)
    if csv_path is not None:
        write_csv(csv_path, result.sorted_rows)
    if as_json:
        print_json(_summary(model, data, out, result))
    else:
        _print(result, facts, top, [path for path in (heatmaps, report, csv_path) if path is not None])
    if fail_on_anomaly and result.odd:
        raise typer.Exit(1)


def open_images(
    model: PixelModel, data: str, *, sets: list[str], split: str | None, windows: bool, conditions: bool
) -> Any:
    """Open images as the model was trained to read them: a folder as a stream, everything else whole."""
    from pointillist.data import load_data
    from pointillist.data.folder_stream import FolderStream
    from pointillist.training.recorded_data import resolve_data_options

    options = resolve_data_options(model, data, sets, labels=conditions)
    if windows:
        options = options.changed(size=None)
    path = Path(data)
    if (path.is_dir() or FolderStream.reads(path)) and split is None and not conditions:
        return FolderStream(path, options, model.image)
    classes = model.config.classes if options.labels else ()
    return load_data(data, options, spec=model.image, classes=classes).get(split or "all")


def _load(folder: Path | None, model: str, loaded: PixelModel, background: PixelModel | None) -> AnomalyDetector:
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if folder is None or not has_detector(folder):
        raise ConfigError(
            f"{folder or model} has no detector: fit one with `--fit` and a folder of normal images"
            f"{', or name its folder with `--detector`' if folder is None else ''}."
        )
    return AnomalyDetector.load(folder, loaded, background)


def _fit(
    loaded: PixelModel, normal: str, folder: Path | None, settings: dict[str, Any], reading: dict[str, Any]
) -> AnomalyDetector:
    from pointillist.anomaly import AnomalyDetector

    detector = AnomalyDetector(loaded, **settings)
    detector.fit(open_images(loaded, normal, conditions=detector.conditions, **{**reading, "split": None}))
    if folder is not None:
        detector.save(folder)
    return detector


def _reject_detector(folder: Path | None, force: bool) -> None:
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if folder is not None and has_detector(folder) and not force:
        raise ConfigError(
            f"{folder} has a detector already: leave `--fit` out to use it, add `--force` to replace it, or name "
            "another folder with `--detector`."
        )


def _reject_filled(folder: Path, force: bool) -> None:
    from pointillist.errors import ConfigError

    if folder.exists() and not force and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is already there: add `--force` to write into it, or give a new folder.")


def _write_overlay(folder: Path, record: Any) -> None:
    from pointillist.visualization import save_png

    name = record.name if record.name.lower().endswith(".png") else f"{record.name}.png"
    save_png(record.overlay(), folder / name)


def _summary(model: str, data: str, detector: AnomalyDetector, result: AnomalyReport) -> dict[str, Any]:
    return {
        "model": model,
        "data": data,
        "false_alarms": detector.contamination,
        "held_out": len(detector.calibration_scores_),
        "count": len(result.rows),
        "odd": result.odd,
        "images": result.sorted_rows,
    }


def _print(result: AnomalyReport, facts: list[tuple[str, str]], top: int, written: list[Path]) -> None:
    rows = result.sorted_rows
    lines = [
        (
            row["file"],
            f"{row['p_value']:.4f}",
            f"{row['score']:.2f}",
            f"{row['oddest']} {row['statistics'][row['oddest']]:+.1f}",
            f"{row['location'][0]}, {row['location'][1]}",
            "odd" if row["pred_label"] else "",
        )
        for row in rows[:top]
    ]
    print_table(("file", "p", "score", "oddest statistic (sd)", "row, column", ""), lines, right=(1, 2))
    if len(rows) > top:
        typer.echo(f"and {len(rows) - top:,} more images, less odd\n")
    expected = f"{result.false_alarms * len(rows):.1f} expected if all are normal"
    print_facts([*facts, ("odd", f"{result.odd:,} of {len(rows):,} images; {expected}")])
    for path in written:
        typer.echo(f"written   {path}")
