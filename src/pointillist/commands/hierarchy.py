"""Commands on a hierarchy: where `train`, `evaluate`, `explain` and `info` go for one; `sample` opens any model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Report, size_text
from pointillist.commands.settings import Settings, settings_of
from pointillist.files.checkpoint.header import not_for_hierarchies

if TYPE_CHECKING:
    from pointillist.commands.measurement.settings import EvaluateSettings, ExplainSettings
    from pointillist.data import ImageDataset
    from pointillist.hierarchy import Hierarchy
    from pointillist.hierarchy.data import Pyramid
    from pointillist.hierarchy.evaluate import HierarchyEvaluation


def reject_settings(settings: Settings, names: Iterable[str]) -> None:
    """Reject settings that a command does not have for a hierarchy.

    Args:
        settings: what was typed.
        names: settings that must keep their defaults.

    Raises:
        ConfigError: naming the first.
    """
    by_name = {setting.name: setting for setting in settings_of(type(settings))}
    for name in names:
        if getattr(settings, name) != by_name[name].default:
            raise not_for_hierarchies(max(by_name[name].flags, key=len))


def evaluate_hierarchy(settings: EvaluateSettings) -> Report:
    """Report the bits of each scale and of all, with baselines."""
    from pointillist.hierarchy import Hierarchy
    from pointillist.model.folder.image_sources import chosen_rows
    from pointillist.system import resolve_device

    if settings.per_image is not None:
        reject_existing(settings.per_image, settings.force, ".csv")
    hierarchy = Hierarchy.load(settings.model).to(resolve_device(settings.device))
    name, images, primer = read_split(hierarchy, settings.model, settings.data, settings.split, settings.set)
    if settings.max_images is not None:
        images = images.take(chosen_rows(len(images), settings.max_images))
    started = time.perf_counter()
    result = hierarchy.evaluate(images, primer, batch_size=settings.batch_size)
    seconds = time.perf_counter() - started
    if settings.per_image is not None:
        result.bound.write_csv(settings.per_image, images.codes[0].files)
    source = {"model": settings.model, "data": settings.data, "split": name}
    facts = {**source, **evaluation_facts(result), "seconds": round(seconds, 3)}
    text = [f"{name:<11}{result.bound.count:,} images of {settings.data}", str(result)]
    if primer is None:
        text.append("           order 0 and xz have read no codes of the training before")
    return Report(facts, text="\n".join(text))


def evaluation_facts(scored: HierarchyEvaluation) -> dict[str, Any]:
    """Collect the numbers of an evaluation."""
    lossless = scored.lossless
    return {
        "count": scored.bound.count,
        "bound_bits_per_dim": scored.bound.bits_per_dim if scored.has_pixels else None,
        "interval_95": list(scored.bound.interval) if scored.has_pixels else None,
        "nats": {name: float(nats.mean()) for name, nats in scored.length.nats.items()},
        "bits_per_number": {name: float(scored.length.bits_per_number(name).mean()) for name in scored.length.nats},
        "codes_used": dict(scored.used),
        "order0_bits_per_code": dict(scored.order0),
        "xz_bits_per_code": dict(scored.xz),
        "psnr": scored.psnr,
        "accuracy": scored.accuracy,
        "lossless": None if lossless is None else {"codec": lossless.codec, "bits_per_dim": lossless.bits_per_dim},
    }


def read_split(
    hierarchy: Hierarchy, folder: str, data: str, split: str | None, sets: Sequence[str]
) -> tuple[str, Pyramid, Pyramid | None]:
    """Read a split of a source with its codes, and the training split of the same source, if any."""
    from dataclasses import replace

    from pointillist.data import DataSplits, load_data
    from pointillist.hierarchy.config import resumed_hierarchy
    from pointillist.hierarchy.data import encoded, read_codes
    from pointillist.model.folder.image_sources import data_options, select_split

    if not hierarchy.tokenizers:
        if sets:
            raise not_for_hierarchies("--set")
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


def explain_hierarchy(settings: ExplainSettings, out: Path) -> Report:
    """Write a picture of an image, its codes and its bits by scale."""
    from pointillist.errors import ConfigError
    from pointillist.hierarchy import Hierarchy
    from pointillist.hierarchy.evaluate import explain_chain
    from pointillist.model.folder.image_sources import resolve_index
    from pointillist.system import resolve_device
    from pointillist.visualization import save_png

    if out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png: of a hierarchy, the report is a picture.")
    reject_existing(out, settings.force)
    hierarchy = Hierarchy.load(settings.model).to(resolve_device(settings.device))
    name, images, _ = read_split(hierarchy, settings.model, settings.image, settings.split, settings.set)
    number = resolve_index(images.codes[0], settings.index)
    result = explain_chain(hierarchy, images.take([number]))
    save_png(result.picture, out)
    facts = {"index": number, "split": name, "bits": result.bits, "bits_per_number": result.bits_per_number}
    lines = [
        (scale, f"{bits:.2f} bits, {result.bits_per_number[scale]:.4f} each") for scale, bits in result.bits.items()
    ]
    total = [("total", f"{sum(result.bits.values()):.2f} bits, a bound"), ("picture", str(out))]
    return Report({"picture": str(out), **facts}, [*lines, *total])


def hierarchy_facts(name: str) -> dict[str, Any]:
    """Describe a hierarchy from its settings and the headers of its stages."""
    from pointillist.files.checkpoint.header import WEIGHTS, read_config, read_tensor_info
    from pointillist.hierarchy.config import HierarchyFile
    from pointillist.model.folder.settings import count_parameters, describe_model

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


def describe_hierarchy(name: str) -> Report:
    """Describe a hierarchy, a line for each stage."""
    facts = hierarchy_facts(name)
    lines = [("hierarchy", " -> ".join(facts["hierarchy"]))]
    for stage_name, stage in facts["stages"].items():
        if "model" in stage:
            image = stage["image"]
            what = f"{stage['model']}, {image['height']}x{image['width']}, {image['levels']:,} levels, "
            conditions = ", ".join(stage["conditions"]) or "no conditions"
            what += f"{stage['parameters']:,} parameters, {stage['likelihood']}; {conditions}"
        else:
            what = f"FSQ {stage['levels']}, {stage['downsample']} pixels a side, {stage['parameters']:,} parameters"
        lines.append((stage_name, what))
    lines += [("trained on", str(facts["data"].get("source", "unknown"))), ("file size", size_text(facts["file_size"]))]
    return Report(facts, lines)
