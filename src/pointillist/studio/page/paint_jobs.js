// Paint jobs for the prompt panel's request: one for each model and setting, all with the same random numbers.

/** @typedef {import("./state.js").Request} Request */
/** @typedef {import("./canvas_model.js").Settings} Settings */
/** @typedef {{conditions: Api.ConditionValues, index: number, caption: string}} CanvasSpec */
/** @typedef {{model: Api.ModelInfo, settings: Settings, canvases: CanvasSpec[]}} Job a request to the server */

export const MAX_COMPARED = 8;

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
  const attributes = Object.entries(request.attributes).filter(([name]) => name in supported.attributes);
  if (attributes.length) conditions.attributes = Object.fromEntries(attributes);
  if (request.vector && supported.vector === request.vector.length) conditions.vector = request.vector;
  if (request.hint && supported.hint) conditions.hint = request.hint.levels;
  return conditions;
}

/** @param {Request} request @returns {Settings} */
const settingsOf = ({ guidance, temperature, top_p, order }) => ({ guidance, temperature, top_p, order });

/**
 * List the jobs of a request.
 * @param {Request} request @param {Api.ModelInfo} selected @param {Api.ModelInfo[]} models that can be compared
 * @returns {Job[]}
 */
export function createJobs(request, selected, models) {
  const supported = /** @type {Api.ModelDetails} */ (selected.details).conditions;
  const settings = settingsOf(request);
  const conditions = conditionsOf(request, supported);
  const { by, values } = request.compare;
  if (by === "model")
    return models.slice(0, MAX_COMPARED).map((model) => ({
      model,
      settings: { ...settings, order: null },
      canvases: [{ conditions: conditionsOf(request, /** @type {Api.ModelDetails} */ (model.details).conditions), index: 0, caption: model.name }],
    }));
  if (by === "label") {
    const labels = supported.labels.slice(0, 2 * MAX_COMPARED);
    return [{ model: selected, settings, canvases: labels.map((name, label) => ({ conditions: { ...conditions, label }, index: 0, caption: name })) }];
  }
  if (by)
    return numbersOf(values).map((value) => ({
      model: selected,
      settings: { ...settings, [by]: value },
      canvases: [{ conditions, index: 0, caption: `${SETTING_NAMES[by]} ${value}` }],
    }));
  const canvases = Array.from({ length: request.count }, (_, index) => ({ conditions, index, caption: "" }));
  return [{ model: selected, settings, canvases }];
}

/** @type {Record<string, string>} */
export const SETTING_NAMES = { guidance: "guidance", temperature: "temperature", top_p: "top-p" };

/** @type {Record<string, string>} values to begin with */
export const EXAMPLE_VALUES = { guidance: "0, 1, 2, 4", temperature: "0.5, 0.8, 1, 1.2", top_p: "0.5, 0.8, 0.95, 1" };

/** Parse distinct numbers between commas or spaces. @param {string} text */
export function numbersOf(text) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  return [...new Set(numbers.filter(Number.isFinite))].slice(0, MAX_COMPARED);
}

/** Describe the conditions of an image. @param {Api.ConditionValues} conditions @param {Api.SupportedConditions} supported */
export function describeConditions(conditions, supported) {
  const attributes = Object.entries(conditions.attributes ?? {}).map(([name, value]) => supported.attributes[name]?.[Number(value)] ?? value);
  const label = typeof conditions.label === "number" ? supported.labels[conditions.label] : conditions.label;
  return [label, conditions.text && `“${conditions.text}”`, ...attributes, conditions.hint && "hint", conditions.vector && "vector"]
    .filter((part) => part !== null && part !== undefined && part !== "")
    .join(", ");
}
