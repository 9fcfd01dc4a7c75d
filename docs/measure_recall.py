"""How much of a picture its caption brings to mind: `python docs/measure_recall.py DATA` prints a table.

640 training tiles are held out, split by name, as when `tiles` was chosen. For each, the images that a prompt recalls
among the other tiles (`conditioning/recall.py`) are compared with it, pixel by pixel: the best agreement of any, told
the name alone and told folder and name; and where its own name stands among 50, scored by that agreement alone.
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np

import pointillist as pt
from pointillist.conditioning.recall import Memory, worth_remembering
from pointillist.fidelity import rank_captions
from pointillist.text import Prompts, open_encoder

EACH, COUNTS = (1, 2, 3), (4, 8, 12, 16)
OPTIONS = {
    "array": "index64", "palette": "palette64", "transparent": 0, "text_from": "subcategory,name",
    "valid_fraction": 0.09964, "split_by": "name",
}  # fmt: skip


def main(data: str) -> None:
    """Print the table."""
    splits = pt.load_data(data, pt.DataOptions(**OPTIONS))
    train, held = splits.get("train"), splits.get("valid")
    named = pt.load_data(data, pt.DataOptions(**{**OPTIONS, "text_from": "name"})).get("valid")
    assert train.texts is not None
    assert held.texts is not None
    assert named.texts is not None
    levels = train.batch(np.arange(len(train))).levels.flatten(1).numpy()
    tiles = held.batch(np.arange(len(held))).levels.flatten(1).numpy()
    prompts = Prompts(open_encoder("use"))
    print(f"{len(train):,} tiles remembered from, {len(held)} held out")
    print("of a name  images | best agreement by name, by folder and name | first of 50, in five, mean reciprocal rank")
    for each, count in product(EACH, COUNTS):
        kept = worth_remembering(train.texts, each)
        memory, known = Memory([train.texts[place] for place in kept], prompts), levels[kept]

        def agreement(i: int, text: str, memory: Memory = memory, known: np.ndarray = known, n: int = count) -> float:
            shares = (known[memory(text, n)] == tiles[i]).mean(1)
            return float(shares.max() + 1e-6 * shares.mean())

        by_name = np.mean([agreement(i, name) for i, name in enumerate(named.texts)])
        by_both = np.mean([agreement(i, text) for i, text in enumerate(held.texts)])
        rank = rank_captions(lambda i, asked: np.array([agreement(i, t) for t in asked]), named, 50, 1, 0)[0]
        ranked = ", ".join(f"{share.value:.3f}" for share in (rank.top1, rank.top5, rank.mrr))
        print(f"{each:9}  {count:6} | {by_name:.4f}, {by_both:.4f} | {ranked}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
