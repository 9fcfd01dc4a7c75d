"""Commands on a hierarchy: where `train`, `evaluate`, `explain` and `info` go for one; see also `hierarchy_source`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pointillist.checkpoint.header import HIERARCHY_FILE
from pointillist.cli.messages import EXIT_STOPPED, print_error
from pointillist.cli.output import console, print_facts, print_json, reject_existing, size_text

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.hierarchy import Hierarchy
    from pointillist.hierarchy.data import Pyramid
    from pointillist.hierarchy.evaluate import HierarchyEvaluation


def is_hierarchy(name: str) -> bool:
    """Return whether a name is the folder of a hierarchy; torch is not needed to tell."""
    return (Path(name) / HIERARCHY_FILE).is_file()


def reject_options(command: str, options: Mapping[str, Any]) -> None:
    """Reject options that a command does not have for a hierarchy.

    Args:
        command: name of the command.
        options: by flag, whether each was given.

    Raises:
        ConfigError: naming the first.
    """
    from pointillist.errors import ConfigError

    for flag, given in options.items():
        if given:
            raise ConfigError(f"`{flag}` is an option of {command} for one model, not for a hierarchy: leave it out.")


def train_hierarchy(
    config: Path | None, settings: Mapping[str, Any], *, resume: bool, dry_run: bool, stage: str | None
) -> None:
    """Train a hierarchy, or estimate the cost of its stages."""
    from pointillist.hierarchy.estimate import estimate_stages
    from pointillist.hierarchy.train import HierarchyTraining
    from pointillist.training import Interrupted
    from pointillist.training.estimate import format_duration

    training = HierarchyTraining.of(config, settings, resume=resume)
    out = training.run.out
    if dry_run:
        hours, peak = 0.0, 0
        for name, cost in estimate_stages(training, stage):
            typer.echo(f"stage      {name}\n{cost}")
            hours, peak = hours + cost.hours, max(peak, cost.peak_bytes)
        typer.echo(f"together   {format_duration(hours * 3600)}, {peak / 1e9:.2f} GB at most")
        return
    again = f"pointillist train --resume --out {out}{'' if stage is None else f' --stage {stage}'}"
    try:
        training.train(stage, console())
    except Interrupted:
        print_error(f"stopped; the state is saved. Continue with: {again}", label="")
        raise typer.Exit(EXIT_STOPPED) from None
    left = [name for name in training.run.stages if not (out / name / "config.json").is_file()]
    typer.echo(f"model      {out}")
    if left:
        typer.echo(f"next       pointillist train --resume --out {out}   ({', '.join(left)})")
    else:
        typer.echo(f"try        pointillist sample {out}")


def evaluate_hierarchy(
    model: str,
    data: str,
    split: str | None,
    max_images: int | None,
    sets: list[str],
    *,
    batch_size: int,
    device: str,
    per_image: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Print the bits of each scale and of the pair, with baselines."""
    from pointillist.evaluation.table import write_csv
    from pointillist.hierarchy import Hierarchy
    from pointillist.system import resolve_device
    from pointillist.training.recorded_data import chosen_rows

    if per_image is not None:
        reject_existing(per_image, force)
    hierarchy = Hierarchy.load(model).to(resolve_device(device))
    name, images, primer = read_split(hierarchy, model, data, split, sets)
    if max_images is not None:
        images = images.take(chosen_rows(len(images), max_images))
    started = time.perf_counter()
    result = hierarchy.evaluate(images, primer, batch_size=batch_size)
    seconds = time.perf_counter() - started
    if per_image is not None:
        write_csv(per_image, result.bound, images.codes[0].files)
    facts = {"model": model, "data": data, "split": name, **evaluation_facts(result), "seconds": round(seconds, 3)}
    if as_json:
        print_json(facts)
        return
    typer.echo(f"{name:<11}{result.bound.count:,} images of {data}")
    typer.echo(str(result))
    if primer is None:
        typer.echo("           order 0 and xz have read no codes of the training before")


def evaluation_facts(result: HierarchyEvaluation) -> dict[str, Any]:
    """Collect the numbers of an evaluation."""
    lossless = result.lossless
    return {
        "count": result.bound.count,
        "bound_bits_per_dim": result.bound.bits_per_dim if result.has_pixels else None,
        "interval_95": list(result.bound.interval) if result.has_pixels else None,
        "nats": {name: float(nats.mean()) for name, nats in result.length.nats.items()},
        "bits_per_number": {name: float(result.length.bits_per_number(name).mean()) for name in result.length.nats},
        "codes_used": dict(result.used),
        "order0_bits_per_code": dict(result.order0),
        "xz_bits_per_code": dict(result.xz),
        "psnr": result.psnr,
        "accuracy": result.accuracy,
        "lossless": None if lossless is None else {"codec": lossless.codec, "bits_per_dim": lossless.bits_per_dim},
    }


def read_split(
    hierarchy: Hierarchy, folder: str, data: str, split: str | None, sets: list[str]
) -> tuple[str, Pyramid, Pyramid | None]:
    """Read a split of a source with its codes, and the training split of the same source where there is one."""
    from dataclasses import replace

    from pointillist.data import DataSplits, load_data
    from pointillist.hierarchy.config import resumed_hierarchy
    from pointillist.hierarchy.data import encoded, read_codes
    from pointillist.training.recorded_data import data_options, select_split

    if not hierarchy.tokenizers:
        reject_options("evaluate", {"--set": bool(sets)})
        run = resumed_hierarchy(Path(folder))
        pyramids = read_codes(replace(run, data=run.data.model_copy(update={"source": data})))
        splits = DataSplits(**{name: pyramid.codes[0] for name, pyramid in pyramids.items()})
        name = select_split(splits, split)[0]
        name = next(iter(pyramids)) if name == "all" else name
        return name, pyramids[name], pyramids["train"] if name != "train" else None
    options = data_options(hierarchy.data, data, sets, labels=True)
    read = load_data(data, options, spec=hierarchy.image, classes=hierarchy.classes if options.labels else ())
    name, images = select_split(read, split)
    primer = read.train if name != "train" and read.train is not None and name != "all" else None
    return name, encoded(images, hierarchy.tokenizers), _encoded(primer, hierarchy)


def _encoded(images: ImageDataset | None, hierarchy: Hierarchy) -> Pyramid | None:
    from pointillist.hierarchy.data import encoded

    return None if images is None else encoded(images, hierarchy.tokenizers)


def explain_hierarchy(
    model: str,
    image: str,
    out: Path,
    *,
    index: int | None,
    split: str | None,
    sets: list[str],
    device: str,
    as_json: bool,
    force: bool,
) -> None:
    """Write a picture of an image, its codes and its bits by scale."""
    from pointillist.errors import ConfigError
    from pointillist.hierarchy import Hierarchy
    from pointillist.hierarchy.explain import explain_chain
    from pointillist.system import resolve_device
    from pointillist.visualization import save_png

    if out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png: of a hierarchy, the report is a picture.")
    reject_existing(out, force)
    hierarchy = Hierarchy.load(model).to(resolve_device(device))
    name, images, _ = read_split(hierarchy, model, image, split, sets)
    number = resolve_index(images.codes[0], index)
    result = explain_chain(hierarchy, images.take([number]))
    save_png(result.picture, out)
    facts = {"index": number, "split": name, "bits": result.bits, "bits_per_number": result.bits_per_number}
    if as_json:
        print_json({"picture": str(out), **facts})
        return
    lines = [
        (scale, f"{bits:.2f} bits, {result.bits_per_number[scale]:.4f} each") for scale, bits in result.bits.items()
    ]
    print_facts([*lines, ("together", f"{sum(result.bits.values()):.2f} bits, a bound"), ("picture", str(out))])


def hierarchy_facts(name: str) -> dict[str, Any]:
    """Describe a hierarchy from its settings and the headers of its stages."""
    from pointillist.checkpoint.header import WEIGHTS, read_config, read_tensor_info
    from pointillist.hierarchy.files import HierarchyFile
    from pointillist.model.description import count_parameters, describe_model

    folder, file = Path(name), HierarchyFile.read(Path(name))
    stages: dict[str, Any] = {}
    for stage in file.stages:
        if not stage.startswith("tokenizer"):
            facts = describe_model(folder / stage)
            stages[stage] = {key: facts[key] for key in ("model", "parameters", "image", "likelihood", "conditions")}
            continue
        settings = read_config(folder / stage)["tokenizer"]
        tensors = read_tensor_info(folder / stage / WEIGHTS)
        stages[stage] = {
            "parameters": count_parameters(tensors),
            **{key: settings[key] for key in ("levels", "downsample", "channels", "layers")},
        }
    size = sum(path.stat().st_size for stage in file.stages for path in (folder / stage).glob("*.safetensors"))
    return {"hierarchy": list(file.stages), "stages": stages, "data": file.data, "file_size": size}


def print_hierarchy_facts(facts: Mapping[str, Any]) -> None:
    """Print the description of a hierarchy, a line for each stage."""
    lines = [("hierarchy", " -> ".join(facts["hierarchy"]))]
    for name, stage in facts["stages"].items():
        if "model" in stage:
            image = stage["image"]
            what = f"{stage['model']}, {image['height']}x{image['width']}, {image['levels']:,} levels, "
            conditions = ", ".join(stage["conditions"]) or "no conditions"
            what += f"{stage['parameters']:,} parameters, {stage['likelihood']}; {conditions}"
        else:
            what = f"FSQ {stage['levels']}, {stage['downsample']} pixels a side, {stage['parameters']:,} parameters"
        lines.append((name, what))
    lines += [("trained on", str(facts["data"].get("source", "unknown"))), ("file size", size_text(facts["file_size"]))]
    print_facts(lines)


def resolve_index(images: ImageDataset, index: int | None) -> int:
    """Return the number of the image to explain.

    Raises:
        ConfigError: if there are several images and none is chosen, or fewer.
    """
    from pointillist.errors import ConfigError

    count = len(images)
    if index is None and count > 1:
        raise ConfigError(f"{images.name} has {count:,} images: choose one with `--index`, 0 to {count - 1}.")
    if index is not None and index >= count:
        raise ConfigError(f"`--index` (={index}) must lie in 0 to {count - 1}: {images.name} has {count:,} images.")
    return index or 0
