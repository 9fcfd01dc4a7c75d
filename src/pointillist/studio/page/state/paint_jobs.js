// Paint jobs for the prompt panel's request: one for each model and setting, all with the same random numbers.

import { inOneDirection } from "../shared/dom.js";
import { settingsFrom } from "../canvas/canvas_model.js";
import { SWITCHES, switchesOfRules } from "./map_rules.js";

/** @typedef {import("./request.js").Request} Request */
/** @typedef {{conditions: Api.ConditionValues, index: number, caption: string, place: number, variation: Api.Variation | null}} CanvasSpec `place`: among all canvases */
/** @typedef {{model: Api.ModelInfo, settings: Settings, canvases: CanvasSpec[], compared: Compare | null}} Job a request to the server */

/** @type {Compare} */
export const NO_COMPARISON = { by: "", values: "", by2: "", values2: "" };

export const MAX_COMPARED = 8; // values
export const MAX_CANVASES = 36;
const MAX_SAMPLES = 16; // of one request
const EXAMPLES = 6; // to begin a comparison with, so that a grid of two has a place for each

/**
 * Return the conditions of a request. Unsupported conditions are left out, so that models can be compared.
 * @param {Request} request @param {Api.SupportedConditions} supported
 * @returns {Api.ConditionValues}
 */
export function conditionsOf(request, supported) {
  /** @type {Api.ConditionValues} */
  const conditions = {};
  if (request.label !== null && request.label < supported.labels.length) conditions.label = request.label;
  if (request.text.trim() && supported.text) conditions.text = request.text.trim();
  if (conditions.text && conditions.text === request.letters) conditions.letters = true;
  const attributes = Object.entries(request.attributes).filter(([name]) => name in supported.attributes);
  if (attributes.length) conditions.attributes = Object.fromEntries(attributes);
  const others = Object.entries(request.others).filter(([name, text]) => name in supported.others && text.trim());
  if (others.length) conditions.others = Object.fromEntries(others.map(([name, text]) => [name, valueOf(text.trim())]));
  if (request.hint && supported.hint) conditions.hint = request.hint.levels;
  return conditions;
}

/** Read a value that was typed: JSON, numbers with commas, or else text. @param {string} text @returns {any} */
function valueOf(text) {
  for (const form of [text, `[${text}]`]) {
    try {
      return JSON.parse(form);
    } catch {
      // another form
    }
  }
  return text;
}

/** Write values as `valueOf` reads them. @param {Record<string, any> | undefined} values @returns {Record<string, string>} */
export const textsOf = (values) => Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, Array.isArray(value) ? JSON.stringify(value).slice(1, -1).replaceAll(",", ", ") : typeof value === "string" ? value : JSON.stringify(value)]));

/** @param {Request} request @param {Api.ModelDetails} details @returns {Settings} */
function settingsOf(request, { conditions, image }) {
  const rules = image.level_names && request.rules, negative = conditions.text && request.negative_prompt?.trim();
  return { ...settingsFrom(request), negative_prompt: negative || null, rules, seamless: rules ? null : request.seamless };
}

/**
 * List the jobs of a request, one for each model and setting.
 * @param {Request} request @param {Api.ModelInfo} selected @param {Api.ModelInfo[]} models that can be compared
 * @returns {{jobs: Job[], columns: number | null}} `columns` of a grid of two comparisons
 * @throws {Error} if a value to compare is not valid, in a sentence
 */
export function createJobs(request, selected, models) {
  const { by, values, by2, values2 } = request.compare;
  /** @type {Option[]} */
  const rows = by ? optionsOf(by, values, selected, models) : Array.from({ length: request.count }, (_, index) => ({ index, caption: "" }));
  /** @type {Option[]} */
  const columns = by && by2 && by2 !== by ? optionsOf(by2, values2, selected, models) : [{ caption: "" }];
  if (rows.length * columns.length > MAX_CANVASES) throw new Error(`${rows.length} × ${columns.length} canvases are more than ${MAX_CANVASES}: compare fewer values.`);
  /** @type {Map<string, Job>} */
  const jobs = new Map();
  let place = 0;
  for (const row of rows)
    for (const column of columns) {
      const option = /** @type {Option} */ ({ ...row, ...column });
      const model = option.model ?? selected;
      const settings = { ...settingsOf(request, /** @type {Api.ModelDetails} */ (model.details)), ...row.settings, ...column.settings, ...(option.model ? { order: null } : null) };
      const conditions = { ...conditionsOf(request, /** @type {Api.ModelDetails} */ (model.details).conditions), ...row.conditions, ...column.conditions };
      const key = JSON.stringify([model.id, settings]);
      const job = jobs.get(key) ?? /** @type {Job} */ ({ model, settings, canvases: [], compared: by ? { ...request.compare } : null });
      job.canvases.push({ conditions, index: option.index ?? 0, caption: [row.caption, column.caption].filter(Boolean).join(" · "), place: place++, variation: null });
      jobs.set(key, job);
    }
  return { jobs: [...jobs.values()].flatMap(inParts), columns: columns.length > 1 ? columns.length : null };
}

/** Split a job of more images than a request may have. @param {Job} job @returns {Job[]} */
const inParts = (job) => Array.from({ length: Math.ceil(job.canvases.length / MAX_SAMPLES) }, (_, i) => ({ ...job, canvases: job.canvases.slice(i * MAX_SAMPLES, (i + 1) * MAX_SAMPLES) }));

/** @typedef {{caption: string, index?: number, model?: Api.ModelInfo, settings?: Partial<Settings>, conditions?: Api.ConditionValues}} Option one value of a comparison */

/** List the values of a comparison. @param {Compare["by"]} by @param {string} values @param {Api.ModelInfo} selected @param {Api.ModelInfo[]} models @returns {Option[]} */
function optionsOf(by, values, selected, models) {
  const { labels } = /** @type {Api.ModelDetails} */ (selected.details).conditions;
  if (by === "model") return models.map((model) => ({ model, caption: model.name }));
  if (by === "label") return chosenLabels(labels, values).map((label) => ({ conditions: { label }, caption: labels[label] }));
  if (by === "text") {
    const prompts = [...new Set(values.split(/[;\n]+/).map((prompt) => prompt.trim()).filter(Boolean))];
    if (!prompts.length) throw new Error("There is nothing to compare: give prompts, with a semicolon between them.");
    return prompts.map((text) => ({ conditions: { text }, caption: text }));
  }
  return numbersOf(values, /** @type {SettingName} */ (by)).map((value) => ({ settings: { [by]: value }, caption: `${SETTING_NAMES[by]} ${value}` }));
}

/** Find labels by their names; without names all of them. @param {string[]} labels @param {string} values */
function chosenLabels(labels, values) {
  const names = values.split(/[,;\n]+/).map((name) => name.trim()).filter(Boolean);
  if (!names.length && labels.length > MAX_CANVASES) throw new Error(`${labels.length} labels are more than ${MAX_CANVASES} canvases: name those to compare.`);
  if (!names.length) return labels.map((_, label) => label);
  return names.map((name) => {
    const label = labels.indexOf(name);
    if (label < 0) throw new Error(`There is no label “${name}”: choose from ${labels.slice(0, 8).join(", ")}${labels.length > 8 ? " …" : ""}.`);
    return label;
  });
}

/** @type {Record<string, string>} */
export const SETTING_NAMES = { guidance: "guidance", temperature: "temperature", top_p: "top-p" };

/** @type {Record<string, string>} values to begin with */
const EXAMPLE_VALUES = { guidance: "0, 1, 2, 4", temperature: "0.5, 0.8, 1, 1.2", top_p: "0.5, 0.8, 0.95, 1" };

/** Return values to begin a comparison with: examples of the model, and of labels all where there are not too many. @param {Compare["by"]} by @param {Api.ModelDetails} details */
export function exampleValues(by, { conditions, generation }) {
  if (by === "label") return conditions.labels.length > MAX_CANVASES ? generation.labels.slice(0, EXAMPLES).join(", ") : "";
  return by === "text" ? generation.prompts.slice(0, EXAMPLES).join("; ") : (EXAMPLE_VALUES[by] ?? "");
}

/** @typedef {"guidance" | "temperature" | "top_p"} SettingName */

/** Parse distinct numbers between commas or spaces. @param {string} text @param {SettingName} name @throws {Error} in a sentence */
export function numbersOf(text, name) {
  const parts = text.split(/[\s,;]+/).filter(Boolean);
  const highest = name === "top_p" ? 1 : 1000;
  const isValid = (/** @type {string} */ part) => Number.isFinite(Number(part)) && Number(part) >= 0 && Number(part) <= highest && (name !== "top_p" || Number(part) > 0);
  const wrong = parts.find((part) => !isValid(part));
  if (wrong !== undefined) throw new Error(`“${wrong}” is no ${SETTING_NAMES[name]}: give numbers ${name === "top_p" ? "above 0, at most 1" : "from 0 to 1000"}.`);
  const numbers = [...new Set(parts.map(Number))];
  if (!numbers.length) throw new Error("There is nothing to compare: give values such as 0.5, 1, 2.");
  if (numbers.length > MAX_COMPARED) throw new Error(`${numbers.length} values are more than ${MAX_COMPARED}: compare fewer.`);
  return numbers;
}

const TILED = { x: "tiles from left to right", y: "tiles from top to bottom", both: "tiles in both directions" };

/** Describe the rules, tiles and candidates of an image. @param {{settings: Settings, details: Api.ModelDetails}} canvas @returns {string[]} */
export function describeAdvanced({ settings: { rules, seamless, best_of: bestOf, negative_prompt: negative }, details: { image } }) {
  const switches = switchesOfRules(rules, image), names = switches ? SWITCHES.filter(({ key }) => switches[key]).map(({ name }) => name.toLowerCase()) : ["rules of a file"];
  return [...(negative ? [`not ${inOneDirection(`“${negative}”`)}`] : []), ...names, ...(seamless ? [TILED[seamless]] : []), ...(bestOf > 1 ? [`best of ${bestOf}`] : [])];
}

/** Describe the conditions of an image. @param {Api.ConditionValues} conditions @param {Api.SupportedConditions} supported */
export function describeConditions(conditions, supported) {
  const attributes = Object.entries(conditions.attributes ?? {}).map(([name, value]) => supported.attributes[name]?.[Number(value)] ?? value);
  const label = typeof conditions.label === "number" ? supported.labels[conditions.label] : conditions.label;
  return [label, conditions.text && `“${conditions.text}”${conditions.letters ? " by its letters" : ""}`, ...attributes, conditions.hint && "hint", ...Object.keys(conditions.others ?? {})]
    .filter((part) => part !== null && part !== undefined && part !== "")
    .map((part) => inOneDirection(String(part)))
    .join(", ");
}
