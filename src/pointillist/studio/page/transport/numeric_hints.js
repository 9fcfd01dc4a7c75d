// Numeric hints: numbers that are typed, or read from a text or NumPy file.

import { RequestError } from "./api.js";
import { encodeArray } from "./encoded_arrays.js";

/** @typedef {{values: number[], shape: number[] | null}} Numbers `shape` if the file has one */

const KINDS = {
  "<f4": Float32Array, "<f8": Float64Array, "<i2": Int16Array, "<i4": Int32Array, "<i8": BigInt64Array, "<u2": Uint16Array, "<u4": Uint32Array,
  "|i1": Int8Array, "|u1": Uint8Array, "|b1": Uint8Array,
};
const NPY = "The array cannot be read: save it with `numpy.save`, as numbers in C order.";

/** @param {string} sentence */
const invalid = (sentence) => new RequestError({ error: sentence, code: "invalid" }, 0);

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

/** @param {File} file @returns {Promise<Numbers>} */
export async function readNumbers(file) {
  if (file.name.endsWith(".npy")) return readNpy(await file.arrayBuffer());
  const values = numbersIn(await file.text());
  if (!values?.length) throw invalid("The file must hold numbers and nothing else, as text or as a `.npy` array.");
  return { values, shape: null };
}

/** Read an array saved by `numpy.save`. @param {ArrayBuffer} buffer @returns {Numbers} */
function readNpy(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 12 || view.getUint32(0) !== 0x934e554d) throw invalid(NPY);
  const [start, length] = view.getUint8(6) > 1 ? [12, view.getUint32(8, true)] : [10, view.getUint16(8, true)];
  const header = new TextDecoder("latin1").decode(buffer.slice(start, start + length));
  const Kind = KINDS[/** @type {keyof typeof KINDS} */ (header.match(/'descr': '([^']+)'/)?.[1])];
  const shape = header.match(/'shape': \(([\d, ]*)\)/)?.[1].split(",").filter((side) => side.trim()).map(Number);
  const bytes = buffer.slice(start + length);
  if (!Kind || !shape || header.includes("'fortran_order': True") || bytes.byteLength % Kind.BYTES_PER_ELEMENT) throw invalid(NPY);
  return { values: Array.from(new Kind(bytes), Number), shape };
}

/**
 * Encode numbers as a hint: one for each channel, the same at every position, or all of them.
 * @param {Numbers} numbers @param {Api.HintKind} hint @param {number[]} shapeOfHint its shape
 * @returns {Api.EncodedArray}
 */
export function hintOf({ values, shape }, hint, shapeOfHint) {
  const [channels, height, width] = shapeOfHint;
  const size = height * width;
  const fits = values.length === channels * size && (!shape || shape.slice(-2).join() === [height, width].join());
  if (!fits && values.length !== channels)
    throw invalid(`${shape ? `An array of shape [${shape.join(", ")}] is` : `${values.length} numbers are`} not a hint of this model: it expects ${channels}, one for each channel, or ${channels} × ${height} × ${width}.`);
  const all = fits ? values : values.flatMap((value) => Array(size).fill(value));
  const { image } = hint;
  if (image && !all.every((level) => Number.isInteger(level) && level >= 0 && level < image.levels))
    throw invalid(`The hint must hold codes: whole numbers from 0 to ${image.levels - 1}.`);
  const Kind = !image ? Float32Array : image.dtype === "uint8" ? Uint8Array : Uint16Array;
  return encodeArray(new Kind(all), shapeOfHint);
}
