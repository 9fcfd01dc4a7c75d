// Encode hints: images on the grid of the picture. Not part of docs/reference/program_format.md, because it computes in floating
// point: rounding to the integers of a program hides all but a difference in the last bits.
//
//   sample(model, { maps: hintFeatures(model, levelsOfHint, height, width), guidance: 2 });

import { check } from "./arithmetic.js";
import { orderOf } from "./pointillist.js";

/** @typedef {{data: Float64Array, shape: number[]}} Weight */

/** Read a weight as float32 numbers. @param {import("./pointillist.js").Model} model @param {Record<string, string>} names @param {string} name @returns {Weight} */
function weightOf(model, names, name) {
  const rank = name.endsWith("bias") ? 1 : name.startsWith("embedding") ? 2 : 4, scale = names[`${name}_scale`];
  const { data, shape } = model.tensor(names[name], scale ? "I8" : "F32", Array(rank).fill(null)), size = data.length / shape[0];
  const scales = scale ? model.tensor(scale, "F32", [shape[0]]).data : null;
  return { shape, data: Float64Array.from(/** @type {any} */ (data), (w, i) => Math.fround(Number(w) * Number(scales ? scales[Math.floor(i / size)] : 1))) };
}
/** Divide the features of each pixel by their root mean square. @param {Float64Array} x @param {number} width */
function normalised(x, width) {
  const result = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    let square = 0;
    for (let k = 0; k < width; k++) square += x[at + k] ** 2;
    const root = Math.sqrt(square / width + 1e-6);
    for (let k = 0; k < width; k++) result[at + k] = x[at + k] / root;
  }
  return result;
}
/** Convolve `[height, width, inputs]` with zeros beyond the border. @param {Float64Array} x @param {number} height @param {number} width
 *  @param {Weight} weight `[outputs, inputs, k, k]` @param {Weight} bias @param {number} dilation */
function convolve(x, height, width, { data, shape: [outputs, inputs, side] }, bias, dilation) {
  const result = new Float64Array(height * width * outputs), reach = (side - 1) / 2;
  for (let at = 0; at < result.length; at++) result[at] = bias.data[at % outputs];
  for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) {
    const to = (row * width + column) * outputs;
    for (let u = 0; u < side; u++) for (let v = 0; v < side; v++) {
      const y = row + (u - reach) * dilation, z = column + (v - reach) * dilation;
      if (y < 0 || z < 0 || y >= height || z >= width) continue;
      const from = (y * width + z) * inputs;
      for (let o = 0; o < outputs; o++) {
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += x[from + i] * data[((o * inputs + i) * side + u) * side + v];
        result[to + o] += sum;
      }
    }
  }
  return result;
}
/** Features `[height, width, c]` of a hint of integers, for each part of the condition that reads hints.
 *  @param {import("./pointillist.js").Model} model @param {ArrayLike<number>} levels `[channels, height, width]` of the hint
 *  @param {number} height @param {number} width @param {string} [order] @returns {Record<string, Float64Array>} */
export function hintFeatures(model, levels, height, width, order = undefined) {
  /** @type {Record<string, Float64Array>} */
  const result = {};
  for (const { name, hints } of model.parts[model.orders[orderOf(model, order).name]]) {
    if (!hints) continue;
    const { image, weights, dilations } = hints, size = height * width;
    check(image !== null && levels.length === image.channels * size, "the hint");
    const embedding = image.ordered ? null : weightOf(model, weights, "embedding.weight"), each = embedding ? embedding.shape[1] : 1;
    const inputs = image.channels * each + 1, x = new Float64Array(size * inputs).fill(1); // the last input: the pixel is known
    for (let pixel = 0; pixel < size; pixel++) for (let c = 0; c < image.channels; c++) for (let k = 0; k < each; k++) {
      const level = levels[c * size + pixel];
      x[pixel * inputs + c * each + k] = embedding ? embedding.data[level * each + k] : level * (2 / (image.levels - 1)) - 1;
    }
    const first = weightOf(model, weights, "first.weight"), features = first.shape[0];
    let h = convolve(x, height, width, first, weightOf(model, weights, "first.bias"), 1);
    dilations.forEach((/** @type {number} */ dilation, /** @type {number} */ n) => {
      const inner = normalised(h, features).map((value) => Math.max(value, 0));
      const more = convolve(inner, height, width, weightOf(model, weights, `layers.${n}.weight`), weightOf(model, weights, `layers.${n}.bias`), dilation);
      h = h.map((value, i) => value + more[i]);
    });
    result[name] = normalised(h, features);
  }
  return result;
}
