// Variations of an image in an exported page: a share of its uniforms is replaced, as `replace_uniforms` does in Python.

import { draws, transform, uniforms } from "../runtime/pointillist.js";
import { decodeLevels } from "../transport/encoded_arrays.js";

const TOLERANCE = 1e-6; // between two engines, of cumulative probabilities: INTERVAL_TOLERANCE in Python
const BELOW_ONE = 1 - 2 ** -53;

/** @typedef {import("../runtime/pointillist.js").Options} Options */

/**
 * Find uniforms from which an image is drawn, as `recover_uniforms` does: one within the interval that gives each level.
 * @param {import("./model.js").OfflineModel} opened @param {Api.Variation} variation with levels
 * @param {Options} settings guidance, temperature, top-p, order and size
 */
function recovered(opened, { levels, conditions = {}, seed = 0 }, settings) {
  const { guidance = 1, temperature = 1, topP = 1, width = 1, height = 1 } = settings;
  const observed = Array.from(decodeLevels(/** @type {Api.EncodedArray} */ (levels))), numbers = uniforms([seed, 0], observed.length);
  opened.compiled?.release();
  for (const { at, frequencies, reference, level } of draws(opened.model, { ...opened.conditions(conditions), ...settings, observed, all: true })) {
    const own = /** @type {Float64Array} */ (frequencies);
    const weights = reference || temperature !== 1 || topP !== 1 ? transform(own, reference, guidance, temperature, topP) : own;
    const total = weights.reduce((sum, f) => sum + f, 0), below = weights.subarray(0, level).reduce((sum, f) => sum + f, 0);
    const low = below / total, size = (below + weights[level]) / total - low, margin = Math.min(0.5, TOLERANCE / size);
    if (!size) {
      const remedy = temperature < 1 || topP < 1 ? "use temperature 1 and top-p 1" : reference ? "use guidance 1" : "change that pixel, or use another model";
      throw new Error(`The image has level ${level} at row ${Math.floor((at % (height * width)) / width)}, column ${at % width}, which the model never paints there at temperature ${temperature} and top-p ${topP} (probability zero): ${remedy}.`);
    }
    numbers[at] = Math.min(low + size * (margin + numbers[at] * (1 - 2 * margin)), BELOW_ONE);
  }
  return numbers;
}

/**
 * Return the uniforms of a variation.
 * @param {import("./model.js").OfflineModel} opened @param {Api.Variation} variation @param {Float64Array} others of the sample itself
 * @param {Options} settings with which the image is inverted
 */
export function varied(opened, variation, others, settings) {
  const { seed = 0, index = 0, strength, kind, levels } = variation;
  if (kind !== "replace") throw new Error("An exported page varies an image by new random numbers for a share of it: open the link in `pointillist studio` for the other ways.");
  const origin = levels ? recovered(opened, variation, settings) : uniforms([seed, index], others.length), places = uniforms([seed, 3], others.length);
  return origin.map((number, at) => (places[at] < strength ? others[at] : number));
}
