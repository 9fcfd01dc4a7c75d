// Encode an image on the grid of the picture: the known pixels of a model that completes images, or a hint.
// docs/reference/program_format.md, "Known pixels" and "Hints". In fixed point: the same integers on every processor.

import { check, clamp } from "./arithmetic.js";

const UNIT = 2 ** 12, STEP = 2 ** 6, LIMIT = 2 ** 20, EPSILON = 1e-6 * 4 ** 12;
const rounded = (/** @type {number} */ x) => Math.floor(x + 0.5);

/** A weight: F32, or I8 with a scale for each row. @param {import("./pointillist.js").TensorReader} tensor
 *  @param {Record<string, string>} names @param {string} name @param {number} rank */
function weightOf(tensor, names, name, rank) {
  const scale = names[`${name}_scale`], { data, shape } = tensor(names[name], scale ? "I8" : "F32", Array(rank).fill(null));
  const steps = scale ? Float64Array.from(/** @type {any} */ (tensor(scale, "F32", [shape[0]]).data)) : null;
  return { shape, data: Float64Array.from(/** @type {any} */ (data)), steps, size: shape.slice(1).reduce((a, b) => a * b, 1) };
}
/** Its numbers as float32. @param {ReturnType<typeof weightOf>} weight */
const floats = ({ data, steps, size }) => (steps ? data.map((w, i) => Math.fround(w * steps[Math.floor(i / size)])) : data);

/** Its integers, and the step of each output. @param {ReturnType<typeof weightOf>} weight */
function integers({ data, shape, steps, size }) {
  if (steps) return { whole: data, steps };
  const found = Float64Array.from({ length: shape[0] }, (_, o) => {
    let largest = 0;
    for (let i = 0; i < size; i++) largest = Math.max(largest, Math.abs(data[o * size + i]));
    return (largest || 1) / 32767;
  });
  return { whole: data.map((w, i) => rounded(w / found[Math.floor(i / size)])), steps: found };
}
/** The root mean square of the features of a pixel. @param {Float64Array} h @param {number} at @param {number} features */
function rootOf(h, at, features) {
  let square = 0;
  for (let k = at; k < at + features; k++) square += h[k] * h[k];
  return Math.sqrt(square / features + EPSILON);
}
/** The features of each pixel over their root mean square. @param {Float64Array} h @param {number} features */
function normalised(h, features) {
  const result = new Float64Array(h.length);
  for (let at = 0; at < h.length; at += features) {
    const root = rootOf(h, at, features);
    for (let k = at; k < at + features; k++) result[k] = h[k] / root;
  }
  return result;
}
/** The same where they are positive, in steps of 2^-6: what a layer multiplies. @param {Float64Array} h @param {number} features */
function rectified(h, features) {
  const result = new Uint16Array(h.length); // at most 64 times the root of the number of features
  for (let at = 0; at < h.length; at += features) {
    const root = rootOf(h, at, features);
    for (let k = at; k < at + features; k++) if (h[k] > 0) result[k] = Math.floor((h[k] / root) * STEP + 0.5);
  }
  return result;
}
/** Add to `[height, width, outputs]` what each pixel sees through a kernel: `term(o, tap, from)` of the pixel `from`, or -1 beyond
 *  the border. @param {number} height @param {number} width @param {number} side @param {number} dilation
 *  @param {(to: number, tap: number, from: number) => void} visit */
export function convolve(height, width, side, dilation, visit) {
  const reach = (side - 1) / 2;
  for (let row = 0; row < height; row++) for (let column = 0; column < width; column++)
    for (let tap = 0; tap < side * side; tap++) {
      const y = row + (Math.floor(tap / side) - reach) * dilation, x = column + ((tap % side) - reach) * dilation;
      if (y >= 0 && x >= 0 && y < height && x < width) visit(row * width + column, tap, y * width + x);
    }
}

/** @typedef {{known: ArrayLike<number | null> | null, height: number, width: number, map: Float64Array}} Encoded the image that was encoded last */
/** What an encoder computes with: its weights as numbers, and as integers `[taps, in, out]`; made at its first image, and kept with it.
 *  @type {WeakMap<object, ReturnType<typeof prepared>>} */
const KEPT = new WeakMap();

/** @param {import("./pointillist.js").TensorReader} tensor @param {any} encoder */
function prepared(tensor, { image, weights: names, dilations }) {
  const first = weightOf(tensor, names, "first.weight", 4), [features, inputs, side] = first.shape;
  const embedding = image.ordered ? null : weightOf(tensor, names, "embedding.weight", 2), each = embedding ? embedding.shape[1] : 1;
  const embedded = embedding ? floats(embedding) : Float64Array.from({ length: image.levels }, (_, level) => level * (2 / (image.levels - 1)) - 1);
  const biasOf = (/** @type {string} */ name) => floats(weightOf(tensor, names, name, 1)).map((b) => rounded(b * UNIT));
  const layers = dilations.map((/** @type {number} */ dilation, /** @type {number} */ n) => {
    const weight = weightOf(tensor, names, `layers.${n}.weight`, 4), { whole, steps } = integers(weight), area = weight.shape[2] ** 2, byTap = new Float64Array(whole.length);
    for (let o = 0; o < features; o++) for (let i = 0; i < features; i++) for (let tap = 0; tap < area; tap++)
      byTap[(tap * features + i) * features + o] = whole[(o * features + i) * area + tap];
    return { dilation, side: weight.shape[2], byTap, factors: steps.map((step) => step * (UNIT / STEP)), bias: biasOf(`layers.${n}.bias`) };
  });
  /** @type {Float64Array[]} */
  const tables = []; // what a level of a channel adds at a place of the kernel
  const last = /** @type {Encoded | null} */ (null); // candidates of a fill, and the two runs of guidance, have the same known pixels
  const blank = last; // the last of which nothing was known, as of a quarter of the chunks of a world
  return { features, inputs, side, w: floats(first), each, embedded, bias: biasOf("first.bias"), layers, tables, last, blank };
}

/** @typedef {{dilation: number, side: number, byTap: Float64Array}} Layer kernels as whole numbers `[taps, in, out]` */
/** @typedef {(x: Uint16Array, features: number, layer: Layer, height: number, width: number) => Float64Array | Int32Array} Products */

/** Sums of products `[height, width, out]` with the kernels of a layer. Four inputs at a time: a sum is loaded and stored once for them;
 *  all numbers are whole and below 2^53, so that their order is of no matter. @type {Products} */
export function products(x, features, { dilation, side, byTap }, height, width) {
  const sums = new Float64Array(x.length), ends = new Int32Array(height * width + 1), index = new Int32Array(x.length), values = new Float64Array(x.length);
  for (let site = 0, n = 0; site < height * width; site++) { // the inputs of a site that are not 0
    for (let i = 0; i < features; i++) if (x[site * features + i]) {
      index[n] = i * features;
      values[n++] = x[site * features + i];
    }
    ends[site + 1] = n;
  }
  convolve(height, width, side, dilation, (to, tap, from) => {
    const at = to * features, kernel = tap * features * features, end = ends[from + 1];
    let n = ends[from];
    for (; n + 3 < end; n += 4) {
      const a = values[n], b = values[n + 1], c = values[n + 2], d = values[n + 3];
      const p = kernel + index[n], q = kernel + index[n + 1], r = kernel + index[n + 2], s = kernel + index[n + 3];
      for (let o = 0; o < features; o++) sums[at + o] += a * byTap[p + o] + b * byTap[q + o] + c * byTap[r + o] + d * byTap[s + o];
    }
    for (; n < end; n++) for (let o = 0; o < features; o++) sums[at + o] += values[n] * byTap[kernel + index[n] + o];
  });
  return sums;
}

/** Whether two images have the same levels. @param {ArrayLike<number | null> | null} a @param {ArrayLike<number | null> | null} b */
function isSame(a, b) {
  if (!a || !b) return a === b;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/** Features `[height, width, c]` of an image, a level or null (unknown) for each `[channels, height, width]`.
 *  @param {import("./pointillist.js").TensorReader} tensor @param {any} encoder @param {ArrayLike<number | null> | null} known
 *  @param {number} height @param {number} width @param {Products} [multiply] in place of `products` */
export function gridFeatures(tensor, encoder, known, height, width, multiply = products) {
  check(encoder.image !== null, "a hint of floats");
  check(!known || known.length === encoder.image.channels * height * width, "the size of a hint, or of known pixels");
  const kept = KEPT.get(encoder) ?? prepared(tensor, encoder), { features, layers } = kept;
  KEPT.set(encoder, kept);
  for (const one of [kept.last, kept.blank]) if (one?.height === height && one.width === width && isSame(one.known, known)) return one.map;
  const h = firstLayer(kept, encoder.image.channels, known, height, width);
  for (const layer of layers) {
    const { factors, bias } = layer, sums = multiply(rectified(h, features), features, layer, height, width);
    for (let at = 0; at < h.length; at += features) for (let k = 0; k < features; k++) h[at + k] += rounded(sums[at + k] * factors[k]) + bias[k];
  }
  const map = normalised(h, features);
  const copied = known && Array.from(known);
  kept[copied?.every((level) => level == null) ? "blank" : "last"] = { known: copied, height, width, map };
  return map;
}

/** What the known levels add to each pixel. @param {ReturnType<typeof prepared>} kept @param {number} channels @param {ArrayLike<number | null> | null} known
 *  @param {number} height @param {number} width */
function firstLayer({ features, inputs, side, w, each, embedded, bias, tables }, channels, known, height, width) {
  const size = height * width, taps = side * side, h = new Float64Array(size * features);
  for (let at = 0; at < h.length; at += features) h.set(bias, at);
  const entryOf = (/** @type {number} */ level, /** @type {number} */ c, /** @type {number} */ tap) => new Float64Array(features).map((_, o) => {
    const at = (/** @type {number} */ i) => w[(o * inputs + i) * taps + tap];
    let sum = channels * each + c < inputs ? at(channels * each + c) : 0; // the mask of a hint goes with its first channel
    for (let i = 0; i < each; i++) sum += at(c * each + i) * embedded[level * each + i];
    return rounded(clamp(sum * UNIT, -LIMIT, LIMIT));
  });
  if (known) convolve(height, width, side, 1, (to, tap, from) => {
    for (let c = 0; c < channels; c++) {
      const level = known[c * size + from];
      if (level == null) continue;
      const entry = (tables[(level * channels + c) * taps + tap] ??= entryOf(level, c, tap)), at = to * features;
      for (let o = 0; o < features; o++) h[at + o] += entry[o];
    }
  });
  return h;
}
