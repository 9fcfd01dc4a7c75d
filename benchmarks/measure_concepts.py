"""Measure whether samples show the concept and the style of their prompt: prints JSON.

    python benchmarks/measure_concepts.py icons MODEL icons24.npz --sheet concepts.png
    python benchmarks/measure_concepts.py icons icons icons24.npz --at-least 40 --each 4 --steps 2400 --concepts-only
    python benchmarks/measure_concepts.py icons icons icons24.npz --at-least 25 --each 4 --prompts prompts.json
    python benchmarks/measure_concepts.py icons icons icons24.npz --at-least 40 --each 1 --label mdi --prompts mdi.json
    python benchmarks/measure_concepts.py icons icons icons24.npz --at-least 40 --each 4 --best-of 8 --concepts-only
    python benchmarks/measure_concepts.py icons icons icons24.npz --styles-only

`concepts.toml` holds 60 concepts for each kind of data, and others for the choice of settings. A classifier is trained
on the real training images of these concepts, of all sets but those of a fold of `UNSEEN`; its accuracy on these sets,
which it has not seen, is the reference. It then judges `--each` samples of each concept; several folds are averaged.
The figure is the accuracy on samples over the reference: 1 would be samples that are recognised as often as real images
of an unknown artist. Another classifier tells sets apart; it is judged on the images of unseen names (split `test`),
then on samples. `copies` is the share of samples, and of test images, that agree with a training image in 98 % of their
pixels. `--at-least N` judges all names with so many training images, in place of the 60 concepts, with more `--steps`.

Samples use the model's own guidance and temperature, unless others are given. Steps of the classifiers were chosen on
the training sets, by holding out other sets than `UNSEEN` (icons: 600 steps 0.961 right, 1,500 steps 0.967).

`--prompts` judges these names by the number of their training images, with a linear discriminant, which takes seconds,
or with `--steps` by a network. For icons it also judges other prompts for names with `FREQUENT` of them: plurals, read
by the names that were just recognised, and in quotes, as they are; two words in the other order; and the synonyms of
`concepts.toml`. A name is recognised if it is among the first five guesses for `RECOGNISED` of its samples.
`--styles-only` judges styles by a linear discriminant of `FITTED` images.
`--all` is for a model that was trained on all images.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

import pointillist as pt
from image_classifier import Discriminant, top_classes, train_classifier
from pointillist.analysis.evaluation.memorization import nearest_training_match
from pointillist.images.visualization import image_grid, save_png
from pointillist.model.folder.generation import MeasuredPrompts
from pointillist.system import describe_machine, today

UNSEEN = {
    "icons": [("tdesign", "mynaui", "bi", "uil", "ix", "iconoir", "fluent", "flowbite", "grommet-icons", "lineicons")]
}
STYLES = {
    "icons": (
        *("tabler", "material-symbols", "mdi", "ph", "hugeicons"),
        *("fluent", "carbon", "pixelarticons", "icon-park-solid", "dinkie-icons"),
    )
}
STEPS = {"icons": 600}
EACH, STYLED, COPY = 8, 16, 0.98
BINS = {"icons": (25, 40, 60, 100)}
FREQUENT = {"icons": 40}
RECOGNISED, FITTED = 0.75, 12_000
CONCEPTS = tomllib.loads(Path(__file__).with_name("concepts.toml").read_text())


def read(path: str, kind: str) -> dict[str, np.ndarray]:
    """Read images `n h w [c]`, names, sets and splits."""
    with np.load(path, allow_pickle=False) as file:
        image = "x" if kind == "icons" else "rgba"
        return {"x": file[image], **{name: file[name] for name in ("name", "set", "split")}}


def to_input(pixels: np.ndarray) -> Tensor:
    """Convert grey levels `n h w` (0 to 3) or RGBA `n h w 4` to what a classifier reads, in [0, 1]."""
    if pixels.ndim == 3:
        return torch.tensor(pixels[:, None]).float() / 3
    rgba = torch.tensor(pixels).float().movedim(-1, 1) / 255
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)


def sample_pixels(model: pt.PixelModel, levels: np.ndarray) -> np.ndarray:
    """Return samples in the form of the data: grey levels `n h w`, or RGBA `n h w 4`."""
    if model.image.mode == "grey":
        return levels[:, 0]
    pixels = model.to_images(levels)
    return pixels if pixels.shape[-1] == 4 else np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the normal 95 % interval of a share."""
    half = 1.96 * (share * (1 - share) / count) ** 0.5
    return share - half, share + half


def judge(real: float, ranks: Int[Tensor, "folds n k"], truth: Int[Tensor, " n"]) -> dict[str, Any]:
    """Compare the accuracy on samples with that on real images."""
    hits = ranks == truth[None, :, None]
    top1, top5 = (float(result.double().mean()) for result in (hits[..., 0], hits.any(-1)))
    low, high = interval(top1, len(truth))
    return {
        "real": real,
        "samples": {"count": len(truth), "top1": top1, "top5": top5},
        "samples_over_real": top1 / real,
        "interval_95": [low / real, high / real],
    }


def measure_concepts(
    model: pt.PixelModel,
    data: dict[str, np.ndarray],
    kind: str,
    concepts: list[str],
    each: int,
    steps: int,
    **sampling: Any,
) -> tuple[dict[str, Any], pt.Samples]:
    """Judge `each` samples of every concept; also return the samples."""
    texts = [concept for concept in concepts for _ in range(each)]
    truth = torch.arange(len(concepts)).repeat_interleave(each)
    samples = pt.sample(model, len(texts), text=texts, **sampling)
    pixels = to_input(sample_pixels(model, samples.levels))
    classifiers, real, _ = train_classifiers(data, kind, concepts, steps)
    ranks = torch.stack([top_classes(classifier, pixels) for classifier in classifiers])
    result = judge(float((real[:, 0] == 0).double().mean()), ranks, truth)
    right = (ranks[..., 0] == truth).double().mean(0).view(-1, each).mean(1)
    by_concept = dict(zip(concepts, right.tolist(), strict=True))
    return {**result, "real_images": len(real), "by_concept": by_concept}, samples


def train_classifiers(
    data: dict[str, np.ndarray], kind: str, names: Sequence[str], steps: int
) -> tuple[list[nn.Module], Int[Tensor, "n k"], Int[Tensor, " n"]]:
    """Train a classifier of names for each fold of unseen sets; without steps, a linear discriminant.

    Returns:
        the classifiers; its guesses for each real image of an unseen set, less the true class, so that 0 is right; and
        the true classes of these images.
    """
    index = {name: i for i, name in enumerate(names)}
    known = (data["split"] == "train") & np.isin(data["name"], list(names))
    x, y = to_input(data["x"][known]), torch.tensor([index[name] for name in data["name"][known].tolist()])
    classifiers, guesses, truths = [], [], []
    for sets in UNSEEN[kind]:
        new = torch.tensor(np.isin(data["set"][known], sets))
        if steps:
            classifiers.append(train_classifier(x[~new], y[~new], classes=len(names), steps=steps))
        else:
            classifiers.append(Discriminant(x[~new], y[~new], classes=len(names)))
        guesses.append(top_classes(classifiers[-1], x[new]) - y[new, None])
        truths.append(y[new])
    return classifiers, torch.cat(guesses), torch.cat(truths)


def plural(name: str) -> str | None:
    """Return the plural of a name; None where it has none, or is one."""
    if name in CONCEPTS["irregular"]:
        return str(CONCEPTS["irregular"][name])
    if name.endswith("s") and not name.endswith("ss"):
        return None
    if name.split()[-1] in CONCEPTS["no_plural"]["last_words"]:
        return None
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name[-1] == "y" and name[-2] not in "aeiou" else f"{name}s"


def other_prompts(kind: str, names: Sequence[str], frequent: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """List pairs of another prompt and the frequent name that it means."""
    plurals = [(other, name) for name in frequent if (other := plural(name)) and other not in names]
    quoted = [(f'"{other}"', name) for other, name in plurals]  # sampled as they are
    pairs = [(" ".join(reversed(name.split())), name) for name in frequent if name.count(" ") == 1]
    turned = [(other, name) for other, name in pairs if other not in names]
    synonyms = [(other, name) for other, name in CONCEPTS["synonyms"].get(kind, [])]
    return {"plurals": plurals, "plurals in quotes": quoted, "other word order": turned, "synonyms": synonyms}


def measure_prompts(
    model: pt.PixelModel,
    data: dict[str, np.ndarray],
    kind: str,
    names: list[str],
    each: int,
    steps: int,
    **sampling: Any,
) -> dict[str, Any]:
    """Judge samples of names by the number of their training images, and of other prompts for the frequent ones."""
    counts = Counter(data["name"][data["split"] == "train"].tolist())
    classifiers, real, real_truth = train_classifiers(data, kind, names, steps)
    index = {name: i for i, name in enumerate(names)}

    def judged(pairs: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor]:
        """Return the guesses for samples of prompts, and the names that are meant."""
        typed = [prompt for prompt, _ in pairs for _ in range(each)]
        pixels = to_input(sample_pixels(model, pt.sample(model, len(typed), text=typed, **sampling).levels))
        ranks = torch.stack([top_classes(classifier, pixels) for classifier in classifiers])
        return ranks, torch.tensor([index[name] for _, name in pairs]).repeat_interleave(each)

    forms = {"names": [(name, name) for name in names]}
    guesses = {"names": judged(forms["names"])}
    recognised = [
        name for name, (_, five) in zip(names, shares(*guesses["names"], each), strict=True) if five >= RECOGNISED
    ]
    missed = tuple(name for name in names if name not in recognised)
    model.measured_prompts = MeasuredPrompts(recognised=tuple(recognised), missed=missed)  # by which prompts are read
    if kind in CONCEPTS["synonyms"]:
        forms |= other_prompts(kind, names, [name for name in names if counts[name] >= FREQUENT[kind]])
        guesses |= {form: judged(pairs) for form, pairs in forms.items() if form != "names"}
    result: dict[str, Any] = {"each": each, "groups": {}}
    count_of = torch.tensor([counts[name] for name in names])

    def add(group: str, form: str, low: int, high: float = float("inf")) -> None:
        ranks, truth = guesses[form]
        rows = (count_of[truth] >= low) & (count_of[truth] < high)
        if not rows.any():
            return
        of_real = (count_of[real_truth] >= low) & (count_of[real_truth] < high)
        entry = judge(float((real[of_real, 0] == 0).double().mean()), ranks[:, rows], truth[rows])
        result["groups"][group] = {"prompts": int(rows.sum()) // each, **entry}

    for low, high in zip(BINS[kind], [*BINS[kind][1:], float("inf")], strict=True):
        last = high - 1
        group = f"{low} or more" if high == float("inf") else f"{low} to {last:.0f}" if last > low else f"{low}"
        add(group, "names", low, high)
    if len(BINS[kind]) > 2:
        add(f"all with {FREQUENT[kind]} or more", "names", FREQUENT[kind])
    for form in list(forms)[1:]:
        add(form, form, FREQUENT[kind])
    result["by_prompt"] = [
        [form, *pair, counts[pair[1]], first, five]
        for form, pairs in forms.items()
        for pair, (first, five) in zip(pairs, shares(*guesses[form], each), strict=True)
    ]
    return result | {"recognised": recognised}


def shares(ranks: Int[Tensor, "folds n k"], truth: Int[Tensor, " n"], each: int) -> list[tuple[float, float]]:
    """Return how often the name of each prompt is the first guess, and how often it is among all."""
    hits = (ranks == truth[None, :, None]).double().mean(0).unflatten(0, (-1, each))
    return list(zip(hits[..., 0].mean(1).tolist(), hits.sum(2).mean(1).tolist(), strict=True))


def frequent_names(data: dict[str, np.ndarray], at_least: int) -> list[str]:
    """Return the names that have so many training images, the most frequent first."""
    names, counts = np.unique(data["name"][data["split"] == "train"], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [str(names[i]) for i in order if counts[i] >= at_least]


def measure_styles(
    model: pt.PixelModel, data: dict[str, np.ndarray], kind: str, concepts: list[str], *, quick: bool, **sampling: Any
) -> dict[str, Any]:
    """Judge samples of the first concepts in each style; `quick` by a linear discriminant."""
    styles = list(STYLES[kind])
    index = {style: i for i, style in enumerate(styles)}
    of_style = np.isin(data["set"], styles)

    def images(split: str) -> tuple[Tensor, Tensor]:
        rows = of_style & (data["split"] == split)
        return to_input(data["x"][rows]), torch.tensor([index[name] for name in data["set"][rows].tolist()])

    x, y = images("train")
    classifier: nn.Module
    if quick:
        rows = torch.from_numpy(np.random.default_rng(0).permutation(len(x))[:FITTED])
        classifier = Discriminant(x[rows], y[rows], classes=len(styles))
    else:
        classifier = train_classifier(x, y, classes=len(styles), steps=2 * STEPS[kind])
    x, y = images("test")
    balanced = [float((top_classes(classifier, x[y == i], 1)[:, 0] == i).double().mean()) for i in y.unique().tolist()]
    texts = [concept for concept in concepts[:STYLED] for _ in styles]
    labels = styles * len(concepts[:STYLED])
    samples = pt.sample(model, len(texts), text=texts, label=labels, **sampling)
    truth = torch.tensor([index[style] for style in labels])
    ranks = top_classes(classifier, to_input(sample_pixels(model, samples.levels)))
    return judge(float(np.mean(balanced)), ranks[None], truth)


def copies(
    model: pt.PixelModel, samples: pt.Samples, data: dict[str, np.ndarray], count: int = 400
) -> dict[str, float]:
    """Compare how many samples, and how many real test images, agree with a training image."""
    if model.image.mode != "grey":
        return {}
    train = data["x"][data["split"] == "train"][:, None]
    test = data["x"][data["split"] == "test"][:, None]
    rng = np.random.default_rng(0)
    shares = {}
    for name, images in (("samples", samples.levels), ("test", test)):
        rows = rng.permutation(len(images))[:count]
        shares[name] = float((nearest_training_match(images[rows], train, model.image)[0] >= COPY).mean())
    return shares


def to_json(result: dict[str, Any]) -> str:
    """Write JSON with one line for each prompt."""
    rows = ",\n  ".join(json.dumps(row) for row in result["by_prompt"])
    return json.dumps(result | {"by_prompt": ["ROWS"]}, indent=1).replace('"ROWS"', rows) + "\n"


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(UNSEEN))
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--guidance", type=float, help="default: the model's own")
    parser.add_argument("--temperature", type=float, help="default: the model's own")
    parser.add_argument("--best-of", type=int, default=1, help="candidates of each sample; default: 1")
    parser.add_argument("--label", help="style of all samples of concepts and prompts; default: none")
    parser.add_argument("--each", type=int, default=EACH, help="samples of each concept")
    parser.add_argument(
        "--concepts", choices=("test", "validation"), default="test", help="validation: to choose settings"
    )
    parser.add_argument("--sheet", help="PNG for the samples")
    parser.add_argument("--at-least", type=int, help="all names with so many training images, in place of the concepts")
    parser.add_argument("--steps", type=int, help="steps of the classifier of concepts; default: 600")
    parser.add_argument(
        "--prompts", type=Path, metavar="JSON", help="judge names by their number of images, and others"
    )
    parser.add_argument("--all", action="store_true", help="count the images of the test split as training images")
    parser.add_argument("--styles-only", action="store_true", help="judge styles, quickly")
    parser.add_argument("--concepts-only", action="store_true", help="leave out styles and copies")
    options = parser.parse_args()
    model = pt.load(options.model)
    concepts = CONCEPTS[options.concepts][options.kind]
    data = read(options.data, options.kind)
    if options.all:
        data["split"][:] = "train"
    if options.at_least is not None:
        concepts = frequent_names(data, options.at_least)
    steps = options.steps or STEPS[options.kind]
    tuned = {"guidance": options.guidance, "temperature": options.temperature}
    sampling = {**model.generation_config.sampling, **{k: v for k, v in tuned.items() if v is not None}, "seed": 0}
    sampling["best_of"] = options.best_of
    labelled = {} if options.label is None else {"label": options.label}
    result: dict[str, Any] = {
        "model": Path(options.model).name,
        "date": today(),
        "machine": describe_machine(),
        **sampling,
        **labelled,
    }
    if options.styles_only:
        result["styles"] = measure_styles(model, data, options.kind, concepts, quick=True, **sampling)
        print(json.dumps(result, indent=2))
        return
    if options.prompts:
        result |= measure_prompts(
            model, data, options.kind, concepts, options.each, options.steps or 0, **sampling, **labelled
        )
        options.prompts.write_text(to_json(result), encoding="utf-8")
        print(json.dumps(result["groups"], indent=2))
        return
    result["concepts"], samples = measure_concepts(
        model, data, options.kind, concepts, options.each, steps, **sampling, **labelled
    )
    if options.sheet:
        texts = [concept for concept in concepts for _ in range(options.each)]
        save_png(image_grid(samples.array, captions=texts, columns=2 * options.each), Path(options.sheet))
    if not options.concepts_only:
        result["styles"] = measure_styles(model, data, options.kind, concepts, quick=False, **sampling)
        result["copies"] = copies(model, samples, data)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
