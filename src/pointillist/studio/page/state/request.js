// The values of the prompt panel.

import { settingsFrom } from "../canvas/canvas_model.js";
import { SETTINGS } from "../request_fields.js";
import { NO_COMPARISON, textsOf } from "./paint_jobs.js";

/** @typedef {import("../request_fields.js").Settings & Conditions} Request the values of the prompt panel */
/**
 * @typedef {object} Conditions and how many images
 * @property {number | null} label @property {string} text
 * @property {Record<string, number>} attributes @property {Record<string, string>} others text of each further condition @property {Hint | null} hint
 * @property {number | null} seed @property {[number, number] | null} size @property {number} count
 * @property {string} letters the prompt that is read by its letters alone, as an exported page did
 * @property {Compare} compare @property {VariationChoice} variation
 */
/** @typedef {{levels: Api.EncodedArray, name: string, text?: string}} Hint `text`: what the user typed */
/** @typedef {"" | "label" | "text" | "guidance" | "temperature" | "top_p" | "model"} Axis */
/** @typedef {{by: Axis, values: string, by2: Axis, values2: string}} Compare rows, and columns of a grid */
/** @typedef {{strength: number, kind: "interpolate" | "replace" | "regions"}} VariationChoice */

/** @returns {Request} */
export const defaultRequest = () => ({
  ...SETTINGS, label: null, text: "", letters: "", attributes: {}, others: {}, hint: null,
  seed: null, size: null, count: 1, compare: NO_COMPARISON, variation: { strength: 0.3, kind: "interpolate" },
});

/** Return the request that shows what a model can do: the settings that suit it, and its first example. @param {Api.ModelDetails} details @returns {Request} */
export function requestOfModel({ generation: { guidance, temperature, top_p, prompts, hints }, conditions }) {
  return { ...defaultRequest(), guidance, temperature, top_p, text: (conditions.text && prompts[0]) || "", hint: hints[0] ?? null };
}

export const COUNTS = [1, 2, 4, 9, 16]; // of canvases

/**
 * Return the request that paints a canvas again.
 * @param {Canvas} canvas @param {Api.ModelDetails} details of its model @param {Request} before whose other values are kept
 * @returns {Request}
 */
export function requestOfCanvas({ conditions, settings, rng, height, width }, { image, orders, conditions: supported }, before) {
  const label = typeof conditions.label === "string" ? supported.labels.indexOf(conditions.label) : conditions.label;
  const attributes = Object.entries(conditions.attributes ?? {}).map(([name, value]) => [name, typeof value === "string" ? supported.attributes[name]?.indexOf(value) : value]);
  return {
    ...before, ...settingsFrom(settings), label: label ?? null, text: conditions.text ?? "", letters: conditions.letters ? (conditions.text ?? "") : "", attributes: Object.fromEntries(attributes), others: textsOf(conditions.others),
    hint: conditions.hint ? { levels: conditions.hint, name: "of the image" } : null, order: settings.order === orders[0] ? null : settings.order,
    seed: rng?.seed ?? before.seed, size: height === image.height && width === image.width ? null : [height, width], compare: NO_COMPARISON,
    count: rng && rng.index >= before.count ? (COUNTS.find((count) => count > rng.index) ?? 1) : before.count,
  };
}
