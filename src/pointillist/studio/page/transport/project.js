// A project: images of the gallery with their names and settings, and what was changed in endless maps, in one file that the studio opens again.

import { blankCanvas, settingsFrom, traceImage, visibleImage } from "../canvas/canvas_model.js";
import { RequestError } from "./api.js";
import { decodeArray, encodeArray, sha256Of } from "./encoded_arrays.js";
import { originOf, parseManifest } from "./manifests.js";

/** @typedef {{canvas: Canvas, name: string, favourite: boolean}} Entry */

const FORMAT = "pointillist-project";
const LONGEST_NAME = 100;

/** Write images and changed maps as the text of a project. @param {GalleryItem[]} items @param {import("../state/map_edits.js").EditedMap[]} maps */
export function writeProject(items, maps) {
  const images = items.map(({ canvas, name, favourite }) => {
    const { levels, known } = visibleImage(canvas);
    const { height, width, conditions, settings, rng, details } = canvas;
    return {
      name, favourite, model: { name: canvas.model, sha256: details.sha256 }, conditions, settings, rng,
      levels: encodeArray(levels, [details.image.channels, height, width]), known: encodeArray(Uint8Array.from(known), [height, width]), manifest: canvas.trace?.manifest ?? null,
    };
  });
  return JSON.stringify({ format: FORMAT, version: "1", images, maps });
}

/** Return the images and the changed maps of a project; null if the text is none. @param {string} text @returns {{images: any[], maps: any[]} | null} */
export function partsOf(text) {
  try {
    const { format, images, maps = [] } = JSON.parse(text);
    return format === FORMAT && Array.isArray(images) && Array.isArray(maps) ? { images, maps } : null;
  } catch {
    return null;
  }
}

/**
 * Read an image of a project.
 * @param {any} image @param {State} state @param {import("./api.js").Server} server @returns {Promise<Entry>}
 * @throws {Error} if its model is not open, or it does not fit it
 */
export async function readImage(image, state, server) {
  const model = state.models.find(({ details }) => details?.sha256 === image?.model?.sha256);
  if (!model?.details) throw new Error(`${image?.model?.name ?? "A model"} is not open here`);
  const { details } = model;
  const { channels, levels: count } = details.image;
  const [, height, width] = image.levels.shape;
  const levels = decodeArray(image.levels), known = Uint8Array.from(decodeArray(image.known));
  const fits = levels.length === channels * height * width && known.length === height * width && levels.every((level) => level < count) && known.every((one) => one < 2);
  if (!fits) throw new Error("An image does not fit its model");
  const settings = settingsFrom(image.settings);
  const plain = { ...blankCanvas(model.id, details, [height, width]), levels, known, conditions: image.conditions ?? {}, settings };
  const entry = { canvas: plain, name: String(image.name).slice(0, LONGEST_NAME), favourite: Boolean(image.favourite) };
  if (!image.manifest) return entry;
  const manifest = parseManifest(JSON.stringify(image.manifest));
  if (manifest.sha256[0] !== (await sha256Of(levels))) throw new RequestError({ error: "An image is not the image of its manifest", code: "invalid" }, 0);
  const { rng, conditions, variation, known: before } = originOf(manifest, 0);
  const maps = await server.ask(model.id, "score", { levels: image.levels, conditions, order: settings.order });
  const parts = traceImage(details, levels, maps, before);
  Object.assign(parts.trace, { manifest, painted: { levels: image.levels, bits: maps.bits, bits_per_dim: maps.bits_per_dim, sha256: manifest.sha256[0] } });
  return { ...entry, canvas: { ...plain, ...parts, conditions, variation, rng } };
}
