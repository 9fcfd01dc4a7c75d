"""Measure whether pictures are what their sentence says: prints JSON.

    python recipes/scenes/make_scenes.py scenes.npz --train 200000
    python benchmarks/measure_scenes.py scenes scenes.npz --reader reader.pt
    python benchmarks/measure_scenes.py scenes scenes.npz --reader reader.pt --samples 400 --split valid --only samples
    python benchmarks/measure_scenes.py scenes scenes.npz --reader reader.pt --only ranking likelihood pixels
    python benchmarks/measure_scenes.py scenes scenes.npz --reader reader.pt --only samples --best-of 4 --samples 400

A network (`scene_reader.py`) is trained on `--steps` batches of fresh scenes by the artists of the data, and kept in
the file `--reader`. It reads the real scenes of the split, and `--samples` samples of their captions, of the part
`triple`: combinations of a thing, a colour and a ground that no training scene has (`valid` in the split `valid`, on
which guidance and temperature are chosen). An attribute counts where the caption says it; `all` are all that it says.
`over_real` is the share of samples over the share of real scenes.

- `samples`: as above, and for the parts `relation` and `form`; `exchanged`: samples of captions with two different
  colours that show each colour on the other thing;
- `sentence`: "a cat sitting on a red sofa", `SEEDS` seeds;
- `ranking`: captions of real scenes with one word exchanged (a thing, a colour, a relation, the order of two colours);
  the share in which the true caption has the highest likelihood;
- `likelihood`: nats of a scene given its caption and its artist, and given neither; and of what the caption leaves out,
  as the generator draws it, which is all that is random;
- `pixels`: of the bits that a word saves in real scenes, the share in the true mask of what it is about, over the share
  of the mask in the image; the word left out, and exchanged by another of its kind;
- `copies`: samples, and real scenes, whose pixels equal a training scene.

Samples use the guidance and temperature of the model, unless others are given. With `--best-of` each is the one of so
many candidates whose caption saves most bits: run it with and without, to see if that helps.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.images.visualization import image_grid
from pointillist.system import describe_machine, today
from scene_reader import Reader, can_be_judged, canonical, judge, records_of, train_reader

from captions import RELATIONS, SAID  # isort: skip  (of recipes/scenes, whose folder `scene_reader` adds)
from drawings import COLOURS, GROUNDS, RECOLOURED, THINGS, Drawings  # isort: skip
from scenes import NIGHT, PLACES, RAIN, Painter  # isort: skip

SENTENCE = "a cat sitting on a red sofa"
SENTENCE_TRUTH = {"thing": "cat", "count": "1", "relation": "on", "ground": "sofa", "ground_colour": "red"}
SEEDS, BATCH = 100, 64
PARTS = ("samples", "sentence", "ranking", "likelihood", "pixels", "copies")
HELD = {"test": ("triple", "relation", "form"), "valid": ("valid",)}
Record = Mapping[str, Any]


def open_reader(path: Path, steps: int, more: int, artists: Sequence[str]) -> Reader:
    """Load the reader, or train and keep it; train it `more` steps in any case."""
    reader = None
    if path.is_file():
        reader = Reader()
        reader.load_state_dict(torch.load(path, weights_only=True))
        if not more:
            return reader.eval()
    reader = train_reader(Painter(Drawings.read()), more or steps, artists, reader, seed=100 + more)
    torch.save(reader.state_dict(), path)
    return reader


def shares(judged: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    """Return the share of scenes in which each attribute is right, of those whose caption says it."""
    values = defaultdict(list)
    for scene in judged:
        for name, right in scene.items():
            values[name].append(right)
    return {name: round(float(np.mean(right)), 4) for name, right in values.items()}


def compare(records: Sequence[Record], real: np.ndarray, sampled: np.ndarray, reader: Reader) -> dict[str, Any]:
    """Judge samples and the real scenes of the same captions."""
    result: dict[str, Any] = {"count": len(records)}
    judged = {}
    for name, levels in (("real", real), ("sampled", sampled)):
        seen = reader.read(torch.from_numpy(levels))
        judged[name] = [judge(*pair) for pair in zip(records, seen, strict=True)]
        result[name] = shares(judged[name])
    result["over_real"] = {name: round(result["sampled"][name] / result["real"][name], 4) for name in result["real"]}
    result["exchanged"] = exchanged(records, reader.read(torch.from_numpy(sampled)))
    return result


def exchanged(records: Sequence[Record], seen: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Return how often two different colours that a caption says are those of the other thing."""
    count = wrong = 0
    for record, picture in zip(records, seen, strict=True):
        truth, said = canonical(record), str(record["said"])
        other = "ground_colour" if truth["ground"] else "second_colour"
        first, second = truth["thing_colour"], truth[other]
        if not (first and second and first != second and "thing colour" in said):
            continue
        count += 1
        wrong += (picture["thing_colour"], picture[other]) == (second, first)
    return {"count": count, "share": wrong / max(count, 1)}


def sample(model: pt.PixelModel, records: Sequence[Record], **how: Any) -> np.ndarray:
    """Sample the captions of records, `[n 32 32]`."""
    texts = [str(record["caption"]) for record in records]
    labels = [str(record["artist"]) for record in records]
    return pt.sample(model, len(texts), text=texts, label=labels, **how).levels[:, 0]


def measure_sentence(model: pt.PixelModel, reader: Reader, sheet: Path | None, **how: Any) -> dict[str, float]:
    """Sample the sentence, and read what the samples show."""
    samples = pt.sample(model, SEEDS, text=[SENTENCE] * SEEDS, **how)
    seen = reader.read(samples.torch()[:, 0])
    right = [{name: one[name] == value for name, value in SENTENCE_TRUTH.items()} for one in seen]
    if sheet is not None:
        image_grid(samples.array[:16], columns=8).save(sheet.with_stem(f"{sheet.stem}-sentence"))
    return shares([one | {"all": all(one.values())} for one in right])


def other_captions(record: Record, rng: np.random.Generator) -> dict[str, str]:
    """Exchange one word of a caption by another of its kind: captions that are not true, by the kind."""
    text, said = str(record["caption"]), str(record["said"]).split("|")
    words = text.split()
    result = {}

    def exchange(kind: str, word: str, options: Iterable[str]) -> None:
        possible = [one for one in options if one not in words]
        if word and words.count(word) == 1 and possible:
            other = possible[int(rng.integers(len(possible)))]
            result[kind] = " ".join(other if one == word else one for one in words)

    exchange("thing", str(record["thing"]), THINGS if record["thing"] in THINGS else GROUNDS)
    if "thing colour" in said and record["thing"] in RECOLOURED:
        exchange("thing colour", str(record["thing_colour"]), COLOURS)
    if "ground colour" in said and record["ground"] in GROUNDS:
        exchange("ground colour", str(record["ground_colour"]), COLOURS)
    first, second = str(record["thing_colour"]), str(record["ground_colour"])
    if first != second and words.count(first) == words.count(second) == 1 and record["thing"] in RECOLOURED:
        turned = {first: second, second: first}
        result["order of colours"] = " ".join(turned.get(one, one) for one in words)
    relation = str(record["relation"])
    if relation in ("left of", "right of") and "relation" in said and "next" not in said:
        a, b = relation.split()[0], "right" if relation == "left of" else "left"
        result["relation"] = " ".join(b if one == a else one for one in words)
    elif relation and "relation" in said and record["ground"] in GROUNDS:
        phrase = next(
            (one for one in sorted(RELATIONS[relation], key=len, reverse=True) if f" {one} " in f" {text} "), ""
        )
        others = [one for one in GROUNDS[str(record["ground"])].relations if one != relation]
        if phrase and others:
            result["relation"] = f" {text} ".replace(f" {phrase} ", f" {others[0]} ", 1).strip()
    return result


@torch.no_grad()
def rank(model: pt.PixelModel, records: Sequence[Record], real: np.ndarray) -> dict[str, Any]:
    """Compare the likelihood of real scenes given their caption and given others."""
    rng = np.random.default_rng(0)
    right = defaultdict(list)
    for record, levels in zip(records, real, strict=True):
        others = other_captions(record, rng)
        if not others:
            continue
        texts = [str(record["caption"]), *others.values()]
        x = torch.from_numpy(levels.astype(np.int64))[None, None].expand(len(texts), -1, -1, -1)
        nats = model.log_prob(x, text=texts, label=[str(record["artist"])] * len(texts))
        best = nats[1:].max()
        right["all"].append(bool(nats[0] > best))
        for kind, other in zip(others, nats[1:], strict=True):
            right[kind].append(bool(nats[0] > other))
    return {kind: {"count": len(one), "right": round(float(np.mean(one)), 4)} for kind, one in right.items()}


def word_masks(record: Record, mask: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Return the words of a caption that are about pixels, by kind, with the mask of these."""
    things = 2 if record["second"] else int(record["count"])
    thing, ground = (mask > 0) & (mask <= things), mask == things + 1
    words = {"thing": thing, "thing_colour": thing, "ground": ground, "ground_colour": ground}
    caption = str(record["caption"]).split()
    chosen = {kind.replace("_", " "): (str(record[kind]), pixels) for kind, pixels in words.items()}
    return {kind: pair for kind, pair in chosen.items() if caption.count(pair[0]) == 1 and pair[1].any()}


@torch.no_grad()
def word_pixels(
    model: pt.PixelModel, records: Sequence[Record], real: np.ndarray, masks: np.ndarray
) -> dict[str, dict[str, float]]:
    """Compare where the bits of words lie with the true masks; of all scenes together."""
    rng = np.random.default_rng(0)
    sums: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for record, levels, mask in zip(records, real, masks, strict=True):
        about = word_masks(record, mask)
        caption, swapped = str(record["caption"]).split(), other_captions(record, rng)
        texts = {f"{kind}, left out": " ".join(one for one in caption if one != about[kind][0]) for kind in about}
        texts |= {f"{kind}, exchanged": swapped[kind] for kind in about if kind in swapped}
        if not texts:
            continue
        given = [" ".join(caption), *texts.values()]
        x = torch.from_numpy(levels.astype(np.int64))[None, None].expand(len(given), -1, -1, -1)
        maps = model.log_prob_map(x, text=given, label=[str(record["artist"])] * len(given))[:, 0]
        for name, other in zip(texts, maps[1:], strict=True):
            saved, inside = np.asarray(maps[0] - other), about[name.partition(",")[0]][1]
            sums[name].append((float(saved[inside].sum()), float(saved.sum()), float(inside.mean())))
    result = {}
    for name, rows in sums.items():
        inside_nats, nats, area = np.mean(rows, 0)
        share = inside_nats / nats
        numbers = {"bits": nats / np.log(2), "share": share, "area": area, "times": share / area}
        result[name] = {"count": len(rows)} | {key: round(float(value), 3) for key, value in numbers.items()}
    return result


def unsaid_nats(record: Record) -> float:
    """Return the nats of what a caption leaves out, of a scene that can be judged: -log p(scene | caption).

    Place and time, if they are not said, the colour of a ground, and the side of what is next to something: the prior
    of the generator times the probability that a caption says, or does not say, what this one does.
    """
    said = str(record["said"]).split("|")
    times = {"day": 1 - NIGHT - RAIN, "night": NIGHT, "rain": RAIN}
    weights = {}
    for time, prior in times.items():
        places = [place for place in PLACES if time != "rain" or place != "room"]
        spoken = SAID[time] if "time" in said else 1 - SAID[time]
        if "time" not in said or time == record["time"]:
            weights |= {(place, time): prior / len(places) * spoken for place in places}
    if "place" in said:
        weights = {both: weight for both, weight in weights.items() if both[0] == record["place"]}
    nats = float(np.log(sum(weights.values()) / weights[str(record["place"]), str(record["time"])]))
    coloured = record["ground"] in GROUNDS, "ground colour" in said
    if record["thing"] in GROUNDS:
        coloured = True, "thing colour" in said
    return nats + (coloured == (True, False)) * float(np.log(len(COLOURS))) + ("next" in said) * float(np.log(2))


@torch.no_grad()
def nats_of(model: pt.PixelModel, records: Sequence[Record], real: np.ndarray) -> dict[str, float]:
    """Return the nats of real scenes, given caption and artist, and without either."""
    given, alone = [], []
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        x = torch.from_numpy(real[start : start + BATCH].astype(np.int64))[:, None]
        texts, labels = [str(one["caption"]) for one in part], [str(one["artist"]) for one in part]
        given.append(-model.log_prob(x, text=texts, label=labels))
        alone.append(-model.log_prob(x))
    return {
        "given caption and artist": float(torch.cat(given).mean()),
        "left out": float(np.mean([unsaid_nats(record) for record in records])),
        "alone": float(torch.cat(alone).mean()),
    }


def copies(train: np.ndarray, real: np.ndarray, sampled: np.ndarray) -> dict[str, float]:
    """Return the shares of scenes that equal a training scene."""
    known = {levels.tobytes() for levels in train}
    return {
        name: float(np.mean([one.astype(np.uint8).tobytes() in known for one in levels]))
        for name, levels in (("real", real), ("sampled", sampled))
    }


def measure(model: pt.PixelModel, table: Mapping[str, np.ndarray], options: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts that are asked for."""
    reader = open_reader(options.reader, options.steps, options.more, sorted(set(table["artist"].tolist())))
    names = ("guidance", "temperature", "seed", "best_of")
    how = {name: value for name in names if (value := getattr(options, name)) is not None}
    result: dict[str, Any] = {}
    main = HELD[options.split][0]
    for held in HELD[options.split]:
        rows = np.flatnonzero((table["split"] == options.split) & (table["held"] == held))
        records = records_of(table, rows)
        judged = [i for i, record in enumerate(records) if can_be_judged(record)]
        judged = judged[: options.samples if held == main else options.samples // 4]
        records, real = [records[i] for i in judged], table["x"][rows[judged]]
        if held == main and "ranking" in options.only:
            result["ranking"] = rank(model, records[: options.ranked], real[: options.ranked])
        if held == main and "likelihood" in options.only:
            result["likelihood"] = nats_of(model, records[: options.ranked], real[: options.ranked])
        if held == main and "pixels" in options.only:
            masks = table["mask"][rows[judged]][: options.ranked]
            result["pixels"] = word_pixels(model, records[: options.ranked], real[: options.ranked], masks)
        if "samples" in options.only or (held == main and "copies" in options.only):
            sampled = sample(model, records, **how)
            if "samples" in options.only:
                result.setdefault("samples", {})[held] = compare(records, real, sampled, reader)
            if held == main and "copies" in options.only:
                result["copies"] = copies(table["x"][table["split"] == "train"], real, sampled)
            if held == main and options.sheet is not None:
                captions = [str(record["caption"]) for record in records[:100]]
                image_grid(table["palette"][sampled[:100]], captions=captions, columns=10).save(options.sheet)
    if "sentence" in options.only:
        result["sentence"] = measure_sentence(model, reader, options.sheet, **how)
    return result


def main() -> None:
    """Run the commands above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--reader", type=Path, required=True, help="file of the reader; trained if it is missing")
    parser.add_argument("--steps", type=int, default=4000, help="batches that the reader is trained on")
    parser.add_argument("--more", type=int, default=0, help="batches that it is trained on further")
    parser.add_argument("--split", choices=list(HELD), default="test")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--ranked", type=int, default=1000, help="real scenes of the ranking and the likelihood")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--best-of", type=int, default=1, help="candidates of each sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--sheet", type=Path, help="write 100 samples with their captions")
    options = parser.parse_args()
    with np.load(options.data, allow_pickle=False) as file:
        table = {name: file[name] for name in file.files if name != "mask" or "pixels" in options.only}
    result = measure(pt.load(options.model), table, options)
    about = {"date": today(), "machine": describe_machine(), "model": options.model, "split": options.split}
    how = {name: getattr(options, name) for name in ("guidance", "temperature", "best_of", "ranked")}
    print(json.dumps(about | how | result, indent=1))


if __name__ == "__main__":
    main()
