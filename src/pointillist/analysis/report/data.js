// Decode the data of the page: the counterpart of encoding.py.
// @ts-check

/**
 * @typedef {{probs: Float64Array, levels: number[] | null, rest: number, mean: number | null,
 *   quantiles: [number, number][] | null, parts: {weight: number, mean: number, scale: number, masses: Float64Array}[]}}
 *   Distribution of one sub-pixel. `levels` names those that `probs` is about; null for all of them.
 */

/** @param {string} text base 64 of deflated bytes @returns {Promise<Uint8Array>} */
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Join bytes of equal significance, side by side, to floats. @param {Uint8Array} planes @param {number} kept bytes a float */
function floats(planes, kept) {
  const count = planes.length / kept;
  const bytes = new Uint8Array(count * 4);
  for (let plane = 0; plane < kept; plane++)
    for (let i = 0; i < count; i++) bytes[4 * i + plane + 4 - kept] = planes[plane * count + i];
  return new Float32Array(bytes.buffer);
}

/** @param {any} packed @returns {Promise<Record<string, Float32Array>>} */
async function decodeArrays(packed) {
  const whole = floats(await inflate(packed.data), 4);
  /** @type {Record<string, Float32Array>} */
  const found = {};
  for (const [name, { start, shape }] of Object.entries(packed.arrays))
    found[name] = whole.subarray(start, start + shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1));
  return found;
}

/** Table of the probability that each byte stands for. @param {number} most bits of the byte 255 */
function probabilities(most) {
  return Float64Array.from({ length: 256 }, (_, byte) => 2 ** -(most * (byte / 255) ** 2));
}

/** @param {number} a */
const logSigmoid = (a) => (a > 0 ? -Math.log1p(Math.exp(-a)) : a - Math.log1p(Math.exp(a)));

/**
 * Log-probability of one logistic component at one level, in nats; the edge levels take the tails.
 * @param {number} level @param {number} last @param {number} mean @param {number} logScale on [-1, 1]
 */
function logMass(level, last, mean, logScale) {
  const inverse = Math.exp(-logScale), half = inverse / last;
  const distance = ((2 * level) / last - 1 - mean) * inverse;
  const upper = distance + half, lower = distance - half;
  if (level === 0) return logSigmoid(upper);
  if (level === last) return logSigmoid(-lower);
  return logSigmoid(upper) + logSigmoid(-lower) + Math.log(-Math.expm1(-2 * half));
}

/**
 * Distribution of one channel under the mixture, given the channels before it; see DiscretizedLogisticMixture.
 * @param {Float32Array} p of a pixel @param {number} m components @param {number} c channels @param {number} k levels
 * @param {number} channel @param {number[]} x levels of the pixel @returns {Distribution}
 */
function mixture(p, m, c, k, channel, x) {
  const last = k - 1;
  const component = (/** @type {number} */ at, /** @type {number} */ i) => {
    let mean = p[m * (1 + at) + i];
    const first = m * (1 + 2 * c + (at * (at - 1)) / 2);
    for (let before = 0; before < at; before++) mean += Math.tanh(p[first + m * before + i]) * ((2 * x[before]) / last - 1);
    return { mean, logScale: Math.max(-7, p[m * (1 + c + at) + i]) };
  };
  const logWeights = Array.from({ length: m }, (_, i) => {
    let weight = p[i];
    for (let before = 0; before < channel; before++) {
      const { mean, logScale } = component(before, i);
      weight += logMass(x[before], last, mean, logScale);
    }
    return weight;
  });
  const most = Math.max(...logWeights);
  const sum = logWeights.reduce((total, w) => total + Math.exp(w - most), 0);
  const probs = new Float64Array(k);
  const parts = logWeights.map((w, i) => {
    const weight = Math.exp(w - most) / sum, { mean, logScale } = component(channel, i);
    const masses = Float64Array.from({ length: k }, (_, level) => weight * Math.exp(logMass(level, last, mean, logScale)));
    masses.forEach((mass, level) => (probs[level] += mass));
    return { weight, mean: ((mean + 1) * last) / 2, scale: (Math.exp(logScale) * last) / 2, masses };
  });
  return summarize(probs, true, parts);
}

/** Normalise probabilities; add mean and quantiles. @param {Float64Array} probs @param {boolean} ordered @param {any[]} parts */
function summarize(probs, ordered, parts) {
  const total = probs.reduce((a, b) => a + b, 0);
  for (let level = 0; level < probs.length; level++) probs[level] /= total;
  /** @type {[number, number][]} */
  const quantiles = [];
  let mean = 0, below = 0;
  const wanted = [0.05, 0.25, 0.5, 0.75, 0.95];
  probs.forEach((p, level) => {
    mean += p * level;
    below += p;
    while (quantiles.length < wanted.length && (below >= wanted[quantiles.length] - 1e-9 || level === probs.length - 1))
      quantiles.push([wanted[quantiles.length], level]);
  });
  return { probs, levels: null, rest: 0, mean: ordered ? mean : null, quantiles: ordered ? quantiles : null, parts };
}

/**
 * Return a function from a pixel and a channel to the distribution there.
 * @param {any} page @param {Record<string, Float32Array>} arrays
 * @returns {Promise<(site: number, channel: number) => Distribution>}
 */
async function decodeDistributions(page, arrays) {
  const [c, h, w] = page.shape, k = page.levels, table = page.table, sites = h * w;
  const bytes = await inflate(table.data);
  if (table.kind === "mixture") {
    const params = floats(bytes, 3);
    return (site, channel) => {
      const x = Array.from({ length: c }, (_, i) => arrays.x[i * sites + site]);
      return mixture(params.subarray(site * table.params, (site + 1) * table.params), table.mixtures, c, k, channel, x);
    };
  }
  const meaning = probabilities(table.max_bits);
  if (table.kind === "levels")
    return (site, channel) => {
      const start = (channel * sites + site) * k;
      return summarize(Float64Array.from(bytes.subarray(start, start + k), (b) => meaning[b]), page.ordered, []);
    };
  const n = table.count, q = table.quantiles.length, count = c * sites;
  const view = new DataView(bytes.buffer);
  return (site, channel) => {
    const at = channel * sites + site;
    const levels = Array.from({ length: n }, (_, i) => view.getUint16(2 * (at * n + i), true));
    const probs = Float64Array.from(bytes.subarray(count * (2 * n + 2 * q + 4) + at * n).subarray(0, n), (b) => meaning[b]);
    const quantiles = table.quantiles.map((/** @type {number} */ share, /** @type {number} */ i) =>
      [share, view.getUint16(2 * count * n + 2 * (at * q + i), true)]);
    const mean = view.getFloat32(2 * count * (n + q) + 4 * at, true);
    const rest = Math.max(0, 1 - probs.reduce((a, b) => a + b, 0));
    return { probs, levels, rest, mean: page.ordered ? mean : null, quantiles: page.ordered ? quantiles : null, parts: [] };
  };
}
