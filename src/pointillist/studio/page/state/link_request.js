// Links from and to the values of the prompt panel.

import { decodeLevels, encodeArray } from "../transport/encoded_arrays.js";
import { isOfNumbers, shapeOf } from "../transport/numeric_hints.js";
import { packLevels, unpackLevels } from "./link.js";
import { noRules, switchesOf } from "./map_rules.js";
import { defaultRequest, requestOfModel } from "./request.js";

/** @typedef {import("./request.js").Request} Request */
/** @typedef {import("./link.js").Link} Link */

/**
 * Return the link of the prompt panel; a random seed is that of the active canvas.
 * @param {Request} request @param {string} model @param {Api.ModelDetails} details @param {import("../canvas/canvas_model.js").Canvas | undefined} canvas @returns {Link}
 */
export function linkOfRequest(request, model, { conditions, image }, canvas) {
  const seed = request.seed ?? (canvas?.model === model && !canvas.filled ? canvas.rng?.seed : undefined);
  const attributes = Object.entries(request.attributes).map(([name, value]) => [name, conditions.attributes[name]?.[value] ?? ""]);
  const { guidance, temperature, top_p } = request;
  const rules = switchesOf(image).map(({ key }) => key).filter((key) => request.rules?.[key]);
  const hint = conditions.hint?.image && request.hint ? packLevels(decodeLevels(request.hint.levels), conditions.hint.image.levels) : undefined;
  return {
    model, text: (conditions.text && request.text.trim()) || undefined, not: (conditions.text && request.not?.trim()) || undefined, label: request.label === null ? undefined : conditions.labels[request.label],
    attributes: attributes.length ? Object.fromEntries(attributes) : undefined, seed, n: request.count, guidance, temperature, top_p,
    order: request.order ?? undefined, size: request.size && request.size.join() !== [image.height, image.width].join() ? request.size : undefined,
    rules: rules.length ? rules : undefined, hint,
  };
}

/** Return the values of the prompt panel that a link names; others are those that suit the model. @param {Link} link @param {Api.ModelDetails} details @param {Request} before @returns {Request} */
export function requestOfLink(link, details, before) {
  const { conditions, orders } = details;
  const suited = requestOfModel(details);
  const label = link.label === undefined ? -1 : conditions.labels.indexOf(link.label);
  const attributes = Object.entries(link.attributes ?? {}).map(([name, value]) => /** @type {const} */ ([name, conditions.attributes[name]?.indexOf(value) ?? -1])).filter(([, index]) => index >= 0);
  const size = link.size && !details.fixed_size ? link.size : null;
  const rules = Object.fromEntries(switchesOf(details.image).map(({ key }) => [key, link.rules?.includes(key) ?? false]));
  return {
    ...defaultRequest(), variation: before.variation, text: (conditions.text && link.text) || "", not: (conditions.text && link.not) || "", label: label >= 0 ? label : null, attributes: Object.fromEntries(attributes),
    guidance: link.guidance ?? suited.guidance, temperature: link.temperature ?? suited.temperature, top_p: link.top_p ?? suited.top_p,
    order: link.order && orders.includes(link.order) ? link.order : null, seed: link.seed ?? null, size, count: link.n ?? 1, hint: hintOf(link.hint, details, size),
    rules: { ...noRules(), ...rules },
  };
}

/** @param {string | undefined} packed @param {Api.ModelDetails} details @param {[number, number] | null} size @returns {import("./request.js").Hint | null} */
function hintOf(packed, details, size) {
  const { hint } = details.conditions;
  if (!packed || !hint?.image || isOfNumbers(hint)) return null;
  const shape = shapeOf(hint, details, size);
  const levels = unpackLevels(packed, hint.image.levels, shape.reduce((product, side) => product * side, 1));
  if (!levels) return null;
  return { levels: encodeArray(hint.image.dtype === "uint8" ? Uint8Array.from(levels) : Uint16Array.from(levels), shape), name: "of the link" };
}
