// Manifests of sampled and of filled images: one for each image, and what an image of it was painted from.

import { decodeArray } from "./encoded_arrays.js";
import { RequestError } from "./api.js";

/** @typedef {{seed: number, index: number}} Rng */

/** Return the manifest of one image of several. @param {Api.SampleManifest} manifest @param {number} i @returns {Api.SampleManifest} */
export function manifestOf(manifest, i) {
  const { request, sha256 } = manifest;
  const one = "samples" in request ? { ...request, samples: [request.samples[i]] } : { ...request, pick: request.pick ?? i };
  return { ...manifest, request: one, sha256: [sha256[i]] };
}

/**
 * Return random numbers, conditions and known pixels of an image.
 * @param {Api.SampleManifest} manifest @param {number} i
 * @returns {{rng: Rng, conditions: Api.ConditionValues, variation: Api.Variation | null, known: Uint8Array | null}}
 */
export function originOf({ request }, i) {
  const known = request.start ? Uint8Array.from(decodeArray(request.start.known)) : null;
  if (!("samples" in request)) return { rng: { seed: request.seed ?? 0, index: request.pick ?? i }, conditions: request.conditions ?? {}, variation: null, known };
  const { seed, index, conditions, variation } = request.samples[i];
  return { rng: { seed: seed ?? 0, index: index ?? 0 }, conditions: conditions ?? {}, variation: variation ?? null, known };
}

/** Return true if two images are one: of the same model, manifest and pixels. @param {Canvas} a @param {Canvas} b */
export function isSamePainting(a, b) {
  const [one, other] = [a.trace, b.trace];
  if (!one?.painted || !one.manifest || !other?.painted || !other.manifest || one.painted.sha256 !== other.painted.sha256 || a.details.sha256 !== b.details.sha256) return false;
  const plain = (/** @type {Api.SampleManifest} */ { request }) => JSON.stringify({ ...request, distributions: false });
  return plain(one.manifest) === plain(other.manifest);
}

/** @param {string} text @returns {Api.SampleManifest} */
export function parseManifest(text) {
  try {
    const manifest = JSON.parse(text);
    const { format, model, request, sha256 } = manifest;
    if (format === "pointillist-manifest" && typeof model.sha256 === "string" && (Array.isArray(request.samples) || request.start) && Array.isArray(sha256)) return manifest;
  } catch {
    // reported below
  }
  throw new RequestError({ error: "The file is not a manifest: choose a manifest, or a PNG, that the studio saved.", code: "invalid" }, 0);
}

/** Return the text of a PNG file under a keyword; null if it has none, or is not a PNG. @param {Blob} file @param {string} keyword */
export async function pngText(file, keyword) {
  const buffer = await file.arrayBuffer();
  const view = new DataView(buffer);
  if (buffer.byteLength < 20 || view.getUint32(0) !== 0x89504e47) return null;
  const latin = new TextDecoder("latin1");
  for (let at = 8; at + 12 <= buffer.byteLength; ) {
    const length = view.getUint32(at);
    const kind = latin.decode(buffer.slice(at + 4, at + 8));
    if (kind === "tEXt") {
      const [name, ...text] = latin.decode(buffer.slice(at + 8, at + 8 + length)).split("\0");
      if (name === keyword) return text.join("\0");
    }
    at += 12 + length;
  }
  return null;
}
