// Opcodes and tables of versions 2 and 5 of the program format: levels relative to a prediction, and mixtures around it.

import { POWERS, check, clamp, interpolate, largest, mulShift } from "./arithmetic.js";

/** Powers e^(-i / 256) in units of 2^-160, so that tables are rounded from whole numbers. @param {number} count */
function powers(count) {
  const unit = 1n << 160n, result = [unit];
  let step = unit;
  for (let term = unit / 256n, n = 1n; term; n++, term /= 256n * n) step += n % 2n ? -term : term;
  for (let i = 0; i < count; i++) result.push((result[i] * step) >> 160n);
  return result;
}
/** Round a quotient of positive integers to the nearest. @param {bigint} a @param {bigint} b */
const nearest = (a, b) => Number((2n * a + b) / (2n * b));
/** @param {number[]} above of arguments from 0 on @param {number} sum of the values at x and -x */
const mirrored = (above, sum) => Int32Array.from([...above.slice(1).reverse().map((x) => sum - x), ...above]);
/** Tables of a head that stores none. @param {number} levels @param {number} least log-scale @returns {Record<string, Int32Array>} */
export function standardTables(levels, least) {
  check(Number.isInteger(least) && least >= -16 && least <= 0, "the least log-scale");
  const e = powers(6144), unit = 1n << 160n, first = e[-least * 256], size = (8 - least) * 256 + 1;
  const inverse = e.slice(0, size).map((power) => Math.min(nearest(power << 25n, first * BigInt(levels - 1)), 2 ** 31 - 1));
  return {
    exp: Int32Array.from(e.slice(0, 4097), (power, i) => (i < 4096 ? nearest(power << 24n, unit) : 0)),
    sigmoid: mirrored(e.slice(0, 4097).map((power) => nearest(unit << 24n, unit + power)), 2 ** 24),
    tanh: mirrored(Array.from({ length: 2049 }, (_, i) => nearest((unit - e[2 * i]) << 16n, unit + e[2 * i])), 0),
    inverse: Int32Array.from(inverse),
  };
}
const { tanh: TANH } = standardTables(2, 0);

/** Number of bits of a positive integer. @param {number} x */
const bits = (x) => (x < 2 ** 32 ? 32 - Math.clz32(x) : 64 - Math.clz32(Math.floor(x / 2 ** 32)));
/** floor((x + floor(2^by / 2)) / 2^by). @param {number} x @param {number} by */
const rounded = (x, by) => Math.floor((x + Math.floor(POWERS[by] / 2)) / POWERS[by]);

/** Outputs, before they are clamped, from inputs and levels. @type {Record<string, (levels: number, x: Int32Array[]) => number[]>} */
export const LOCAL_GAIN = {
  PREDICT(levels, [near, inside]) {
    const channels = near.length / 4, spread = levels <= 128 ? 2 : 1, out = [];
    let distance = 2 * channels * spread;
    for (let c = 0; c < channels; c++) {
      let [w, nw, n, ne] = [0, 1, 2, 3].map((place) => near[place * channels + c]);
      n = inside[2] ? n : w;
      [w, nw, ne] = [inside[0] ? w : n, inside[1] ? nw : n, inside[3] ? ne : n];
      const base = Math.max(Math.min(w, n), Math.min(Math.max(w, n), w + n - nw));
      distance += Math.abs(w - base) + Math.abs(nw - base) + Math.abs(n - base) + Math.abs(ne - base);
      out.push(base);
    }
    if (Array.from(inside).filter(Boolean).length < 2) return [...out, Math.max(-1, bits(levels - 1) - 5)];
    return [...out, bits(distance * Math.floor((2 ** 20 * Math.SQRT2) / (4 * channels * spread) + 0.5)) - 21];
  },
  NORMALISE(levels, [pixels, inside, prediction]) {
    const channels = prediction.length - 1, by = clamp(prediction[channels] + (levels <= 128 ? 2 : 1), 0, 31);
    const differences = Array.from(pixels, (x, k) => (inside[Math.floor(k / channels)] ? x - prediction[k % channels] : 0));
    const relative = differences.map((x) => clamp(rounded(x * 32, by), -128, 127));
    const narrowing = 2 ** Math.max(0, bits(levels - 1) - 8); // of a base, as an input of the network
    const rest = differences.map((x, k) => rounded(x * 8192, by) - relative[k] * 256); // where the output has channels for it
    return [...relative, ...Array.from(prediction, (x, c) => (c < channels ? Math.floor(x / narrowing) : x)), ...rest];
  },
  PLACE(levels, [params, prediction]) {
    const channels = prediction.length - 1, spread = levels <= 128 ? 2 : 1, step = 2 / (levels - 1), out = Array.from(params);
    const m = params.length / (1 + 2 * channels + (channels * (channels - 1)) / 2), e = clamp(prediction[channels], -1, levels > 256 ? 15 : 10);
    const [fine, baseBits] = levels > 256 ? [6, 10] : [0, 8], unit = (2 ** (16 + fine + baseBits) * step) / spread;
    const first = spread === 2 ? 0 : Math.floor(levels / 2) - (levels - 1) / 2;
    const base = Array.from(prediction.subarray(0, channels), (x) =>
      Math.floor((x * Math.floor(unit + 0.5) + Math.floor(unit * first + 0.5) + 2 ** (baseBits - 1)) / 2 ** baseBits));
    const log = Math.floor((e * Math.floor(2 ** 16 * Math.LN2 + 0.5) + Math.floor(2 ** 16 * Math.log(step) + 0.5) + 128) / 256);
    for (let c = 0, pair = 0; c < channels; pair += c++) for (let j = 0; j < m; j++) {
      const at = m * (1 + c) + j;
      out[at] = base[c] + rounded(params[at] * Math.floor(step * 2 ** 20 + 0.5) * 2 ** fine, 20 - e);
      for (let before = 0; before < c; before++)
        out[at] -= rounded(interpolate(TANH, params[m * (1 + 2 * channels + pair + before) + j]) * base[before], 16);
      out[m * (1 + channels + c) + j] += log;
    }
    return out;
  },
};

/** A mixture of logistics of a channel, given the levels before it: the sum of its weights, and of these what lies below the edge above a level.
 *  @param {import("./pointillist.js").Head} head @param {Int32Array} p @param {ArrayLike<number>} pixel @param {number} channel */
function components({ mixtures: m, channels, levels, tables, least }, p, pixel, channel) {
  const most = largest(p.subarray(0, m)), [fine, unit] = levels > 256 ? [22, 9] : [16, 17];
  let weights = Array.from(p.subarray(0, m), (logit) => tables.exp[Math.min(most - logit, tables.exp.length - 1)]);
  /** 2^24 times the CDF of component j of channel c at the edge above a level. @param {number} j @param {number} c */
  const cdf = (j, c) => {
    const inverse = tables.inverse[clamp(p[m * (1 + channels + c) + j], least * 256, 8 * 256) - least * 256];
    let mean = Math.floor(((p[m * (1 + c) + j] + 2 ** fine) * (levels - 1)) / 2 ** (fine + 1 - unit));
    for (let before = 0, at = m * (1 + 2 * channels + (c * (c - 1)) / 2) + j; before < c; before++, at += m)
      mean += Math.floor((interpolate(tables.tanh, p[at]) * (2 * pixel[before] - (levels - 1))) / 2 ** (17 - unit));
    return (/** @type {number} */ level) => interpolate(tables.sigmoid,
      mulShift(clamp(level * 2 ** unit + 2 ** (unit - 1) - mean, -(2 ** 28), 2 ** 28), inverse, unit + 8));
  };
  for (let before = 0; before < channel; before++) {
    const level = pixel[before];
    weights = weights.map((weight, j) => {
      const edge = cdf(j, before), upper = level === levels - 1 ? 2 ** 24 : edge(level);
      return weight * Math.max(1, upper - (level === 0 ? 0 : edge(level - 1)));
    });
    const length = POWERS.findIndex((power) => power > largest(weights));
    weights = weights.map((weight) => Math.floor(weight / POWERS[Math.max(0, length - 25)]));
  }
  const edges = weights.map((_, j) => cdf(j, channel)), total = weights.reduce((a, b) => a + b, 0);
  const below = (/** @type {number} */ level) => {
    let high = 0, low = 0; // of the sum over 2^24
    for (let j = 0; j < m; j++) {
      const product = weights[j] * edges[j](level), whole = Math.floor(product / 2 ** 24);
      high += whole; low += product - whole * 2 ** 24;
    }
    return high + Math.floor(low / 2 ** 24);
  };
  return { total, below };
}
/** Weights of the levels under a mixture of logistics of up to 256 levels.
 *  @param {import("./pointillist.js").Head} head @param {Int32Array} p @param {Int32Array} pixel @param {number} channel */
export function mixture(head, p, pixel, channel) {
  const { total, below } = components(head, p, pixel, channel), result = new Float64Array(head.levels);
  for (let k = 0, before = 0; k < result.length; k++) {
    const sum = k === result.length - 1 ? total : below(k);
    result[k] = sum - before; before = sum;
  }
  return result;
}

/** The distribution of a channel of more than 256 levels: of `2^precision` places each level keeps one, and the others are divided. */
export class Intervals {
  /** @param {import("./pointillist.js").Head} head @param {Int32Array} p @param {ArrayLike<number>} pixel @param {number} channel */
  constructor(head, p, pixel, channel) {
    this.levels = head.levels;
    this.places = 2 ** head.precision - head.levels;
    this.mixture = components(head, p, pixel, channel);
  }
  /** The start of a level; of the number of levels, the end of the last. @param {number} level */
  start(level) {
    const { levels, places, mixture: { total, below } } = this;
    if (level === 0 || level === levels) return level && places + level;
    const sum = below(level - 1); // a quotient of numbers up to 2^53 is never rounded up to a whole one
    return level + (total * places <= 2 ** 53 ? Math.floor((sum * places) / total) : Number((BigInt(sum) * BigInt(places)) / BigInt(total)));
  }
  /** The frequency of a level. @param {number} level */
  frequency(level) { return this.start(level + 1) - this.start(level); }
  /** The level that holds a place: the last that starts at it or before, by halving. @param {number} place */
  at(place) {
    let level = 0;
    for (let step = 2 ** 15; step >= 1; step /= 2) if (level + step < this.levels && this.start(level + step) <= place) level += step;
    return level;
  }
  /** The frequencies of all levels. Far from the components each has its one place, so pieces are tried that double in length. */
  frequencies() {
    const result = new Float64Array(this.levels).fill(1);
    for (let k = 0, start = 0, count = 1; k < this.levels;) {
      count = Math.min(count, this.levels - k);
      const end = this.start(k + count), alone = end - start === count;
      if (!alone && count > 1) { count = Math.floor(count / 2); continue; }
      if (!alone) result[k] = end - start;
      k += count; start = end; count = alone ? 2 * count : 1;
    }
    return result;
  }
}
/** The distribution of a channel where its levels are too many for a table; null elsewhere.
 *  @param {import("./pointillist.js").Head} head @param {Int32Array} p @param {ArrayLike<number>} pixel @param {number} channel */
export const intervals = (head, p, pixel, channel) => (head.kind === "mixture" && head.levels > 256 ? new Intervals(head, p, pixel, channel) : null);
