// Numbers of distributions: bits, ranks, quantiles.

const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95], TOP = 16;

/** Probabilities of frequencies. @param {Float64Array} frequencies */
export function probabilities(frequencies) {
  const total = frequencies.reduce((a, b) => a + b, 0);
  return frequencies.map((f) => f / total);
}

/** Entropy, its variance and the surprisal of a level, in bits, from frequencies or probabilities: of many levels most have the frequency 1, and are counted.
 *  @param {Float64Array} frequencies @param {number} level */
export function information(frequencies, level) {
  let total = 0, ones = 0, mean = 0, square = 0;
  for (let k = 0; k < frequencies.length; k++) { total += frequencies[k]; ones += Number(frequencies[k] === 1); }
  const add = (/** @type {number} */ f, /** @type {number} */ count) => {
    const bits = Math.log2(total / f), share = (count * f) / total;
    mean += share * bits;
    square += share * bits * bits;
  };
  if (ones) add(1, ones);
  for (let k = 0; k < frequencies.length; k++) if (frequencies[k] > 0 && frequencies[k] !== 1) add(frequencies[k], 1);
  return { entropy: mean, variance: Math.max(0, square - mean * mean), surprisal: Math.log2(total / frequencies[level]) };
}

/** Divergence of a distribution from another, in bits. @param {Float64Array} from @param {Float64Array} to */
export const divergence = (from, to) => Math.max(0, from.reduce((sum, p, k) => sum + (p > 0 ? p * Math.log2(p / to[k]) : 0), 0));

/**
 * Describe the distribution of a sub-pixel.
 * @param {Api.ImageKind} image @param {number} channel @param {Float64Array} probs @param {number} observed @param {Float64Array | null} [sampling]
 * @returns {Api.SubPixel}
 */
export function subPixel(image, channel, probs, observed, sampling = null) {
  const { entropy, surprisal } = information(probs, observed);
  const order = [...probs.keys()].sort((a, b) => probs[b] - probs[a] || a - b);
  let sum = 0;
  const cumulative = probs.map((p) => (sum += p)), last = probs.length - 1;
  const quantile = (/** @type {number} */ q) => cumulative.findIndex((c, k) => c >= q - 1e-12 || k === last);
  return {
    channel, name: image.channel_names[channel] ?? "", observed, probs: [...probs], sampling_probs: sampling && [...sampling],
    entropy, surprisal, rank: 1 + probs.filter((p) => p > probs[observed]).length,
    mean: image.ordered ? probs.reduce((total, p, k) => total + p * k, 0) : null,
    quantiles: image.ordered ? Object.fromEntries(QUANTILES.map((q) => [String(q), quantile(q)])) : null,
    top: order.slice(0, TOP).map((level) => ({ level, prob: probs[level] })), components: null,
  };
}
