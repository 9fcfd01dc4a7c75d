// Links from and to the canvases that are shown and the values of the prompt panel.

import { decodeArray, encodeArray } from "../transport/encoded_arrays.js";
import { hintOf as hintOfNumbers, isOfNumbers, shapeOf } from "../transport/numeric_hints.js";
import { blankCanvas, holdsAnything, settingsFrom, visibleImage } from "../canvas/canvas_model.js";
import { leftOut, packLevels, packNumbers, unpackLevels, unpackNumbers } from "./link.js";
import { rulesOf, writeRules } from "./map_rules.js";
import { conditionsOf } from "./paint_jobs.js";
import { defaultRequest, requestOfCanvas, requestOfModel } from "./request.js";

/** @typedef {import("./request.js").Request} Request */

const NO_HINT = "none"; // a link without a hint shows the first example

/** Return the link of what is shown, and what it cannot hold, in words. @param {State} state @returns {{link: Link, missing: string[]}} */
export function linkOfState({ canvases, active, request, modelId, models, details, ownDetails }) {
  const canvas = canvases[active], model = canvas && models.find(({ id, details: one }) => id === canvas.model && one?.sha256 === canvas.details.sha256);
  if (!details || !canvas || !model?.details || !holdsAnything(canvas)) {
    const link = details ? { ...linkOfRequest(request, modelId, details), ...coloursOf(details, ownDetails.get(modelId)) } : {};
    return { link, missing: leftOut(link) };
  }
  const colours = coloursOf(canvas.details, ownDetails.get(model.id) ?? model.details);
  if (!canvas.trace?.painted) {
    const link = { ...linkOfRequest({ ...request, count: 1 }, canvas.model, model.details), ...knownOf(canvas, visibleImage(canvas)), ...colours };
    return { link, missing: leftOut(link) };
  }
  const values = requestOfCanvas(canvas, model.details, { ...request, count: 1 }), compared = comparisonOf(canvases);
  const count = compared || !isSeries(canvases) ? 1 : canvases.length;
  const link = { ...linkOfRequest({ ...values, count }, canvas.model, model.details), ...colours, index: compared ? active : (canvas.rng?.index ?? 0) };
  if (compared) Object.assign(link, linkOfComparison(compared), Object.fromEntries([compared.by, compared.by2].filter((axis) => axis && axis !== "model").map((axis) => [axis, undefined])));
  if (canvas.known.includes(1) || canvas.filled) Object.assign(link, knownOf(canvas, canvas), { order: canvas.settings.order ?? undefined, fill: canvas.filled?.method ?? "paint" });
  varied(link, canvas);
  return { link, missing: leftOut(link) };
}

/** Return the link of the values of the prompt panel. @param {Request} request @param {string} model @param {Api.ModelDetails} details @returns {Link} */
function linkOfRequest(request, model, { conditions, image, generation }) {
  const attributes = Object.entries(request.attributes).map(([name, value]) => [name, conditions.attributes[name]?.[value] ?? ""]);
  const hint = conditions.hint && request.hint ? linkOfHint(request.hint.levels, conditions.hint) : { hint: conditions.hint && generation.hints.length ? NO_HINT : undefined };
  return {
    ...settingsFrom(request), rules: writeRules(request.rules, image), model, text: (conditions.text && request.text.trim()) || undefined, letters: (request.letters !== "" && request.letters === request.text.trim()) || undefined, negative_prompt: (conditions.text && request.negative_prompt?.trim()) || undefined, label: request.label === null ? undefined : conditions.labels[request.label],
    attributes: attributes.length ? Object.fromEntries(attributes) : undefined, others: Object.keys(request.others).length ? request.others : undefined, seed: request.seed ?? undefined, n: request.count,
    size: request.size && request.size.join() !== [image.height, image.width].join() ? request.size : undefined, ...linkOfComparison(request.compare), ...hint,
  };
}

/** @param {import("./request.js").Compare} compare @returns {Link} */
const linkOfComparison = ({ by, values, by2, values2 }) => (by ? { compare: by, values, ...(by2 && { compare2: by2, values2 }) } : {});

/** Return the link of a hint. @param {Api.EncodedArray} levels @param {Api.HintKind} kind @returns {Link} */
function linkOfHint(levels, kind) {
  const { image, channels } = kind, numbers = decodeArray(levels), size = numbers.length / channels, first = Array.from({ length: channels }, (_, c) => numbers[c * size]);
  if (isOfNumbers(kind) && numbers.every((number, i) => number === first[Math.floor(i / size)])) return { numbers: first.map(shortest) };
  return { hint: image ? packLevels(numbers, image.levels) : packNumbers(numbers) };
}

/** Return the shortest number that is the same as float32. @param {number} number */
const shortest = (number) => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digits) => Number(number.toPrecision(digits))).find((rounded) => Math.fround(rounded) === number) ?? number;

/** Say which part of a link an exported page of the model, which has no sentence encoder and few fields, may read otherwise. @param {Link} link @param {Api.ModelDetails} details */
export function readOtherwise({ text, letters, others = {} }, { conditions, generation: { prompts, recognised } }) {
  const unknown = Object.keys(others).filter((name) => name !== "vector"), spelled = conditions.text?.encoder && text && !letters && ![...prompts, ...recognised].includes(text);
  const parts = [spelled && `reads “${text}” by its letters`, unknown.length && `has no field for ${unknown.join(" and ")}`].filter(Boolean);
  return parts.length ? ` in a studio. An exported page may paint another one: it ${parts.join(" and ")}` : "";
}

/** Return the colours in which images are shown, where they are others than the model's. @param {Api.ModelDetails} shown @param {Api.ModelDetails} [own] @returns {Link} */
function coloursOf({ image: { palette } }, own) {
  if (!palette || !own || JSON.stringify(palette) === JSON.stringify(own.image.palette)) return {};
  return { palette: palette.map(([r, g, b]) => ((r << 16) | (g << 8) | b).toString(16).padStart(6, "0")).join("") };
}

/** Return the palette that a link names, with the transparency of the model's; null for the model's. @param {Link} link @param {Api.ModelDetails} own @returns {[number, number, number, number][] | null} */
export function paletteOfLink({ palette }, { image }) {
  if (!palette || palette.length !== 6 * (image.palette?.length ?? 0)) return null;
  return (image.palette ?? []).map(([, , , alpha], i) => {
    const colour = parseInt(palette.slice(6 * i, 6 * i + 6), 16);
    return [colour >> 16, (colour >> 8) & 255, colour & 255, alpha];
  });
}

/** Return true if canvases are the images of one seed, in their order: what paints them differs in the index alone. @param {Canvas[]} canvases */
function isSeries(canvases) {
  const key = (/** @type {Canvas} */ { model, conditions, settings, variation, rng, levels, known, filled }) =>
    JSON.stringify([model, conditions, settings, variation, rng?.seed, filled, known.includes(1) && [Array.from(known), Array.from(levels)]]);
  const same = key(canvases[0]), first = canvases[0].variation ? 1 : 0;
  return canvases.every((canvas, i) => canvas.trace?.painted && !canvas.filled && canvas.rng?.index === first + i && key(canvas) === same);
}

/** Return the comparison that all canvases are part of, or null. @param {Canvas[]} canvases */
function comparisonOf(canvases) {
  const [{ compared }] = canvases, same = JSON.stringify(compared);
  return compared && canvases.every((canvas) => canvas.trace?.painted && JSON.stringify(canvas.compared) === same) ? compared : null;
}

/** Return known levels, and the levels that a fill may use. @param {Canvas} canvas @param {CanvasImage} image @returns {Link} */
function knownOf({ details: { image: { levels: count } }, allowed, height, width, details }, { levels, known }) {
  const regions = allowed.map(({ region, levels: allowedLevels }) => ({ levels: allowedLevels, region: packLevels(region, 2) }));
  const size = /** @type {[number, number]} */ ([height, width]);
  return {
    known: packLevels(Array.from(levels, (level, i) => (known[i % known.length] ? level + 1 : 0)), count + 1),
    ...(regions.length && { allow: regions }), ...(size.join() !== [details.image.height, details.image.width].join() && { size }),
  };
}

/** Add the image that was varied. @param {Link} link @param {Canvas} canvas */
function varied(link, { variation, conditions, details }) {
  if (!variation) return;
  const { strength, kind = "interpolate", seed = 0, index = 0, levels, conditions: of = {} } = variation;
  link.vary = { strength, kind, seed, ...(levels ? null : { index }) };
  if (!levels) return;
  link.origin = packLevels(decodeArray(levels), details.image.levels);
  const plain = (/** @type {Api.ConditionValues} */ one) => JSON.stringify(Object.entries(one).filter(([, value]) => value !== null && value !== undefined).sort());
  if (plain(of) !== plain(conditions)) link.of = JSON.stringify(of);
}

/** Return the values of the prompt panel that a link names; others are those that suit the model. @param {Link} link @param {Api.ModelDetails} details @param {Request} before @returns {Request} */
export function requestOfLink(link, details, before) {
  const { conditions, orders } = details;
  const suited = requestOfModel(details);
  const label = link.label === undefined ? -1 : conditions.labels.indexOf(link.label);
  const attributes = Object.entries(link.attributes ?? {}).map(([name, value]) => /** @type {const} */ ([name, conditions.attributes[name]?.indexOf(value) ?? -1])).filter(([, index]) => index >= 0);
  const size = link.size && !details.fixed_size ? link.size : null;
  const on = link.rules?.split(",") ?? [], switches = { walls: on.includes("walls"), stairs: on.includes("stairs"), reachable: on.includes("reachable") };
  const { compare: by = "", values = "", compare2: by2 = "", values2 = "" } = link;
  const variation = link.vary ? { strength: link.vary.strength, kind: link.vary.kind } : before.variation;
  return {
    ...defaultRequest(), ...settingsFrom({ ...suited, ...link, rules: details.image.level_names && (objectOf(link.rules) ?? rulesOf(switches, details.image)) }), variation, text: (conditions.text && link.text) || "", letters: link.letters ? (link.text?.trim() ?? "") : "", negative_prompt: (conditions.text && link.negative_prompt) || null, label: label >= 0 ? label : null, attributes: Object.fromEntries(attributes),
    others: Object.fromEntries(Object.entries(link.others ?? {}).filter(([name]) => name in conditions.others)),
    order: link.order && orders.includes(link.order) ? link.order : null, seed: link.seed ?? null, size, count: link.n ?? 1, hint: hintOf(link, details, size), compare: by ? /** @type {Request["compare"]} */ ({ by, values, by2, values2: by2 && values2 }) : defaultRequest().compare,
  };
}

/** Return the canvas that a link holds, partly known; null if it holds none. @param {Link} link @param {string} model @param {Api.ModelDetails} details @returns {Canvas | null} */
export function canvasOfLink(link, model, details) {
  const { image } = details, blank = blankCanvas(model, details, link.size), size = blank.known.length;
  const values = link.known && unpackLevels(link.known, image.levels + 1, blank.levels.length);
  if (!values) return null;
  const allowed = (link.allow ?? []).flatMap(({ levels, region }) => {
    const packed = unpackLevels(region, 2, size);
    return packed ? [{ levels, region: Uint8Array.from(packed) }] : [];
  });
  values.forEach((value, i) => (blank.levels[i] = Math.max(0, value - 1)));
  return { ...blank, allowed, known: Uint8Array.from({ length: size }, (_, pixel) => Number(values[pixel] > 0)) };
}

/** Return the variation that a link names, or null. @param {Link} link @param {Request} request @param {Api.ModelDetails} details @returns {Api.Variation | null} */
export function variationOfLink({ vary, origin, of: text }, request, { image, conditions }) {
  if (!vary) return null;
  const { strength, kind, seed, index } = vary, shape = [image.channels, ...(request.size ?? [image.height, image.width])];
  if (index !== undefined) return { strength, kind, seed, index };
  const values = origin && unpackLevels(origin, image.levels, shape.reduce((product, side) => product * side, 1));
  if (!values) return null;
  const levels = encodeArray(image.dtype === "uint8" ? Uint8Array.from(values) : Uint16Array.from(values), shape), of = objectOf(text);
  return text && !of ? null : { strength, kind, levels, conditions: of ?? conditionsOf(request, conditions) };
}

/** Read an object of JSON; null if it is none, such as one that a mail program cut. @param {string | undefined} text @returns {any} */
function objectOf(text) {
  try {
    const value = JSON.parse(text ?? "");
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** @param {Link} link @param {Api.ModelDetails} details @param {[number, number] | null} size @returns {import("./request.js").Hint | null} */
function hintOf({ hint: packed, numbers }, details, size) {
  const { hint } = details.conditions;
  if (numbers && hint) return hintOfTyped(numbers, hint, shapeOf(hint, details, size));
  if (packed === undefined && hint) return details.generation.hints[0] ?? null;
  if (!packed || packed === NO_HINT || !hint) return null;
  const shape = shapeOf(hint, details, size), count = shape.reduce((product, side) => product * side, 1);
  const values = hint.image ? unpackLevels(packed, hint.image.levels, count) : unpackNumbers(packed, count);
  return values && { levels: hintOfNumbers(values, hint, shape), name: "of the link" };
}

/** Return a hint of the numbers that were typed; null if they are not as many as its channels. @param {number[]} values @param {Api.HintKind} hint @param {number[]} shape @returns {import("./request.js").Hint | null} */
function hintOfTyped(values, hint, shape) {
  const { image } = hint, isCode = (/** @type {number} */ value) => !image || (Number.isInteger(value) && value >= 0 && value < image.levels);
  return isOfNumbers(hint) && values.length === hint.channels && values.every(isCode) ? { levels: hintOfNumbers(values, hint, shape), name: "", text: values.join(", ") } : null;
}
