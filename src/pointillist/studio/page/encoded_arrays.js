// Arrays as the server sends them: see `Packed` in docs/studio_api.md.

const KINDS = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const CHUNK = 0x8000; // as many arguments as every browser passes to a function

/** @typedef {Uint8Array | Uint16Array} Levels */

/** The numbers of an array. @param {Api.Packed} packed */
export function unpack(packed) {
  const letters = atob(packed.data);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new KINDS[packed.dtype](bytes.buffer);
}

/** Levels of an image. @param {Api.Packed} packed @returns {Levels} */
export function unpackLevels(packed) {
  return /** @type {Levels} */ (unpack(packed));
}

/** A map of bits. @param {Api.Packed} packed @returns {Float32Array} */
export function unpackFloats(packed) {
  return /** @type {Float32Array} */ (unpack(packed));
}

/**
 * An array as it is sent.
 * @param {Levels | Float32Array} array @param {number[]} shape
 * @returns {Api.Packed}
 */
export function pack(array, shape) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  const dtype = array instanceof Uint8Array ? "uint8" : array instanceof Uint16Array ? "uint16" : "float32";
  return { dtype, shape, data: btoa(text) };
}

/** So many zeros, of the kind in which levels of a model are sent. @param {Api.ImageKind} image @param {number} count */
export function blankLevels(image, count) {
  return image.dtype === "uint8" ? new Uint8Array(count) : new Uint16Array(count);
}
