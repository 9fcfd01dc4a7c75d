"""Measure a hierarchy beside lossless codecs and codecs of its codes.

    python benchmarks/hierarchy.py RUN IMAGES [--size 128]

RUN is the folder of `pointillist train --model hierarchy`, IMAGES a source of `load_data` with train and test splits
such as `photo_patches64.npz`. Printed are the codes in use, the PSNR of the deterministic reconstructions, bits/dim of
the pair (a bound) beside lossless WebP and JPEG XL of all test images as one picture, bits per code of the prior beside
an order-0 coder and xz, alone or after the training codes, and the seconds and peak memory of one RGB sample on one
thread, after one that is not counted.

A stage that is not trained is left out of the bits, and the time of a sample is that of its untrained network: it does
not depend on the weights.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import psutil
import torch

import pointillist as pt
from pointillist.data import ImageDataset
from pointillist.hierarchy.data import encoded
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.hierarchy.train import HierarchyTraining
from pointillist.system import describe_machine, measure_peak_memory, today
from pointillist.training.runs.from_config import build_model


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images")
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{today()}, {describe_machine()}")
    tokenizer = Tokenizer.load(args.run / "tokenizer")
    codes = pt.load(args.run / "codes")
    trained = (args.run / "pixels" / "config.json").is_file()
    record = HierarchyTraining.of(None, {"train.out": str(args.run)}, resume=True)
    options = record.run.data.options
    splits = pt.load_data(args.images, options)
    hierarchy = pt.Hierarchy([tokenizer], [codes], pt.load(args.run / "pixels") if trained else None)
    test, train = splits.get("test"), splits.get("train")
    print(f"images     {len(test):,} of the test split")
    print(hierarchy.evaluate(test, train))
    print(f"JPEG XL    {jpeg_xl(test):.4f} bits/dim")
    if not trained:
        print("pixels     not trained: the time of a sample is that of new weights")
        pyramids = {"train": encoded(train.subset(np.arange(8)), [tokenizer])}
        stage = record.stage_run("pixels", pyramids, [tokenizer])
        assert stage.images is not None
        model, _ = build_model(stage.config, stage.images, None)
        hierarchy = pt.Hierarchy([tokenizer], [codes], model.eval())
    for _ in range(2):
        started, processor = time.perf_counter(), time.process_time()
        _, peak = measure_peak_memory(lambda: hierarchy.sample(1, seed=0, size=args.size, threads=1, engine="numpy"))
    seconds, busy = time.perf_counter() - started, time.process_time() - processor
    whole = psutil.Process().memory_info().rss
    print(f"sample     {args.size}x{args.size}: {seconds:.2f} s, {busy:.2f} s of processor time")
    print(f"memory     {peak / 1e9:.3f} GB for the sample, {whole / 1e9:.2f} GB the process")


def jpeg_xl(images: ImageDataset) -> float:
    """Bits/dim of all images as one tall picture, lossless, at effort 9."""
    import imagecodecs

    levels = images.batch(range(len(images))).levels.astype(np.uint8)
    tall = np.ascontiguousarray(levels.transpose(0, 2, 3, 1).reshape(-1, levels.shape[3], levels.shape[1]))
    return 8 * len(imagecodecs.jpegxl_encode(tall, lossless=True, effort=9)) / levels.size


if __name__ == "__main__":
    main()
