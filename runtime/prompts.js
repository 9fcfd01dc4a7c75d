// Encode prompts in integers, after docs/reference/program_format.md.
//
//   sample(model, { features: promptFeatures(model, "red heart"), guidance: 3 });
//
// Words that are learned with the model need nothing else. The vector of a frozen sentence encoder is given by the caller;
// without it that part of the condition is unknown.

import { check, clamp, interpolate } from "./arithmetic.js";
import { crc32, orderOf } from "./pointillist.js";

const LIMIT = 2 ** 24;
/** 2^24 / (1 + exp(-i / 256)), i = -4096 .. 4096. */
export const SIGMOID = Float64Array.from({ length: 8193 }, (_, i) => Math.floor(2 ** 24 / (1 + Math.exp(16 - i / 256)) + 0.5));

/** Round x 2^bits to an integer of at most `limit`. @param {number} x @param {number} bits @param {number} limit */
const fixed = (x, bits, limit = LIMIT) => clamp(Math.floor(x * 2 ** bits + 0.5), -limit, limit);
/** Read a weight as float32 numbers. @param {import("./pointillist.js").Model} model @param {any} prompts @param {string} name */
export function weightOf(model, prompts, name) {
  const shape = name.endsWith("weight") || name === "position" ? [null, null] : [null], scale = prompts.weights[`${name}_scale`];
  const { data, shape: [rows, width = 1] } = model.tensor(prompts.weights[name], scale ? "I8" : "F32", shape);
  const scales = scale ? model.tensor(scale, "F32", [rows]).data : null;
  return { rows, width, data: Float64Array.from(/** @type {any} */ (data), (w, i) => Math.fround(Number(w) * Number(scales ? scales[Math.floor(i / width)] : 1))) };
}
/** Apply a linear layer to numbers in steps of 2^-18. @param {any} model @param {any} prompts @param {string} name @param {number[]} x */
function linear(model, prompts, name, x) {
  const { rows, width, data } = weightOf(model, prompts, `${name}.weight`), bias = weightOf(model, prompts, `${name}.bias`).data;
  check(width === x.length && width <= 2 ** 16 && bias.length === rows, `the weight ${name}`);
  return Array.from({ length: rows }, (_, o) => {
    const start = BigInt(fixed(bias[o], 38, 2 ** 60)) + (1n << 19n);
    const sum = x.reduce((total, each, j) => total + BigInt(fixed(data[o * width + j], 20, 2 ** 22) * clamp(each, -LIMIT, LIMIT)), start);
    return Number(sum >> 20n);
  });
}
/** @param {number} z in steps of 2^-18 */
function silu(z) {
  z = clamp(z, -LIMIT, LIMIT);
  return Math.floor((z * interpolate(SIGMOID, z, 1024) + 2 ** 23) / 2 ** 24);
}
/** Words of a text. @param {string} text @param {number} [length] @returns {string[]} */
const wordsOf = (text, length = Infinity) => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).slice(0, length);
/** Words and n-grams of their characters, each once. @param {string} text @param {number} length */
export function ngrams(text, length) {
  const words = wordsOf(text), features = new Set(words);
  for (const word of words) {
    const marked = [...`<${word}>`];
    for (const n of [3, 4, 5]) for (let i = 0; i + n <= marked.length; i++) features.add(`#${marked.slice(i, i + n).join("")}`);
  }
  return [...features].slice(0, length);
}
/** The embeddings of words and n-grams, in steps of 2^-18. @param {any} model @param {any} encoder @param {string[]} chosen */
function embeddingsOf(model, encoder, chosen) {
  const { rows, width, data } = weightOf(model, encoder, "embedding.weight"), buckets = chosen.map((each) => crc32(new TextEncoder().encode(each), 0xedb88320) % rows);
  return buckets.map((bucket) => Array.from(data.subarray(bucket * width, (bucket + 1) * width), (x) => fixed(x, 18)));
}
/** The mean of the embeddings of words and n-grams, of n independent ones as large as each. @param {any} model @param {any} encoder @param {string[]} chosen */
function meanOf(model, encoder, chosen) {
  const each = embeddingsOf(model, encoder, chosen), root = BigInt(fixed(1 / Math.sqrt(chosen.length), 20));
  return each[0].map((_, j) => Number((BigInt(each.reduce((sum, x) => sum + x[j], 0)) * root + (1n << 19n)) >> 20n));
}
/** A convolution over the numbers of words, and none below 0. @param {any} model @param {any} encoder @param {number[][]} words */
function windowsOf(model, encoder, words) {
  const size = weightOf(model, encoder, "window.weight").width, width = words[0].length, nothing = Array(Math.floor((size - width) / 2)).fill(0);
  const padded = [...nothing, ...words.flat(), ...nothing];
  return words.map((_, i) => linear(model, encoder, "window", padded.slice(i * width, i * width + size)).map((x) => Math.max(0, x)));
}
/** The maximum of a convolution over the embeddings of words. @param {any} model @param {any} encoder @param {string[]} words */
function maximumOf(model, encoder, words) {
  const each = windowsOf(model, encoder, embeddingsOf(model, encoder, words));
  return each[0].map((_, j) => each.reduce((most, x) => Math.max(most, x[j]), -Infinity));
}
/** Features of a prompt for each part of the condition that reads it, in steps of 2^-18.
 *  @param {import("./pointillist.js").Model} model @param {string} text @param {Float32Array | null} sentence vector of the
 *    frozen encoder @param {string} [order] @returns {Record<string, number[]>} */
export function promptFeatures(model, text, sentence = null, order = undefined) {
  /** @type {Record<string, number[]>} */
  const result = {};
  for (const { name, prompts, tokens } of model.parts[model.orders[orderOf(model, order).name]]) {
    if (prompts?.kind === "sentence" && sentence && text.trim()) {
      const x = Array.from(sentence, (v) => fixed(v * Math.sqrt(sentence.length), 18));
      result[name] = linear(model, prompts, "second", linear(model, prompts, "first", x).map(silu));
    } else if (prompts?.kind === "ngrams") {
      const [read, summary] = prompts.ngrams === "words" ? [wordsOf, maximumOf] : [ngrams, meanOf];
      const chosen = read(text, prompts.length);
      if (chosen.length) result[name] = linear(model, prompts, "out", summary(model, prompts, chosen));
    } else if (tokens?.kind === "words" && wordsOf(text).length) {
      const words = wordsOf(text, tokens.num_tokens), { width, data } = weightOf(model, tokens, "position"), unused = tokens.num_tokens - words.length;
      const alone = words.map((word, i) => meanOf(model, tokens, ngrams(word, tokens.length)).map((x, j) => x + fixed(data[i * width + j], 18)));
      const each = (tokens.weights["window.weight"] ? windowsOf(model, tokens, alone) : alone).flatMap((x) => linear(model, tokens, "out", x));
      const start = Array.from(weightOf(model, tokens, "start").data, (x) => fixed(x, 18));
      result[name] = [2 ** 18, ...words.map(() => 2 ** 18), ...Array(unused).fill(0), ...start, ...each, ...Array(unused * width).fill(0)];
    }
  }
  return result;
}
