"""A reader of integer programs made from `docs/reference/program_format.md` alone, with no code of the package.

The formulas of elementwise opcodes, and types and shapes of constants, are read from the tables of the page.
What the page says in prose is written here, for all that the bundled models have.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "program_format.md"
WIDE = 2**26


def clamp(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def nearest(x: Any) -> Any:
    return np.floor(np.asarray(x) + 0.5).astype(np.int64)


def shift(x: Any, s: Any) -> Any:
    up, down = np.maximum(-s, 0), np.maximum(s, 0)
    return ((x << up) + ((1 << down) >> 1)) >> down


def lookup(table: Any, x: Any) -> Any:
    half = len(table) // 2
    return table[clamp(x, -half, half) + half]


def interpolate(table: Any, x: Any, n: int) -> Any:
    half = len(table) // 2
    i = clamp((x >> n) + half, 0, 2 * half - 1)
    rest = clamp(x - ((i - half) << n), 0, 1 << n)
    return table[i] + ((table[i + 1] - table[i]) * rest >> n)


def floor_log2(x: Any) -> Any:
    return np.vectorize(lambda number: int(number).bit_length() - 1, otypes=[np.int64])(x)


FUNCTIONS = {"max": np.maximum, "shift": shift, "lookup": lookup}
NAMES = {"__builtins__": {}, **{f"f_{name}": each for name, each in FUNCTIONS.items()}}
"""What a formula of the page names; a function has other names than a constant, as both have `shift`."""


def rows_of_page() -> dict[str, tuple[dict[str, tuple[str, list[str]]], str]]:
    """Types and shapes of constants, and the formula, of each opcode in a table of the page."""
    rows = {}
    for name, constants, formula in re.findall(r"^\| `([A-Z_]+)` \|(.*?)\| (.*) \|$", PAGE.read_text("utf-8"), re.M):
        kinds = re.findall(r"`(\w+)`(?: ([IF]\d+))?(?: `\[(.*?)\]`)?", constants)
        rows[name] = ({key: (kind or "I8", shape.split(", ")) for key, kind, shape in kinds}, formula)
    return rows


def compiled(constants: Any, formula: str) -> Any:
    """The code of a formula, with products written by a sign; None for prose."""
    tokens = re.findall(r"[A-Za-z_]\w*|\d+|\S", formula)
    code = ""
    for before, token in zip(["", *tokens], tokens, strict=False):
        is_call = token == "(" and before in FUNCTIONS
        juxtaposed = re.fullmatch(r"\w+|\)", before) and re.fullmatch(r"\w+|\(", token) and not is_call
        code += "*" * bool(juxtaposed) + token
    code = re.sub(r"(\w+)(?=\()", r"f_\1", code)
    try:
        result = compile(code, formula, "eval")
    except SyntaxError:
        return None
    return result if {*result.co_names} <= {"x", "y", *constants, *NAMES} else None


OPCODES = rows_of_page()
FORMULAS = {name: compiled(*row) for name, row in OPCODES.items()}


class Run:
    """A program on one image: values, maps and what its instructions do."""

    def __init__(self, stored: Stored, program: dict[str, Any], size: tuple[int, int], inputs: dict[str, Any]) -> None:
        self.stored, self.program, self.size, self.inputs = stored, program, size, inputs
        self.values = [
            np.zeros((-(-size[1] // scale) if phase == 1 else 1, channels), np.int64)
            for channels, phase, _, scale, *_ in program["values"]
        ]
        self.maps = [
            np.zeros((-(-size[0] // each["scale"]), -(-size[1] // each["scale"]), each["channels"]), np.int64)
            for each in program["maps"]
        ]
        self.limits = [self.range_of(narrow, signed) for *_, narrow, signed in program["values"]]

    @staticmethod
    def range_of(narrow: bool, signed: bool) -> tuple[int, int]:
        return (-WIDE, WIDE) if not narrow else (-128, 127) if signed else (0, 255)

    def phase(self, phase: int, row: int = 0, column: Any = 0, code: list[Any] | None = None) -> None:
        """Run the instructions of a phase at a site; of phase 1 at all columns of a row."""
        for i in self.program["code"][phase] if code is None else code:
            view = i.get("out") or i["in"][0]
            _, _, depth, scale, *_ = self.program["values"][view[0]]
            columns = np.arange(-(-self.size[1] // scale)) if phase == 1 else np.array([column // scale])
            if row % scale or (phase > 1 and column % scale) or row // scale < depth:
                continue
            if "row_parity" in i and (row // scale) % 2 != i["row_parity"]:
                continue
            place = (row // scale - depth, columns) if phase else (0, np.array([0]))
            x = [self.read(each, columns) for each in i["in"]]
            out = self.compute(i, x, place, scale)
            if i.get("out") is not None:
                self.write(view, out)

    def read(self, view: list[int], columns: Any) -> Any:
        """A view at columns of its grid, `[columns, channels]`; one row of what is the same for all."""
        value, start, channels = view
        numbers = self.values[value][:, start : start + channels]
        return numbers[columns] if self.program["values"][value][1] == 1 else numbers

    def write(self, view: list[int], out: Any) -> None:
        value, start, channels = view
        self.values[value][:, start : start + channels] = clamp(out, *self.limits[value])

    def compute(self, i: dict[str, Any], x: list[Any], place: tuple[int, Any], scale: int) -> Any:
        """The output of an instruction, by the formula of the page where it has one."""
        constants, (row, columns) = self.stored.constants(i), place
        if (formula := FORMULAS[i["op"]]) is not None:
            return eval(formula, NAMES, constants | dict(zip("xy", x, strict=False)))
        return getattr(self, i["op"].lower())(i, x, constants, row, columns, scale)

    def linear(self, i: Any, x: Any, constants: Any, *_: Any) -> Any:
        out = shift(x[0] @ constants["matrix"] + constants["bias"], constants["shift"])
        return out + x[1] if len(x) > 1 else out

    project = linear

    def input(self, i: Any, x: Any, constants: Any, row: int, columns: Any, scale: int) -> Any:
        condition = self.inputs[i["key"]]
        return condition[None] if condition.ndim == 1 else condition[row * scale, columns * scale]

    def store(self, i: Any, x: Any, constants: Any, row: int, columns: Any, scale: int) -> None:
        self.maps[i["map"]][row, columns] = x[0]

    def gather(self, i: Any, x: Any, constants: Any, row: int, columns: Any, scale: int) -> Any:
        numbers, q = self.maps[i["map"]], scale // self.program["maps"][i["map"]]["scale"]
        parts = []
        for down, right in i["taps"]:
            at, across = row * q + down, columns * q + right
            inside = (at >= 0) & (at < len(numbers)) & (across >= 0) & (across < numbers.shape[1])
            part = numbers[clamp(at, 0, len(numbers) - 1), clamp(across, 0, numbers.shape[1] - 1)]
            parts.append(np.where(inside[:, None], part, 0))
        return np.concatenate(parts, 1)

    def upsample(self, i: Any, x: Any, constants: Any, row: int, columns: Any, scale: int) -> Any:
        m = self.maps[i["map"]].shape[-1] // 4
        numbers = self.maps[i["map"]][row >> 1, columns >> 1].reshape(len(columns), 4, m)
        return numbers[np.arange(len(columns)), 2 * (row % 2) + columns % 2]

    def predict(self, i: Any, x: Any, constants: Any, *_: Any) -> Any:
        near, inside = x
        c, d = near.shape[1] // 4, 2 if (levels := int(constants["levels"][0])) <= 128 else 1
        w, nw, n, ne = (near[:, k * c : (k + 1) * c] for k in range(4))
        n = np.where(inside[:, 2:3] != 0, n, w)
        w, nw, ne = (np.where(inside[:, k : k + 1] != 0, each, n) for k, each in ((0, w), (1, nw), (3, ne)))
        base = np.median(np.stack([w, n, w + n - nw]), 0).astype(np.int64)
        total = sum(np.abs(each - base) for each in (w, nw, n, ne)).sum(1)
        exponent = floor_log2((total + 2 * c * d) * nearest(2**20 * math.sqrt(2) / (4 * c * d))) - 20
        few = (inside != 0).sum(1) < 2
        return np.concatenate([base, np.where(few, max(-1, (levels - 1).bit_length() - 5), exponent)[:, None]], 1)

    def normalise(self, i: Any, x: Any, constants: Any, *_: Any) -> Any:
        pixels, inside, (base, exponent) = x[0], x[1], (x[2][:, :-1], x[2][:, -1:])
        levels, n = int(constants["levels"][0]), x[1].shape[1]
        r = clamp(exponent + (2 if levels <= 128 else 1), 0, 31)
        difference = np.where(np.repeat(inside, base.shape[1], 1) != 0, pixels - np.tile(base, n), 0)
        relative = clamp((32 * difference + ((1 << r) >> 1)) >> r, -128, 127)
        rest = ((8192 * difference + ((1 << r) >> 1)) >> r) - 256 * relative
        narrowing = max(0, (levels - 1).bit_length() - 8)
        return np.concatenate([relative, base >> narrowing, exponent, rest], 1)[:, : i["out"][2]]

    def place(self, i: Any, x: Any, constants: Any, *_: Any) -> Any:
        params, base = x[0], x[1][:, :-1]
        levels, c = int(constants["levels"][0]), base.shape[1]
        d, many = 2 if levels <= 128 else 1, levels > 256
        e = clamp(x[1][:, -1:], -1, 15 if many else 10)
        unit, bits = 2 ** (32 if many else 24) * 2 / (levels - 1) / d, 10 if many else 8
        first = 0 if d == 2 else nearest(unit * (levels // 2 - (levels - 1) / 2))
        base = (base * nearest(unit) + first + (1 << (bits - 1))) >> bits
        gain = nearest(2**20 * 2 / (levels - 1)) << (6 if many else 0)
        m = params.shape[1] // (1 + 2 * c + c * (c - 1) // 2)
        parts = [params[:, k * m : (k + 1) * m] for k in range(params.shape[1] // m)]
        pair, tanh = 1 + 2 * c, standard_tables(2, 0)["tanh"]
        for channel in range(c):
            moved = base[:, channel : channel + 1] + ((parts[1 + channel] * gain + ((1 << (20 - e)) >> 1)) >> (20 - e))
            for before in range(channel):
                slope = interpolate(tanh, parts[pair + before], 8)
                moved = moved - ((slope * base[:, before : before + 1] + 2**15) >> 16)
            parts[1 + channel], pair = moved, pair + channel
            log = nearest(2**16 * math.log(2)) * e + nearest(2**16 * math.log(2 / (levels - 1)))
            parts[1 + c + channel] = parts[1 + c + channel] + ((log + 128) >> 8)
        return np.concatenate(parts, 1)

    def rms_norm(self, i: Any, x: Any, constants: Any, *_: Any) -> Any:
        numbers = clamp(x[0], -(2**20), 2**20)
        total = constants["epsilon"] + (numbers**2).sum(1, keepdims=True)
        q = floor_log2(total) // 2
        index = (total << np.maximum(7 - 2 * q, 0)) >> np.maximum(2 * q - 7, 0)
        return shift(numbers * constants["table"][index - 128], constants["shift"] + q)

    def grid(self) -> Any:
        """The parameters of a program of a grid, after each instruction has run over all rows."""
        grids: dict[int, Any] = {}
        for i in self.program["code"][1]:
            for row in range(self.size[0]):
                for value, numbers in grids.items():
                    self.values[value] = numbers[row]
                self.phase(1, row, code=[i])
                if i.get("out") is not None:
                    value = i["out"][0]
                    grids.setdefault(value, np.zeros((*self.size, self.program["values"][value][0]), np.int64))
                    grids[value][row] = self.values[value]
        value, start, channels = self.program["params"]
        return grids[value][:, :, start : start + channels]


def standard_tables(levels: int, least: int) -> dict[str, Any]:
    """The tables of a head with a local gain."""
    i = np.arange(-4096, 4097)
    inverse = 2**24 * np.exp(-least - np.arange((8 - least) * 256 + 1) / 256) * 2 / (levels - 1)
    return {
        "exp": nearest(2**24 * np.exp(-np.arange(4097) / 256)) * (np.arange(4097) < 4096),
        "sigmoid": nearest(2**24 / (1 + np.exp(-i / 256))),
        "tanh": nearest(2**16 * np.tanh(i[2048:-2048] / 256)),
        "inverse": np.minimum(2**31 - 1, nearest(inverse)),
    }


def normalise(weights: Any, precision: int) -> Any:
    r = 2 ** (precision + 32) // int(weights.sum())
    frequencies = np.maximum(1, (weights * r) >> 32)
    frequencies[frequencies.argmax()] += 2**precision - int(frequencies.sum())
    return frequencies


class Head:
    """Frequencies of all levels of a channel, from the parameters of a site and the levels before it."""

    def __init__(self, stored: Stored, head: dict[str, Any]) -> None:
        self.kind, self.levels, self.m, self.c = head["kind"], head["levels"], head["mixtures"], head["channels"]
        self.precision, self.least = head["precision"], head.get("min_log_scale", -7)
        self.tables = {key: stored.arrays[name].astype(np.int64) for key, name in head["tables"].items()}
        if "min_log_scale" in head:
            self.tables = standard_tables(self.levels, self.least)

    def weights(self, logits: Any) -> Any:
        table = self.tables["exp"]
        return table[np.minimum(logits.max() - logits, len(table) - 1)]

    def frequencies(self, params: Any, x: Any, channel: int) -> Any:
        if self.kind == "categorical":
            logits = params[channel * self.levels : (channel + 1) * self.levels]
            return normalise(self.weights(logits), self.precision)
        parts, last = params.reshape(-1, self.m), self.levels - 1
        w = self.weights(parts[0])
        for b in range(channel):
            upper = 2**24 if x[b] == last else self.below(parts, x, b, np.array([x[b]]))[0]
            lower = 0 if x[b] == 0 else self.below(parts, x, b, np.array([x[b] - 1]))[0]
            w = w * np.maximum(1, upper - lower)
            w = w >> max(0, int(w.max()).bit_length() - 25)
        edges = (self.below(parts, x, channel, np.arange(last)) * w).sum(1) >> 24
        edges = np.concatenate([[0], edges, [w.sum()]])
        if self.levels <= 256:
            return normalise(np.diff(edges), self.precision)
        starts = np.arange(self.levels) + edges[:-1] * (2**self.precision - self.levels) // edges[-1]
        return np.diff(np.append(starts, 2**self.precision))

    def below(self, parts: Any, x: Any, c: int, k: Any) -> Any:
        """S_j(k) of channel c, `[levels, mixtures]`."""
        many = self.levels > 256
        mean = (parts[1 + c] + 2 ** (22 if many else 16)) * (self.levels - 1) >> (14 if many else 0)
        for b in range(c):
            coupling = parts[1 + 2 * self.c + c * (c - 1) // 2 + b]
            moved = interpolate(self.tables["tanh"], coupling, 8) * (2 * x[b] - (self.levels - 1))
            mean = mean + (moved >> (8 if many else 0))
        scale = parts[1 + self.c + c]
        inverse = self.tables["inverse"][clamp(scale, 256 * self.least, 2048) - 256 * self.least]
        unit = 2 ** (9 if many else 17)
        distance = clamp(unit * k[:, None] + unit // 2 - mean, -(2**28), 2**28)
        return interpolate(self.tables["sigmoid"], (distance * inverse) >> (17 if many else 25), 8)


LOG = nearest(2**20 * np.log2(1 + np.arange(257) / 256))
EXP = nearest(2**30 * 2 ** (-np.arange(257) / 256))


def logarithm(f: Any) -> Any:
    e = floor_log2(f)
    j, r = np.divmod((f << (24 - e)) - 2**24, 2**16)
    return 2**20 * e + LOG[j] + ((LOG[j + 1 - (j == 256)] - LOG[j]) * r >> 16)


def transformed(c: Any, reference: list[Any], guidance: float, temperature: float) -> Any:
    """Frequencies, which sum to 2^30, under guidance and temperature."""
    logs = logarithm(c)
    for u in map(logarithm, reference):
        logs = u + (int(nearest(2**16 * guidance)) * (logs - u) >> 16)
    d = max(1, int(nearest(2**16 / temperature))) * (logs.max() - logs) >> 16
    j, r = np.divmod(d % 2**20, 2**12)
    return normalise((EXP[j] + ((EXP[j + 1] - EXP[j]) * r >> 12)) >> np.minimum(d >> 20, 31), 30)


class Stored:
    """The two files of a program."""

    def __init__(self, folder: Path) -> None:
        self.document = json.loads((folder / "program.json").read_text("utf-8"))
        self.arrays = load_file(folder / "program.safetensors")
        self.checked: dict[int, dict[str, Any]] = {}
        assert self.document["format"] == "pointillist-program"
        assert self.document["format_version"] <= 6
        self.levels, self.channels = self.document["image"]["levels"], self.document["image"]["channels"]

    def constants(self, i: dict[str, Any]) -> dict[str, Any]:
        """The arrays of an instruction, of the types and numbers of axes that the page has."""
        if (key := id(i)) in self.checked:
            return self.checked[key]
        kinds, names = OPCODES[i["op"]][0], i.get("constants", {})
        assert kinds.keys() == names.keys(), i["op"]
        arrays = {name: self.arrays[at] for name, at in names.items()}
        for name, (kind, shape) in kinds.items():
            actual = arrays[name].dtype.str[1:], arrays[name].ndim
            assert actual == (f"i{int(kind[1:]) // 8}", len(shape)), (i["op"], name)
        return self.checked.setdefault(key, {name: array.astype(np.int64) for name, array in arrays.items()})

    def inputs(self, size: tuple[int, int], order: str, given: dict[str, Any]) -> dict[str, Any]:
        """The vector and the map of conditions: a label, a prompt, a hint, or known pixels with their mask."""
        index = self.document["orders"][order]
        joined: dict[str, list[Any]] = {"vector": [], "map": []}
        units = {key: self.arrays[x["unit"]] for key, x in self.document["programs"][index]["inputs"].items()}
        for part in self.document["parts"][index]:
            name, kind, rows = part["name"], part["kind"], self.arrays[part["rows"]].astype(np.int64)
            chosen = {"label": given.get("label"), "order": order}.get(name)
            numbers = rows[part["names"].index(chosen) if chosen else -1]
            at = sum(x.shape[-1] for x in joined[kind])
            if "prompts" in part and given.get("text") and part["prompts"]["kind"] == "ngrams":
                unit = units[kind][at : at + numbers.shape[-1]]
                numbers = clamp(nearest(self.prompt(part["prompts"], given["text"]) / 2**18 / unit), -WIDE, WIDE)
            encoder = part.get("known") or part.get("hints")
            if encoder and (given.get("pixels") is not None or numbers.shape[:2] != size):
                numbers = self.encoded(part, encoder, size, given)
            joined[kind].append(numbers)
        return {key: np.concatenate(x, -1) for key, x in joined.items() if x}

    def encoded(self, part: Any, encoder: Any, size: tuple[int, int], given: dict[str, Any]) -> Any:
        """Known pixels `[h, w]` of one channel, by the program of a grid."""
        run = Run(self, part["program"], size, {})
        if (pixels := given.get("pixels")) is not None:
            levels = self.arrays[encoder["weights"]["levels"]].astype(np.int64)
            canvas = np.concatenate([levels[pixels], np.full((*size, 1), 64)], -1)
            run.maps[0][:] = canvas * given["mask"][:, :, None]
        return run.grid()

    def weight(self, weights: dict[str, str], name: str, bits: int, most: int) -> Any:
        stored = self.arrays[weights[name]]
        if stored.dtype == np.int8:
            stored = stored.astype(np.float32) * self.arrays[weights[f"{name}_scale"]].reshape(
                -1, *[1] * (stored.ndim - 1)
            )
        return clamp(nearest(stored.astype(np.float64) * 2.0**bits), -most, most)

    def prompt(self, encoder: dict[str, Any], text: str) -> Any:
        weights, words = encoder["weights"], re.findall(r"\w+", text.lower())

        def linear(name: str, x: Any) -> Any:
            matrix = self.weight(weights, f"{name}.weight", 20, 2**22)
            bias = self.weight(weights, f"{name}.bias", 38, 2**60)
            return (clamp(x, -(2**24), 2**24) @ matrix.T + bias + 2**19) >> 20

        table = self.weight(weights, "embedding.weight", 18, 2**24)

        def row_of(feature: str) -> Any:
            return table[zlib.crc32(feature.encode()) % len(table)]

        if encoder.get("ngrams") == "words":
            rows = np.stack([row_of(word) for word in words[: encoder["length"]]])
            rows = np.pad(rows, ((2, 2), (0, 0)))
            windows = [linear("window", rows[k : k + 5].reshape(-1)) for k in range(len(rows) - 4)]
            return linear("out", np.maximum(0, np.max(windows, 0)))
        ngrams = [f"#<{w}>"[1:][k : k + n] for w in words for n in (3, 4, 5) for k in range(len(w) + 3 - n)]
        features = list(dict.fromkeys([*words, *(f"#{each}" for each in ngrams)]))[: encoder["length"]]
        r = int(nearest(2**20 / math.sqrt(len(features))))
        return linear("out", (sum(row_of(each) for each in features) * r + 2**19) >> 20)

    def draw(
        self, uniforms: Any, given: dict[str, Any], rows: int, guidance: float = 1.0, temperature: float = 1.0
    ) -> tuple[Any, Any]:
        """Draw the first rows of an image `[c, h, w]`; return the levels, and their frequencies by the head."""
        (order, index), size = next(iter(self.document["orders"].items())), uniforms.shape[1:]
        program = self.document["programs"][index]
        runs = [Run(self, program, size, self.inputs(size, order, given))]
        if guidance != 1:
            reference = {"label": given.get("label") if "text" in given else None}
            runs.append(Run(self, program, size, self.inputs(size, order, reference)))
        head, levels, sizes = Head(self, program["head"]), np.zeros(uniforms.shape, int), np.zeros(uniforms.shape, int)
        values, e = program["canvas_values"], program["num_sub_steps"] * program["canvas_width"] // self.channels
        table = np.arange(self.levels)[:, None] - self.levels // 2 if values is None else self.arrays[values]
        for run in runs:
            run.phase(0)
        for row, column in np.ndindex(rows, size[1]):
            for run in runs if column == 0 else ():
                run.phase(1, row)
            for channel in range(self.channels):
                for run in runs if channel == 0 or program["num_sub_steps"] > 1 else ():
                    run.phase(2, row, column)
                x = levels[:, row, column]
                params = [run.read(program["params"], np.array([column]))[0] for run in runs]
                c, *unguided = [head.frequencies(each, x, channel) for each in params]
                plain = (guidance, temperature) == (1, 1)
                f, bits = (c, head.precision) if plain else (transformed(c, unguided, guidance, temperature), 30)
                level = int(np.argmax(f.cumsum() > int(uniforms[channel, row, column] * 2**bits)))
                levels[channel, row, column], sizes[channel, row, column] = level, c[level]
                for run in runs:
                    run.maps[0][row, column, channel * e : (channel + 1) * e] = table[level]
            for run in runs:
                run.phase(3, row, column)
        return levels[:, :rows], sizes[:, :rows] / 2**head.precision
