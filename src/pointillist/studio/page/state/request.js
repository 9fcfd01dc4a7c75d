// The values of the prompt panel.

import { noRules, switchesOfRules } from "./map_rules.js";
import { NO_COMPARISON, textsOf } from "./paint_jobs.js";

/**
 * @typedef {object} Request the values of the prompt panel
 * @property {number | null} label @property {string} text
 * @property {Record<string, number>} attributes @property {Record<string, string>} others text of each further condition @property {Hint | null} hint
 * @property {number} guidance @property {number} temperature @property {number} top_p @property {string | null} order
 * @property {number | null} seed @property {[number, number] | null} size @property {number} count
 * @property {string} letters the prompt that is read by its letters alone, as an exported page did
 * @property {string} not negative prompt @property {import("./map_rules.js").RuleSwitches} rules @property {Api.MapRules | null} declared rules beyond the switches, in their place
 * @property {number} bestOf candidates of each image @property {"" | "x" | "y" | "both"} seamless sides at which images tile
 * @property {Compare} compare @property {VariationChoice} variation
 */
/** @typedef {{levels: Api.EncodedArray, name: string, text?: string}} Hint `text`: what the user typed */
/** @typedef {"" | "label" | "text" | "guidance" | "temperature" | "top_p" | "model"} Axis */
/** @typedef {{by: Axis, values: string, by2: Axis, values2: string}} Compare rows, and columns of a grid */
/** @typedef {{strength: number, kind: "interpolate" | "replace" | "regions"}} VariationChoice */

/** @returns {Request} */
export const defaultRequest = () => ({
  label: null, text: "", attributes: {}, others: {}, hint: null, guidance: 1, temperature: 1, top_p: 1, order: null,
  letters: "", not: "", bestOf: 1, seamless: "", rules: noRules(), declared: null, seed: null, size: null, count: 1, compare: NO_COMPARISON, variation: { strength: 0.3, kind: "interpolate" },
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
  const { guidance, temperature, top_p, order } = settings, switches = switchesOfRules(settings.rules, image);
  return {
    ...before, rules: switches ?? noRules(), declared: switches ? null : (settings.rules ?? null), bestOf: settings.best_of ?? 1, seamless: settings.seamless ?? "", not: settings.negative_prompt ?? "", guidance, temperature, top_p, label: label ?? null, text: conditions.text ?? "", letters: conditions.letters ? (conditions.text ?? "") : "", attributes: Object.fromEntries(attributes), others: textsOf(conditions.others),
    hint: conditions.hint ? { levels: conditions.hint, name: "of the image" } : null, order: order === orders[0] ? null : order,
    seed: rng?.seed ?? before.seed, size: height === image.height && width === image.width ? null : [height, width], compare: NO_COMPARISON,
    count: rng && rng.index >= before.count ? (COUNTS.find((count) => count > rng.index) ?? 1) : before.count,
  };
}
