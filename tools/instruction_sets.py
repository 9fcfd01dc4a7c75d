"""Print the environment variables that restrict numeric libraries to older instruction sets, one set a line.

    python tools/instruction_sets.py            # every set that this processor is above, lowest first
    python tools/instruction_sets.py --lowest   # the first

Torch, oneDNN, MKL, OpenBLAS and numpy choose their kernels by the processor, and so they round differently on
another one. `make test-cpus` runs the numeric tests under each line, which is nearly what an older processor does. Our
library in C chooses by the processor, too. Variables of libraries that are not in use here change nothing.
"""

from __future__ import annotations

import argparse
import platform

import torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__  # type: ignore[import-not-found,unused-ignore]

X86 = {
    "default": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "POINTILLIST_KERNELS": "plain",
    },
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "POINTILLIST_KERNELS": "avx2",
    },
}
"""Variables of each instruction set, by its name in torch."""
OTHERS = {"default": {"POINTILLIST_KERNELS": "plain"}}


def disabled_in_numpy(name: str) -> list[str]:
    """Return the features that numpy dispatches on, that this processor has, and that are above an instruction set."""
    above = ("AVX512", "X86_V4") if name == "avx2" else ("",)
    return [feature for feature in __cpu_dispatch__ if __cpu_features__[feature] and feature.startswith(above)]


def instruction_sets() -> list[dict[str, str]]:
    """Return the variables of each set below that of this processor, lowest first."""
    sets = X86 if platform.machine().lower() in ("x86_64", "amd64") else OTHERS
    ours = torch.backends.cpu.get_cpu_capability().lower()
    names = [name for name in sets if name == "default" or ours.startswith("avx512")]
    return [
        {"ATEN_CPU_CAPABILITY": name, "NPY_DISABLE_CPU_FEATURES": ",".join(disabled_in_numpy(name)), **sets[name]}
        for name in names
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lowest", action="store_true", help="print the first set alone")
    chosen = instruction_sets()[: 1 if parser.parse_args().lowest else None]
    print("\n".join(" ".join(f"{name}={value}" for name, value in variables.items()) for variables in chosen))
