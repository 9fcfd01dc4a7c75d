// Numeric hints: numbers that are typed, or come by a link.

import { encodeArray } from "./encoded_arrays.js";

/** Return true if a hint is not a picture. @param {Api.HintKind} hint */
export const isOfNumbers = (hint) => !hint.image || hint.image.mode === "codes";

/** Return channels, height and width of a hint. @param {Api.HintKind} hint @param {Api.ModelDetails} details @param {[number, number] | null} size of the request */
export function shapeOf(hint, details, size) {
  const { height, width } = hint.image ?? details.image;
  return [hint.channels, ...(hint.image ? [height, width] : size ?? [height, width])];
}

/** Parse numbers between commas, spaces or lines; return null if there is anything else. @param {string} text */
export function numbersIn(text) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  return numbers.every(Number.isFinite) ? numbers : null;
}

/**
 * Encode numbers as a hint: one for each channel, the same at every position, or all of them.
 * @param {number[]} values @param {Api.HintKind} hint @param {number[]} shapeOfHint its shape
 * @returns {Api.EncodedArray}
 */
export function hintOf(values, hint, shapeOfHint) {
  const [channels, height, width] = shapeOfHint;
  const size = height * width;
  const fits = values.length === channels * size;
  if (!fits && values.length !== channels)
    throw new Error(`${values.length} numbers are not a hint of this model: it expects ${channels}, one for each channel, or ${channels} × ${height} × ${width}.`);
  const all = fits ? values : values.flatMap((value) => Array(size).fill(value));
  const { image } = hint;
  if (image && !all.every((level) => Number.isInteger(level) && level >= 0 && level < image.levels))
    throw new Error(`The hint must hold codes: whole numbers from 0 to ${image.levels - 1}.`);
  const Kind = !image ? Float32Array : image.dtype === "uint8" ? Uint8Array : Uint16Array;
  return encodeArray(new Kind(all), shapeOfHint);
}
