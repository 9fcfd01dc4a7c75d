"""Attention in compiled code, with the bits of `engine/opcodes/attention.py`.

The cache of an image holds its sites four by four: the keys of each of the four, and then, channel by channel, the
values of the four, so that a product of bytes adds four sites. A weight is at most 2^24: four products, a byte each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.vectors import I32, I64, LANES, VECTOR, WIDE, IntVectors, emitted_arguments
from pointillist.engine.cpu.jit import inner
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.engine.program import LIMIT

Array = Any  # numba finds the types


SITES = 4
"""Sites whose values lie side by side."""
CHUNK = 2**15
"""Sites whose products of bytes are added in 32 bits."""


def cache_size(sites: int, channels: int) -> int:
    """Return the bytes of the cache of an image."""
    return -(-sites // SITES) * SITES * channels


@inner
def store_kv(a: Array, line: Array, x: int, site: int) -> None:
    """Store keys and values of a site, N channels of which the first K are keys."""
    n, k, place = line[bc.N], line[bc.K], site % SITES
    for b in range(line[bc.OUTER]):
        source, target = x + b * line[bc.X_OUTER], line[bc.Y] + b * line[bc.Y_OUTER] + (site - place) * n
        for j in range(k):
            a[target + place * k + j] = a[source + j]
        for j in range(n - k):
            a[target + SITES * (k + j) + place] = a[source + k + j]


@inner
def attend(a: Array, s: Array, c: Array, line: Array, y: int, x: int, sites: int) -> None:
    """Attend to the sites so far: N channels of a value, K of a key, PIECES heads; zeros where there are none.

    Z is the cache, of PIECE channels a site; W is scratch memory, A the table of the exponential, C its size, and D the
    factor.
    """
    n, k, heads, channels, scores = line[bc.N], line[bc.K], line[bc.PIECES], line[bc.PIECE], line[bc.W]
    for b in range(line[bc.OUTER]):
        for head in range(heads):
            query, out = x + b * line[bc.X_OUTER] + head * k, y + b * line[bc.Y_OUTER] + head * n
            cache = line[bc.Z] + b * line[bc.Z_OUTER]
            if sites == 0:
                for j in range(n):
                    s[out + j] = 0
                continue
            zero = np.int64(0)  # keys are stored as k + 128
            for j in range(k):
                zero += 128 * (np.int64(a[query + j]) - 128)
            largest = score(a, s, query, cache + head * k, k, heads * k, channels, scores, sites, zero)
            total = weigh(s, c, scores, sites, largest, line[bc.A], line[bc.C] - 1, line[bc.D])
            average(a, s, scores, sites, cache + SITES * (heads * k + head * n), channels, out, n, total)


@intrinsic
def score(
    typing: Any, a: Any, s: Any, query: Any, keys: Any, k: Any, all_keys: Any, channels: Any, scores: Any, sites: Any,
    zero: Any,
) -> Any:  # fmt: skip
    """Set the scores of all sites, q . (k + 128) - zero, and return the largest one."""
    signature = types.int64(a, s, *[types.intp] * 8)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, s, query, keys, k, all_keys, channels, scores, sites, zero = emitted_arguments(
            context, builder, signature, arguments, 2
        )
        vec, build = IntVectors(builder), builder
        lanes = ir.Constant(WIDE, list(range(LANES)))
        last = vec.splat(build.sub(sites, I64(1)))
        offset = vec.splat(build.trunc(zero, I32))

        def of_sites(t: Any, running: list[Any]) -> list[Any]:
            site = build.add(vec.splat(t), lanes)
            site = build.select(build.icmp_signed("<", site, last), site, last)  # read no site that is not there yet
            place = build.and_(site, vec.constant(SITES - 1, WIDE))
            start = build.mul(build.sub(site, place), vec.splat(channels))
            start = build.add(start, build.mul(place, vec.splat(all_keys)))

            def of_channels(j: Any, sums: list[Any]) -> list[Any]:
                words = vec.gather_words(build.gep(a, [build.add(keys, j)]), start)
                return [vec.dot_bytes(sums[0], words, vec.splat(_four(build, a, query, j, k)))]

            (result,) = vec.loop(k, 4, [vec.constant(0)], of_channels)
            result = build.sub(result, offset)
            vec.store(result, build.gep(s, [build.add(scores, t)]), build.sub(sites, t))
            return [build.select(build.icmp_signed(">", result, running[0]), result, running[0])]

        (largest,) = vec.loop(sites, LANES, [vec.constant(-(2**31))], of_sites)
        return build.sext(vec.reduce("smax", largest), I64)

    return signature, code


def _four(build: Any, a: Any, query: Any, j: Any, k: Any) -> Any:
    """Emit four signed bytes of a query, zeros beyond its end."""
    word = build.load(build.bitcast(build.gep(a, [build.add(query, j)]), I32.as_pointer()), align=1)
    word = build.xor(word, I32(0x80808080))  # q + 128 as a signed byte is q
    beyond = build.sub(I64(4), build.sub(k, j))
    beyond = build.select(build.icmp_signed(">", beyond, I64(0)), beyond, I64(0))
    return build.and_(word, build.lshr(I32(0xFFFFFFFF), build.trunc(build.mul(beyond, I64(8)), I32)))


@intrinsic
def weigh(
    typing: Any, s: Any, c: Any, scores: Any, sites: Any, largest: Any, table: Any, last: Any, factor: Any
) -> Any:
    """Turn the scores into weights, by the table of the exponential; return their sum.

    The rest of the last vector is set to 0.
    """
    signature = types.int64(s, c, *[types.intp] * 6)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        s, c, scores, sites, largest, table, last, factor = emitted_arguments(context, builder, signature, arguments, 2)
        vec, build = IntVectors(builder), builder
        top, most, scale = vec.splat(largest), vec.splat(last), vec.splat(factor)
        entries = build.gep(c, [table])

        def of_sites(t: Any, totals: list[Any]) -> list[Any]:
            place, left = build.gep(s, [build.add(scores, t)]), build.sub(sites, t)
            below = build.sub(top, vec.widen(vec.load(place)))
            below = build.ashr(build.mul(below, scale), vec.constant(FACTOR_BITS, WIDE))
            kept = vec.is_first(left)
            below = build.select(build.icmp_signed("<", below, most), below, most)
            below = build.select(kept, below, vec.constant(0, WIDE))  # memory beyond the sites holds anything
            weights = vec.gather(entries, build.trunc(below, VECTOR))
            weights = build.select(kept, weights, vec.constant(0))
            vec.store(weights, place, I64(LANES))
            return [build.add(totals[0], vec.widen(weights))]

        (total,) = vec.loop(sites, LANES, [vec.constant(0, WIDE)], of_sites)
        return vec.reduce("add", total)

    return signature, code


@intrinsic
def average(
    typing: Any, a: Any, s: Any, scores: Any, sites: Any, values: Any, channels: Any, out: Any, n: Any, total: Any
) -> Any:
    """Set the outputs of a head: the weighted means of the values, rounded."""
    signature = types.void(a, s, *[types.intp] * 7)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, s, scores, sites, values, channels, out, n, total = emitted_arguments(
            context, builder, signature, arguments, 2
        )
        vec, build = IntVectors(builder), builder
        whole = vec.splat(total)

        def of_channels(j: Any, _: list[Any]) -> list[Any]:
            start = build.add(values, build.mul(j, I64(SITES)))

            def of_chunks(first: Any, sums: list[Any]) -> list[Any]:
                def of_sites(t: Any, sums: list[Any]) -> list[Any]:
                    site = build.add(first, t)
                    place = build.gep(a, [build.add(start, build.mul(site, channels))])
                    result = build.xor(vec.load(place), vec.constant(0x80808080))  # v + 128 as a signed byte is v
                    weights = _bytes_of_four(build, build.gep(s, [build.add(scores, site)]))
                    return [vec.dot_bytes(a, vec.splat(w), result) for a, w in zip(sums, weights, strict=True)]

                left = build.sub(sites, first)
                count = build.select(build.icmp_signed("<", left, I64(CHUNK)), left, I64(CHUNK))
                parts = vec.loop(count, SITES, [vec.constant(0)] * 4, of_sites)
                for number, part in enumerate(parts):
                    sums = [build.add(sums[0], build.shl(vec.widen(part), vec.constant(8 * number, WIDE)))]
                return sums

            (sums,) = vec.loop(sites, CHUNK, [vec.constant(0, WIDE)], of_chunks)
            doubled = build.add(build.shl(sums, vec.constant(VALUE_BITS + 1, WIDE)), whole)
            result = vec.clamp(_floor_divide(vec, doubled, build.add(whole, whole)), -LIMIT, LIMIT, WIDE)
            vec.store(build.trunc(result, VECTOR), build.gep(s, [build.add(out, j)]), build.sub(n, j))
            return []

        vec.loop(n, LANES, [], of_channels)
        return context.get_dummy_value()

    return signature, code


def _bytes_of_four(build: Any, place: Any) -> list[Any]:
    """Emit the lowest bytes of four numbers as one number, then their second bytes, and so on."""
    kind = ir.VectorType(ir.IntType(8), 16)
    numbers = build.load(build.bitcast(place, kind.as_pointer()), align=4)
    order = [4 * site + byte for byte in range(4) for site in range(SITES)]
    order = ir.Constant(ir.VectorType(I32, 16), order)
    words = build.bitcast(build.shuffle_vector(numbers, ir.Constant(kind, ir.Undefined), order), ir.VectorType(I32, 4))
    return [build.extract_element(words, I32(byte)) for byte in range(4)]


def _floor_divide(vec: IntVectors, x: Any, by: Any) -> Any:
    """Emit floor(x / by) for a positive `by` and a quotient far below 2^52.

    A division in floating point, which vectors have, is off by one at most; the remainder, in integers, says so.
    """
    build, zero, one = vec.builder, vec.constant(0, WIDE), vec.constant(1, WIDE)
    real = ir.VectorType(ir.DoubleType(), LANES)
    result = build.fptosi(build.fdiv(build.sitofp(x, real), build.sitofp(by, real)), WIDE)
    rest = build.sub(x, build.mul(result, by))
    result = build.select(build.icmp_signed("<", rest, zero), build.sub(result, one), result)
    return build.select(build.icmp_signed(">=", rest, by), build.add(result, one), result)
