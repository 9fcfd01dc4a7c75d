"""The report of a benchmark, printed as tables."""

from __future__ import annotations

from pointillist.commands.cli.messages import print_facts, print_table
from pointillist.errors import counted
from speed.run import BenchReport
from speed.timing import MedianRange


def print_report(report: BenchReport) -> None:
    """Print the report as tables."""
    peaks, cost = report.peaks, report.cost
    rows, pixels = cost.row_flops / 1e6, cost.pixel_flops / 1e6
    facts = [
        ("model", f"{report.name}, {report.parameters:,} parameters, {report.image}"),
        ("machine", f"{report.machine}; {report.versions}; {report.date}"),
        ("busy", f"{report.busy:.0%} of all cores just before{'; trust only ratios' if report.busy > 0.2 else ''}"),
        (
            "peak",
            f"{peaks.gflops:.0f} GFLOP/s, {peaks.bf16_gflops:.0f} of bf16, {peaks.byte_gops:.0f} GOP/s of bytes, "
            f"{peaks.gigabytes:.0f} GB/s (one thread)",
        ),
        (
            "cost",
            f"{rows:,.1f} MFLOP an image by rows, {pixels:,.1f} by pixels; a batch reads "
            f"{cost.row_bytes / 1e6:,.1f} and {cost.pixel_bytes / 1e6:,.1f} MB of weights",
        ),
        ("recording", f"{report.recording.median:.1f} ms ({report.recording.low:.1f} to {report.recording.high:.1f})"),
        *(
            (f"startup {s.engine}", f"{s.first_use:.2f} s for the first image, {s.later_use:.2f} s in the next process")
            for s in report.startup
        ),
        *(("skipped", sentence) for sentence in report.skipped),
    ]
    print_facts(facts)
    if report.sampling:
        _print_sampling(report)
    if report.training:
        _print_training(report)


def _print_sampling(report: BenchReport) -> None:
    sampling = [
        (
            r.engine,
            f"{r.batch}",
            f"{r.threads}",
            f"{r.milliseconds.median:,.1f}",
            *_ratio(r.over_naive, 0),
            f"{r.over_roofline:,.1f}",
            "" if r.setup is None else f"{r.setup:.0f}",
            "" if r.megabytes is None else f"{r.megabytes:.0f}",
        )
        for r in report.sampling
    ]
    heads = ("engine", "n", "thr", "ms/image", "x naive", "range", "x bound", "setup ms", "MB")
    print_table(heads, sampling)
    print(
        "n: batch size. thr: threads. x bound: time over the roofline bound. setup ms: not in ms/image and the ratios."
    )
    print("MB: growth of memory in the first call.")
    for row in report.sampling:
        gain = row.over_one_thread
        faster = "" if gain is None else f"{gain.median:.2f} times one thread ({gain.low:.2f} to {gain.high:.2f}); "
        if row.call_over_naive is not None:
            faster += f"a whole call, setup included, is {row.call_over_naive.median:,.0f} times naive; "
        if faster or row.note:
            print(
                f"{row.engine}, batch {row.batch}, {counted(row.threads, 'thread')}: {(faster + row.note).rstrip('; ')}"
            )


def _print_training(report: BenchReport) -> None:
    peer = any(r.over_peer for r in report.training)
    training = [
        (
            r.variant,
            f"{r.images_per_second.median:,.1f}",
            *_ratio(r.over_peer if peer else r.over_dense_masked, 2),
            f"{r.gflop:.2f}",
            f"{r.of_peak:.0%}",
            f"{r.megabytes:.0f}",
            f"{r.first_seconds:.1f}",
        )
        for r in report.training
    ]
    title = f"training, batch {report.training[0].batch}"
    heads = (title, "images/s", "x peer" if peer else "x dense", "range", "GFLOP", "peak", "MB", "first s")
    print_table(heads, training)
    print("x dense: speedup over dense masked kernels. x peer: over pytorch-generative. NHWC: channels_last.")
    print("GFLOP: of an image. peak: share of the peak in that precision. first s: wall time of the first step.")


def _ratio(result: MedianRange | None, digits: int) -> tuple[str, str]:
    """Format median and range for two columns."""
    if result is None:
        return "", ""
    return f"{result.median:,.{digits}f}", f"{result.low:,.{digits}f}-{result.high:,.{digits}f}"
