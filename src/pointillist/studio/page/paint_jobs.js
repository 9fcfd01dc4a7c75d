// What is asked for, as paintings: one for each model and setting, all from the same random numbers.

/** @typedef {import("./state.js").Ask} Ask */
/** @typedef {import("./board.js").Settings} Settings */
/** @typedef {{told: Api.Told, index: number, caption: string}} Wish one canvas */
/** @typedef {{model: Api.ModelInfo, settings: Settings, wishes: Wish[]}} Job one request */

export const MOST_COMPARED = 8;

/**
 * What a model is told. What it does not listen to is left out, so that models can be compared.
 * @param {Ask} ask @param {Api.Conditions} conditions
 * @returns {Api.Told}
 */
export function toldOf(ask, conditions) {
  /** @type {Api.Told} */
  const told = {};
  if (ask.label !== null && ask.label < conditions.labels.length) told.label = ask.label;
  if (ask.text.trim() && conditions.text) told.text = ask.text.trim();
  const attributes = Object.entries(ask.attributes).filter(([name]) => name in conditions.attributes);
  if (attributes.length) told.attributes = Object.fromEntries(attributes);
  if (ask.vector && conditions.vector === ask.vector.length) told.vector = ask.vector;
  if (ask.hint && conditions.hint) told.hint = ask.hint.levels;
  return told;
}

/** @param {Ask} ask @returns {Settings} */
const settingsOf = ({ guidance, temperature, top_p, order }) => ({ guidance, temperature, top_p, order });

/**
 * Every painting that is asked for.
 * @param {Ask} ask @param {Api.ModelInfo} model @param {Api.ModelInfo[]} models that could be compared
 * @returns {Job[]}
 */
export function jobsOf(ask, model, models) {
  const conditions = /** @type {Api.Details} */ (model.details).conditions;
  const settings = settingsOf(ask);
  const told = toldOf(ask, conditions);
  const { by, values } = ask.compare;
  if (by === "model")
    return models.slice(0, MOST_COMPARED).map((one) => ({
      model: one,
      settings: { ...settings, order: null },
      wishes: [{ told: toldOf(ask, /** @type {Api.Details} */ (one.details).conditions), index: 0, caption: one.name }],
    }));
  if (by === "label") {
    const labels = conditions.labels.slice(0, 2 * MOST_COMPARED);
    return [{ model, settings, wishes: labels.map((name, label) => ({ told: { ...told, label }, index: 0, caption: name })) }];
  }
  if (by)
    return numbersOf(values).map((value) => ({
      model,
      settings: { ...settings, [by]: value },
      wishes: [{ told, index: 0, caption: `${NAMES[by]} ${value}` }],
    }));
  const wishes = Array.from({ length: ask.count }, (_, index) => ({ told, index, caption: "" }));
  return [{ model, settings, wishes }];
}

/** @type {Record<string, string>} */
export const NAMES = { guidance: "guidance", temperature: "temperature", top_p: "top-p" };

/** @type {Record<string, string>} values that tell something, to begin with */
export const USUAL = { guidance: "0, 1, 2, 4", temperature: "0.5, 0.8, 1, 1.2", top_p: "0.5, 0.8, 0.95, 1" };

/** Numbers between commas or spaces, each once. @param {string} text */
export function numbersOf(text) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  return [...new Set(numbers.filter(Number.isFinite))].slice(0, MOST_COMPARED);
}

/** What an image was asked for, in words. @param {Api.Told} told @param {Api.Conditions} conditions */
export function toldInWords(told, conditions) {
  const attributes = Object.entries(told.attributes ?? {}).map(([name, value]) => conditions.attributes[name]?.[Number(value)] ?? value);
  const label = typeof told.label === "number" ? conditions.labels[told.label] : told.label;
  return [label, told.text && `“${told.text}”`, ...attributes, told.hint && "hint", told.vector && "vector"]
    .filter((part) => part !== null && part !== undefined && part !== "")
    .join(", ");
}
