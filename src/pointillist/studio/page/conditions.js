// Fields for what a model listens to; none for what it does not.

import { h, say } from "./dom.js";
import { hintOf, isOfNumbers, numbersIn, shapeOf } from "./numbers.js";

/** @typedef {import("./state.js").State} State */

const CHIPS = 12; // more classes than that are a list

/**
 * @param {State} state @param {Api.Details} details @param {import("./bringing.js").Bringing} bringing
 * @returns {HTMLElement[]}
 */
export function conditionFields(state, details, bringing) {
  const { conditions } = details;
  const { ask } = state;
  const fields = [];
  if (conditions.text) fields.push(textField(ask));
  if (conditions.labels.length) fields.push(labelField(ask, conditions.labels));
  for (const [name, values] of Object.entries(conditions.attributes)) fields.push(attributeField(ask, name, values));
  if (conditions.vector !== null) fields.push(vectorField(ask, conditions.vector));
  if (conditions.hint) fields.push(isOfNumbers(conditions.hint) ? numbersField(state, details, conditions.hint, bringing) : hintField(state, conditions.hint, bringing));
  return fields;
}

/** @param {State["ask"]} ask */
function textField(ask) {
  const input = h("input", { type: "text", maxLength: 2000, value: ask.text, placeholder: "a red dragon", className: "prompt", oninput: () => (ask.text = input.value) });
  return h("label", { className: "stacked" }, "Text", input);
}

/** @param {State["ask"]} ask @param {string[]} labels */
function labelField(ask, labels) {
  if (labels.length > CHIPS) return listField("Label", labels, ask.label, (label) => (ask.label = label));
  const chip = (/** @type {string} */ name, /** @type {number | null} */ label) =>
    h("label", {}, h("input", { type: "radio", name: "label", checked: ask.label === label, onchange: () => (ask.label = label) }), h("span", {}, name));
  return h("fieldset", { className: "choices" }, h("legend", {}, "Label"), chip("any", null), ...labels.map(chip));
}

/** @param {State["ask"]} ask @param {string} name @param {string[]} values */
function attributeField(ask, name, values) {
  return listField(name, values, ask.attributes[name] ?? null, (value) => {
    const { [name]: _, ...rest } = ask.attributes;
    ask.attributes = value === null ? rest : { ...rest, [name]: value };
  });
}

/** @param {string} name @param {string[]} values @param {number | null} now @param {(value: number | null) => void} take */
function listField(name, values, now, take) {
  const options = values.map((value, i) => h("option", { value: String(i), selected: i === now }, value));
  const select = h("select", { onchange: () => take(select.value === "" ? null : Number(select.value)) }, h("option", { value: "" }, "any"), ...options);
  return h("div", { className: "field" }, h("label", { className: "name" }, name, select));
}

/** @param {State["ask"]} ask @param {number} count */
function vectorField(ask, count) {
  const note = h("small", {});
  const input = h("input", {
    type: "text", placeholder: `${count} numbers`, value: ask.vector?.join(", ") ?? "",
    oninput: () => {
      const numbers = input.value.split(/[\s,;]+/).filter(Boolean).map(Number);
      const fits = numbers.length === count && numbers.every(Number.isFinite);
      ask.vector = fits ? numbers : null;
      note.textContent = fits || numbers.length === 0 ? "" : `${count} numbers are wanted; without them nothing is told.`;
    },
  });
  return h("label", { className: "stacked" }, "Vector", input, note);
}

/** @param {State} state @param {Api.HintKind} hint @param {import("./bringing.js").Bringing} bringing */
function hintField(state, hint, bringing) {
  const { ask } = state;
  const choose = h("button", { type: "button", onclick: () => bringing.choose("hint") }, ask.hint ? "Another" : "Choose a picture");
  const drop = h("button", { type: "button", onclick: () => { ask.hint = null; state.changed(); } }, "None");
  const what = hint.derive ? `Hint (${hint.derive})` : "Hint";
  return h("div", { className: "field" }, h("span", { className: "name" }, what, ask.hint && h("small", {}, ask.hint.name)), h("div", { className: "side" }, choose, ask.hint && drop));
}

/** @param {State} state @param {Api.Details} details @param {Api.HintKind} hint @param {import("./bringing.js").Bringing} bringing */
function numbersField(state, details, hint, bringing) {
  const { ask } = state;
  const wanted = () => shapeOf(hint, details, state.ask.size);
  const note = h("small", {}, ask.hint?.name ?? "");
  const input = h("input", {
    type: "text", placeholder: `${hint.channels} ${hint.channels === 1 ? "number" : "numbers"}, or ${wanted().join(" × ")}`, value: ask.hint?.text ?? "",
    oninput: () => {
      const values = numbersIn(input.value);
      ask.hint = null;
      try {
        if (!values) throw new Error("Numbers are wanted; without them nothing is told.");
        if (values.length) ask.hint = { levels: hintOf({ values, shape: null }, hint, wanted()), name: "", text: input.value };
        say(note, "");
      } catch (error) {
        say(note, error instanceof Error ? error.message : String(error));
      }
    },
  });
  const open = h("button", { type: "button", title: "A file of numbers: text, or an array saved by NumPy", onclick: () => bringing.choose("hint") }, "Open numbers");
  const none = h("button", { type: "button", onclick: () => { ask.hint = null; state.changed(); } }, "None");
  return h("div", { className: "field" }, h("label", { className: "stacked" }, hint.image ? "Hint (codes)" : "Hint (numbers)", input, note), h("div", { className: "side" }, open, Boolean(ask.hint?.name) && none));
}
