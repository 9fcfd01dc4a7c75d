// A hint that is no picture: numbers that are typed, or come in a file of text or of NumPy.

import { Fault } from "./api.js";
import { pack } from "./arrays.js";

/** @typedef {{values: number[], shape: number[] | null}} Numbers `shape` where the file says it */

const KINDS = {
  "<f4": Float32Array, "<f8": Float64Array, "<i2": Int16Array, "<i4": Int32Array, "<i8": BigInt64Array, "<u2": Uint16Array, "<u4": Uint32Array,
  "|i1": Int8Array, "|u1": Uint8Array, "|b1": Uint8Array,
};
const NPY = "This is no array that can be read here: save it with `numpy.save`, as numbers in C order.";

/** @param {string} sentence */
const refused = (sentence) => new Fault({ error: sentence, code: "invalid" }, 0);

/** Whether a hint cannot be told by a picture. @param {Api.HintKind} hint */
export const isOfNumbers = (hint) => !hint.image || hint.image.mode === "codes";

/** Channels, height and width of a hint. @param {Api.HintKind} hint @param {Api.Details} details @param {[number, number] | null} size that is asked for */
export function shapeOf(hint, details, size) {
  const { height, width } = hint.image ?? details.image;
  return [hint.channels, ...(hint.image ? [height, width] : size ?? [height, width])];
}

/** Numbers between commas, spaces or lines; null if something else is among them. @param {string} text */
export function numbersIn(text) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  return numbers.every(Number.isFinite) ? numbers : null;
}

/** @param {File} file @returns {Promise<Numbers>} */
export async function readNumbers(file) {
  if (file.name.endsWith(".npy")) return readNpy(await file.arrayBuffer());
  const values = numbersIn(await file.text());
  if (!values?.length) throw refused("The file must hold numbers and nothing else: as text, or as an array in `.npy`.");
  return { values, shape: null };
}

/** An array as `numpy.save` writes it. @param {ArrayBuffer} buffer @returns {Numbers} */
function readNpy(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 12 || view.getUint32(0) !== 0x934e554d) throw refused(NPY);
  const [start, length] = view.getUint8(6) > 1 ? [12, view.getUint32(8, true)] : [10, view.getUint16(8, true)];
  const header = new TextDecoder("latin1").decode(buffer.slice(start, start + length));
  const Kind = KINDS[/** @type {keyof typeof KINDS} */ (header.match(/'descr': '([^']+)'/)?.[1])];
  const shape = header.match(/'shape': \(([\d, ]*)\)/)?.[1].split(",").filter((side) => side.trim()).map(Number);
  const bytes = buffer.slice(start + length);
  if (!Kind || !shape || header.includes("'fortran_order': True") || bytes.byteLength % Kind.BYTES_PER_ELEMENT) throw refused(NPY);
  return { values: Array.from(new Kind(bytes), Number), shape };
}

/**
 * Numbers as a hint: one for each channel, the same everywhere, or all of them.
 * @param {Numbers} numbers @param {Api.HintKind} hint @param {number[]} wanted its shape
 * @returns {Api.Packed}
 */
export function hintOf({ values, shape }, hint, wanted) {
  const [channels, height, width] = wanted;
  const size = height * width;
  const fits = values.length === channels * size && (!shape || shape.slice(-2).join() === [height, width].join());
  if (!fits && values.length !== channels)
    throw refused(`${shape ? `An array of shape [${shape.join(", ")}] is` : `${values.length} numbers are`} not a hint of this model: it wants ${channels}, one for each channel, or ${channels} × ${height} × ${width}.`);
  const all = fits ? values : values.flatMap((value) => Array(size).fill(value));
  const { image } = hint;
  if (image && !all.every((level) => Number.isInteger(level) && level >= 0 && level < image.levels))
    throw refused(`The hint must hold codes: whole numbers from 0 to ${image.levels - 1}.`);
  const Kind = !image ? Float32Array : image.dtype === "uint8" ? Uint8Array : Uint16Array;
  return pack(new Kind(all), wanted);
}
