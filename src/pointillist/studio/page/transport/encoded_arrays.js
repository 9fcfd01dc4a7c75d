// Encoding and decoding of arrays: see `EncodedArray` in docs/reference/studio_api.md.

import { bytesOf } from "../shared/bytes.js";

const KINDS = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const CHUNK = 0x8000; // arguments that every browser can pass to a function

/** @typedef {Uint8Array | Uint16Array} Levels */

/** Decode an array: levels, or floats. @template {Levels | Float32Array} [T=Levels] @param {Api.EncodedArray} encoded @returns {T} */
export const decodeArray = ({ data, dtype }) => /** @type {any} */ (new KINDS[dtype](bytesOf(data).buffer));

/** Hash levels as the server does. @param {Levels} levels */
export async function sha256Of(levels) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {BufferSource} */ (levels)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Encode an array. @param {Levels | Float32Array} array @param {number[]} shape @returns {Api.EncodedArray} */
export function encodeArray(array, shape) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  const dtype = array instanceof Uint8Array ? "uint8" : array instanceof Uint16Array ? "uint16" : "float32";
  return { dtype, shape, data: btoa(text) };
}

/** Make an array of zeros of the type of a model's levels. @param {Api.ImageKind} image @param {number} count */
export function blankLevels(image, count) {
  return image.dtype === "uint8" ? new Uint8Array(count) : new Uint16Array(count);
}
