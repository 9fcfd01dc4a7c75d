// Variations of an image in an exported page: its uniforms are mixed with others, or a share of them is replaced, to the bit as
// `interpolate_uniforms` and `replace_uniforms` do in Python (sampling/inversion.py, with references), or parts of it are drawn again as by
// `pt.vary` (completion/vary.py).

import { generator, transform, uniforms } from "../runtime/pointillist.js";
import { decodeArray } from "../transport/encoded_arrays.js";

const TOLERANCE = 1e-6; // between two engines, of cumulative probabilities: INTERVAL_TOLERANCE in Python
const BELOW_ONE = 1 - 2 ** -53;

/**
 * Find uniforms from which an image is drawn, as `recover_uniforms` does: one within the interval that gives each level.
 * @param {OfflineModel} opened @param {Api.Variation} variation with levels
 * @param {Options} settings guidance, temperature, top-p, order and size
 */
function recovered(opened, { levels, conditions = {}, seed = 0 }, settings) {
  const { guidance = 1, temperature = 1, topP = 1, width = 1, height = 1 } = settings;
  const observed = Array.from(decodeArray(/** @type {Api.EncodedArray} */ (levels))), numbers = uniforms([seed, 0], observed.length);
  opened.run({ ...opened.conditions(conditions), ...settings, observed, all: true }, ({ at, frequencies, reference, level }) => {
    const own = /** @type {Float64Array} */ (frequencies);
    const weights = reference || temperature !== 1 || topP !== 1 ? transform(own, reference, guidance, temperature, topP) : own;
    const total = weights.reduce((sum, f) => sum + f, 0), below = weights.subarray(0, level).reduce((sum, f) => sum + f, 0);
    const low = below / total, size = (below + weights[level]) / total - low, margin = Math.min(0.5, TOLERANCE / size);
    if (!size) {
      const remedy = temperature < 1 || topP < 1 ? "use temperature 1 and top-p 1" : reference ? "use guidance 1" : "change that pixel, or use another model";
      throw new Error(`The image has level ${level} at row ${Math.floor((at % (height * width)) / width)}, column ${at % width}, which the model never paints there at temperature ${temperature} and top-p ${topP} (probability zero): ${remedy}.`);
    }
    numbers[at] = Math.min(low + size * (margin + numbers[at] * (1 - 2 * margin)), BELOW_ONE);
  });
  return numbers;
}

/**
 * Return the uniforms of a variation.
 * @param {OfflineModel} opened @param {Api.Variation} variation @param {Float64Array} others of the sample itself
 * @param {Options} settings with which the image is inverted
 */
export function varied(opened, variation, others, settings) {
  const { seed = 0, index = 0, strength, kind = "interpolate", levels } = variation;
  const origin = levels ? recovered(opened, variation, settings) : uniforms([seed, index], others.length);
  if (strength === 0) return origin;
  if (kind === "interpolate") return interpolated(origin, others, strength);
  const places = uniforms([seed, 3], others.length);
  return origin.map((number, at) => (places[at] < strength ? others[at] : number));
}

const REACH = 2; // pixels over which noise is averaged, twice

/** Choose the pixels that a variation draws again, and the seed of their completion. @param {number} seed @param {number} index @param {number} share @param {number} height @param {number} width */
export function holeOf(seed, index, share, height, width) {
  const next = generator([seed, index, 2]), random = () => Number(next() >> 11n); // 53 bits
  let rows = Array.from({ length: height + 4 * REACH }, () => Array.from({ length: width + 4 * REACH }, () => random() / 2 ** 53));
  const add = (/** @type {number[]} */ numbers) => numbers.reduce((total, number) => total + number);
  const around = Array.from({ length: 2 * REACH + 1 }, (_, i) => i);
  for (let pass = 0; pass < 2; pass++) {
    const sums = rows.slice(2 * REACH).map((row, y) => row.map((_, x) => add(around.map((i) => rows[y + i][x]))));
    rows = sums.map((row) => row.slice(2 * REACH).map((_, x) => add(around.map((i) => row[x + i]))));
  }
  const ranks = rows.flat(), size = height * width, wanted = share * size, below = Math.floor(wanted);
  const rounded = wanted - below === 0.5 ? below + (below % 2) : Math.round(wanted); // as Python rounds halves
  const mask = new Uint8Array(size).fill(1);
  ranks.map((_, pixel) => pixel).sort((a, b) => ranks[b] - ranks[a] || a - b).slice(0, Math.max(1, rounded)).forEach((pixel) => (mask[pixel] = 0));
  return { mask, seed: random() };
}

const LOG_2 = 0.6931471805599453;
const CENTRE = [
  [2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665],
  [5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579, 42.31333070160091, 1],
];
const SIDE = [
  [0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835],
  [1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851, 1.6763848301838038, 2.053191626637759, 1],
];
const TAIL = [
  [2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103],
  [2.0442631033899397e-15, 1.421511758316446e-07, 1.8463183175100548e-05, 0.0007868691311456133, 0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1],
];
const BELOW_ZERO = [
  [0.0352624965998911, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931, 220.206867912376],
  [0.0883883476483184, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752],
];
const LOG_SERIES = Array.from({ length: 12 }, (_, i) => 1 / (23 - 2 * i));

/** Horner's rule, from the highest power on. @param {number[]} coefficients @param {number} x */
const polynomial = (coefficients, x) => coefficients.reduce((total, coefficient) => total * x + coefficient, 0);

/** @param {number[][]} pair @param {number} x */
const ratio = ([above, below], x) => polynomial(above, x) / polynomial(below, x);

/** Mix two arrays of uniforms, as correlated normal variables. @param {Float64Array} uniforms @param {Float64Array} others @param {number} strength */
export function interpolated(uniforms, others, strength) {
  const quarter = Math.PI / 2, near = sine((1 - strength) * quarter), far = sine(strength * quarter);
  const normal = (/** @type {number} */ u) => quantile(Math.min(Math.max(u, 2 ** -1022), BELOW_ONE));
  return uniforms.map((u, at) => Math.min(Math.max(cdf(near * normal(u) + far * normal(others[at])), 0), BELOW_ONE));
}

/** @param {number} p in (0, 1) */
function quantile(p) {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(CENTRE, 0.180625 - q * q);
  const root = Math.sqrt(-log(q <= 0 ? p : 1 - p)), outer = root <= 5 ? ratio(SIDE, root - 1.6) : ratio(TAIL, root - 5);
  return q < 0 ? -outer : outer;
}

/** @param {number} x */
function cdf(x) {
  const z = Math.min(Math.abs(x), 37);
  let fraction = z + 0.65;
  for (const number of [4, 3, 2, 1]) fraction = z + number / fraction;
  const below = exponentialOfMinus((z * z) / 2) * (z < 7.07106781186547 ? ratio(BELOW_ZERO, z) : 1 / (fraction * 2.506628274631));
  return x > 0 ? 1 - below : below;
}

/** @param {number} x a normal number of float64 */
function log(x) {
  const words = new BigUint64Array(new Float64Array([x]).buffer), bits = words[0];
  words[0] = (bits & (2n ** 52n - 1n)) | (1022n << 52n); // the mantissa, in [1/2, 1)
  let [mantissa] = new Float64Array(words.buffer), exponent = Number(bits >> 52n) - 1022;
  if (mantissa < 0.7071067811865476) { mantissa = 2 * mantissa; exponent--; }
  const s = (mantissa - 1) / (mantissa + 1);
  return exponent * LOG_2 + 2 * s * polynomial(LOG_SERIES, s * s);
}

/** @param {number} y from 0 to 700 */
function exponentialOfMinus(y) {
  const k = Math.floor(y / LOG_2 + 0.5), rest = y - k * LOG_2;
  let total = 1;
  for (let n = 14; n > 0; n--) total = 1 - (total * rest) / n;
  return total * new Float64Array(new BigUint64Array([BigInt(1023 - k) << 52n]).buffer)[0]; // 2^-k
}

/** @param {number} x from 0 to pi / 2 */
function sine(x) {
  let total = 1;
  for (let n = 22; n > 0; n -= 2) total = 1 - (total * x * x) / (n * (n + 1));
  return x * total;
}
