// Encode attributes and vectors, after docs/reference/program_format.md.
//
//   sample(model, { features: attributeFeatures(model, { hair: "red" }), guidance: 3 });

import { check, clamp } from "./arithmetic.js";
import { orderOf } from "./pointillist.js";
import { SIGMOID, weightOf } from "./prompts.js";

/** Features of the parts of a model with an encoder of a kind, in steps of 2^-18.
 *  @param {import("./pointillist.js").Model} model @param {string} key @param {string | undefined} order
 *  @param {(encoder: any) => number[]} encode @returns {Record<string, number[]>} */
function featuresOf(model, key, order, encode) {
  const parts = model.parts[model.orders[orderOf(model, order).name]].filter((/** @type {any} */ part) => part[key]);
  return Object.fromEntries(parts.map((/** @type {any} */ part) => [part.name, encode(part[key]).map((x) => x * 2 ** 18)]));
}
/** Features of attributes: the value of each by name or number; those that are left out are unknown.
 *  @param {import("./pointillist.js").Model} model @param {Record<string, string | number | null>} given @param {string} [order] */
export const attributeFeatures = (model, given, order = undefined) => featuresOf(model, "attributes", order, (encoder) =>
  Object.entries(encoder.values).flatMap(([name, values], n) => {
    const { rows, width, data } = weightOf(model, encoder, `embeddings.${n}.weight`), value = given[name] ?? rows - 1;
    const row = typeof value === "number" ? value : values.indexOf(value);
    check(row >= 0 && row < rows && rows === values.length + 1, `there is no ${name} ${value}`);
    return [...data.subarray(row * width, (row + 1) * width)];
  }));

/** @param {any} model @param {any} encoder @param {string} name @param {number[]} x */
function linear(model, encoder, name, x) {
  const { rows, width, data } = weightOf(model, encoder, `${name}.weight`), bias = weightOf(model, encoder, `${name}.bias`).data;
  check(width === x.length && bias.length === rows, `the weight ${name}`);
  return Array.from({ length: rows }, (_, o) => x.reduce((sum, each, i) => sum + each * data[o * width + i], bias[o]));
}
/** x sigmoid(x) by linear interpolation in its table. @param {number} x */
function silu(x) {
  const place = clamp(x * 256, -4096, 4096) + 4096, i = Math.min(Math.floor(place), 8191);
  return x * ((SIGMOID[i] + (SIGMOID[i + 1] - SIGMOID[i]) * (place - i)) / 2 ** 24);
}
/** Features of a vector of numbers. @param {import("./pointillist.js").Model} model @param {ArrayLike<number>} vector @param {string} [order] */
export const vectorFeatures = (model, vector, order = undefined) => featuresOf(model, "vectors", order, (encoder) =>
  linear(model, encoder, "second", linear(model, encoder, "first", Array.from(vector, Math.fround)).map(silu)));
